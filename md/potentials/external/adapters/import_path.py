"""Any ASE calculator: the setting `calculator` is `module:Class`, or a function that makes one; others go to it."""

from __future__ import annotations

import importlib
from typing import Any


def import_path_calculator(_name: str, weights: str | None, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The calculator; a path of weights is hashed, and goes wherever `{weights}` stands in a setting."""
    others = dict(settings)
    module, _, name = others.pop("calculator").partition(":")
    elements = others.pop("elements", None)
    for key, value in others.items():
        if isinstance(value, str):
            others[key] = value.replace("{weights}", weights or "")
    calculator = getattr(importlib.import_module(module), name)(**others)
    facts = {"libraries": [module.partition(".")[0]], "elements": elements}
    state = getattr(calculator, "model", None)
    return calculator, {**facts, **({"state": state} if hasattr(state, "state_dict") else {})}
