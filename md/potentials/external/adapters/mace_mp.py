"""Foundation models of MACE in another environment, from mace's own cache or by their name."""

from __future__ import annotations

from typing import Any


def mace_mp_calculator(name: str, weights: str | None, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The model of the file `weights`, or of what follows the colon in `mace_mp:medium-mpa-0`."""
    from ase.data import chemical_symbols
    from mace.calculators import mace_mp

    model = weights or name.partition(":")[2] or "medium-mpa-0"
    how = {"model": model, "device": "cpu", "default_dtype": "float64", **settings}
    calculator = mace_mp(**how)
    network = calculator.models[0]
    elements = [chemical_symbols[int(number)] for number in network.atomic_numbers]
    return calculator, {"libraries": ["mace-torch", "e3nn", "torch"], "elements": elements, "state": network}
