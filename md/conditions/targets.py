"""Targets of thermostat and barostat at every step, and what a quench does to the velocities."""

from __future__ import annotations

import numpy as np

from augment.cell import DefectCell, FloatArray
from md.conditions.environment import IN_PLANE
from md.conditions.in_plane_load import plane_of, pressure_of
from md.conditions.point import MdPoint
from md.conditions.schedule import TENSOR
from md.conditions.thermal_motion import degrees_of_freedom

THERMOSTAT_TIME = 100.0
"""fs; relaxation time of the thermostat: about one period of an acoustic phonon at the zone edge."""


class Targets:
    """Temperature (K) and pressure (GPa) that a point has as targets at each step; both engines follow the same.

    A tension is a pressure in the plane of the layer, by the height of the cell that the run starts from.
    """

    def __init__(self, point: MdPoint, cell: DefectCell) -> None:
        self._freedom = point.atoms.freedom
        self._temperature = point.environment.temperatures.in_steps(point.timestep)
        self._load = point.environment.loads.in_steps(point.timestep)
        self._period = plane_of(cell).period if point.environment.ensemble == IN_PLANE else None

    @property
    def constant(self) -> bool:
        """Whether neither ever changes."""
        return self._temperature.is_constant and self._load.is_constant

    def temperature(self, step: int) -> float:
        """Temperature at the end of a step, K; at a jump the one before it."""
        return float(self._temperature.before(step)[0])

    def temperature_after(self, step: int) -> float:
        """Temperature with which the next step begins, K."""
        return float(self._temperature.after(step)[0])

    def pressure(self, step: int) -> FloatArray:
        """(3, 3) pressure at the end of a step, GPa; at a jump the one before it."""
        return self._tensor(self._load.before(step))

    def pressure_after(self, step: int) -> FloatArray:
        """(3, 3) pressure with which the next step begins, GPa."""
        return self._tensor(self._load.after(step))

    @property
    def isotropic(self) -> bool:
        """Whether the pressure is one number at all times."""
        return bool(self._load.array.shape[1] == 1)

    def _tensor(self, load: FloatArray) -> FloatArray:
        return _tensor(load) if self._period is None else pressure_of(float(load[0]), self._period) * np.eye(3)

    def quenches(self, step: int) -> bool:
        """Whether the velocities are set to a new temperature after a step."""
        return float(step) in self._temperature.quenches

    def quench_factor(self, step: int, velocities: FloatArray, masses: FloatArray) -> float:
        """What velocities (n, 3) in ASE units are multiplied with before the step after `step`: 1 without a quench."""
        if not self.quenches(step):
            return 1.0
        now = temperature_of(velocities, masses, self._freedom(len(masses)))
        return float(np.sqrt(self.temperature_after(step) / now)) if now > 0 else 1.0


def temperature_of(velocities: FloatArray, masses: FloatArray, freedom: int | None = None) -> float:
    """Temperature (K) of velocities (n, 3), ASE units, by the degrees of freedom, 3n - 3 by default; masses in amu."""
    from ase import units

    twice_kinetic = float((masses[:, None] * velocities**2).sum())
    count = degrees_of_freedom(len(masses)) if freedom is None else freedom
    return twice_kinetic / (count * float(units.kB))


def _tensor(components: FloatArray) -> FloatArray:
    if len(components) != TENSOR:
        return np.asarray(components[0] * np.eye(3), dtype=float)
    xx, yy, zz, yz, xz, xy = components
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
