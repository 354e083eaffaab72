"""The time step that the lightest atom allows, and a shorter one for a run that diverged.

An atom of mass m in an oxide vibrates at up to 30 THz / sqrt(m / 16 amu), and velocity Verlet needs some
twenty steps a period: 0.5 fs with hydrogen (O-H stretches at 110 THz), 1 fs with oxygen, 2 fs with heavier atoms.
"""

from __future__ import annotations

from augment.cell import DefectCell, FloatArray

LIGHT, MEDIUM, HEAVY = 0.5, 1.0, 2.0
"""fs; with hydrogen and its isotopes, with elements up to fluorine, and with heavier ones alone."""

HEAVIEST_HYDROGEN, HEAVIEST_SECOND_ROW = 3.5, 19.5
"""amu; tritium has 3.016, helium 4.003, fluorine 18.998, neon 20.18."""


def timestep_for(masses: FloatArray) -> float:
    """Time step for atoms with these masses (amu), fs."""
    lightest = float(masses.min())
    if lightest < HEAVIEST_HYDROGEN:
        return LIGHT
    return MEDIUM if lightest < HEAVIEST_SECOND_ROW else HEAVY


def default_timestep(cell: DefectCell, masses: FloatArray | None = None) -> float:
    """Time step for a cell, fs; by the masses (n,) of its atoms, amu, or those of its elements without them."""
    from ase.data import atomic_masses

    return timestep_for(atomic_masses[cell.numbers] if masses is None else masses)


def shorter(timestep: float, masses: FloatArray) -> float:
    """A time step to try where one (fs) diverged: half of it, or that for these masses (amu) if that is shorter."""
    return min(timestep / 2, timestep_for(masses))
