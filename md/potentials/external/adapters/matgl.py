"""TensorNet, M3GNet and CHGNet of matgl, from a folder of weights or a name that matgl knows.

matgl 2.0 gives stress in GPa; the weights released with it are read wrongly by some other versions.
"""

from __future__ import annotations

import os
from typing import Any


def matgl_calculator(name: str, weights: str | None, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The potential in the folder `weights`, or the one that matgl fetches by `name` or by the setting `model`."""
    os.environ.setdefault("MATGL_BACKEND", "PYG")
    import matgl
    from ase.units import GPa
    from matgl.ext.ase import PESCalculator

    others = {key: value for key, value in settings.items() if key != "model"}
    potential = matgl.load_model(weights or settings.get("model", name))
    calculator = PESCalculator(potential, **{"stress_weight": GPa, **others})
    elements = [str(element) for element in potential.model.element_types]
    return calculator, {"libraries": ["matgl", "torch"], "elements": elements, "state": potential}
