"""Neighbours are those that ASE finds, for skew cells, left-handed ones and atoms outside; one pair is the closest."""

import numpy as np
import pytest
from ase.neighborlist import primitive_neighbor_list

from augment.cell import DefectCell
from augment.neighbours import closest_pair, images_around, neighbours, pairs_within, shortest_distance


def random_crystal(seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    rng = np.random.default_rng(seed)
    cell = np.diag([4.0, 4.0, 4.0 * rng.choice([-1.0, 1.0])]) + np.tril(rng.uniform(-3, 3, size=(3, 3)), -1)
    return cell, rng.normal(size=(rng.integers(1, 6), 3)) * 10, float(rng.uniform(2, 5))


@pytest.mark.parametrize("seed", range(20))
def test_pairs_are_those_of_another_library(seed: int) -> None:
    cell, positions, reach = random_crystal(seed)
    found = pairs_within(cell, positions, reach)
    periodic = (True, True, True)
    expected = primitive_neighbor_list("ijd", pbc=periodic, cell=cell, positions=positions, cutoff=reach)
    assert (np.diff(found[0]) >= 0).all()
    one, other = (
        sorted(zip(i.tolist(), j.tolist(), d.round(8).tolist(), strict=True)) for i, j, d in (found, expected)
    )
    assert one == other


@pytest.mark.parametrize("seed", range(5))
def test_vectors_and_shifts_belong_to_the_pairs(seed: int) -> None:
    cell, positions, reach = random_crystal(seed)
    i, j, distance, vector, shift = neighbours("ijdDS", cell, positions, reach)
    assert vector == pytest.approx(positions[j] - positions[i] + shift @ cell, abs=1e-9)
    assert np.linalg.norm(vector, axis=1) == pytest.approx(distance)
    assert closest_pair(positions, cell, reach) == pytest.approx(distance.min(initial=np.inf))
    assert closest_pair(positions, cell, 0.9 * distance.min(initial=reach)) == np.inf


def test_radii_reach_as_far_as_their_sums() -> None:
    cell, positions = np.eye(3) * 20, np.array([[0.0, 0, 0], [2.0, 0, 0], [5.0, 0, 0]])
    assert set(pairs_within(cell, positions, np.array([1.5, 0.6, 2.2]))[0].tolist()) == {0, 1}


def test_the_shortest_distance_of_a_wide_cell_is_found() -> None:
    one = DefectCell("bulk", "", np.eye(3) * 11.0, np.array([2]), np.zeros((1, 3)), np.zeros(1, np.int64))
    assert shortest_distance(one) == pytest.approx(11.0)


def test_images_go_as_far_as_is_asked() -> None:
    cell, _, _ = random_crystal(3)
    images = images_around(np.zeros((1, 3)), cell, 6.0)
    further = images_around(np.zeros((1, 3)), cell, 12.0)
    near = further[np.linalg.norm(further, axis=1) < 6.0]
    assert {tuple(x) for x in near.round(6)} <= {tuple(x) for x in images.round(6)}
