"""Molecular dynamics through ASE's integrators."""

from __future__ import annotations

from typing import Any

import numpy as np

from augment.cell import DefectCell, FloatArray
from md.dynamics.point import MdPoint
from md.dynamics.recorder import Recorder
from md.guards import Evaluator, guarded_calculator

THERMOSTAT_TIME = 100.0
"""fs; relaxation time of the thermostat: about one period of an acoustic phonon at the zone edge."""

BAROSTAT_TIME = 1000.0
"""fs; of the barostat. A stiff solid breathes some ten times faster than this mass parameter suggests."""


def run_ase(
    point: MdPoint,
    cell: DefectCell,
    velocities: FloatArray,
    evaluate: Evaluator,
    recorder: Recorder,
    rng: np.random.Generator,
) -> None:
    """Integrate a point with ASE, reporting every step to `recorder`; velocities (n, 3) in ASE units.

    Raises:
        Divergence: a guard stopped the run.
        PotentialError: the potential failed.
    """
    atoms = cell.to_ase()
    atoms.calc = guarded_calculator(evaluate)
    atoms.set_velocities(velocities)
    dynamics = _integrator(atoms, point, rng)

    def observe() -> None:
        atoms.get_forces()
        recorder.observe(atoms.get_positions(), atoms.cell.array.copy(), atoms.get_velocities(), atoms.calc.last)

    dynamics.attach(observe)
    dynamics.run(point.steps)


def _integrator(atoms: Any, point: MdPoint, rng: np.random.Generator) -> Any:
    from ase import units

    timestep, environment = point.timestep * units.fs, point.environment
    match environment.ensemble:
        case "nve":
            from ase.md.verlet import VelocityVerlet

            return VelocityVerlet(atoms, timestep)
        case "nvt":
            return _langevin(atoms, timestep, environment.temperature, rng)
        case "npt":
            from ase.md.nose_hoover_chain import IsotropicMTKNPT

            # ASE's chain drives 3n degrees of freedom to the temperature while the centre of mass rests, so
            # that 3n - 3 of them would share the heat of 3n.
            n = len(atoms)
            return IsotropicMTKNPT(
                atoms,
                timestep,
                temperature_K=environment.temperature * max(n - 1, 1) / n,
                pressure_au=environment.pressure * units.GPa,
                tdamp=THERMOSTAT_TIME * units.fs,
                pdamp=BAROSTAT_TIME * units.fs,
            )


def _langevin(atoms: Any, timestep: float, temperature: float, rng: np.random.Generator) -> Any:
    """Langevin dynamics with the centre of mass held by a constraint: `fixcm=True` samples too hot."""
    from ase import units
    from ase.constraints import FixCom
    from ase.md.langevin import Langevin

    atoms.set_constraint(FixCom())
    friction = 1 / (THERMOSTAT_TIME * units.fs)
    return Langevin(atoms, timestep, temperature_K=temperature, friction=friction, fixcm=False, rng=rng)
