"""The search for supercells misses nothing: compared with every Hermite normal form, filtered one by one."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from augment import find_supercell, host_from_structure, supercell_table, widest_supercell
from augment.crystal.lattice import invariant_forms, shortest_vectors, successive_minima
from augment.errors import SupercellError
from augment.supercells.search import refuse_large
from augment.supercells.sublattices import CompactLattices, InvariantForms, longest_possible
from tests.support.brute_lattice import hermite_normal_forms
from tests.support.crystals import host, random_crystal

SYSTEMS = ["MgO", "Fe", "Si", "GaN", "TiO2_rutile", "Ga2O3_beta", "Al2O3_corundum", "LiFePO4", "SiO2_quartz"]


def invariant_by_filter(crystal, index):
    forms = hermite_normal_forms(index)
    return forms[invariant_forms(forms, crystal.group.rotations, index)]


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_invariant_forms_are_those_that_a_filter_leaves(name) -> None:
    crystal = host(name)
    made = InvariantForms(crystal.group.rotations)
    for index in (1, 2, 3, 4, 5, 6, 8, 9, 12, 16, 18, 25, 27, 30, 32, 36, 49, 53):
        expected = {form.tobytes() for form in invariant_by_filter(crystal, index)}
        forms = made.of_index(index)
        assert {form.tobytes() for form in forms} == expected
        assert len(forms) == len(expected), "none is made twice"


def test_the_invariant_forms_are_right_in_every_point_group() -> None:
    rng = np.random.default_rng(5)
    groups = (
        1,
        2,
        3,
        6,
        10,
        16,
        25,
        47,
        75,
        81,
        83,
        89,
        99,
        111,
        123,
        143,
        146,
        148,
        149,
        155,
        156,
        166,
        168,
        174,
        191,
    )
    for number in (*groups, 195, 196, 197, 200, 207, 215, 225, 229):
        rotations = host_from_structure(random_crystal(number, rng)).group.rotations
        for index in (4, 7, 18):
            forms = hermite_normal_forms(index)
            expected = {form.tobytes() for form in forms[invariant_forms(forms, rotations, index)]}
            assert {form.tobytes() for form in InvariantForms(rotations).of_index(index)} == expected, number


def test_without_one_generator_there_are_more_invariant_forms() -> None:
    whole = InvariantForms(host("MgO").group.rotations).of_index(16)
    twofold = next(r for r in host("MgO").group.rotations if np.trace(r) == -1 and np.linalg.det(r) > 0)
    part = InvariantForms(np.array([np.eye(3, dtype=np.int64), twofold])).of_index(16)
    assert len(part) > len(whole)
    assert {form.tobytes() for form in whole} < {form.tobytes() for form in part}


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_widest_of_each_index_is_that_of_all_forms(name) -> None:
    crystal = host(name)
    free = supercell_table(crystal, 18 * crystal.n_lattice, keep_point_group=False)
    kept = {s.index: s for s in supercell_table(crystal, 18 * crystal.n_lattice)}
    assert [s.index for s in free] == list(range(1, 19))
    for supercell in free:
        forms = hermite_normal_forms(supercell.index)
        assert supercell.image_distance == pytest.approx(shortest_vectors(forms @ crystal.primitive).max())
        invariant = invariant_by_filter(crystal, supercell.index)
        assert (supercell.index in kept) == (len(invariant) > 0)
        if len(invariant):
            best = kept[supercell.index]
            assert best.image_distance == pytest.approx(shortest_vectors(invariant @ crystal.primitive).max())
            assert best.point_group_index == 1


def test_compact_lattices_are_reduced_and_have_the_volume() -> None:
    crystal = host("GaN")
    search = CompactLattices(crystal.primitive, crystal.group.rotations)
    bases = search.of_index(24, 9.0)
    assert len(bases) > 0
    assert (np.rint(np.linalg.det(bases)) == 24).all()
    lengths = np.linalg.norm(bases @ crystal.primitive, axis=2)
    assert np.allclose(lengths, successive_minima(bases @ crystal.primitive))
    assert lengths[:, 0].min() >= 9.0
    assert lengths.max() <= longest_possible(24 * search.volume) ** 3 / 81


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("name", ["Fe", "SrTiO3", "Ga2O3_beta"])
def test_the_widest_of_a_range_is_that_of_its_table_with_the_fewest_atoms(name, keep) -> None:
    low, high = 40, 130
    table = [s for s in supercell_table(host(name), high, keep_point_group=keep) if s.n_atoms >= low]
    best = widest_supercell(host(name), min_atoms=low, max_atoms=high, keep_point_group=keep)
    assert best.image_distance == pytest.approx(max(s.image_distance for s in table))
    assert best.n_atoms == next(s.n_atoms for s in table if s.image_distance > best.image_distance - 1e-6)


@pytest.mark.parametrize("name", ["GaN", "BN_hexagonal", "LiCoO2"])
def test_an_aspect_is_kept_and_costs_something(name) -> None:
    bound = 1.15
    even = widest_supercell(host(name), max_atoms=120, max_aspect=bound)
    free = widest_supercell(host(name), max_atoms=120)
    assert even.aspect <= bound + 1e-6
    assert even.image_distance <= free.image_distance + 1e-9
    reached = find_supercell(host(name), min_image_distance=7.0, max_aspect=bound)
    assert reached.aspect <= bound + 1e-6
    assert reached.n_atoms >= find_supercell(host(name), min_image_distance=7.0).n_atoms
    forms = invariant_by_filter(host(name), even.index)
    minima = successive_minima(forms @ host(name).primitive)
    fitting = minima[minima[:, 2] <= bound * minima[:, 0] + 1e-6]
    assert fitting[:, 0].max() == pytest.approx(even.image_distance)


def test_of_equally_wide_supercells_the_most_symmetric_is_taken() -> None:
    free = find_supercell(host("ZrO2_monoclinic"), min_image_distance=10.0, min_atoms=50, keep_point_group=False)
    assert free.point_group_index == 1, "a wide one that keeps the group is as small"


def test_a_supercell_that_breaks_the_point_group_says_so() -> None:
    free = find_supercell(host("Fe"), min_image_distance=10.0, keep_point_group=False)
    said = free.describe()
    assert said["point_group_index"] == free.point_group_index > 1
    assert said["point_group_order"] == 48 // free.point_group_index
    assert find_supercell(host("Fe"), min_image_distance=10.0).describe()["point_group_index"] == 1


def test_the_search_is_quick() -> None:
    crystal, start = host("Fe"), time.process_time()
    assert find_supercell(crystal, min_image_distance=10.0, min_atoms=50).n_atoms == 108
    assert time.process_time() - start < 0.5, "all forms of each index take seconds"


@pytest.mark.parametrize("max_atoms", [1, 5, 6, 27, 28, 40])
@pytest.mark.parametrize("name", ["MgO", "TiO2_rutile", "LiFePO4", "Fe"])
def test_what_is_refused_early_is_what_has_no_supercell(name, max_atoms) -> None:
    crystal = host(name)
    structure = crystal.to_pymatgen()
    if crystal.n_lattice <= max_atoms:
        refuse_large(structure, max_atoms)
        return
    with pytest.raises(SupercellError) as late:
        find_supercell(crystal, max_atoms=max_atoms)
    if len(structure) > max_atoms:
        with pytest.raises(SupercellError) as early:
            refuse_large(structure, max_atoms)
        assert str(early.value) == str(late.value)


@pytest.mark.parametrize(
    ("search", "arguments", "said"),
    [
        (find_supercell, {"min_image_distance": math.inf}, "positive number"),
        (find_supercell, {"min_image_distance": 6.0, "max_aspect": 0.9}, "1 or more"),
        (find_supercell, {"min_image_distance": 6.0, "max_aspect": math.nan}, "1 or more"),
        (find_supercell, {"min_image_distance": 20.0, "max_atoms": 60}, "the best reaches"),
        (find_supercell, {"min_atoms": 41, "max_atoms": 41}, "ask for a multiple"),
        (widest_supercell, {"min_atoms": 9, "max_atoms": 8}, "no fewer"),
        (widest_supercell, {"max_atoms": 1}, "primitive cell has 2"),
        (widest_supercell, {"min_atoms": 14, "max_atoms": 14}, "widen the range"),
        (supercell_table, {"max_atoms": 0}, "positive"),
    ],
)
def test_what_cannot_be_is_refused_in_one_clear_line(search, arguments, said) -> None:
    with pytest.raises(SupercellError, match=said) as caught:
        search(host("MgO"), **arguments)
    assert "\n" not in str(caught.value)
