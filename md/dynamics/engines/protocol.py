"""What an engine is: it takes a point from a start to its end and shows what it passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from augment.cell import DefectCell, FloatArray
from md.conditions.point import MdPoint
from md.conditions.thermal_motion import thermal_velocities
from md.jobs.checkpoint import RunState
from md.labels.evaluator import Evaluation

EQUIPARTITION = 2.0
"""A thermostatted run starts from a relaxed cell at twice its temperature: half of it becomes potential energy within
a vibration, where a start at the temperature itself would spend most of a short run warming up again. In `nve` it
is the temperature of the start, as in ASE and LAMMPS, and tables show the mean that came of it too."""


Observe = Callable[[FloatArray, FloatArray, FloatArray, Evaluation], None]
"""Called at every full step with positions (n, 3), cell (3, 3), velocities (n, 3) in ASE units, and labels."""


class Integrator(Protocol):
    """An engine set up for one point."""

    def start(self, velocities: FloatArray, rng: np.random.Generator) -> RunState:
        """The state at step 0: velocities (n, 3) in ASE units, and the random numbers of a thermostat."""

    def advance(self, state: RunState, until: int, observe: Observe) -> RunState:
        """Integrate from a state to a later step, whose state it returns; step 0 is observed too."""


def start_velocities(point: MdPoint, cell: DefectCell) -> tuple[FloatArray, np.random.Generator]:
    """Velocities (n, 3) in ASE units that a point starts with, and the random numbers of its thermostat."""
    velocity_rng, thermostat_rng = np.random.default_rng(point.seed).spawn(2)
    factor = 1 if point.environment.ensemble == "nve" else EQUIPARTITION
    kelvin = factor * float(point.environment.temperatures.array[0, 0])
    velocities = point.atoms.velocities(cell.numbers)
    if velocities is None:
        velocities, mobile = np.zeros((len(cell), 3)), point.atoms.mobile(len(cell))
        masses = point.atoms.masses_of(cell.numbers)[mobile]
        velocities[mobile] = thermal_velocities(masses, kelvin, velocity_rng, drifts=bool(point.atoms.fixed))
    return velocities, thermostat_rng
