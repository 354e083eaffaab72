"""Molecular dynamics through ASE's integrators."""

from __future__ import annotations

import json
from typing import Any, Protocol

import numpy as np

from augment.cell import DefectCell, FloatArray
from md.conditions.point import MdPoint
from md.conditions.targets import THERMOSTAT_TIME, Targets
from md.dynamics.engines.protocol import Observe
from md.jobs.checkpoint import RunState
from md.labels.evaluator import Evaluator, guarded_calculator
from md.potentials import Potential

_VARIABLE = "variable_"


class Dynamics(Protocol):
    """An integrator of one leg."""

    def step(self, stretch: float) -> None:
        """One step, in which a strained axis grows by the factor `stretch`."""

    def set_targets(self, kelvin: float, pressure: FloatArray) -> None:
        """New temperature (K) and pressure (3, 3), GPa."""

    @property
    def variables(self) -> dict[str, FloatArray]:
        """Everything of the integrator that is not in the atoms."""


class AseIntegrator:
    """Integrates one point with ASE; each leg builds its integrator from the state.

    Velocity Verlet in `nve`, Langevin dynamics in `nvt`, and Martyna-Tobias-Klein barostats in `npt` (isotropic),
    `npt-aniso` (the three axes), `npt-full` (all strains) and `npt-plane` (the three in the plane of a layer).
    """

    def __init__(self, point: MdPoint, cell: DefectCell, potential: Potential) -> None:
        self._point, self._cell = point, cell
        self._targets = Targets(point, cell)
        self._evaluate = Evaluator(cell.numbers, potential.calculator(), cell.volume)

    def start(self, velocities: FloatArray, rng: np.random.Generator) -> RunState:
        """The state at step 0."""
        atoms = self._cell_atoms()
        atoms.set_velocities(velocities)
        return RunState(0, _arrays(atoms, {}, rng))

    def advance(self, state: RunState, until: int, observe: Observe) -> RunState:
        """Integrate to a later step.

        Raises:
            Divergence: a guard stopped the run.
            PotentialError: the potential failed.
        """
        # What a calculator keeps from one geometry to the next, such as neighbours, decides the last bits.
        self._evaluate.forget()
        atoms, rng = self._atoms(state), _generator(state)
        if state.step == 0:
            _report(atoms, observe)
        velocities, masses = atoms.get_velocities(), atoms.get_masses()
        factor = self._targets.quench_factor(state.step, velocities, masses)
        if factor != 1.0:
            atoms.set_velocities(factor * velocities)
        dynamics = self._dynamics(atoms, state, rng)
        for step in range(state.step + 1, until + 1):
            if not self._targets.constant:
                dynamics.set_targets(self._targets.temperature(step), self._targets.pressure(step))
            dynamics.step(self._point.stretch(step) / self._point.stretch(step - 1))
            _report(atoms, observe)
        return RunState(until, _arrays(atoms, dynamics.variables, rng))

    def _cell_atoms(self) -> Any:
        """The atoms of the cell with their masses, those that do not move held."""
        from ase.constraints import FixAtoms

        atoms, given = self._cell.to_ase(), self._point.atoms
        atoms.set_masses(given.masses_of(self._cell.numbers))
        if given.fixed:
            atoms.set_constraint(FixAtoms(indices=list(given.fixed)))
        return atoms

    def _atoms(self, state: RunState) -> Any:
        atoms = self._cell_atoms()
        atoms.set_cell(state.arrays["cell"])
        atoms.set_positions(state.arrays["positions"])
        atoms.set_momenta(state.arrays["momenta"])
        atoms.calc = guarded_calculator(self._evaluate)
        return atoms

    def _dynamics(self, atoms: Any, state: RunState, rng: np.random.Generator) -> Dynamics:
        kelvin, pressure = self._targets.temperature(state.step), self._targets.pressure(state.step)
        if not self._point.environment.has_barostat:
            return FixedCell(atoms, self._point, kelvin, rng)
        from md.dynamics.engines.mtk import MtkDynamics

        variables = {k.removeprefix(_VARIABLE): v for k, v in state.arrays.items() if k.startswith(_VARIABLE)}
        return MtkDynamics(atoms, self._point, self._cell, kelvin, pressure, variables)


class FixedCell:
    """One leg of dynamics in a cell that changes by its strain rate at most; all its state is in atoms and rng."""

    def __init__(self, atoms: Any, point: MdPoint, kelvin: float, rng: np.random.Generator) -> None:
        from ase import units
        from ase.md.verlet import VelocityVerlet

        self._atoms, self._strain = atoms, point.environment.strain
        self._holds_temperature = point.environment.ensemble == "nvt"
        timestep = point.timestep * units.fs
        self._dynamics = (
            _langevin(atoms, timestep, kelvin, rng) if self._holds_temperature else VelocityVerlet(atoms, timestep)
        )
        self.variables: dict[str, FloatArray] = {}

    def step(self, stretch: float) -> None:
        """One step; the strained axis grows before it, and the forces of the step before go on, as in LAMMPS."""
        forces = self._atoms.get_forces(md=True)
        if self._strain is not None:
            from md.dynamics.engines.mtk import stretching

            gradient = stretching(self._atoms.cell.array, self._strain.index, stretch)
            positions = self._atoms.get_positions() @ gradient
            self._atoms.set_cell(self._atoms.cell.array @ gradient)
            self._atoms.set_positions(positions, apply_constraint=False)
        self._dynamics.step(forces)

    def set_targets(self, kelvin: float, pressure: FloatArray) -> None:
        """New temperature, K; nothing holds a pressure here."""
        del pressure
        if self._holds_temperature:
            self._dynamics.set_temperature(temperature_K=kelvin)


def _langevin(atoms: Any, timestep: float, temperature: float, rng: np.random.Generator) -> Any:
    """Langevin dynamics with the centre of mass held by a constraint: `fixcm=True` samples too hot."""
    from ase import units
    from ase.constraints import FixCom
    from ase.md.langevin import Langevin

    if not atoms.constraints:  # of a crystal with atoms that are held, the rest has no momentum to keep
        atoms.set_constraint(FixCom())
    friction = 1 / (THERMOSTAT_TIME * units.fs)
    return Langevin(atoms, timestep, temperature_K=temperature, friction=friction, fixcm=False, rng=rng)


def _report(atoms: Any, observe: Observe) -> None:
    atoms.get_forces()
    observe(atoms.get_positions(), atoms.cell.array.copy(), atoms.get_velocities(), atoms.calc.last)


def _arrays(atoms: Any, variables: dict[str, FloatArray], rng: np.random.Generator) -> dict[str, Any]:
    return {
        "positions": atoms.get_positions(),
        "momenta": atoms.get_momenta(),
        "cell": atoms.cell.array.copy(),
        "rng": np.array(json.dumps(rng.bit_generator.state)),
        **{f"{_VARIABLE}{name}": value for name, value in variables.items()},
    }


def _generator(state: RunState) -> np.random.Generator:
    rng = np.random.default_rng()
    rng.bit_generator.state = json.loads(str(state.arrays["rng"]))
    return rng
