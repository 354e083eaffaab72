"""Diffusion coefficients from unwrapped displacements, and their Arrhenius law."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.errors import DataError
from md.observables.estimators.fits import fit
from md.observables.estimators.statistics import Mean, block_average

MAX_LAG_FRACTION = 1 / 10
"""Of the run; ten stretches of the longest lag are the fewest that show its scatter."""

FIT_LAGS = 12
"""Lags of the fit, in geometric steps; neighbours in between are so correlated that they add nothing."""

MAX_NOISE_RATIO = 1e4
"""Largest ratio of vibration to motion between frames that the weights tell apart; the fit is ordinary beyond."""

DETECTED = 2.0
"""Standard errors above zero from which on diffusion counts as seen."""

CM2_PER_S = 1e-4
"""cm²/s in 1 Å²/ps."""


@dataclass(frozen=True)
class Diffusion:
    """A self-diffusion coefficient.

    Attributes:
        coefficient: Å²/ps (times 1e-4: cm²/s), with its standard error; below zero where there is noise alone.
        offset: mean square displacement at lag 0 by the fit, Å²: twice the mean square vibration in a crystal.
        lags: first and last lag of the fit, ps.
    """

    coefficient: Mean
    offset: float
    lags: tuple[float, float]

    @property
    def detected(self) -> bool:
        """Whether the coefficient is two standard errors above zero; if not, its upper bound is all that is known."""
        return self.coefficient.value > DETECTED * self.coefficient.error

    @property
    def upper_bound(self) -> float:
        """Å²/ps; two standard errors above the coefficient or above zero."""
        return max(self.coefficient.value, 0.0) + DETECTED * self.coefficient.error


def squared_displacements(moved: FloatArray, lag: int) -> FloatArray:
    """Mean over the atoms of |x(t + lag) - x(t)|², Å², from every frame t: (k - lag,), for displacements (k, n, 3)."""
    step = moved[lag:] - moved[: len(moved) - lag]
    return np.asarray(np.einsum("kna,kna->k", step, step) / moved.shape[1], dtype=float)


def diffusion_coefficient(moved: FloatArray, spacing: float, shortest: float = 0.0) -> Diffusion:
    """Self-diffusion coefficient D of <|x(t + lag) - x(t)|²> = offset + 6 D lag, Å²/ps, of some atoms.

    Generalised least squares over lags up to a tenth of the run, weighted with the covariance that a random walk
    plus uncorrelated vibration gives the mean squares (Bullerjahn, von Bülow and Hummer, J. Chem. Phys. 153, 024116
    (2020)); ordinary least squares wastes most of the data. The estimate is then the mean of one series over the
    frames, and its error comes from blocks of that series, so that it holds also where atoms move together, as
    around a single vacancy, which a covariance of independent walkers cannot know.

    Args:
        moved: (k, n, 3) unwrapped displacements of the atoms, centre of mass at rest, Å (`displacements`).
        spacing: time between frames, fs.
        shortest: first lag, fs; as long as a vibration remembers itself (about 1 ps in a crystal). One frame
            without it.

    Raises:
        DataError: no atoms, or too few frames for that first lag.
    """
    k, n = moved.shape[:2]
    first = max(1, int(np.ceil(shortest / spacing)))
    last = int(k * MAX_LAG_FRACTION)
    if n == 0 or last < 2 * first:
        raise DataError(
            f"{k} frames of {n} atoms are too few for a diffusion coefficient: a first lag of {first} frames needs "
            f"{int(2 * first / MAX_LAG_FRACTION)}; run longer"
        )
    lags = np.unique(np.rint(np.geomspace(first, last, FIT_LAGS)).astype(np.int64))
    squares = [squared_displacements(moved, int(lag)) for lag in lags]
    means = np.array([s.mean() for s in squares])
    intercept, slope = _weights(lags, k, 0.0) @ means
    noise = 0.0
    if intercept > 0:
        noise = min(intercept / slope, MAX_NOISE_RATIO) if slope > 0 else MAX_NOISE_RATIO
    intercept, slope = (weights := _weights(lags, k, noise)) @ means
    common = len(squares[-1])
    series = sum(w * s[:common] for w, s in zip(weights[1], squares, strict=True))
    per_frame = 6 * spacing / 1000.0
    error = block_average(np.asarray(series)).error / per_frame
    times = lags[[0, -1]] * spacing / 1000.0
    return Diffusion(Mean(float(slope / per_frame), error), float(intercept), (float(times[0]), float(times[1])))


def _weights(lags: IntArray, frames: int, noise: float) -> FloatArray:
    """Weights (2, l) that give intercept and slope from mean squares at the lags (l,), of smallest variance.

    The mean square of a Gaussian process has the covariance 2 sum over pairs of origins of c², where c is that of
    two displacements (Isserlis): their overlap in time, and `noise` / 2 for each end that they share.
    """
    offsets = np.arange(-frames, frames + 1)
    covariance = np.empty((len(lags), len(lags)))
    for a, one in enumerate(lags):
        for b, other in enumerate(lags):
            overlap = np.maximum(np.minimum(one, offsets + other) - np.maximum(0, offsets), 0)
            ends = 1.0 * (offsets + other == one) + (offsets == 0) - (offsets == one) - (offsets + other == 0)
            pairs = np.minimum(frames - one, frames - other - offsets) - np.maximum(0, -offsets)
            shared = np.maximum(pairs, 0) * (overlap + noise / 2 * ends) ** 2
            covariance[a, b] = 2 * shared.sum() / ((frames - one) * (frames - other))
    design = np.stack([np.ones(len(lags)), lags.astype(float)], axis=1)
    weighted = np.linalg.solve(covariance, design)
    return np.asarray(np.linalg.solve(design.T @ weighted, weighted.T), dtype=float)


@dataclass(frozen=True)
class Arrhenius:
    """D = D0 exp(-E / k T): `energy` E in eV and `prefactor` D0 in Å²/ps, each with its standard error."""

    energy: Mean
    prefactor: Mean

    def at(self, temperature: float) -> float:
        """Coefficient at a temperature in K, Å²/ps."""
        from ase import units

        return float(self.prefactor.value * np.exp(-self.energy.value / (units.kB * temperature)))


def arrhenius(temperatures: Sequence[float], coefficients: Sequence[Mean]) -> Arrhenius:
    """Arrhenius law through diffusion coefficients or rates at several temperatures (K), weighted by their errors.

    Raises:
        DataError: fewer than two temperatures, or a coefficient that is not two standard errors above zero.
    """
    from ase import units

    for temperature, mean in zip(temperatures, coefficients, strict=True):
        if not mean.value > DETECTED * mean.error:
            raise DataError(
                f"no diffusion is seen at {temperature:g} K ({mean.value:.2g} ± {mean.error:.2g}); "
                "run longer or leave that temperature out"
            )
    beta = [1 / (units.kB * t) for t in temperatures]
    line = fit(beta, [Mean(float(np.log(m.value)), m.error / m.value) for m in coefficients])
    slope, constant = line.slope(0.0), line.at(0.0)
    prefactor = float(np.exp(constant.value))
    return Arrhenius(Mean(-slope.value, slope.error), Mean(prefactor, prefactor * constant.error))
