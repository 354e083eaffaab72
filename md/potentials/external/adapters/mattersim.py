"""MatterSim, by the name of its checkpoint or from a file."""

from __future__ import annotations

from typing import Any

CHECKPOINTS = {"mattersim": "MatterSim-v1.0.0-1M.pth", "mattersim-5m": "MatterSim-v1.0.0-5M.pth"}


def mattersim_calculator(name: str, weights: str | None, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """`mattersim` and `mattersim-5m` are the two of version 1.0.0; another is the file `weights`."""
    from mattersim.forcefield import MatterSimCalculator

    how = {"load_path": weights or CHECKPOINTS.get(name, name), "device": "cpu", **settings}
    calculator = MatterSimCalculator(**how)
    return calculator, {"libraries": ["mattersim", "torch"], "state": calculator.potential.model}
