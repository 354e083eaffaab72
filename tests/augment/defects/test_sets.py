"""Frenkel, Schottky, dopant-vacancy and split sets, dumbbells, and the names that choose kinds of edit."""

from __future__ import annotations

import numpy as np
import pytest

from augment import Defect, conventional_supercell, find_supercell
from augment.defects.kinds import EditKind, kinds, put_element
from augment.defects.sets import dopant_vacancy_pairs, frenkel_pairs, schottky_sets, split_vacancies
from augment.defects.split_interstitials import split_interstitials
from augment.dumbbell import with_dumbbells
from augment.errors import DefectError
from tests.support.crystals import disguised, host
from tests.support.places import HOSTS


def small(name: str):
    return find_supercell(host(name), min_image_distance=6.0)


@pytest.mark.parametrize("path", sorted(HOSTS.glob("*.cif")), ids=lambda p: p.stem)
def test_dumbbells_have_the_symmetry_and_the_keys_of_defects(path) -> None:
    from ase.data import atomic_numbers
    from ase.neighborlist import neighbor_list

    crystal, supercell = host(path.stem), find_supercell(host(path.stem), min_image_distance=4.0)
    assert with_dumbbells(crystal).hash == crystal.hash
    found = list(split_interstitials(supercell, [atomic_numbers[crystal.elements[0]], 54]))
    assert found
    assert len({d.key for d in found}) == len(found)
    for defect in found[:: max(1, len(found) // 6)]:
        assert defect.type == "split interstitial"
        assert Defect.from_key(crystal, defect.key) == defect
        assert defect.degeneracy * defect.stabilizer.order == defect.supercell.group_order
        assert len(defect.cell()) == supercell.n_atoms + 1
        assert neighbor_list("d", defect.cell().to_ase(), 1.5).min(initial=9.0) > 0.99


def test_the_dumbbells_of_iron_are_the_three_of_the_textbook() -> None:
    found = {d.name: d.point_group for d in split_interstitials(small("Fe"), [26])}
    assert found == {"Fe_i_split_Fe_111": "D3d", "Fe_i_split_Fe_110": "D2h", "Fe_i_split_Fe_100": "D4h"}
    assert {d.charges for d in split_interstitials(small("Fe"), [26])} == {(0,)}
    assert {d.charges for d in split_interstitials(small("MgO"), [8])} == {(-2, -1, 0)}


def test_spglib_finds_the_symmetry_of_dumbbells() -> None:
    import spglib

    for name, elements in (("MgO", [8, 54]), ("SiO2_quartz", [14]), ("GaN", [7])):
        for defect in list(split_interstitials(small(name), elements))[::3]:
            cell = defect.cell()
            fractional = cell.positions @ np.linalg.inv(cell.cell)
            found = spglib.get_symmetry((cell.cell, fractional, cell.numbers), symprec=1e-4)
            assert len(found["rotations"]) == defect.stabilizer.order, defect.name


def test_dumbbells_do_not_depend_on_how_the_host_is_written() -> None:
    from augment import host_from_structure

    other = host_from_structure(disguised(host("GaN").to_pymatgen(), np.random.default_rng(2)))
    mine = [d.key for d in split_interstitials(small("GaN"), [7])]
    theirs = [d.key for d in split_interstitials(find_supercell(other, min_image_distance=6.0), [7])]
    assert mine == theirs


def test_frenkel_pairs_are_told_apart_by_more_than_their_distance() -> None:
    supercell = conventional_supercell(host("MgO"), np.diag([2, 2, 2]))
    found = list(frenkel_pairs(supercell, "O", cutoff=4.0))
    assert {d.name for d in found} == {"v_O+O_i_Td"}
    assert [d.degeneracy for d in found] == [256, 768]
    assert all(len(d.cell()) == supercell.n_atoms for d in found)


def test_schottky_sets_remove_one_formula_unit() -> None:
    supercell = conventional_supercell(host("SrTiO3"), np.diag([2, 2, 2]))
    full = list(schottky_sets(supercell, cutoff=4.0))
    assert {len(d.edits) for d in full} == {5}
    partial = list(schottky_sets(supercell, "SrO"))
    assert {d.name for d in partial} == {"v_O+v_Sr"}
    assert sum(d.degeneracy for d in partial) == 8 * 24


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("SrTi", "charge of -6"),
        ("Xx2", "has no Xx"),
        ("SrN", "has no N"),
        ("Sr0.5O0.5", "no chemical formula"),
    ],
)
def test_formulas_that_cannot_be_removed_are_refused(formula, message) -> None:
    with pytest.raises(DefectError, match=message):
        list(schottky_sets(small("SrTiO3"), formula))


