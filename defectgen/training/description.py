"""What cards say of a training: elements, settings, curve and versions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np

from augment.elements import element_symbol
from augment.versions import versions
from defectgen.corpus.arrangements import Arrangements
from defectgen.corpus.cases import Case
from defectgen.training.loop import Training

__all__ = ["CURVE_STEP", "learnt_elements", "training_summary"]

CURVE_STEP = 100
"""Steps that a point of a curve of losses is the mean of."""


def learnt_elements(items: Iterable[Case | Arrangements]) -> list[str]:
    """Symbols of the elements in the training split."""
    numbers: set[int] = set()
    for item in items:
        if item.split == "train":
            numbers |= {int(z) for z in item.template.numbers if z}
            numbers |= set() if isinstance(item, Case) else {int(z) for z in item.number if z}
    return sorted(element_symbol(z) for z in numbers)


def training_summary(training: Training[Any, Any], seconds: float) -> dict[str, Any]:
    """JSON values: task, settings, size, curve of losses, what was held out, wall time in s, and versions."""
    losses = np.array(training.losses)
    curve = [float(np.mean(losses[i : i + CURVE_STEP])) for i in range(0, len(losses), CURVE_STEP)]
    return {
        "task": training.task.identity,
        "training": asdict(training.settings),
        "parameters": sum(p.numel() for p in training.network.parameters()),
        "curve": {"every": CURVE_STEP, "loss": [round(x, 5) for x in curve]},
        "held_out": [[step, round(loss, 5)] for step, loss in training.held_out],
        "seconds": round(seconds),
        "versions": versions("torch", "numpy", "safetensors"),
    }
