"""Where a series has settled, how many independent samples it then holds, and averages that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray
from augment.errors import DataError
from md.estimators.statistics import Mean, block_average

MIN_SAMPLES = 8
"""Values below which a correlation time cannot be seen: fewer than the blocks that an error needs."""

START_CANDIDATES = 64
"""Starts that are tried; the end of equilibration is found to 1.6 % of the run."""


@dataclass(frozen=True)
class Equilibration:
    """The production part of a series.

    Attributes:
        start: first value that counts.
        inefficiency: statistical inefficiency g: so many values are worth one independent sample; at least 1.
        effective: number of independent samples from `start` on, (s - start) / g.
    """

    start: int
    inefficiency: float
    effective: float


def autocorrelation(series: FloatArray) -> FloatArray:
    """Normalised autocorrelation (s,) of the fluctuations of a series (s,) about its mean; 1 at lag 0.

    Each lag t averages over the s - t pairs that it has.

    Raises:
        DataError: the series never changes, so that it has no correlation.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    fluctuation = np.asarray(series, dtype=float) - np.mean(series)
    s = len(fluctuation)
    if s == 0 or not np.any(np.abs(fluctuation) > np.finfo(float).eps * np.abs(series).max()):
        raise DataError("a series that never changes has no autocorrelation")
    spectrum = rfft(fluctuation, next_fast_len(2 * s))
    sums = irfft(np.abs(spectrum) ** 2, next_fast_len(2 * s))[:s] / np.arange(s, 0, -1)
    return np.asarray(sums / sums[0], dtype=float)


def statistical_inefficiency(series: FloatArray) -> float:
    """Statistical inefficiency g = 1 + 2 sum over t of (1 - t/s) C(t) of a series (s,); a constant one has g = s.

    The sum ends where C first falls to 0, beyond which there is only noise: Chodera et al., J. Chem. Theory
    Comput. 3, 26 (2007).

    Raises:
        DataError: the series holds fewer than 8 values.
    """
    s = len(series)
    if s < MIN_SAMPLES:
        raise DataError(f"{s} values are too few for a correlation time (at least {MIN_SAMPLES}); run longer")
    try:
        correlation = autocorrelation(series)
    except DataError:
        return float(s)
    below = np.flatnonzero(correlation <= 0)
    end = int(below[0]) if len(below) else s
    lags = np.arange(1, end)
    return float(max(1.0, 1 + 2 * ((1 - lags / s) * correlation[1:end]).sum()))


def equilibration(series: FloatArray) -> Equilibration:
    """The start that leaves the most independent samples of a series (s,).

    Chodera, J. Chem. Theory Comput. 12, 1799 (2016): a start too early keeps the drift, which raises g; a start
    too late throws samples away.

    Raises:
        DataError: the series holds fewer than 8 values.
    """
    s = len(series)
    if s < MIN_SAMPLES:
        raise DataError(f"{s} values are too few to see equilibration (at least {MIN_SAMPLES}); run longer")
    starts = np.unique(np.linspace(0, s - MIN_SAMPLES, START_CANDIDATES).astype(int))
    inefficiencies = [(int(start), statistical_inefficiency(series[start:])) for start in starts]
    start, g = max(inefficiencies, key=lambda pair: (s - pair[0]) / pair[1])
    return Equilibration(start, g, (s - start) / g)


def equilibrated_mean(series: FloatArray) -> Mean:
    """Mean of the production part of a series (s,) and its standard error sqrt(var g / s).

    Raises:
        DataError: the series holds fewer than 8 values.
    """
    part = equilibration(series)
    production = np.asarray(series, dtype=float)[part.start :]
    return Mean(float(production.mean()), float(production.std() / np.sqrt(max(part.effective - 1, 1.0))))


def cautious_mean(series: FloatArray) -> Mean:
    """Mean of a series (s,) in equilibrium and the larger of two standard errors of it.

    One is that of blocks, the other sqrt(var g / s) by the statistical inefficiency g; in a short run either is too
    small now and then, and seldom both.
    """
    blocks = block_average(series)
    if len(series) < MIN_SAMPLES:
        return blocks
    values = np.asarray(series, dtype=float)
    effective = len(values) / statistical_inefficiency(values)
    return Mean(blocks.value, max(blocks.error, float(values.std() / np.sqrt(max(effective - 1, 1.0)))))


def variance(series: FloatArray) -> Mean:
    """Variance of a correlated series (s,) and its standard error, in squared units of the series.

    The mean of the same samples stands for the true one, which takes 1 / n_eff of the variance; it is given back. The
    error is that of blocks of the squares, or sqrt(2 / (n_eff - 1)) of a Gaussian's variance where that is larger:
    a short run has too few blocks to see its own slowest fluctuation.

    Raises:
        DataError: the series holds fewer than 8 values, or fewer than 8 independent ones.
    """
    values = np.asarray(series, dtype=float)
    effective = len(values) / statistical_inefficiency(values)
    if effective < MIN_SAMPLES:
        raise DataError(
            f"{len(values)} values hold {effective:.1f} independent samples, too few for fluctuations "
            f"(at least {MIN_SAMPLES}); run longer"
        )
    squares = block_average((values - values.mean()) ** 2)
    correction = effective / (effective - 1)
    error = max(squares.error, squares.value * float(np.sqrt(2 / (effective - 1))))
    return Mean(squares.value * correction, error * correction)
