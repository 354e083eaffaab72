"""The mean of a correlated series and its standard error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from augment.cell import FloatArray

MIN_BLOCKS = 8
"""Blocks below which an estimate of their spread says little: with 8 it is itself uncertain by a quarter."""


class Mean(NamedTuple):
    """A mean and its standard error, in the units of the series; NaN where there are too few samples."""

    value: float
    error: float


def block_average(series: FloatArray) -> Mean:
    """Mean of a correlated series (s,) and its standard error from blocks of doubling length.

    Flyvbjerg and Petersen, J. Chem. Phys. 91, 461 (1989): averaging neighbours pairwise leaves the mean and removes
    correlation, so that the naive error sqrt(c0 / (m - 1)) of m blocks grows to a plateau. The largest value with
    at least 8 blocks is taken: too large by its own noise rather than too small.
    """
    blocks = np.asarray(series, dtype=float)
    if len(blocks) == 0:
        return Mean(float("nan"), float("nan"))
    value = float(blocks.mean())
    errors: list[float] = []
    while len(blocks) >= 2 and (len(blocks) >= MIN_BLOCKS or not errors):  # noqa: PLR2004  a spread needs two
        errors.append(float(np.sqrt(blocks.var() / (len(blocks) - 1))))
        pairs = len(blocks) // 2
        blocks = blocks[: 2 * pairs].reshape(pairs, 2).mean(axis=1)
    return Mean(value, max(errors, default=float("nan")))
