"""UMA and eSEN of fairchem, by name or from a checkpoint; those that need a task take that of inorganic crystals."""

from __future__ import annotations

from typing import Any


def fairchem_calculator(name: str, weights: str | None, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The model of `name` (`uma-s-1p1`) or of the file `weights`; the setting `task_name` is `omat` by default."""
    from fairchem.core import FAIRChemCalculator, pretrained_mlip

    task = settings.get("task_name")
    others = {"device": "cpu", **{key: value for key, value in settings.items() if key not in ("task_name", "model")}}
    if weights:
        unit = pretrained_mlip.load_predict_unit(weights, **others)
    else:
        unit = pretrained_mlip.get_predict_unit(settings.get("model", name), **others)
    if task is None and "omat" in unit.dataset_to_tasks:
        task = "omat"
    calculator = FAIRChemCalculator(unit, task_name=task)
    facts = {"libraries": ["fairchem-core", "torch"], "state": unit.model, "settings": {**settings, "task_name": task}}
    return calculator, facts
