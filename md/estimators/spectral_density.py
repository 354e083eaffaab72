"""The value at frequency zero of a spectral density, from the modes of a finite run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray, IntArray

MIN_MODES = 8
"""Modes of the narrowest fit; three parameters through fewer leave nothing to judge them by."""

BIN_RATIO = 1.05
"""Of the frequencies at the ends of a bin: a density that rises with the square changes by a tenth within."""

WINDOW_RATIO = np.sqrt(2.0)
"""Of the highest frequencies of one fit and the next."""

CORNERS = 12
"""Corner frequencies that are tried in each fit, in geometric steps."""

MIN_IMPROVEMENT = 10.0
"""Of the deviance by a corner frequency, below which the simpler density stands: it was the best of many corners,
and without a corner in the data its fit is degenerate."""

SCORING_STEPS = 12
"""Of Fisher scoring; it converges quadratically."""


@dataclass(frozen=True, eq=False)
class ZeroFrequency:
    """A spectral density at frequency zero.

    Attributes:
        value: the density there; it may come out below zero by its error.
        weights: (m,) of the periodogram that give it, averaged over the fits.
        systematic: standard deviation of the value among the fits, each with its probability.
        density: (m,) the fit of highest probability; the periodogram itself beyond its last frequency.
        modes: number of modes in that fit.
        misfit: root of its deviance over the bins that it leaves free, at least 1: scatter that no noise explains,
            as of sharp lines.
    """

    value: float
    weights: FloatArray
    systematic: float
    density: FloatArray
    modes: int
    misfit: float


@dataclass(frozen=True, eq=False)
class _Fit:
    """One density through the first bins.

    Attributes:
        criterion: deviance with Akaike's terms.
        reduced: deviance over the number of bins that are left free.
        weights: of the bins, in the estimate.
        density: in the bins.
    """

    criterion: float
    reduced: float
    weights: FloatArray
    density: FloatArray


def at_zero(periodogram: FloatArray, freedom: float) -> ZeroFrequency:
    """Spectral density at frequency zero from a periodogram (m,) at the frequencies pi p / (m + 1), p = 1 to m.

    The density is (s + b x) / (1 + a x) in x = 2 - 2 cos(frequency), which is exact for a random walk (s alone), with
    uncorrelated noise on its positions (s, b), for a bound walker with a memory (a, b; s = 0), and for velocities with
    a memory (s, a), and the beginning of any other. It is fitted by Whittle's likelihood, in which ordinates are
    independent and of a gamma distribution, up to several highest frequencies; fits are averaged with the weights of
    Jay and Neil, Phys. Rev. D 103, 114502 (2021): Akaike's criterion with two for each ordinate left out.

    Args:
        periodogram: at least `MIN_MODES` positive ordinates.
        freedom: degrees of freedom of each ordinate: 1 for one squared Gaussian amplitude.
    """
    x = 2 - 2 * np.cos(np.pi * np.arange(1, len(periodogram) + 1) / (len(periodogram) + 1))
    starts = _bins(len(periodogram))
    counts = np.diff([*starts, len(periodogram)])
    binned, middles = (np.add.reduceat(column, starts) / counts for column in (periodogram, x))
    fits = [fit for last in _windows(starts, counts) for fit in _fits(binned, middles, counts * freedom, last)]
    criteria = np.array([fit.criterion for fit in fits])
    shares = np.exp(-(criteria - criteria.min()) / 2)
    shares /= shares.sum()
    values = np.array([fit.weights @ binned[: len(fit.weights)] for fit in fits])
    weights = np.zeros(len(binned))
    for share, fit in zip(shares, fits, strict=True):
        weights[: len(fit.weights)] += share * fit.weights
    value = float(shares @ values)
    best = fits[int(criteria.argmin())]
    width = counts[: len(best.density)]
    density = np.concatenate([np.repeat(best.density, width), periodogram[width.sum() :]])
    systematic = float(np.sqrt(shares @ (values - value) ** 2))
    misfit = float(np.sqrt(max(best.reduced, 1.0)))
    return ZeroFrequency(value, np.repeat(weights / counts, counts), systematic, density, int(width.sum()), misfit)


def independent_squares(periodogram: FloatArray, most: float) -> float:
    """Independent squared amplitudes in each ordinate, from the scatter between neighbours; at most `most`.

    The variance of the logarithm of a gamma variate of shape z is trigamma(z), near 1 / z + 1 / 2 z². The median
    keeps lines of the spectrum out.
    """
    jumps = np.diff(np.log(periodogram)) ** 2
    spread = max(float(np.median(jumps)) / 0.4549 / 2, 1e-12)  # 0.4549: the median of chi squared
    return min(most, float((1 + np.sqrt(1 + 2 * spread)) / spread))


def _bins(m: int) -> IntArray:
    """First ordinate of each bin: single ones at low frequency, then of a constant ratio."""
    edges = [0]
    while edges[-1] < m:
        edges.append(max(edges[-1] + 1, int(edges[-1] * BIN_RATIO)))
    return np.array(edges[:-1], dtype=np.int64)


def _windows(starts: IntArray, counts: IntArray) -> list[int]:
    """Numbers of bins of the fits."""
    ends = starts + counts
    highest = [float(MIN_MODES)]
    while highest[-1] < ends[-1]:
        highest.append(highest[-1] * WINDOW_RATIO)
    return sorted({min(int(np.searchsorted(ends, h)) + 1, len(ends)) for h in highest})


def _fits(values: FloatArray, x: FloatArray, freedom: FloatArray, last: int) -> Iterator[_Fit]:
    """Densities s, s + b x and, where the data show a corner, (s + b x) / (1 + a x) through the first `last` bins."""
    y, x, degrees = values[:last], x[:last], freedom[:last]
    dropped = 2.0 * (len(values) - last)
    none = np.zeros(1)
    flat, rising = (_scored(y, x, degrees, none, order) for order in (1, 2))
    corners = np.geomspace(0.1 / x[-1], 1 / x[min(2, last - 1)], CORNERS)
    curved = _scored(y, x, degrees, corners, 2)
    for order, (deviances, densities) in ((1, flat), (2, rising), (3, curved)):
        k = int(deviances.argmin())
        if order == 3 and deviances[k] > rising[0][0] - MIN_IMPROVEMENT:  # noqa: PLR2004  of three parameters
            continue
        corner = float(corners[k]) if order == 3 else 0.0  # noqa: PLR2004
        weights = _weights(x, degrees, densities[k], corner, order)
        deviance = float(deviances[k])
        yield _Fit(deviance + 2 * order + dropped, deviance / (last - order), weights, densities[k])


def _scored(
    y: FloatArray, x: FloatArray, degrees: FloatArray, corners: FloatArray, order: int
) -> tuple[FloatArray, FloatArray]:
    """Deviances (c,) and densities (c, bins) of the likeliest numerators of the first `order` powers, for corners."""
    design = np.stack([x**power / (1 + corners[:, None] * x) for power in range(order)], axis=2)
    density = np.repeat(_smooth(y)[None], len(corners), axis=0)
    for _ in range(SCORING_STEPS):
        weights = degrees / density**2
        left = np.einsum("cpi,cp,cpj->cij", design, weights, design)
        scale = np.sqrt(np.einsum("cii->ci", left))
        right = np.einsum("cpi,cp->ci", design, weights * y) / scale
        solved = np.linalg.solve(left / scale[:, :, None] / scale[:, None, :], right[:, :, None])[:, :, 0] / scale
        density = np.maximum(np.einsum("cpi,ci->cp", design, solved), density / 100)
    ratio = y / density
    return (degrees * (ratio - 1 - np.log(ratio))).sum(axis=1), density


def _smooth(y: FloatArray) -> FloatArray:
    """Means of five neighbours, from which the fits start."""
    return np.convolve(np.pad(y, 2, mode="edge"), np.full(5, 0.2), mode="valid")


def _weights(x: FloatArray, degrees: FloatArray, density: FloatArray, corner: float, order: int) -> FloatArray:
    """Weights (bins,) of the ordinates in the linear estimate of s near a fit, of smallest variance."""
    columns = [x**power / (1 + corner * x) for power in range(min(order, 2))]
    if order > 2:  # noqa: PLR2004  the corner itself
        columns.append(density * x / (1 + corner * x))
    root = np.sqrt(degrees) / density
    design = np.stack(columns, axis=1) * root[:, None]
    scale = np.linalg.norm(design, axis=0)
    return np.asarray(np.linalg.pinv(design / scale, rcond=1e-6)[0] / scale[0] * root, dtype=float)
