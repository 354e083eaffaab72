"""Errors on held-out defects: of the model before and after, of nothing at all, and of the same without learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defectgen.benchmark.held_out import (
    Method,
    diffusion,
    mean_scores,
    secant_descent,
    subgroup_scores,
    unrelaxed_guess,
)
from defectgen.corpus.cases import Case, Label
from defectgen.fine_tuning.objectives import resting_pairs
from defectgen.model.network import SubgroupNetwork
from defectgen.model.weights import Model

__all__ = ["HELD_OUT_METHODS", "held_out_errors", "subgroup_change"]

HELD_OUT_METHODS = ("unrelaxed", "without_learning", "before", "after")
"""Nothing moves; the steps down the forces that are input features, at the same cost; the model, twice."""


def held_out_errors(
    cases: Sequence[Case], before: Model | None, after: Model, split: str = "test"
) -> dict[str, dict[str, Any]]:
    """Mean errors (Å) within 5 Å of the held-out defects, of all their geometries at rest and by what these keep.

    Returns:
        For `all`, `whole` (stabilizer) and `broken`: `geometries`, `defects` and the errors of `HELD_OUT_METHODS`, None
        where there was no model before.
    """
    pairs = resting_pairs(cases, split)
    kinds = {
        "all": pairs,
        "whole": [(case, label) for case, label in pairs if not label.broken],
        "broken": [(case, label) for case, label in pairs if label.broken],
    }
    return {kind: _errors(chosen, before, after) for kind, chosen in kinds.items() if chosen}


def _errors(pairs: Sequence[tuple[Case, Label]], before: Model | None, after: Model) -> dict[str, Any]:
    methods: dict[str, Method | None] = {
        "unrelaxed": unrelaxed_guess,
        "without_learning": secant_descent,
        "before": None if before is None else diffusion(before, spread=0.0),
        "after": diffusion(after, spread=0.0),
    }
    defects = len({case.template.key for case, _ in pairs})
    found = {name: None if m is None else round(mean_scores(pairs, m)["error"], 5) for name, m in methods.items()}
    return {"geometries": len(pairs), "defects": defects, **found}


def subgroup_change(
    cases: Sequence[Case], before: SubgroupNetwork | None, after: SubgroupNetwork
) -> dict[str, Mapping[str, float] | None]:
    """How well the surviving symmetry of held-out defects is predicted, before and after (see `subgroup_scores`)."""
    start = None if before is None else subgroup_scores(before, cases, "test")
    return {"before": start, "after": subgroup_scores(after, cases, "test")}
