"""Chemical formulas as pymatgen writes them, without its warnings about elements that have no electronegativity."""

from __future__ import annotations

import warnings
from collections.abc import Mapping


def reduced_formula(amounts: Mapping[str, float]) -> str:
    """Reduced formula of amounts by element (`SrTiO3`)."""
    return _written(amounts, "reduced_formula")


def full_formula(amounts: Mapping[str, float]) -> str:
    """Formula with every amount (`Sr8 Ti8 O24`)."""
    return _written(amounts, "formula")


def _written(amounts: Mapping[str, float], how: str) -> str:
    from pymatgen.core import Composition

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return str(getattr(Composition(dict(amounts)), how))
