"""Orb models by their name; those called conservative have forces that are gradients of the energy."""

from __future__ import annotations

from typing import Any


def orb_calculator(name: str, weights: str | None, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The model of `name` (`orb-v3-conservative-inf-omat`), with the weights of a file where one is given."""
    from orb_models.forcefield import pretrained
    from orb_models.forcefield.calculator import ORBCalculator

    how = {"device": "cpu", "precision": "float32-highest", "compile": False, **settings}
    source = {"weights_path": weights} if weights else {}
    made = pretrained.ORB_PRETRAINED_MODELS[how.pop("model", name)](**source, **how)
    # Newer versions give the adapter of atoms to graphs along with the model.
    model, adapter = made if isinstance(made, tuple) else (made, None)
    arguments = (model,) if adapter is None else (model, adapter)
    return ORBCalculator(*arguments, device=how["device"]), {"libraries": ["orb-models", "torch"], "state": model}
