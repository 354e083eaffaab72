"""SevenNet, by names that start with 7net, or from a checkpoint."""

from __future__ import annotations

from typing import Any

ARGUMENTS = {
    "7net-mf": {"model": "7net-mf-0", "modal": "R2SCAN"},
    "7net-mf-ompa": {"model": "7net-mf-ompa", "modal": "mpa"},
}
"""What names mean that SevenNet does not know, or that need a choice of the data learnt from."""


def sevennet_calculator(name: str, weights: str | None, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The potential of `name`, or of the checkpoint `weights`; the setting `modal` chooses among several heads."""
    from ase.data import chemical_symbols
    from sevenn.calculator import SevenNetCalculator

    known = {"model": name, **ARGUMENTS.get(name, {})}
    source = {"model": weights} if weights else {}
    calculator = SevenNetCalculator(**{"device": "cpu", **known, **source, **settings})
    numbers = getattr(calculator, "type_map", None)
    elements = [chemical_symbols[number] for number in numbers] if numbers else None
    return calculator, {"libraries": ["sevenn", "torch"], "elements": elements, "state": calculator.model}
