"""Complexes: every orbit once, with its degeneracy, whatever the host, the kinds and the cutoff."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from itertools import islice

import numpy as np
import pytest

from augment import Defect, Edit, conventional_supercell, find_supercell, host_from_structure
from augment.defects.burnside import count_orbits
from augment.defects.editspace import EditSpace
from augment.defects.orderly import complexes, count_by_size, enumerate_orbits
from augment.defects.recipe import Recipe
from augment.errors import DefectError
from tests.support.crystals import host, random_crystal

pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib's, in the oracles


def space(name: str, kinds: str, *, matrix=None, cutoff: float | None = None) -> EditSpace:
    supercell = conventional_supercell(host(name), np.diag(matrix or [2, 2, 2]))
    return EditSpace.of(supercell, kinds.split(","), cutoff)


def brute_force(edits: EditSpace, size: int) -> dict[tuple[int, ...], int]:
    """Least set and number of sets of each orbit, by walking through every set; distances from pymatgen."""
    supercell = edits.supercell
    from pymatgen.core import Lattice

    fractional = supercell.sites.positions @ np.linalg.inv(supercell.cell)
    apart = Lattice(supercell.cell).get_all_distances(fractional, fractional)
    index = {(int(s), int(z)): k for k, (s, z) in enumerate(zip(edits.site, edits.number, strict=True))}
    group = [
        [index[(int(row[s]), int(z))] for s, z in zip(edits.site, edits.number, strict=True)]
        for row in supercell.group.permutations
    ]
    found: dict[tuple[int, ...], int] = {}
    for chosen in itertools.combinations(range(len(edits)), size):
        sites = [int(edits.site[k]) for k in chosen]
        pairs = itertools.combinations(sites, 2)
        if len(set(sites)) == size and all(
            edits.cutoff is None or apart[a, b] <= edits.cutoff + 1e-4 for a, b in pairs
        ):
            least = min(tuple(sorted(row[k] for k in chosen)) for row in group)
            found[least] = found.get(least, 0) + 1
    return found


@pytest.mark.parametrize(
    ("name", "kinds", "matrix", "cutoff", "size"),
    [
        ("MgO", "v_O,Al_Mg", [1, 1, 1], None, 4),
        ("MgO", "v_O,v_Mg,Al_Mg", [1, 1, 2], 3.1, 3),
        ("GaN", "v_N,Mg_Ga,N_i", [1, 1, 1], 4.0, 3),
        ("TiO2_rutile", "v_O,Fe_Ti,Nb_Ti", [1, 1, 2], 4.2, 3),
        ("SiO2_quartz", "v_O,Al_Si", [1, 1, 1], None, 4),
        ("ZrO2_monoclinic", "v_O,Y_Zr", [1, 1, 1], 3.5, 4),
        ("CaF2", "v_F,F_i,Y_Ca", [1, 1, 1], 3.0, 3),
    ],
)
def test_every_orbit_is_found_once_with_its_degeneracy(name, kinds, matrix, cutoff, size) -> None:
    edits = space(name, kinds, matrix=matrix, cutoff=cutoff)
    expected = brute_force(edits, size)
    order = edits.supercell.group_order
    found: dict[tuple[int, ...], int] = {}
    for block in enumerate_orbits(edits, size):
        for members, stabilizer in zip(block.members.tolist(), block.stabilizers.tolist(), strict=True):
            assert tuple(members) not in found
            found[tuple(members)] = order // stabilizer
    assert found == expected
    assert len(found) > 2


@pytest.mark.parametrize(
    "number", [1, 2, 5, 14, 31, 62, 82, 122, 148, 155, 167, 176, 186, 194, 198, 216, 221, 227, 230]
)
def test_burnsides_count_is_the_enumerated_one_in_any_space_group(number) -> None:
    check_burnside(number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 231))
def test_burnsides_count_is_the_enumerated_one_in_every_space_group(number) -> None:
    check_burnside(number)


def check_burnside(number: int) -> None:
    rng = np.random.default_rng(number)
    crystal = host_from_structure(random_crystal(number, rng, most_atoms=120))
    first, second = (crystal.elements[0], crystal.elements[-1])
    supercell = find_supercell(crystal, min_image_distance=2.0, keep_point_group=False)
    edits = EditSpace.of(supercell, [f"v_{first}", f"Xe_{first}", f"v_{second}"])
    recipe = Recipe(1, min(2 if len(edits) > 60 else 3, len(np.unique(edits.site))))
    assert list(count_by_size(edits, recipe)) == list(count_orbits(edits, recipe))
    for defect in islice(complexes(edits, recipe), 20):
        assert defect.degeneracy * defect.stabilizer.order == supercell.group_order
        assert Defect.from_key(crystal, defect.key) == defect


def test_the_known_counts() -> None:
    oxygen = space("SrTiO3", "v_O", matrix=[3, 3, 3])
    assert list(count_by_size(oxygen, Recipe(1, 3))) == [(1, 1, 81), (2, 11, 3240), (3, 117, 85_320)]
    assert math.comb(81, 3) == 85_320
    rock_salt = space("MgO", "v_O,v_Mg,Al_Mg")
    assert [orbits for _, orbits, _ in count_by_size(rock_salt, Recipe(1, 3))] == [3, 28, 268]
    four = next(count_by_size(rock_salt, Recipe(4, 4)))
    assert four == next(count_orbits(rock_salt, Recipe(4, 4)))


def test_complexes_are_the_canonical_defects_of_their_keys() -> None:
    rng = np.random.default_rng(1)
    edits = space("SrTiO3", "v_O,v_Sr,Fe_Ti", cutoff=4.5)
    found = list(complexes(edits, Recipe(1, 3)))
    assert len({d.key for d in found}) == len(found)
    assert [len(d.edits) for d in found] == sorted(len(d.edits) for d in found)
    for defect in found:
        images = edits.supercell.images(np.array([e.site for e in defect.edits]))
        row = images[rng.integers(len(images))]
        image = [Edit(int(s), e.number) for s, e in zip(row, defect.edits, strict=True)]
        rng.shuffle(image)
        again = Defect(edits.supercell, tuple(image))
        assert again.edits == defect.edits
        assert again.key == defect.key


def test_two_libraries_find_the_claimed_symmetry_of_complexes() -> None:
    import moyopy
    import spglib

    for defect in islice(complexes(space("TiO2_rutile", "v_O,Fe_Ti", cutoff=3.6), Recipe(2, 3)), 0, 40, 4):
        cell = defect.cell()
        fractional = cell.positions @ np.linalg.inv(cell.cell)
        found = spglib.get_symmetry((cell.cell, fractional, cell.numbers), symprec=1e-4)
        assert len(found["rotations"]) == defect.stabilizer.order
        moyo = moyopy.MoyoDataset(moyopy.Cell(cell.cell.tolist(), fractional.tolist(), cell.numbers.tolist()))
        assert len(moyo.operations.rotations) == defect.stabilizer.order


def test_a_count_does_not_depend_on_the_basis_of_the_supercell() -> None:
    matrices = (np.diag([2, 2, 2]), np.array([[2, 2, 0], [0, 2, 0], [-4, 0, 2]]))
    counts = [
        list(count_by_size(EditSpace.of(conventional_supercell(host("MgO"), m), ["v_O", "Al_Mg"], 3.2), Recipe(1, 3)))
        for m in matrices
    ]
    assert counts[0] == counts[1]


def test_balanced_complexes_are_those_whose_charges_sum_to_zero() -> None:
    edits = space("MgO", "v_O,v_Mg,Al_Mg")
    charge = {"v_O": 2, "v_Mg": -2, "Al_Mg": 1}
    every = list(complexes(edits, Recipe(1, 3)))
    balanced = [d.key for d in every if sum(charge[part] for part in d.name.split("+")) == 0]
    assert [d.key for d in complexes(edits, Recipe(1, 3, neutral=True))] == balanced
    assert 0 < len(balanced) < len(every)
    assert list(count_orbits(edits, Recipe(2, 3, neutral=True))) == list(
        count_by_size(edits, Recipe(2, 3, neutral=True))
    )


def test_counts_of_each_kind_are_kept() -> None:
    edits = space("MgO", "v_O,v_Mg,Al_Mg")
    every = [d.name.split("+") for d in complexes(edits, Recipe(3, 3))]
    for counts in ({"Al_Mg": (1, 2)}, {"v_O": (0, 0), "v_Mg": (1, 1)}, {"v_O": (2, 3)}):
        recipe = Recipe(3, 3, counts)
        fitting = [names for names in every if all(a <= names.count(k) <= b for k, (a, b) in counts.items())]
        assert [d.name.split("+") for d in complexes(edits, recipe)] == fitting
        assert next(count_orbits(edits, recipe)) == next(count_by_size(edits, recipe))
    exactly = list(complexes(edits, Recipe.exactly({"v_Mg": 1, "Al_Mg": 2})))
    assert all(sorted(d.name.split("+")) == ["Al_Mg", "Al_Mg", "v_Mg"] for d in exactly)


def test_a_long_enumeration_starts_at_once_and_keeps_little() -> None:
    edits = space("MgO", "v_O,v_Mg,Al_Mg")
    edits.permutations, edits.compatible  # noqa: B018  shared by all
    tracemalloc.start()
    first = list(islice(complexes(edits, Recipe(6, 6)), 2000))  # of 615,593
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len({d.edits for d in first}) == 2000
    assert peak < 150e6


def test_distances_are_those_of_pymatgen_for_a_skewed_cell() -> None:
    from pymatgen.core import Lattice

    supercell = conventional_supercell(host("GaN"), np.array([[2, 0, 0], [1, 2, 0], [3, 1, 2]]))
    sites = np.arange(0, len(supercell.sites.numbers), 7)
    fractional = supercell.sites.positions[sites] @ np.linalg.inv(supercell.cell)
    expected = Lattice(supercell.cell).get_all_distances(fractional, fractional)
    assert np.abs(supercell.distances(sites) - expected).max() < 1e-9


@pytest.mark.parametrize(
    ("kinds", "cutoff", "recipe", "message"),
    [
        ("v_O,v_O", None, Recipe(1, 1), "name it once"),
        ("v_O,v_O_4b", None, Recipe(1, 1), "name it once"),
        ("v_O", -1.0, Recipe(1, 1), "positive"),
        ("v_O", 0.0, Recipe(1, 1), "positive"),
        ("v_O", float("nan"), Recipe(1, 1), "positive"),
        ("v_O", None, Recipe(1, 33), "32 sites"),
        ("v_O", None, Recipe(1, 2, {"Al_Mg": (1, 1)}), "not among the kinds"),
        ("v_O", None, Recipe(40, 40, {"v_O": (40, 40)}), "has 32 such sites"),
        ("v_O,Al_Mg", None, Recipe(1, 3, neutral=True), r"is neutral \(v_O \+2, Al_Mg \+1\)"),
        ("v_O,N_i_9z", None, Recipe(1, 1), "no site '9z'"),
    ],
)
def test_requests_that_cannot_be_met_are_refused(kinds, cutoff, recipe, message) -> None:
    with pytest.raises(DefectError, match=message):
        list(complexes(space("MgO", kinds, cutoff=cutoff), recipe))


def test_recipes_that_make_no_sense_are_refused() -> None:
    for arguments in ((0, 1), (2, 1), (-1, -1)):
        with pytest.raises(DefectError, match="the size is at least 1"):
            Recipe(*arguments)
    with pytest.raises(DefectError, match="the fewest is at least 0"):
        Recipe(1, 2, {"v_O": (2, 1)})


def test_a_cutoff_below_any_distance_says_what_the_nearest_is() -> None:
    with pytest.raises(DefectError, match=r"within 2 Å .* nearest are 2\.97\d Å apart"):
        space("MgO", "v_O", cutoff=2.0).check_cutoff()
    space("MgO", "v_O", cutoff=3.0).check_cutoff()


def test_the_mean_degeneracy_of_large_complexes_approaches_the_group_order() -> None:
    """Most large sets have no symmetry: counting them by |G| alone must nearly work, and never overcount."""
    edits = space("MgO", "v_O,v_Mg,Al_Mg")
    _, orbits, total = next(count_orbits(edits, Recipe(8, 8)))
    assert 1 <= orbits * edits.supercell.group_order / total < 1.05
