"""One point of molecular dynamics from its start to its response, whichever engine integrates it."""

from __future__ import annotations

import time

import numpy as np

from augment.cell import DefectCell
from augment.errors import ConditionError
from md.dynamics.point import MdPoint
from md.dynamics.recorder import Recorder, thermal_velocities
from md.dynamics.response import MdStatus, Response
from md.guards import Divergence, Evaluator
from md.potentials import Potential
from md.quiet import one_torch_thread

EQUIPARTITION = 2.0
"""A thermostatted run starts from a relaxed cell at twice its temperature: half of it becomes potential energy within
a vibration, where a start at the temperature itself would spend most of a short run warming up again."""


def run_point(point: MdPoint, cell: DefectCell, potential: Potential) -> Response:
    """Run molecular dynamics of `cell` as `point` says; the same arguments give the same trajectory.

    A run that a guard stops comes back as `diverged` with the good steps before it.

    Raises:
        ConditionError: the point is meant for another cell.
        PotentialError: an element is not covered, the engine is missing, or the potential fails.
    """
    from ase.data import atomic_masses, chemical_symbols

    if (point.name, point.key) != (cell.name, cell.key):
        raise ConditionError(f"the point is for {point.name} ({point.key}), the cell is {cell.name} ({cell.key})")
    potential.require({chemical_symbols[int(z)] for z in cell.numbers})
    began = time.perf_counter()
    recorder = Recorder(point, cell, atomic_masses[cell.numbers])
    with one_torch_thread(wanted=potential.uses_torch):
        status, reason = _integrate(point, cell, potential, recorder)
    frames, frame_steps = recorder.frames()
    seconds = time.perf_counter() - began
    return Response(point, potential, status, reason, recorder.series(), frames, frame_steps, seconds)


def _integrate(point: MdPoint, cell: DefectCell, potential: Potential, recorder: Recorder) -> tuple[MdStatus, str]:
    from ase.data import atomic_masses

    velocity_rng, thermostat_rng = np.random.default_rng(point.seed).spawn(2)
    masses = atomic_masses[cell.numbers]
    start = point.environment.temperature * (1 if point.environment.ensemble == "nve" else EQUIPARTITION)
    velocities = thermal_velocities(masses, start, velocity_rng)
    evaluate = Evaluator(cell.numbers, potential.calculator(), cell.volume)
    try:
        if point.engine == "ase":
            from md.dynamics.ase import run_ase

            run_ase(point, cell, velocities, evaluate, recorder, thermostat_rng)
        else:
            from md.dynamics.lammps import run_lammps

            run_lammps(point, cell, velocities, evaluate, recorder)
    except Divergence as signal:
        return "diverged", f"{signal} (step {recorder.steps} of {point.steps})"
    return "finished", ""
