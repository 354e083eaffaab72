"""Whether a cell is calculated with spin, and with which magnetic moments it starts."""

from __future__ import annotations

from augment.cell import DefectCell, FloatArray
from defectgen.calculations.settings import CalculationSettings

WEAK_MOMENT = 0.2
"""μB; on atoms of elements that are not magnetic: enough to leave the unpolarised solution."""

STRONG_MOMENT = 5.0
"""μB; on transition metals and lanthanides, as pymatgen's sets of the Materials Project start them (high spin)."""

_CLOSED_SHELLS = frozenset({"Zn", "Cd", "Hg", "Cu", "Ag", "Au", "Lu", "Sc", "Y", "La", "Zr", "Hf", "Ti", "Nb", "Ta"})
"""d and f elements that hold no large moment in most of their compounds."""


def is_magnetic(symbol: str) -> bool:
    """Whether an element holds a moment in many of its compounds."""
    from pymatgen.core import Element

    element = Element(symbol)
    return (element.is_transition_metal or element.is_lanthanoid) and symbol not in _CLOSED_SHELLS


def electron_count(cell: DefectCell) -> int:
    """Electrons of a cell, cores included; as cores are closed, it is odd where that of the valence is."""
    return int(cell.numbers.sum()) - cell.charge


def is_polarised(cell: DefectCell, settings: CalculationSettings) -> bool:
    """Whether a cell is calculated with spin."""
    from augment.elements import elements_of

    if settings.spin != "auto":
        return settings.spin == "always"
    return electron_count(cell) % 2 == 1 or any(map(is_magnetic, elements_of(cell.numbers.tolist())))


def starting_moments(cell: DefectCell) -> FloatArray:
    """(n,) moments, μB, that a calculation with spin starts from."""
    import numpy as np

    from augment.elements import element_symbol

    known = {int(z): STRONG_MOMENT if is_magnetic(element_symbol(int(z))) else WEAK_MOMENT for z in set(cell.numbers)}
    return np.array([known[int(z)] for z in cell.numbers])


def multiplicity(cell: DefectCell) -> int:
    """Spin multiplicity that CP2K starts from: that of the moments, with the parity of the electrons."""
    unpaired = round(float(starting_moments(cell)[starting_moments(cell) > WEAK_MOMENT].sum()))
    return unpaired + 1 + (unpaired + electron_count(cell)) % 2
