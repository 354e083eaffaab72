"""The graph of a defect: markers, vacated sites, edges and conditions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from augment import Defect, find_supercell, point_defects, read_host
from augment.errors import DataError
from defectgen.representation.conditions import CONDITIONS, Conditions
from defectgen.representation.template import Marker, Template


@pytest.fixture(scope="module")
def supercell():
    return find_supercell(read_host("examples/hosts/MgO.cif"), min_image_distance=5.0)


def template_of(defect: Defect) -> Template:
    return Template.of(defect.cell(), defect.supercell.sites)


@pytest.mark.parametrize(
    ("kind", "marker"),
    [
        ("vacancy", Marker.VACANCY),
        ("antisite", Marker.SUBSTITUTED),
        ("substitution", Marker.SUBSTITUTED),
        ("interstitial", Marker.INTERSTITIAL),
    ],
)
def test_exactly_the_edited_site_is_marked(supercell, kind, marker):
    for defect in point_defects(supercell, dopants=["Al"], kinds=[kind]):
        template = template_of(defect)
        marked = np.flatnonzero(template.markers != Marker.HOST)
        assert template.markers[marked].tolist() == [marker]
        assert template.defect_distance[marked] == 0
        assert template.n_atoms == len(defect.cell())
        assert (template.numbers[: template.n_atoms] == defect.cell().numbers).all()


def test_a_vacated_site_is_a_node_without_an_atom_at_the_site(supercell):
    defect = point_defects(supercell, kinds=["vacancy"])[0]
    template = template_of(defect)
    site = defect.vacant_sites()[0]
    assert template.numbers[-1] == 0
    assert template.host_numbers[-1] == supercell.sites.numbers[site]
    assert np.allclose(template.positions[-1], supercell.sites.positions[site])


def test_a_pristine_cell_has_no_marks_and_no_near_defect(supercell):
    template = template_of(Defect(supercell, ()))
    assert (template.markers == Marker.HOST).all()
    assert np.isinf(template.defect_distance).all()


def test_defect_distance_is_the_minimum_image_distance(supercell):
    from ase.geometry import get_distances

    template = template_of(point_defects(supercell, kinds=["vacancy"])[0])
    _, oracle = get_distances(template.positions[-1:], template.positions, cell=template.cell, pbc=True)
    assert np.allclose(template.defect_distance, oracle[0], atol=1e-9)


def test_edges_are_symmetric_and_within_the_cutoff(supercell):
    template = template_of(point_defects(supercell, kinds=["vacancy"])[0])
    edges = template.edges(4.0)
    assert np.linalg.norm(edges.vectors, axis=1).max() < 4.0
    there = {(i, j, *np.round(v, 5)) for i, j, v in zip(edges.receivers, edges.senders, edges.vectors, strict=True)}
    back = {
        (j, i, *(np.round(-v, 5) + 0.0)) for i, j, v in zip(edges.receivers, edges.senders, edges.vectors, strict=True)
    }
    assert {tuple(np.add(e, 0.0)) for e in there} == {tuple(np.add(e, 0.0)) for e in back}


def test_an_edge_leads_to_an_image_of_its_sender(supercell):
    template = template_of(point_defects(supercell, kinds=["interstitial"])[0])
    edges = template.edges(5.0)
    off = template.positions[edges.receivers] + edges.vectors - template.positions[edges.senders]
    shifts = off @ np.linalg.inv(template.cell)
    assert np.allclose(shifts, np.rint(shifts), atol=1e-9)
    assert np.abs(np.rint(shifts)).max() > 0


def test_a_template_with_atoms_after_vacated_sites_is_refused(supercell):
    t = template_of(point_defects(supercell, kinds=["vacancy"])[0])
    order = np.roll(np.arange(len(t.numbers)), 1)
    columns = [
        getattr(t, n)[order]
        for n in ("positions", "numbers", "host_numbers", "markers", "wyckoff", "site_order", "multiplicity")
    ]
    with pytest.raises(DataError, match="come last"):
        Template(t.key, t.cell, *columns)


def test_a_hidden_condition_cannot_be_read_off_the_vector():
    a = Conditions(300.0, 5.0, 4, 8, hidden=frozenset({"temperature", "pressure", "subgroup"}))
    b = Conditions(900.0, 1.0, 2, 8, hidden=a.hidden)
    assert (a.vector() == b.vector()).all()
    assert (Conditions(300.0, 5.0, 4, 8).vector() != Conditions(900.0, 1.0, 2, 8).vector()).any()
    assert len(a.vector()) == Conditions.WIDTH


def test_the_reference_cell_has_no_strain():
    assert Conditions().strain_scale == 0.0
    assert Conditions(temperature=300.0).strain_scale > 0


def test_empty_voids_near_the_defect_become_nodes_and_the_rest_stays(supercell):
    defect = next(d for d in point_defects(supercell, kinds=["vacancy"]))
    plain = template_of(defect)
    wide = Template.of(defect.cell(), supercell.sites, voids=6.0)
    near = wide.with_voids(2.5)
    empty = wide.markers == Marker.VOID
    assert empty.sum() > (near.markers == Marker.VOID).sum() > 0
    assert wide.defect_distance[empty].max() <= 6.0
    assert near.defect_distance[near.markers == Marker.VOID].max() <= 2.5
    assert (wide.numbers[empty] == 0).all()
    assert (wide.host_numbers[empty] == 0).all()
    bare = wide.with_voids(0.0)
    assert bare.numbers.tolist() == plain.numbers.tolist()
    assert bare.markers.tolist() == plain.markers.tolist()
    # No atom sits where a void is empty, and voids do not count as edits.
    gaps = wide.positions[empty][:, None] - wide.positions[: wide.n_atoms]
    gaps -= np.rint(gaps @ np.linalg.inv(wide.cell)) @ wide.cell
    assert np.linalg.norm(gaps, axis=-1).min() > 1.0
    assert wide.concentration == plain.concentration == pytest.approx(1 / supercell.n_atoms)


def test_what_is_hidden_or_unknown_is_not_told():
    base = Conditions(300.0, 1.0, 2, 4)
    changes = {"energy": 0.5, "charge": 2, "concentration": 0.1}
    for name, value in changes.items():
        told = replace(base, **{name: value})
        assert (told.vector() != base.vector()).any()
        assert (replace(told, hidden=frozenset({name})).vector() == base.vector()).all()
    assert len(base.vector()) == Conditions.WIDTH
    known_zero = replace(base, charge=0)
    assert (known_zero.vector() != base.vector()).any()
    assert (replace(base, hidden=frozenset(CONDITIONS)).vector()[:9] == 0).all()
