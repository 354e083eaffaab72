"""Supercells: the search misses nothing, and the space group acts on the sites as it should."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from augment import Supercell, conventional_supercell, find_supercell
from augment.crystal.lattice import shortest_vectors
from augment.errors import SupercellError
from tests.support.brute_lattice import hermite_normal_forms
from tests.support.crystals import host
from tests.support.reference import NAMES, reference


def image_distance_by_brute_force(cell, reach=4) -> float:
    grid = np.array([g for g in itertools.product(range(-reach, reach + 1), repeat=3) if any(g)])
    return float(np.linalg.norm(grid @ cell, axis=1).min())


@pytest.mark.parametrize("name", ["Si", "GaN", "TiO2_rutile", "ZrO2_monoclinic", "LiCoO2", "Ga2O3_beta"])
def test_the_image_distance_is_that_of_brute_force_and_large_enough(name) -> None:
    supercell = find_supercell(host(name), min_image_distance=9.0)
    assert supercell.image_distance == pytest.approx(image_distance_by_brute_force(supercell.cell))
    assert supercell.image_distance >= 9.0 - 1e-6
    assert supercell.point_group_index == 1
    assert len(supercell.sites.numbers) == supercell.index * len(host(name).points)


@pytest.mark.parametrize("name", ["Cu", "MgO", "TiO2_rutile", "GaN"])
def test_no_smaller_supercell_and_none_of_the_size_does_better(name) -> None:
    crystal = host(name)
    found = find_supercell(crystal, min_image_distance=7.0)
    for index in range(1, found.index + 1):
        forms = hermite_normal_forms(index)
        enough = 7.0 if index < found.index else found.image_distance + 1e-6
        wide = forms[shortest_vectors(forms @ crystal.primitive) >= enough]
        assert all(Supercell.from_normal_form(crystal, form).point_group_index > 1 for form in wide)


def test_giving_up_the_point_group_never_costs_atoms() -> None:
    for name in ("Si", "Fe", "GaN", "Ga2O3_beta"):
        kept = find_supercell(host(name), min_image_distance=9.0)
        free = find_supercell(host(name), min_image_distance=9.0, keep_point_group=False)
        assert free.n_atoms <= kept.n_atoms
        assert free.group_order * free.point_group_index == host(name).group.order * free.index


@pytest.mark.parametrize("name", NAMES)
def test_as_good_as_the_exhaustive_search_of_the_reference(name) -> None:
    expected = reference(name)
    assert expected["point_group_order"] == host(name).group.order
    for keep, kind in ((True, "sym"), (False, "any")):
        atoms, distance = expected["supercells"][kind]
        found = find_supercell(host(name), min_image_distance=10.0, min_atoms=50, keep_point_group=keep)
        assert found.n_atoms == atoms
        assert found.image_distance == pytest.approx(distance, abs=1e-3)


@pytest.mark.parametrize("name", ["MgO", "GaN", "TiO2_rutile", "Ga2O3_beta", "Si"])
def test_the_group_acts_on_positions_as_its_permutations_say(name) -> None:
    supercell = find_supercell(host(name), min_image_distance=6.0)
    group, positions = supercell.group, supercell.sites.positions
    assert group.order == supercell.group_order == len(np.unique(group.permutations, axis=0))
    left, right = supercell.cartesian_of
    rng, inverse = np.random.default_rng(0), np.linalg.inv(supercell.cell)
    for k in rng.integers(group.order, size=30):
        rotation = left @ group.rotations[k] @ right
        assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
        moved, target = positions @ rotation.T, positions[group.permutations[k]]
        shift = (target - moved) @ inverse
        shift -= shift[0]
        assert np.abs(shift - np.rint(shift)).max() < 1e-6, "one rigid motion moves every site"
        assert (supercell.sites.orbit[group.permutations[k]] == supercell.sites.orbit).all()


def test_a_wrong_permutation_is_no_rigid_motion() -> None:
    supercell = find_supercell(host("MgO"), min_image_distance=6.0)
    positions, inverse = supercell.sites.positions, np.linalg.inv(supercell.cell)
    swapped = np.arange(len(positions))
    swapped[[0, 1]] = [1, 0]
    shift = (positions[swapped] - positions) @ inverse
    shift -= shift[-1]
    assert np.abs(shift - np.rint(shift)).max() > 0.1


@pytest.mark.parametrize("name", ["Fe", "GaN", "SrTiO3"])
def test_images_and_chosen_operations_are_those_of_the_whole_group(name) -> None:
    supercell = find_supercell(host(name), min_image_distance=7.0)
    rng = np.random.default_rng(1)
    sites = rng.integers(len(supercell.sites.numbers), size=4)
    assert (supercell.images(sites) == supercell.group.permutations[:, sites]).all()
    elements = rng.integers(supercell.group_order, size=5)
    chosen = supercell.operations(elements)
    assert (chosen.permutations == supercell.group.permutations[elements]).all()
    assert (chosen.rotations == supercell.group.rotations[elements]).all()


@pytest.mark.parametrize("name", ["Fe", "MgO", "TiO2_rutile"])
def test_products_of_operations_are_in_the_group(name) -> None:
    supercell = find_supercell(host(name), min_image_distance=5.0)
    rows = {row.tobytes() for row in supercell.group.permutations}
    rng = np.random.default_rng(2)
    for i, j in rng.integers(supercell.group_order, size=(50, 2)):
        assert supercell.group.permutations[i][supercell.group.permutations[j]].tobytes() in rows


def test_the_supercell_of_a_normal_form_does_not_depend_on_the_basis() -> None:
    crystal = host("GaN")
    one = conventional_supercell(crystal, np.diag([3, 3, 2]))
    other = Supercell(crystal, np.array([[1, 1, 0], [0, 1, 0], [1, 0, 1]]) @ one.matrix)
    assert (one.hermite_normal_form == other.hermite_normal_form).all()
    assert (one.group.permutations == other.group.permutations).all()
    offset = (one.sites.positions - other.sites.positions) @ np.linalg.inv(one.cell)
    assert np.allclose(offset, np.rint(offset), atol=1e-6)


def test_the_cell_keeps_composition_and_density() -> None:
    supercell = conventional_supercell(host("SrTiO3"), np.diag([3, 3, 3]))
    bulk = supercell.bulk_cell()
    assert len(bulk) == supercell.n_atoms == 135
    assert bulk.volume == pytest.approx(27 * abs(np.linalg.det(host("SrTiO3").primitive)))
    assert bulk.to_pymatgen().composition.reduced_formula == "SrTiO3"
    from augment import host_from_structure

    assert host_from_structure(bulk.to_pymatgen()).hash == host("SrTiO3").hash


@pytest.mark.parametrize(
    "arguments",
    [
        {"min_image_distance": 0.0},
        {"min_image_distance": float("nan")},
        {"min_atoms": 0},
        {"min_atoms": 50, "max_atoms": 40},
        {"min_image_distance": 30.0, "max_atoms": 60},
    ],
)
def test_what_cannot_be_is_refused(arguments) -> None:
    with pytest.raises(SupercellError):
        find_supercell(host("MgO"), **arguments)


@pytest.mark.parametrize("matrix", [np.zeros((3, 3), dtype=int), -np.eye(3, dtype=int), np.eye(2, dtype=int)])
def test_a_matrix_that_makes_no_supercell_is_refused(matrix) -> None:
    with pytest.raises(SupercellError):
        Supercell(host("MgO"), matrix)
