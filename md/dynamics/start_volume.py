"""The volume that a run at constant pressure starts from: that of the warm crystal, found at constant volume.

A relaxed cell has the volume of 0 K. Heated there it is under a pressure of some GPa, and a barostat lets go of it in
swings that a short run does not outlast. At constant volume a pressure settles within a few vibrations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from augment.cell import DefectCell
from augment.errors import DataError
from md.conditions.environment import Environment
from md.conditions.point import MdPoint
from md.conditions.pressure_ramp import COMPRESSION, MIN_BULK_MODULUS
from md.dynamics.response import Response
from md.labels.evaluator import Divergence, Evaluator
from md.potentials import Potential

SCAN_TIME = 300.0
"""fs of each run at constant volume: a dozen vibrations, of which the first third is left out."""

MAX_RUNS = 3
"""Each starts where the one before expects the pressure; the second is within a few tenths of a GPa."""

CLOSE_ENOUGH = 0.01
"""Of the bulk modulus, that a pressure may be off: the last step is then a percent of the volume, good to a tenth."""

GRUNEISEN = 1.5
"""First guess of the thermal pressure, gamma 3 N k T / V; 1 to 2.5 in most solids."""

STIFFENING = 4.0
"""Derivative of the bulk modulus by the pressure; 3 to 6 in most solids."""

MIN_VOLUME, MAX_VOLUME = 0.5, 1.25
"""Of the warm crystal, in that of the relaxed one; none expands by more before it melts."""

Run = Callable[[MdPoint, DefectCell, Potential], Response]


@dataclass(frozen=True)
class WarmCrystal:
    """The pristine crystal at a temperature and pressure.

    Attributes:
        volume: in that of the relaxed cell.
        bulk_modulus: there, GPa.
        static_pressure: of the relaxed cell with its atoms at rest, GPa.
    """

    volume: float
    bulk_modulus: float
    static_pressure: float

    def scale_for(self, static_pressure: float) -> float:
        """Factor for the lengths of a cell of this crystal that is under a static pressure (GPa) of its own.

        A defect that pushes outwards has its volume where the crystal would have that much less pressure.
        """
        own = compressed(self.bulk_modulus, self.static_pressure - static_pressure)
        return float(min(max(self.volume * own, MIN_VOLUME), MAX_VOLUME) ** (1 / 3))


def compressed(bulk_modulus: float, pressure: float) -> float:
    """Volume under a pressure in that without it, by Murnaghan's equation; both in GPa."""
    return float(max(1 + STIFFENING * pressure / bulk_modulus, 0.2) ** (-1 / STIFFENING))


def scaled(cell: DefectCell, factor: float) -> DefectCell:
    """A cell with its lengths multiplied, and its atoms where they are in it."""
    return cell if factor == 1.0 else cell.with_geometry(factor * cell.positions, factor * cell.cell)


def static_pressure(cell: DefectCell, potential: Potential) -> float:
    """Pressure of a cell with its atoms at rest, GPa.

    Raises:
        Divergence: the potential gives no good stress.
    """
    return _pressures(cell, potential, (1.0,))[0]


def _pressures(cell: DefectCell, potential: Potential, volumes: tuple[float, ...]) -> list[float]:
    """Static pressures (GPa) of a cell at some shares of its volume."""
    from ase import units

    evaluate = Evaluator(cell.numbers, potential.calculator(), cell.volume)
    found = []
    for volume in volumes:
        there = scaled(cell, volume ** (1 / 3))
        found.append(-float(evaluate(there.positions, there.cell).stress[:3].mean()) / units.GPa)
    return found


def warm_crystal(point: MdPoint, crystal: DefectCell, potential: Potential, run: Run) -> WarmCrystal:
    """The crystal as it is at the temperature and pressure that a point begins with.

    Args:
        point: of that crystal, or of one of its defects; engine, time step and conditions count.
        crystal: relaxed, without a defect.
        potential: of the run.
        run: runs a point.

    Raises:
        DataError: no volume with that pressure is found.
    """
    held = float(point.environment.loads.after(0)[:3].mean())
    kelvin = float(point.environment.temperatures.array[0, 0])
    try:
        static, squeezed = _pressures(crystal, potential, (1.0, 1 - COMPRESSION))
    except Divergence as signal:
        raise DataError(f"{crystal.name}: {signal}") from None
    modulus = max(abs(squeezed - static) / COMPRESSION, MIN_BULK_MODULUS)
    volume = compressed(modulus, held - static - _thermal_pressure(crystal, kelvin))
    for attempt in range(MAX_RUNS):
        if not MIN_VOLUME < volume < MAX_VOLUME:
            break
        stiffness = modulus * volume**-STIFFENING
        measured = _pressure_at(volume, _scan(point, crystal, kelvin, attempt), crystal, potential, run)
        volume *= compressed(stiffness, held - measured)
        if abs(held - measured) < CLOSE_ENOUGH * stiffness:
            break
    if not MIN_VOLUME < volume < MAX_VOLUME:
        raise DataError(f"{crystal.name}: no volume with {held:g} GPa at {kelvin:g} K")
    return WarmCrystal(volume, modulus * volume**-STIFFENING, static)


def _thermal_pressure(cell: DefectCell, kelvin: float) -> float:
    from ase import units

    return float(GRUNEISEN * 3 * len(cell) * units.kB * kelvin / cell.volume / units.GPa)


def _scan(point: MdPoint, crystal: DefectCell, kelvin: float, seed: int) -> MdPoint:
    steps = math.ceil(SCAN_TIME / point.timestep)
    environment = Environment(kelvin, ensemble="nvt")
    how = {"engine": point.engine, "steps": steps, "timestep": point.timestep, "interval": steps, "seed": seed}
    return MdPoint.of(crystal, environment, **how)  # type: ignore[arg-type]  # of the types of a point


def _pressure_at(volume: float, scan: MdPoint, crystal: DefectCell, potential: Potential, run: Run) -> float:
    """Mean pressure of a crystal held at a share of its volume, GPa."""
    response = run(scan, scaled(crystal, volume ** (1 / 3)), potential)
    if response.status != "finished":
        raise DataError(f"{scan.label}: {response.reason}")
    pressures = response.series.pressures
    return float(np.mean(pressures[len(pressures) // 3 :]))
