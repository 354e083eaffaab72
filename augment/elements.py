"""The chemical elements that crystals are made of."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping

MAX_ATOMIC_NUMBER = 100
"""Fermium, the last element made in weighable amounts; the data that all else looks up end a little further."""


def element_number(symbol: str) -> int | None:
    """Atomic number of a symbol (`Mg`), None where it names no element up to `MAX_ATOMIC_NUMBER`."""
    from ase.data import atomic_numbers

    number = int(atomic_numbers.get(symbol, 0))
    return number if 0 < number <= MAX_ATOMIC_NUMBER else None


def element_symbol(number: int) -> str:
    """Symbol of an atomic number, empty for 0: no atom."""
    from ase.data import chemical_symbols

    return str(chemical_symbols[number]) if number else ""


def elements_of(numbers: Iterable[int]) -> set[str]:
    """Symbols of the elements among atomic numbers, 0 (no atom) left out."""
    return {element_symbol(number) for number in {int(z) for z in numbers} if number}


def elements_in(formula: str) -> frozenset[str]:
    """Symbols of the elements that a formula names, `O26Mg27` or `SrTiO3`."""
    return frozenset(symbol for symbol in re.findall(r"[A-Z][a-z]?", formula) if element_number(symbol))


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
