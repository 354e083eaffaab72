"""Molecular dynamics through LAMMPS: each leg in an instance of its own, made from the state that the last one left."""

from __future__ import annotations

import numpy as np

from augment.cell import DefectCell, FloatArray
from md.conditions.point import MdPoint
from md.conditions.targets import Targets
from md.dynamics.engines.protocol import Observe
from md.jobs.checkpoint import RunState
from md.labels.evaluator import Clearance, Evaluator, check_bounds
from md.lammps.session import LammpsSession
from md.potentials import Potential


class LammpsIntegrator:
    """Integrates one point with LAMMPS.

    The state between legs is LAMMPS's own binary restart, which holds thermostat and barostat. Going on from it sets
    up neighbour lists and fixes anew, which changes the last digits; every leg does so, interrupted or not.
    """

    def __init__(self, point: MdPoint, cell: DefectCell, potential: Potential) -> None:
        self._point, self._cell = point, cell
        self._targets, self._masses = Targets(point, cell), point.atoms.masses_of(cell.numbers)
        self._forces = _forces(cell, potential)
        self._velocities = np.zeros((len(cell), 3))
        self._clearance = Clearance()

    def start(self, velocities: FloatArray, rng: np.random.Generator) -> RunState:
        """The state at step 0; its thermostats need no random numbers."""
        del rng
        return RunState(0, {"velocities": velocities})

    def advance(self, state: RunState, until: int, observe: Observe) -> RunState:
        """Integrate to a later step.

        Raises:
            Divergence: a guard stopped the run, or LAMMPS lost it.
            PotentialError: the potential failed, or LAMMPS is missing.
        """
        session = self._session(state)
        try:
            session.prepare(self._point, state.step, until)
            factor = self._targets.quench_factor(state.step, session.velocities(), self._masses)
            if state.step == 0:
                session.advance(0)
                self._observe(session, observe)
            if factor != 1.0:
                session.scale_velocities(factor)
            if state.step > 0 or factor != 1.0:
                session.advance(0)
            for _ in range(state.step + 1, until + 1):
                session.advance(1)
                self._observe(session, observe)
            return session.state(until)
        finally:
            session.close()

    def _session(self, state: RunState) -> LammpsSession:
        if isinstance(self._forces, Evaluator):
            # What a calculator keeps from one geometry to the next, such as neighbours, decides the last bits.
            self._forces.forget()
        if state.step == 0:
            return LammpsSession(self._cell, state.arrays["velocities"], self._forces)
        return LammpsSession(self._cell, self._velocities, self._forces, state=state)

    def _observe(self, session: LammpsSession, observe: Observe) -> None:
        if isinstance(self._forces, tuple):  # a potential outside sees every geometry checked
            check_bounds(session.positions, session.cell, self._cell.volume)
            self._clearance.check(session.positions, session.cell)
        observe(session.positions, session.cell, session.velocities(), session.evaluation)


def _forces(cell: DefectCell, potential: Potential) -> Evaluator | tuple[str, ...]:
    """The guarded potential, or the commands of a pair style that LAMMPS computes itself."""
    if potential.kind != "lammps":
        return Evaluator(cell.numbers, potential.calculator(), cell.volume)
    from md.potentials.lammps_style import style_commands

    return style_commands(potential, cell.numbers)
