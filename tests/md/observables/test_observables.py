"""Observables: known answers on synthetic trajectories, errors that cover the truth."""

from typing import Any

import numpy as np
import pytest
from ase.build import bulk

from augment.neighbours import closest_pair
from md.labels.evaluator import Clearance, Divergence, check_geometry
from md.labels.frames import Frames
from md.observables import block_average, mean_square_displacement, mean_strain, radial_distribution, strains
from tests.support.cells import cell_of


def frames_of(positions: np.ndarray, cells: np.ndarray, numbers: np.ndarray) -> Frames:
    atoms = bulk("Cu") * (len(numbers), 1, 1)
    atoms.numbers[:] = numbers
    k, n = positions.shape[:2]
    return Frames(cell_of(atoms), positions, cells, np.zeros(k), np.zeros((k, n, 3)), np.zeros((k, 6)))


def test_block_errors_cover_the_true_mean_of_a_correlated_series() -> None:
    rng = np.random.default_rng(0)
    hits = naive_hits = 0
    for _ in range(100):
        noise, series = rng.standard_normal(2000), np.zeros(2000)
        for i in range(1, 2000):
            series[i] = 0.95 * series[i - 1] + noise[i]
        mean = block_average(series)
        hits += abs(mean.value) < 2 * mean.error
        naive_hits += abs(mean.value) < 2 * series.std() / np.sqrt(2000)
    assert hits > 85
    assert naive_hits < 50


def test_a_series_too_short_to_average_says_so() -> None:
    assert np.isnan(block_average(np.zeros(0)).value)
    assert np.isnan(block_average(np.ones(1)).error)
    assert block_average(np.ones(5)) == (1.0, 0.0)


def test_strain_ignores_rotation_and_measures_stretch() -> None:
    rng = np.random.default_rng(1)
    start = rng.normal(size=(3, 3)) + 5 * np.eye(3)
    stretch = np.eye(3) + np.array([[0.02, 0.01, 0], [0.01, -0.03, 0.005], [0, 0.005, 0.01]])
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    deformed = start @ (rotation @ stretch).T
    assert strains(start, np.array([deformed]))[0] == pytest.approx(stretch - np.eye(3), abs=1e-12)
    assert mean_strain(start, np.array([deformed, start])) == pytest.approx((stretch - np.eye(3)) / 2, abs=1e-12)


def test_displacement_ignores_drift_breathing_and_lattice_vectors_but_not_motion() -> None:
    rng = np.random.default_rng(2)
    numbers = np.array([29, 79, 29, 79])
    fractional = rng.random((4, 3))
    cells = np.array([np.diag([10.0, 11.0, 12.0]) * s for s in (1.0, 1.02, 0.99)])
    drift = np.array([[0, 0, 0], [0.1, 0.2, 0.3], [0.5, 0, 0]])
    positions = np.array([(fractional + d) @ c for d, c in zip(drift, cells, strict=True)])
    frames = frames_of(positions, cells, numbers)
    assert mean_square_displacement(frames) == pytest.approx(np.zeros(3), abs=1e-20)
    moved = positions.copy()
    moved[1:, 0, 0] += 1.0
    masses = np.array([63.546, 196.967, 63.546, 196.967])
    share = masses[0] / masses.sum()
    in_the_mean_cell = np.mean([1.0, 1.02, 0.99]) / 1.02
    expected = ((1 - share) ** 2 + 3 * share**2) / 4 * in_the_mean_cell**2
    assert mean_square_displacement(frames_of(moved, cells, numbers))[1] == pytest.approx(expected, rel=1e-6)


def test_radial_distribution_of_a_gas_is_one_and_of_a_crystal_counts_neighbours() -> None:
    rng = np.random.default_rng(3)
    cell = np.array([[14.0, 0, 0], [3.0, 13.0, 0], [-2.0, 4.0, 15.0]])
    positions = rng.random((20, 100, 3)) @ cell
    r, g = radial_distribution(frames_of(positions, np.repeat(cell[None], 20, 0), np.full(100, 29)))
    assert r[-1] == pytest.approx(6.0, abs=0.05)
    assert g[r > 1].mean() == pytest.approx(1.0, abs=0.02)
    crystal = bulk("MgO", "rocksalt", 4.2, cubic=True) * (2, 2, 2)
    k = np.ones((1, 1, 1))
    frames = frames_of(crystal.positions * k, crystal.cell.array * k, crystal.numbers)
    r, g = radial_distribution(frames, pair=(12, 8))
    assert r[-1] < 4.2  # half of the distance to the nearest image
    shells = 4 / 3 * np.pi * ((r + 0.025) ** 3 - (r - 0.025) ** 3)
    neighbours = (g * shells)[r < 2.5].sum() * 32 / crystal.get_volume()
    assert neighbours == pytest.approx(6.0)


def test_the_closest_pair_looks_across_the_faces_of_a_skewed_cell() -> None:
    cell = np.array([[4.0, 0, 0], [3.5, 4.0, 0], [3.5, 3.5, 4.0]])
    positions = np.array([[0.05, 0.02, 0.01], [0.25, 0.12, 0.01]])
    positions[1] += cell[0] - 2 * cell[2]
    assert closest_pair(positions, cell, 0.5) == pytest.approx(np.hypot(0.2, 0.1))
    assert closest_pair(positions, cell, 0.2) == np.inf
    assert closest_pair(positions[:1], np.diag([0.3, 4.0, 4.0]), 0.5) == pytest.approx(0.3)
    check_geometry(np.zeros((1, 3)), cell, 64.0)


def approach(_rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return np.eye(3), np.array([[0.01, 0, 0], [-0.01, 0, 0]])


def squeeze(_rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return np.diag([0.99, 1, 1]), np.zeros((2, 3))


def wander(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return np.eye(3) + rng.normal(scale=0.004, size=(3, 3)), rng.normal(scale=0.05, size=(2, 3))


@pytest.mark.parametrize("move", [approach, squeeze, wander])
@pytest.mark.parametrize("apart", [1.4, 2.0])
def test_pairs_are_looked_for_again_before_two_atoms_overlap(
    move: Any, apart: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However two atoms and their cell move, it is at the very step at which looking finds them too close."""
    rng, clearance, looked, walked = np.random.default_rng(0), Clearance(), [], 0
    cell, positions = 5.0 * np.eye(3), np.array([[0.0, 0, 0], [apart, 0, 0]])
    monkeypatch.setattr("md.labels.evaluator.closest_pair", lambda *a: looked.append(1) or closest_pair(*a))
    while closest_pair(positions, cell, 0.5) >= 0.5:
        clearance.check(positions, cell)
        gradient, moves = move(rng)
        cell, positions, walked = cell @ gradient, positions @ gradient + moves, walked + 1
    with pytest.raises(Divergence, match="two atoms are"):
        clearance.check(positions, cell)
    assert 1 < len(looked) < walked
