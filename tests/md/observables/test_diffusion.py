"""Diffusion coefficients of motion where they are known: bound, hopping, liquid, and flights that become walks."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import lfilter

from augment.errors import DataError
from md.estimators.spectral_density import independent_squares
from md.observables import diffusion_coefficient

Motion = Callable[[np.random.Generator], np.ndarray]

LENGTH = 2.5
"""Å, of a hop."""


def bound(frames: int, atoms: int, spacing: float, memory: float, rng: np.random.Generator) -> np.ndarray:
    """Positions of overdamped oscillators of 0.1 Å, whose correlation falls as exp(-t / memory)."""
    keep = np.exp(-spacing / memory)
    kicks = rng.standard_normal((frames, atoms, 3)) * np.sqrt(1 - keep**2)
    kicks[0] = rng.standard_normal((atoms, 3))
    return np.asarray(0.1 * lfilter([1.0], [1.0, -keep], kicks, axis=0))


def ringing(frames: int, atoms: int, spacing: float, memory: float, rng: np.random.Generator) -> np.ndarray:
    """Positions of oscillators of 1.5 to 7 THz that lose their phase within the memory, as phonons do."""
    frequencies = 2 * np.pi * rng.uniform(1.5, 7.0, (1, atoms, 3)) * spacing / 1000
    keep = np.exp(-spacing / memory + 1j * frequencies)
    kicks = (rng.standard_normal((frames, atoms, 3)) + 1j * rng.standard_normal((frames, atoms, 3))) * np.sqrt(
        1 - np.abs(keep) ** 2
    )
    kicks[0] = rng.standard_normal((atoms, 3)) + 1j * rng.standard_normal((atoms, 3))
    moved = kicks.copy()
    for t in range(1, frames):
        moved[t] += keep[0] * moved[t - 1]
    return np.asarray(0.1 * moved.real)


def hopping(frames: int, atoms: int, spacing: float, rate: float, rng: np.random.Generator) -> np.ndarray:
    """A lattice gas: each atom hops by 2.5 Å along an axis at a rate in 1/ps; D = rate LENGTH² / 6, Å²/ps."""
    hops = rng.poisson(rate * spacing / 1000, (frames, atoms))
    steps = np.zeros((frames, atoms, 3))
    for t, atom in np.argwhere(hops):
        for _ in range(hops[t, atom]):
            steps[t, atom, rng.integers(3)] += rng.choice([-LENGTH, LENGTH])
    return np.asarray(np.cumsum(steps, axis=0))


def flying(frames: int, atoms: int, spacing: float, memory: float, rng: np.random.Generator) -> np.ndarray:
    """Langevin particles of D = 0.3 Å²/ps: ballistic within the memory of their velocity, in ten steps a frame."""
    fine, per_frame = 10, spacing / 10
    keep = np.exp(-per_frame / memory)
    kicks = rng.standard_normal((frames * fine, atoms, 3)) * np.sqrt((1 - keep**2) * 0.3 / (memory / 1000))
    velocities = lfilter([1.0], [1.0, -keep], kicks, axis=0)
    return np.asarray(np.cumsum(velocities * per_frame / 1000, axis=0)[::fine])


def estimates(motion: Motion, spacing: float, seeds: int) -> tuple[np.ndarray, np.ndarray, list[bool]]:
    """Values, errors, and whether diffusion is seen, one of each seed."""
    results = [diffusion_coefficient(motion(np.random.default_rng(seed)), spacing) for seed in range(seeds)]
    values, errors = np.array([r.coefficient for r in results]).T
    return values, errors, [r.detected for r in results]


@pytest.mark.parametrize("move", [bound, ringing])
@pytest.mark.parametrize(
    ("spacing", "memory"),
    [(20.0, 100.0), (20.0, 2000.0), (100.0, 500.0), (100.0, 2000.0), (500.0, 100.0), (500.0, 2e3)],
)
def test_bound_atoms_do_not_diffuse_however_long_they_remember(
    move: Callable[[int, int, float, float, np.random.Generator], np.ndarray], spacing: float, memory: float
) -> None:
    frames = max(120, int(12_000 / spacing))
    values, errors, seen = estimates(lambda rng: move(frames, 20, spacing, memory, rng), spacing, 20)
    assert np.mean(np.abs(values) < 2 * errors) >= 0.85
    assert (np.abs(values) < 4 * errors).all()
    assert not any(seen)
    assert np.median(errors) < 1e-3  # 0.1 Å in the memory of 0.1 ps would make 0.05 Å²/ps


@pytest.mark.parametrize(("spacing", "memory"), [(20.0, 500.0), (100.0, 1000.0)])
def test_hops_are_seen_through_vibrations_with_memory(spacing: float, memory: float) -> None:
    """60 atoms that hop 120 times in all: neither the vibrations nor the few hops mislead the error."""
    frames, rate = int(40_000 / spacing), 0.05

    def motion(rng: np.random.Generator) -> np.ndarray:
        return hopping(frames, 60, spacing, rate, rng) + bound(frames, 60, spacing, memory, rng)

    values, errors, seen = estimates(motion, spacing, 50)
    truth = rate * LENGTH**2 / 6
    assert values.mean() == pytest.approx(truth, abs=4 * values.std() / np.sqrt(50))
    assert np.mean(np.abs(values - truth) < 2 * errors) >= 0.8
    assert np.mean(np.abs(values - truth) < 3 * errors) >= 0.95
    assert errors.mean() == pytest.approx(values.std(), rel=0.4)
    assert np.mean(seen) > 0.95


def test_a_single_hop_is_no_diffusion_coefficient() -> None:
    """One event of one atom has an error of its own size."""

    def motion(rng: np.random.Generator) -> np.ndarray:
        moved = bound(500, 60, 40.0, 300.0, rng)
        moved[rng.integers(100, 400) :, 7, 0] += LENGTH
        return moved

    _, _, seen = estimates(motion, 40.0, 30)
    assert not any(seen)


def test_flights_that_become_walks_have_the_coefficient_of_the_walk() -> None:
    for spacing, memory in ((50.0, 300.0), (20.0, 500.0), (500.0, 300.0)):
        values, errors, _ = estimates(lambda rng, s=spacing, m=memory: flying(600, 20, s, m, rng), spacing, 30)
        assert values.mean() == pytest.approx(0.3, rel=0.05)
        assert np.mean(np.abs(values - 0.3) < 2 * errors) >= 0.85


@pytest.mark.parametrize("vibration", [0.0, 1.0])
def test_diffusion_of_random_walks_is_covered_by_its_errors(vibration: float) -> None:
    """D = s² / 2 t of steps s; the estimate must neither be biased by vibration nor claim too small an error."""

    def motion(rng: np.random.Generator) -> np.ndarray:
        return np.cumsum(rng.standard_normal((600, 4, 3)), axis=0) + vibration * rng.standard_normal((600, 4, 3))

    values, errors, _ = estimates(motion, 1000.0, 100)
    assert values.mean() == pytest.approx(0.5, abs=4 * values.std() / np.sqrt(100))
    assert np.mean(np.abs(values - 0.5) < 2 * errors) >= 0.88
    assert np.mean(np.abs(values - 0.5) < 3 * errors) >= 0.97
    assert errors.mean() == pytest.approx(values.std(), rel=0.5)


def test_atoms_that_move_together_do_not_make_the_error_smaller() -> None:
    def motion(rng: np.random.Generator) -> np.ndarray:
        return np.repeat(np.cumsum(rng.standard_normal((600, 1, 3)), axis=0), 20, axis=1)

    values, errors, _ = estimates(motion, 1000.0, 60)
    assert np.mean(np.abs(values - 0.5) < 2 * errors) > 0.8
    assert errors.mean() > 0.6 * values.std()  # an error of 20 independent walkers would be 0.22 of it


def test_what_cannot_tell_of_diffusion_is_refused() -> None:
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.standard_normal((200, 5, 3)), axis=0)
    assert diffusion_coefficient(walk, 100.0, memory=500.0).detected
    with pytest.raises(DataError, match="201 frames 50 fs apart; run longer"):
        diffusion_coefficient(walk, 50.0, memory=500.0)
    for few in (walk[:15], walk[:, :0]):
        with pytest.raises(DataError, match="too few"):
            diffusion_coefficient(few, 100.0)
    with pytest.raises(DataError, match="do not move"):
        diffusion_coefficient(np.zeros((200, 5, 3)), 100.0)


def test_neighbouring_modes_tell_how_many_atoms_move_on_their_own() -> None:
    rng = np.random.default_rng(1)
    alone = rng.gamma(30.0, size=500)  # 60 degrees of freedom
    assert independent_squares(alone, 1000.0) == pytest.approx(60, rel=0.25)
    assert independent_squares(alone, 12.0) == 12.0
