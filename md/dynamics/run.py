"""One point of molecular dynamics from its start to its response, whichever engine integrates it.

A run is made of legs that end at checkpoints and where a schedule turns. Each leg is a function of the state at its
beginning alone, which a checkpoint holds, so an interrupted run goes on to the very bits of an uninterrupted one.
"""

from __future__ import annotations

import time
from functools import partial

from augment.cell import DefectCell
from augment.elements import elements_of
from md.conditions.point import MdPoint
from md.dynamics.engines.protocol import Integrator, start_velocities
from md.dynamics.followed import FindCrystal, beginning
from md.dynamics.recorder import Recorder
from md.dynamics.response import MdStatus, Response
from md.dynamics.settling import is_precise, looks_at
from md.dynamics.start_volume import warm_crystal
from md.jobs.checkpoint import Checkpoints, RunState
from md.labels.evaluator import Divergence
from md.labels.third_party import one_torch_thread
from md.potentials import Potential


def run_point(
    point: MdPoint,
    cell: DefectCell,
    potential: Potential,
    checkpoints: Checkpoints | None = None,
    find_crystal: FindCrystal | None = None,
) -> Response:
    """Run molecular dynamics of `cell` as `point` says; the same arguments give the same trajectory.

    Jumps of the pressure that the cell could not follow are ramped, and the response says so (`notes`).
    A point that starts warm has the volume that `find_crystal` finds, or that of its cell if that were a crystal of its
    own; one with a precision ends where its means have it. Both follow from the arguments and from what is recorded.
    A run that a guard stops comes back as `diverged` with the good steps before it. With `checkpoints` the run goes
    on from the newest of them and adds its own; it leaves them there.

    Raises:
        ConditionError: the point is meant for another cell, or not possible in it.
        PotentialError: an element is not covered, the engine is missing, or the potential fails.
        ResumeError: a checkpoint cannot be trusted.
    """
    if point.engine == "batched":
        from md.dynamics.engines.batched.engine import run_batch

        return run_batch([(point, cell)], potential, checkpoints=checkpoints, finders=[find_crystal])[0]
    point.check(cell)
    potential.require(elements_of(cell.numbers))
    began = time.perf_counter()
    recorder = Recorder(point, cell, point.atoms.masses_of(cell.numbers))
    with one_torch_thread(wanted=potential.uses_torch):
        begin = beginning(point, cell, potential, find_crystal or own_crystal(point, cell, potential))
        status, reason = _integrate(begin.point, begin.cell, potential, recorder, checkpoints)
    frames, frame_steps = recorder.frames()
    seconds = time.perf_counter() - began
    notes = (begin.note,) if begin.note else ()
    return Response(point, potential, status, reason, recorder.series(), frames, frame_steps, seconds, notes)


def own_crystal(point: MdPoint, cell: DefectCell, potential: Potential) -> FindCrystal:
    """Finds the volume of a warm cell as if it were a crystal of its own."""
    return partial(warm_crystal, point, cell, potential, run_point)


def _integrate(
    point: MdPoint, cell: DefectCell, potential: Potential, recorder: Recorder, checkpoints: Checkpoints | None
) -> tuple[MdStatus, str]:
    state, recorded = checkpoints.read() if checkpoints else (None, [])
    recorder.restore(recorded)
    observe = checkpoints.watched(recorder.observe) if checkpoints else recorder.observe
    try:
        integrator = _integrator(point, cell, potential)
        state = state or _start(point, cell, integrator)
        for end in point.legs(state.step):
            if looks_at(point, state.step) and is_precise(recorder.series(), point, len(cell)):
                break
            state = integrator.advance(state, end, observe)
            if checkpoints and end % point.checkpoint == 0 and end < point.steps:
                checkpoints.write(state, recorder.take_new())
    except Divergence as signal:
        return "diverged", f"{signal} {point.where(recorder.steps, cell.numbers)}"
    return "finished", ""


def _integrator(point: MdPoint, cell: DefectCell, potential: Potential) -> Integrator:
    if point.engine == "ase":
        from md.dynamics.engines.ase import AseIntegrator

        return AseIntegrator(point, cell, potential)
    from md.dynamics.engines.lammps import LammpsIntegrator

    return LammpsIntegrator(point, cell, potential)


def _start(point: MdPoint, cell: DefectCell, integrator: Integrator) -> RunState:
    return integrator.start(*start_velocities(point, cell))
