"""Nequix, by JAX and without compiled kernels, from a file of weights or a name that nequix fetches."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def nequix_calculator(name: str, weights: str | None, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The potential of the file `weights`, or that of `name` (`nequix-oam-1-pft`)."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    from ase.data import chemical_symbols
    from nequix.calculator import NequixCalculator

    model = settings.get("model", name)
    source = {"model_name": model} if weights is None else {"model_path": weights}
    others = {key: value for key, value in settings.items() if key != "model"}
    calculator = NequixCalculator(**{"backend": "jax", "use_kernel": False, **source, **others})
    elements = [chemical_symbols[number] for number in calculator.config["atomic_numbers"]]
    fetched = Path(f"~/.cache/nequix/models/{model}.nqx").expanduser()
    where = {} if weights or not fetched.is_file() else {"weights": str(fetched)}
    return calculator, {"libraries": ["nequix", "jax"], "elements": elements, **where}
