"""How fast a barostat answers: with the inertia that the crystal itself has when it breathes."""

from __future__ import annotations

import math

from augment.cell import DefectCell
from md.conditions.environment import IN_PLANE
from md.conditions.in_plane_load import plane_of
from md.conditions.point import MdPoint

STOCHASTIC_TIME = 250.0
"""fs; of the first-order barostat of the batched engine, in a crystal of 100 GPa: about a period of the others'."""

BREATHING_MEMORY = 1000.0
"""fs; within it the breathing of a cell exchanges its energy with the other vibrations: some eight periods."""

MAX_BREATHING_LENGTH = 25.0
"""Å; cells that are longer breathe as fast as one of this length, within half a picosecond in a stiff oxide."""


def barostat_time(point: MdPoint, cell: DefectCell) -> float:
    """Time constant t of the barostat of a point that starts from a cell, fs.

    A Martyna-Tobias-Klein barostat has the inertia N kT t² for each strain, and atoms that follow the strain of their
    cell have M <x²> = M L² / 12 along each axis of a cube of the edge L. With both equal, as Andersen (J. Chem. Phys.
    72, 2384 (1980)) advises, an isotropic strain of a crystal with bulk modulus B swings with the period
    2 pi sqrt(M L² / 36 B V): about the time that sound takes through the cell, whatever the temperature.
    """
    from ase import units

    if point.engine == "batched":
        return STOCHASTIC_TIME
    in_plane = point.environment.ensemble == IN_PLANE
    size = math.sqrt(cell.volume / plane_of(cell).period) if in_plane else cell.volume ** (1 / 3)
    length = min(size, MAX_BREATHING_LENGTH)
    mass = float(point.atoms.masses_of(cell.numbers).mean())
    kelvin = float(point.environment.temperatures.array.mean())
    return length * math.sqrt(mass / (12 * units.kB * kelvin)) / float(units.fs)
