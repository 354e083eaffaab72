"""Representations obey the laws of their theory on every point group, and carry the names of the character tables."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from pymatgen.core import Structure

from augment import Defect, Edit, conventional_supercell, find_supercell, host_from_structure, point_defects
from augment.errors import SymmetryError
from augment.groups.irreps import (
    conjugacy_classes,
    displacement_characters,
    irreps,
    isotropy_subgroups,
    strain_characters,
    subgroup_weights,
)
from augment.groups.symmetry import FiniteGroup
from tests.support.crystals import crystal_on, host, point_on, random_crystal

D6 = "A1 A2 B1 B2 E1 E2"
KNOWN = {  # symmorphic space group with the point group at Wyckoff position a: irreps, and what (x, y, z) transform as
    1: ("A", "3A"), 2: ("Ag Au", "3Au"), 3: ("A B", "A 2B"), 6: ("A' A''", "2A' A''"),
    10: ("Ag Au Bg Bu", "Au 2Bu"), 16: ("A B1 B2 B3", "B1 B2 B3"), 25: ("A1 A2 B1 B2", "A1 B1 B2"),
    47: ("Ag B1g B2g B3g Au B1u B2u B3u", "B1u B2u B3u"), 75: ("A B E", "A E"), 81: ("A B E", "B E"),
    83: ("Ag Bg Eg Au Bu Eu", "Au Eu"), 89: ("A1 A2 B1 B2 E", "A2 E"), 99: ("A1 A2 B1 B2 E", "A1 E"),
    111: ("A1 A2 B1 B2 E", "B2 E"), 115: ("A1 A2 B1 B2 E", "B2 E"),
    123: ("A1g A2g B1g B2g Eg A1u A2u B1u B2u Eu", "A2u Eu"), 143: ("A E", "A E"), 147: ("Ag Eg Au Eu", "Au Eu"),
    149: ("A1 A2 E", "A2 E"), 150: ("A1 A2 E", "A2 E"), 156: ("A1 A2 E", "A1 E"), 157: ("A1 A2 E", "A1 E"),
    162: ("A1g A2g Eg A1u A2u Eu", "A2u Eu"), 164: ("A1g A2g Eg A1u A2u Eu", "A2u Eu"), 168: ("A B E1 E2", "A E1"),
    174: ("A' A'' E' E''", "A'' E'"), 175: ("Ag Bg E1g E2g Au Bu E1u E2u", "Au E1u"), 177: (D6, "A2 E1"),
    183: (D6, "A1 E1"), 187: ("A1' A2' A1'' A2'' E' E''", "A2'' E'"), 189: ("A1' A2' A1'' A2'' E' E''", "A2'' E'"),
    191: ("A1g A2g B1g B2g E1g E2g A1u A2u B1u B2u E1u E2u", "A2u E1u"), 195: ("A E T", "T"),
    200: ("Ag Eg Tg Au Eu Tu", "Tu"), 207: ("A1 A2 E T1 T2", "T1"), 215: ("A1 A2 E T1 T2", "T2"),
    221: ("A1g A2g Eg T1g T2g A1u A2u Eu T1u T2u", "T1u"),
}  # fmt: skip


def symmorphic(number: int) -> Structure:
    """A crystal with an atom whose site has the whole point group, and atoms on a general position."""
    rng = np.random.default_rng(number)
    while True:
        structure = crystal_on(number, [(12, point_on(number, 0, rng)), (8, rng.random(3)), (22, rng.random(3))])
        if structure.is_valid(0.5) and structure.get_space_group_info(symprec=0.05)[1] == number:
            return structure


@cache
def site(number: int) -> Defect:
    crystal = host_from_structure(symmorphic(number))
    supercell = conventional_supercell(crystal, np.eye(3, dtype=int))
    return Defect(supercell, (Edit(int(np.flatnonzero(supercell.sites.numbers == 12)[0]), 0),))


def multiplicities(table, characters) -> str:
    counts = {x.label: x.copies_in(characters) for x in table}
    return " ".join(f"{n if n > 1 else ''}{label}" for label, n in sorted(counts.items()) if n)


@pytest.mark.parametrize("number", KNOWN)
def test_every_point_group_has_the_irreps_of_its_character_table(number) -> None:
    group, action = site(number).stabilizer, site(number).symmetry()
    labels, vector = KNOWN[number]
    table = irreps(group, action)
    assert group.order == site(number).host.group.order, "the site has the whole point group"
    assert sorted(x.label for x in table) == sorted(labels.split())
    assert table[0].trivial
    assert table[0].label[0] == "A"
    traces = np.trace(action.rotations, axis1=1, axis2=2)
    assert multiplicities(table, traces) == " ".join(sorted(vector.split(), key=lambda x: x.lstrip("23")))
    assert sum(2 if x.norm == 2 else 1 for x in table) == conjugacy_classes(group.table).max() + 1
    assert sum(x.dimension**2 // x.norm for x in table) == group.order
    characters = np.array([x.characters for x in table])
    assert np.array_equal(characters @ characters.T, group.order * np.diag([x.norm for x in table]))


def check_projectors(defect: Defect, rng: np.random.Generator) -> None:
    group, action = defect.stabilizer, defect.symmetry()
    table = irreps(group, action)
    n = action.permutations.shape[1]
    u, strain = rng.normal(size=(2, n, 3)), rng.normal(size=(3, 3))
    strain += strain.T
    parts = [x.project_displacements(action, u) for x in table]
    strains = [x.project_strain(action, strain) for x in table]
    assert np.allclose(sum(parts), u, atol=1e-12)
    assert np.allclose(sum(strains), strain, atol=1e-12)
    assert np.allclose(parts[0][0], action.project_displacements(u[0]), atol=1e-12)
    assert np.allclose(strains[0], action.project_strain(strain), atol=1e-12)
    for i, x in enumerate(table):
        for j, part in enumerate(parts):
            again = x.project_displacements(action, part)
            assert np.allclose(again, part if i == j else 0, atol=1e-12)
        k = int(rng.integers(group.order))
        one = np.zeros(group.order)
        one[k] = 1
        turn = action.displacement_operator(one)
        operator = action.displacement_operator(x.weights)
        assert abs(turn @ operator - operator @ turn).max() < 1e-12
        rigid = x.copies_in(np.trace(action.rotations, axis1=1, axis2=2))
        rank = x.dimension * (x.copies_in(displacement_characters(action)) + rigid)
        assert operator.trace() == pytest.approx(rank, abs=1e-9)


@pytest.mark.parametrize("number", KNOWN)
def test_projectors_obey_their_laws_on_every_point_group(number) -> None:
    check_projectors(site(number), np.random.default_rng(number))


@pytest.mark.parametrize("number", [5, 15, 33, 62, 88, 122, 142, 161, 167, 186, 194, 205, 220, 227])
def test_projectors_obey_their_laws_in_crystals_of_any_space_group(number) -> None:
    rng = np.random.default_rng(number)
    crystal = host_from_structure(random_crystal(number, rng, most_atoms=100))
    supercell = find_supercell(crystal, min_image_distance=2.0, max_atoms=300)
    first = int(rng.integers(supercell.n_atoms))
    check_projectors(Defect(supercell, (Edit(first, 0),)), rng)


def test_a_defect_that_a_translation_maps_onto_itself_has_representations_too() -> None:
    supercell = conventional_supercell(host("MgO"), 2 * np.eye(3, dtype=int))
    oxygen = np.flatnonzero(supercell.sites.numbers == 8)
    shift = supercell.sites.positions[oxygen] - supercell.sites.positions[oxygen[0]] - supercell.cell.sum(axis=0) / 2
    shift = shift @ np.linalg.inv(supercell.cell)
    half = oxygen[np.abs(shift - np.rint(shift)).max(axis=1) < 1e-6][0]
    pair = Defect(supercell, (Edit(int(oxygen[0]), 0), Edit(int(half), 0)))
    assert pair.stabilizer.order == 96
    table = irreps(pair.stabilizer, pair.symmetry())
    assert sum(x.dimension**2 // x.norm for x in table) == 96
    assert {x.label[0] for x in table} == {"Γ"}
    assert len({x.label for x in table}) == len(table)
    check_projectors(pair, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("name", "defect_name", "matrix", "free", "invariant"),
    [("MgO", "v_O", 2, 186, 6), ("SrTiO3", "v_O", 3, 399, 33), ("GaN", "v_N", None, 570, 118)],
)
def test_the_invariant_space_is_as_small_as_known(name, defect_name, matrix, free, invariant) -> None:
    if matrix is None:
        supercell = find_supercell(host(name), min_image_distance=12.0, min_atoms=192, max_atoms=192)
    else:
        supercell = conventional_supercell(host(name), matrix * np.eye(3, dtype=int))
    one = next(d for d in point_defects(supercell, kinds=["vacancy"]) if d.name.startswith(defect_name))
    table, characters = irreps(one.stabilizer, one.symmetry()), displacement_characters(one.symmetry())
    # Without rigid translations, of which the polar C3v of GaN keeps one.
    assert table[0].copies_in(characters) == invariant
    assert sum(x.dimension * x.copies_in(characters) for x in table) == free


@pytest.mark.parametrize("number", [25, 81, 99, 162, 174, 187, 195, 200, 215, 221])
def test_a_displacement_along_an_irrep_keeps_its_isotropy_subgroup_and_nothing_else(number) -> None:
    group, action = site(number).stabilizer, site(number).symmetry()
    rng, operators = np.random.default_rng(number), np.eye(group.order)
    for x in irreps(group, action):
        kept = isotropy_subgroups(group, x.characters)
        assert list(kept[-1].members) == list(x.kernel), "the general direction keeps the kernel"
        for k in kept if x.copies_in(displacement_characters(action)) else ():
            operator = action.displacement_operator(subgroup_weights(group, x, k.members))
            u = operator @ rng.normal(size=operator.shape[0])
            assert np.allclose(operator @ u, u)
            off = np.array([np.abs(action.displacement_operator(h) @ u - u).max() for h in operators])
            assert np.array_equal(np.flatnonzero(off < 1e-9), k.members)
            assert off[off >= 1e-9].min(initial=1) > 1e-4, "no operation is nearly kept"
            assert k.multiplicity * len(k.members) == group.order
            assert group.subset(k.members).symbol == k.symbol


def test_a_polar_displacement_in_a_cube_keeps_what_stokes_and_hatch_list() -> None:
    group, action = site(221).stabilizer, site(221).symmetry()
    table = {x.label: x for x in irreps(group, action)}
    kept = [(k.symbol, k.multiplicity, k.dimension) for k in isotropy_subgroups(group, table["T1u"].characters)]
    expected = [("4mm", 6, 1), ("3m", 8, 1), ("mm2", 12, 1), ("m", 24, 2), ("m", 24, 2), ("1", 48, 3)]
    assert kept == expected
    strain = isotropy_subgroups(group, strain_characters(action))
    assert {k.symbol for k in strain} == {"m-3m", "4/mmm", "-3m", "mmm", "2/m", "-1"}


def test_operations_that_are_no_group_are_refused() -> None:
    group, action = site(221).stabilizer, site(221).symmetry()
    with pytest.raises(SymmetryError):
        irreps(FiniteGroup(group.rotations[:7], group.permutations[:7]), action)
