"""The bridge from H-invariant Cartesian noise to a clean geometry: forward process, sampler, and their projections.

With x = (u, e), displacements u in Å and strain e relative to the ideal cell of the host relaxed under the same
potential, the path is (Albergo and Vanden-Eijnden, 2023, doi:10.48550/arXiv.2209.15571; Lipman et al., 2023)

    x_t = t x_1 + (1 - t) sigma z,    z = P_H n,    n white Cartesian noise,    t from 0 to 1,

where P_H projects onto the H-invariant space and removes the mean displacement. P_H is orthogonal, so z is white noise
in an orthonormal basis of that space. The network predicts x_1; with the noise it implies, z' = (x_t - t x_1') /
((1 - t) sigma), a step to s > t is

    x_s = s x_1' + (1 - s) sigma (sqrt(1 - eta^2) z' + eta z_new)

which is the Euler step of the probability-flow ODE for eta = 0 and resamples all noise for eta = 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.errors import ConditionError, SymmetryError
from augment.invariant import CellSymmetry

RESIDUAL_TOLERANCE = 1e-6
"""Å; how far a state may lie from the H-invariant space. Projections in float64 leave about 1e-16."""


@dataclass(frozen=True, eq=False)
class State:
    """Displacements (n, 3) of the real atoms, Å, and symmetric strain (3, 3), both relative to the ideal cell."""

    displacements: FloatArray
    strain: FloatArray

    def __add__(self, other: State) -> State:
        return State(self.displacements + other.displacements, self.strain + other.strain)

    def __sub__(self, other: State) -> State:
        return self + other.scaled(-1.0)

    def scaled(self, factor: float) -> State:
        """The state times a number."""
        return State(factor * self.displacements, factor * self.strain)


def project(state: State, symmetry: CellSymmetry) -> State:
    """H-invariant part of a state, without rigid translation; idempotent and orthogonal, in float64."""
    u = symmetry.project_displacements(np.asarray(state.displacements, dtype=np.float64))
    e = symmetry.project_strain(np.asarray(state.strain, dtype=np.float64))
    return State(u - u.mean(axis=0), 0.5 * (e + e.T))


def apply_state(ideal: DefectCell, state: State) -> DefectCell:
    """The ideal cell with a state applied: x = X (1 + e) + u, with positions X and cell vectors as rows."""
    frame = np.eye(3) + state.strain
    return ideal.with_geometry(ideal.positions @ frame + state.displacements, ideal.cell @ frame)


def residual(state: State, symmetry: CellSymmetry) -> float:
    """Largest component by which a state leaves the H-invariant space."""
    off = state - project(state, symmetry)
    return float(max(abs(off.displacements).max(initial=0.0), abs(off.strain).max()))


Predictor = Callable[[State, float], State]
"""Clean state predicted from a noisy state and its time."""


@dataclass(frozen=True)
class Bridge:
    """Noise sizes of the bridge.

    Attributes:
        sigma: displacement noise at t = 0, Å per component.
        sigma_strain: strain noise at t = 0 per component and unit of `Conditions.strain_scale`.
    """

    sigma: float = 0.04
    sigma_strain: float = 0.005

    def noise(self, symmetry: CellSymmetry, strain_scale: float, rng: np.random.Generator) -> State:
        """State at t = 0: Cartesian Gaussian noise in the H-invariant space."""
        n = symmetry.permutations.shape[1]
        u, e = rng.standard_normal((n, 3)), rng.standard_normal((3, 3))
        white = State(self.sigma * u, self.sigma_strain * strain_scale * (e + e.T) / 2.0)
        return project(white, symmetry)

    def corrupt(self, clean: State, noise: State, time: float) -> State:
        """x_t of a clean state and a noise."""
        return clean.scaled(time) + noise.scaled(1.0 - time)

    def sample(
        self,
        predict: Predictor,
        symmetry: CellSymmetry,
        strain_scale: float,
        rng: np.random.Generator,
        *,
        steps: int = 24,
        eta: float = 0.0,
        spread: float = 1.0,
    ) -> State:
        """Go from noise to a clean state in `steps` steps; every state on the way is projected onto H.

        Args:
            predict: the network.
            symmetry: H.
            strain_scale: see `Conditions.strain_scale`.
            rng: of the noise.
            steps: more are more exact.
            eta: share of the noise that is drawn anew at each step.
            spread: scale of the noise. 1 samples what was learnt; 0 starts from the ideal cell, the noise's mode, and
                gives one best guess.

        Raises:
            ConditionError: steps < 1 or eta outside [0, 1].
            SymmetryError: the permutations and rotations of H are inconsistent, so that projecting leaves a residual.
        """
        if steps < 1 or not 0.0 <= eta <= 1.0 or not spread >= 0.0:
            raise ConditionError(
                f"steps = {steps}, eta = {eta}, spread = {spread}: steps >= 1, 0 <= eta <= 1 and spread >= 0 are needed"
            )
        times = np.linspace(0.0, 1.0, steps + 1)
        state = self.noise(symmetry, strain_scale, rng).scaled(spread)
        for now, then in pairwise(times):
            clean = project(predict(state, float(now)), symmetry)
            implied = (state - clean.scaled(now)).scaled(1.0 / (1.0 - now))
            if eta > 0.0:
                fresh = self.noise(symmetry, strain_scale, rng).scaled(spread)
                implied = implied.scaled(np.sqrt(1.0 - eta**2)) + fresh.scaled(eta)
            state = project(clean.scaled(then) + implied.scaled(1.0 - then), symmetry)
            self._check(state, symmetry)
        return state

    @staticmethod
    def _check(state: State, symmetry: CellSymmetry) -> None:
        off = residual(state, symmetry)
        if not off < RESIDUAL_TOLERANCE:
            raise SymmetryError(f"a sampled state leaves the {symmetry.symbol}-invariant space by {off:.1e} Å")
