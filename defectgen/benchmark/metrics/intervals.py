"""Means with intervals that come from resampling hosts: structures of one host are not independent of each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray

DRAWS = 2000
"""Bootstrap resamples; the ends of a 95 % interval are then known to a few hundredths of its width."""

LEVEL = 0.95
_SEED = 20_240_229
"""One seed for all intervals: the same values give the same bytes, and pairs of generators the same resamples."""

FEW = 3
"""Hosts below which resampling says nothing."""


@dataclass(frozen=True)
class Estimate:
    """A mean over hosts with its 95 % interval.

    Attributes:
        value: mean over hosts of the mean within each, so that every host counts alike.
        low: lower end; None for fewer than three hosts.
        high: upper end.
        hosts: how many hosts have a value.
        tasks: how many tasks have one.
    """

    value: float
    low: float | None
    high: float | None
    hosts: int
    tasks: int


def host_estimate(values: Sequence[float], hosts: Sequence[str]) -> Estimate | None:
    """Mean of values of tasks over hosts, with the percentile interval of the bootstrap over hosts.

    B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13. Tasks with NaN do not count;
    None where no task has a value.
    """
    means, tasks = host_means(values, hosts)
    if not len(means):
        return None
    return _estimate(float(means.mean()), _resampled(means).mean(axis=1), len(means), tasks)


def gain_estimate(values: Sequence[float], baseline: Sequence[float], hosts: Sequence[str]) -> Estimate | None:
    """By how much an error is below a baseline's on the same tasks: 1 - mean / mean of the baseline, over hosts.

    Both are resampled together. None where no task has both, or the baseline makes no error.
    """
    both = np.isfinite(values) & np.isfinite(baseline)
    mine, tasks = host_means(np.where(both, values, np.nan), hosts)
    theirs, _ = host_means(np.where(both, baseline, np.nan), hosts)
    if not len(mine) or not theirs.mean() > 0:
        return None
    ratios = _resampled(mine).mean(axis=1) / np.maximum(_resampled(theirs).mean(axis=1), np.finfo(float).tiny)
    return _estimate(1.0 - float(mine.mean() / theirs.mean()), 1.0 - ratios, len(mine), tasks)


def host_means(values: Sequence[float] | FloatArray, hosts: Sequence[str]) -> tuple[FloatArray, int]:
    """Mean of the finite values of each host that has some, in alphabetical order, and how many values there are."""
    array, names = np.asarray(values, dtype=float), np.asarray(hosts)
    finite = np.isfinite(array)
    means = [array[finite & (names == name)].mean() for name in np.unique(names[finite])]
    return np.array(means), int(finite.sum())


def _resampled(means: FloatArray) -> FloatArray:
    """(DRAWS, hosts) means of hosts drawn with replacement; the same draws for the same number of hosts."""
    chosen = np.random.default_rng(_SEED).integers(len(means), size=(DRAWS, len(means)))
    return means[chosen]


def _estimate(value: float, draws: FloatArray, hosts: int, tasks: int) -> Estimate:
    if hosts < FEW:
        return Estimate(value, None, None, hosts, tasks)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high), hosts, tasks)
