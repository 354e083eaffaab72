"""Laws of the bridge: projections, noise, and a sampler that never leaves the invariant space."""

from __future__ import annotations

import numpy as np
import pytest

from augment import CellSymmetry, find_supercell, point_defects, read_host
from augment.errors import ConditionError, SymmetryError
from augment.groups.distortion import Distortion, apply_distortion, project, residual
from defectgen.model.bridge import Bridge


@pytest.fixture(scope="module", params=["MgO", "ZnO", "TiO2_rutile"])
def symmetry(request):
    supercell = find_supercell(read_host(f"examples/hosts/{request.param}.cif"), min_image_distance=4.0)
    return point_defects(supercell, kinds=["vacancy"])[0].symmetry()


def random_state(symmetry: CellSymmetry, seed: int = 0) -> Distortion:
    rng = np.random.default_rng(seed)
    e = rng.normal(size=(3, 3))
    return Distortion(rng.normal(size=(symmetry.permutations.shape[1], 3)), e + e.T)


def inner(a: Distortion, b: Distortion) -> float:
    return float((a.displacements * b.displacements).sum() + (a.strain * b.strain).sum())


def test_the_projection_is_idempotent_orthogonal_and_without_drift(symmetry):
    a, b = random_state(symmetry, 0), random_state(symmetry, 1)
    once = project(a, symmetry)
    assert residual(once, symmetry) < 1e-12
    assert residual(a, symmetry) > 0.1
    assert np.allclose(once.displacements.mean(axis=0), 0, atol=1e-12)
    assert inner(project(a, symmetry), b) == pytest.approx(inner(a, project(b, symmetry)), abs=1e-10)


def test_noise_is_white_in_the_invariant_space(symmetry):
    bridge, rng = Bridge(sigma=0.2), np.random.default_rng(0)
    draws = np.stack([bridge.noise(symmetry, 1.0, rng).displacements.ravel() for _ in range(400)])
    # The covariance of white noise in a subspace is sigma^2 P, whose trace is sigma^2 times the dimension.
    size = draws.shape[1]
    basis = np.stack(
        [project(Distortion(x.reshape(-1, 3), np.zeros((3, 3))), symmetry).displacements.ravel() for x in np.eye(size)]
    )
    assert np.abs(draws.T @ draws / 400 - 0.04 * basis).max() < 0.04 * 0.3
    assert (draws**2).sum() / 400 == pytest.approx(0.04 * np.trace(basis), rel=0.2)


def test_a_perfect_prediction_is_reached_exactly(symmetry):
    clean = project(random_state(symmetry, 7).scaled(0.1), symmetry)
    end = Bridge().sample(lambda _x, _t: clean, symmetry, 1.0, np.random.default_rng(0), steps=5)
    assert np.allclose(end.displacements, clean.displacements, atol=1e-12)
    assert np.allclose(end.strain, clean.strain, atol=1e-12)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_no_step_leaves_the_invariant_space_even_if_the_prediction_does(symmetry, eta):
    seen = []

    def wild(state: Distortion, time: float) -> Distortion:
        seen.append(residual(state, symmetry))
        return random_state(symmetry, int(1000 * time))

    end = Bridge().sample(wild, symmetry, 1.0, np.random.default_rng(0), steps=20, eta=eta)
    assert max([*seen, residual(end, symmetry)]) < 1e-6
    assert len(seen) == 20


def test_the_sampler_recovers_a_gaussian():
    """For data N(0, s^2) the best prediction is linear in x; the flow then ends with spread s."""
    bridge, s, none = Bridge(sigma=0.1), 0.25, CellSymmetry.trivial(400)

    def best(state: Distortion, t: float) -> Distortion:
        gain = t * s**2 / (t**2 * s**2 + (1 - t) ** 2 * bridge.sigma**2)
        return state.scaled(gain)

    for eta in (0.0, 0.5):
        end = bridge.sample(best, none, 0.0, np.random.default_rng(0), steps=200, eta=eta)
        assert end.displacements.std() == pytest.approx(s, rel=0.06)


def test_the_path_ends_at_noise_and_at_the_clean_state(symmetry):
    bridge = Bridge()
    clean, noise = random_state(symmetry, 0), bridge.noise(symmetry, 1.0, np.random.default_rng(0))
    assert np.array_equal(bridge.corrupt(clean, noise, 0.0).displacements, noise.displacements)
    assert np.array_equal(bridge.corrupt(clean, noise, 1.0).displacements, clean.displacements)


def test_a_group_that_is_none_is_noticed():
    """Two random permutations with the identity rotation are closed under nothing: averaging is no projection."""
    rng = np.random.default_rng(0)
    fake = CellSymmetry.from_cartesian(
        "fake", np.stack([np.eye(3), -np.eye(3)]), np.stack([np.arange(6), rng.permutation(6)]), np.eye(3)
    )
    with pytest.raises(SymmetryError, match="leaves"):
        Bridge().sample(lambda x, _t: x, fake, 0.0, np.random.default_rng(0), steps=3)


@pytest.mark.parametrize("bad", [{"steps": 0}, {"eta": -0.1}, {"eta": 1.5}, {"spread": -1.0}])
def test_impossible_settings_are_refused(symmetry, bad):
    with pytest.raises(ConditionError, match="eta"):
        Bridge().sample(lambda x, _t: x, symmetry, 0.0, np.random.default_rng(0), **bad)


def test_a_state_moves_atoms_and_cell_together():
    supercell = find_supercell(read_host("examples/hosts/MgO.cif"), min_image_distance=4.0)
    ideal = point_defects(supercell, kinds=["vacancy"])[0].cell()
    strain = np.diag([0.01, 0.0, -0.02])
    moved = apply_distortion(ideal, Distortion(np.zeros((len(ideal), 3)), strain))
    before, after = ideal.to_ase(), moved.to_ase()
    assert np.allclose(before.get_scaled_positions(), after.get_scaled_positions(), atol=1e-12)
    assert moved.volume / ideal.volume == pytest.approx(1.01 * 0.98)