def test_dopant_vacancy_pairs_are_one_dopant_and_one_vacancy() -> None:
    found = list(dopant_vacancy_pairs(small("SrTiO3"), "Fe", cutoff=3.0))
    assert {d.name for d in found} == {"v_O+Fe_O", "v_O+Fe_Ti", "v_O+Fe_Sr"} | {"Fe_O+v_Ti", "Fe_O+v_Sr"}
    with pytest.raises(DefectError, match="no pair of Fe and a vacancy within 1 Å"):
        list(dopant_vacancy_pairs(small("SrTiO3"), "Fe", cutoff=1.0))


def test_a_split_vacancy_has_an_atom_between_two_vacancies() -> None:
    supercell = small("Al2O3_corundum")
    aluminium = np.flatnonzero(supercell.sites.numbers == 13)
    found = list(split_vacancies(supercell, "Al"))
    for defect in found:
        sites = np.array([e.site for e in defect.edits])
        void = int(np.flatnonzero(supercell.sites.numbers[sites] == 0)[0])
        nearest = supercell.distances(np.array([sites[void], *aluminium]))[0, 1:].min()
        assert sorted(e.number for e in defect.edits) == [0, 0, 13]
        assert supercell.distances(sites)[void].max() < 1.3 * nearest + 1e-6
    # The void of face-sharing octahedra on the threefold axis, midway between two aluminium sites.
    assert any(d.point_group == "C3i" for d in found)


def test_names_choose_orbits() -> None:
    crystal = host("Ga2O3_beta")
    oxygen = [k for k, o in enumerate(crystal.orbits) if o.element == "O"]
    voids = [k for k, o in enumerate(crystal.orbits) if o.void]
    assert kinds(crystal, "v_O") == tuple(EditKind(k, 0) for k in oxygen)
    assert kinds(crystal, "Va_O") == kinds(crystal, "v_O")
    assert kinds(crystal, "O_i") == tuple(EditKind(k, 8) for k in voids)
    assert kinds(crystal, "Fe_Ga_4i") == kinds(crystal, "Fe_Ga_i") == kinds(crystal, "Fe_Ga_Cs")
    assert put_element("Fe_Ga_4i") == "Fe"
    assert put_element("v_O") == put_element("nonsense") == ""


@pytest.mark.parametrize("path", sorted(HOSTS.glob("*.cif")), ids=lambda p: p.stem)
def test_the_name_that_a_point_defect_prints_chooses_its_orbit_alone(path) -> None:
    from augment import point_defects

    for defect in point_defects(find_supercell(host(path.stem), min_image_distance=3.0), dopants=["Xe"]):
        orbit = int(defect.supercell.sites.orbit[defect.edits[0].site])
        assert kinds(host(path.stem), defect.name) == (EditKind(orbit, defect.edits[0].number),)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vO", "names no point"), ("", "names no point"), ("v_i", "holds no atom"), ("O_O", "changes nothing"),
        ("Qq_O", "is no element"), ("X_O", "is no element"), ("v_N", "has no N"), ("v_O_9z", "no site '9z'; .*4b"),
    ],
)  # fmt: skip
def test_names_that_fit_nothing_are_refused(name, message) -> None:
    with pytest.raises(DefectError, match=message):
        kinds(host("MgO"), name)
