"""Measures that a trajectory may be too short for: what can be measured, and why the rest cannot."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from augment.errors import ConditionError, DataError, SymmetryError
from md.dynamics.response import Response
from md.dynamics.settling import EQUILIBRATION
from md.estimators.statistics import Mean


def attempt(measures: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """The value of each measure, None where it cannot be had; `not_measurable` gives the reason for each None."""
    values: dict[str, Any] = {}
    reasons = {}
    for name, measure in measures.items():
        try:
            values[name] = measure()
        except (DataError, ConditionError, SymmetryError) as error:
            values[name], reasons[name] = None, str(error)
    return {**values, "not_measurable": reasons}


def pair(mean: Mean) -> list[float]:
    """Value and error.

    Raises:
        DataError: one of them is not finite.
    """
    if not all(math.isfinite(x) for x in mean):
        raise DataError("too few values for a mean with an error; run longer")
    return [mean.value, mean.error]


def first_frame(response: Response) -> int:
    """The first frame after equilibration, or the last one where a run ended before that."""
    first = int(np.searchsorted(response.frame_steps, int(len(response.series) * EQUILIBRATION)))
    return min(first, max(len(response.frames) - 1, 0))
