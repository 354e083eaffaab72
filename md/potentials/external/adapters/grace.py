"""GRACE of tensorpotential, by the name of a foundation model or from a saved model."""

from __future__ import annotations

from typing import Any


def grace_calculator(name: str, weights: str | None, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The foundation model of `name` (`GRACE-1L-OAM`), or the saved model in the folder `weights`."""
    from tensorpotential.calculator.asecalculator import TPCalculator
    from tensorpotential.calculator.foundation_models import get_or_download_model, grace_fm

    libraries = {"libraries": ["tensorpotential", "tensorflow"]}
    if weights:
        return TPCalculator(model=weights, **settings), libraries
    others = {key: value for key, value in settings.items() if key != "model"}
    model = settings.get("model", name)
    return grace_fm(model, **others), {**libraries, "weights": str(get_or_download_model(model))}
