"""The bridge from H-invariant Cartesian noise to a clean geometry: forward process, sampler, and their projections.

With x = (u, e), displacements u in Å and strain e relative to the ideal cell of the host relaxed under the same
potential, the path is

    x_t = a(t) x_1 + b(t) sigma z,    z = P_H n,    n white Cartesian noise,    t from 0 to 1,

where P_H projects onto the H-invariant space and removes the mean displacement. P_H is orthogonal, so z is white noise
in an orthonormal basis of that space. The schedule `flow` is a = t, b = 1 - t (Albergo and Vanden-Eijnden, 2023,
doi:10.48550/arXiv.2209.15571; Lipman et al., 2023), `ddpm` the cosine one of diffusion models, a = sin(pi t / 2),
b = cos(pi t / 2) (Nichol and Dhariwal, 2021, doi:10.48550/arXiv.2102.09672), `regression` has no noise and one step.
The network predicts x_1; with the noise it implies, z' = (x_t - a x_1') / (b sigma), a step to s > t is

    x_s = a(s) x_1' + b(s) sigma (sqrt(1 - eta^2) z' + eta z_new)

which is the Euler step of the probability-flow ODE for eta = 0 (DDIM for `ddpm`) and resamples all noise for eta = 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from augment.errors import ConditionError, SettingsError, SymmetryError
from augment.groups.cell_symmetry import CellSymmetry
from augment.groups.distortion import RESIDUAL_TOLERANCE, Distortion, project

SAMPLER_STEPS = 20
"""Of the sampler. The flow is nearly straight: on hosts held out for validation 12, 20 and 24 steps err alike."""

Schedule = Literal["flow", "ddpm", "regression"]


Predictor = Callable[[Distortion, float], Distortion]
"""Clean state predicted from a noisy state and its time; several states at once have a leading axis."""


@dataclass(frozen=True)
class Bridge:
    """Noise of the bridge.

    Attributes:
        sigma: displacement noise at t = 0, Å per component.
        sigma_strain: strain noise at t = 0 per component and unit of `Conditions.strain_scale`.
        schedule: how noise and geometry are mixed on the way.
    """

    sigma: float = 0.04
    sigma_strain: float = 0.005
    schedule: Schedule = "flow"

    def __post_init__(self) -> None:
        if self.schedule not in ("flow", "ddpm", "regression") or not min(self.sigma, self.sigma_strain) >= 0:
            raise SettingsError(f"{self}: sizes are not negative, the schedule is flow, ddpm or regression")

    def mix(self, time: float) -> tuple[float, float]:
        """Shares a of the geometry and b of the noise at a time."""
        if self.schedule == "flow":
            return time, 1.0 - time
        if self.schedule == "ddpm":
            return float(np.sin(0.5 * np.pi * time)), float(np.cos(0.5 * np.pi * time)) if time < 1.0 else 0.0
        return (1.0, 0.0) if time == 1.0 else (0.0, 0.0)

    def noise(self, symmetry: CellSymmetry, strain_scale: float, rng: np.random.Generator) -> Distortion:
        """State at t = 0: Cartesian Gaussian noise in the H-invariant space."""
        return project(self._white(symmetry, strain_scale, rng), symmetry)

    def _white(self, symmetry: CellSymmetry, strain_scale: float, rng: np.random.Generator) -> Distortion:
        u, e = rng.standard_normal((symmetry.permutations.shape[1], 3)), rng.standard_normal((3, 3))
        return Distortion(self.sigma * u, self.sigma_strain * strain_scale * (e + e.T) / 2.0)

    def corrupt(self, clean: Distortion, noise: Distortion, time: float) -> Distortion:
        """x_t of a clean state and a noise."""
        a, b = self.mix(time)
        return clean.scaled(a) + noise.scaled(b)

    def sample(
        self,
        predict: Predictor,
        symmetry: CellSymmetry,
        strain_scale: float,
        rng: np.random.Generator,
        *,
        steps: int = SAMPLER_STEPS,
        eta: float = 0.0,
        spread: float = 1.0,
    ) -> Distortion:
        """One clean state; see `sample_many`."""

        def each(state: Distortion, now: float) -> Distortion:
            clean = predict(Distortion(state.displacements[0], state.strain[0]), now)
            return Distortion(clean.displacements[None], clean.strain[None])

        many = self.sample_many(each, symmetry, strain_scale, [rng], steps=steps, eta=eta, spreads=[spread])
        return Distortion(many.displacements[0], many.strain[0])

    def sample_many(
        self,
        predict: Predictor,
        symmetry: CellSymmetry,
        strain_scale: float,
        rngs: Sequence[np.random.Generator],
        *,
        steps: int = SAMPLER_STEPS,
        eta: float = 0.0,
        spreads: Sequence[float] | None = None,
    ) -> Distortion:
        """Go from noise to clean states in `steps` steps; every state on the way is projected onto H.

        Args:
            predict: the network.
            symmetry: H.
            strain_scale: see `Conditions.strain_scale`.
            rngs: of the noise, one for each state.
            steps: more are more exact; a regression takes one.
            eta: share of the noise that is drawn anew at each step.
            spreads: scale of the noise of each state. 1 samples what was learnt; 0 starts from the ideal cell, the
                noise's mode, and gives one best guess.

        Raises:
            ConditionError: steps < 1, eta outside [0, 1] or a negative spread.
            SymmetryError: the permutations and rotations of H are inconsistent, so that projecting leaves a residual.
        """
        scales = np.array([1.0] * len(rngs) if spreads is None else spreads)
        if steps < 1 or not 0.0 <= eta <= 1.0 or not (scales >= 0.0).all():
            raise ConditionError(
                f"steps = {steps}, eta = {eta}, spread = {scales.tolist()}: "
                "steps >= 1, 0 <= eta <= 1 and spread >= 0 are needed"
            )

        def draw() -> Distortion:
            white = [self._white(symmetry, strain_scale, rng) for rng in rngs]
            u, e = np.stack([w.displacements for w in white]), np.stack([w.strain for w in white])
            return project(Distortion(u * scales[:, None, None], e * scales[:, None, None]), symmetry)

        state = draw().scaled(self.mix(0.0)[1])
        for now, then in pairwise(np.linspace(0.0, 1.0, (1 if self.schedule == "regression" else steps) + 1)):
            state = self._step(symmetry, predict, state, (float(now), float(then)), draw, eta)
        return state

    def _step(
        self,
        symmetry: CellSymmetry,
        predict: Predictor,
        state: Distortion,
        times: tuple[float, float],
        draw: Callable[[], Distortion],
        eta: float,
    ) -> Distortion:
        (a, b), (a_then, b_then) = self.mix(times[0]), self.mix(times[1])
        clean = project(predict(state, times[0]), symmetry)
        after = clean.scaled(a_then)
        if b_then > 0.0:
            noise = (state - clean.scaled(a)).scaled(1.0 / b)
            if eta > 0.0:
                noise = noise.scaled(np.sqrt(1.0 - eta**2)) + draw().scaled(eta)
            after = after + noise.scaled(b_then)
        after = project(after, symmetry)
        _check(after, symmetry)
        return after


def _check(state: Distortion, symmetry: CellSymmetry) -> None:
    off = state - project(state, symmetry)
    worst = max(abs(off.displacements).max(initial=0.0), abs(off.strain).max())
    if not worst < RESIDUAL_TOLERANCE:
        raise SymmetryError(f"a sampled state leaves the {symmetry.symbol}-invariant space by {worst:.1e} Å")
