"""How long a series remembers: its integrated autocorrelation time, by which frames should be apart."""

from __future__ import annotations

import numpy as np

from augment.cell import FloatArray
from augment.errors import DataError
from md.estimators.equilibration import MIN_SAMPLES, autocorrelation

SOKAL_WINDOW = 5.0
"""Correlation times after which the sum ends: what is left of an exponential is below 1 %, and noise adds up beyond."""

MIN_CORRELATION_TIMES = 50.0
"""Of a series that determines its own: below, the estimate is off by more than half, and mostly too small."""


def correlation_time(series: FloatArray) -> float:
    """Integrated autocorrelation time of a series (s,), in steps: 1/2 + sum over t of C(t), 1/2 of white noise.

    The mean of s values is worth that of s / 2 tau independent ones. The sum ends at the first t that is at least
    five times its value so far (Sokal, "Monte Carlo Methods in Statistical Mechanics" (1997)); of a correlation that
    swings below zero, as of an energy that vibrations carry to and fro, its largest value until then is taken, since
    what a period brings back is no new sample.

    Raises:
        DataError: the series never changes, or holds fewer than 50 correlation times.
    """
    s = len(series)
    if s < MIN_SAMPLES:
        raise DataError(f"{s} values are too few for a correlation time (at least {MIN_SAMPLES}); run longer")
    sums = np.cumsum(autocorrelation(series)) - 0.5
    ended = np.flatnonzero(np.arange(s) >= SOKAL_WINDOW * sums)
    last = int(ended[0]) if len(ended) else s - 1
    time = float(max(0.5, sums[: last + 1].max()))
    if s < MIN_CORRELATION_TIMES * time:
        raise DataError(
            f"{s} values hold {s / time:.0f} correlation times, too few to determine one "
            f"(at least {MIN_CORRELATION_TIMES:g}); run longer"
        )
    return time
