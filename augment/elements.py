"""The chemical elements that crystals are made of."""

from __future__ import annotations

HEAVIEST = 100
"""Fermium, the last element made in weighable amounts; the data that all else looks up end a little further."""


def element_number(symbol: str) -> int | None:
    """Atomic number of a symbol (`Mg`), None where it names no element up to `HEAVIEST`."""
    from ase.data import atomic_numbers

    number = int(atomic_numbers.get(symbol, 0))
    return number if 0 < number <= HEAVIEST else None
