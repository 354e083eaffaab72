"""Molecular dynamics of a defect cell at one temperature and pressure, through ASE or LAMMPS."""

from md.conditions.point import Engine, MdPoint
from md.dynamics.engines.lammps_deck import write_deck
from md.dynamics.engines.lammps_mpi import Thermo, run_deck
from md.dynamics.response import Response, Series, response_from_arrays
from md.dynamics.run import run_point

__all__ = [
    "Engine",
    "MdPoint",
    "Response",
    "Series",
    "Thermo",
    "response_from_arrays",
    "run_deck",
    "run_point",
    "write_deck",
]
