"""Agreement of the two engines, their energy conservation, and what LAMMPS adds to the cost of a step.

    python benchmarks/engines.py [--potential mace-mgo] [--steps 500] [--timestep 1.0] [--temperature 300]

Each potential runs on a rattled, sheared cell of a host that it knows, without a symmetry that would make a label
vanish: 2x2x2 conventional cells, 2x1x1 for CHGNet, which is slow. Figures of other machines differ in the times only.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np

from augment.cell import DefectCell, FloatArray
from md.conditions.environment import Environment
from md.dynamics import Engine, MdPoint, Response, run_point
from md.dynamics.engines.lammps import LammpsSession
from md.labels.evaluator import Evaluation, Evaluator
from md.observables import energy_drift
from md.potentials import Potential, resolve_potential

SHEAR = np.array([[1.01, 0.03, -0.02], [0.01, 0.99, 0.02], [-0.02, 0.01, 1.0]])


@dataclass(frozen=True)
class Agreement:
    """Largest relative difference between what ASE and LAMMPS report for the same cell."""

    energy: float
    forces: float
    stress: float


def host_cell(potential: Potential) -> DefectCell:
    """A cell of MgO, or of Cu where the potential knows no oxygen."""
    from ase.build import bulk

    oxide = potential.covers({"Mg", "O"})
    host = bulk("MgO", "rocksalt", 4.24, cubic=True) if oxide else bulk("Cu", "fcc", 3.6, cubic=True)
    atoms = host * ((2, 1, 1) if potential.kind == "chgnet" else (2, 2, 2))
    atoms.set_cell(atoms.cell @ SHEAR, scale_atoms=True)
    atoms.rattle(0.05, seed=1)
    n = len(atoms)
    return DefectCell(
        "bulk", "benchmark", atoms.cell.array, atoms.numbers.astype(np.int64), atoms.positions, np.arange(n)
    )


def compare_labels(cell: DefectCell, potential: Potential) -> Agreement:
    """Labels as LAMMPS has them after `fix external`, against those of the calculator alone."""
    atoms = cell.to_ase()
    atoms.calc = potential.calculator()
    evaluate = Evaluator(cell.numbers, atoms.calc, cell.volume)
    session = LammpsSession(cell, np.zeros((len(cell), 3)), evaluate)
    try:
        session.prepare(MdPoint.of(cell, Environment(1.0, ensemble="nve")))
        session.advance(0)
        energy, forces, stress = session.thermo("pe"), session.forces(), session.stress()
    finally:
        session.close()
    return Agreement(
        relative(np.array(energy), np.array(atoms.get_potential_energy())),
        relative(forces, atoms.get_forces()),
        relative(stress, atoms.get_stress()),
    )


def relative(found: FloatArray, reference: FloatArray) -> float:
    """Largest difference over the largest reference value."""
    return float(np.abs(found - reference).max() / np.abs(reference).max())


class TimedEvaluator(Evaluator):
    """An evaluator that adds up the time spent in the potential, so that the rest of a step is the engine's."""

    spent = 0.0

    def __call__(self, positions: FloatArray, cell: FloatArray) -> Evaluation:
        """Evaluate and add the time."""
        began = time.perf_counter()
        result = super().__call__(positions, cell)
        self.spent += time.perf_counter() - began
        return result


def lammps_overhead(cell: DefectCell, potential: Potential, steps: int) -> tuple[float, float]:
    """Seconds a step: in the potential with its guards, and in LAMMPS around it."""
    evaluate = TimedEvaluator(cell.numbers, potential.calculator(), cell.volume)
    session = LammpsSession(cell, np.zeros((len(cell), 3)), evaluate)
    try:
        session.prepare(MdPoint.of(cell, Environment(300.0)))
        session.advance(0)
        evaluate.spent, began = 0.0, time.perf_counter()
        for _ in range(steps):
            session.advance(1)
            session.velocities()
        whole = time.perf_counter() - began
    finally:
        session.close()
    return evaluate.spent / steps, (whole - evaluate.spent) / steps


def conserve(engine: Engine, cell: DefectCell, potential: Potential, options: argparse.Namespace) -> Response:
    """A run at constant energy."""
    environment = Environment(options.temperature, ensemble="nve")
    settings = {"engine": engine, "steps": options.steps, "timestep": options.timestep, "interval": options.steps}
    return run_point(MdPoint.of(cell, environment, **settings), cell, potential)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--potential", action="append", help="may be given more than once")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--timestep", type=float, default=1.0)
    parser.add_argument("--temperature", type=float, default=600.0)
    options = parser.parse_args()
    print(f"constant energy: {options.steps} steps of {options.timestep} fs from {options.temperature:g} K")
    for name in options.potential or ["emt", "chgnet", *shipped()]:
        report(resolve_potential(name), options)


def shipped() -> tuple[str, ...]:
    """Names of the shipped students."""
    from md.students import student_names

    return student_names()


def report(potential: Potential, options: argparse.Namespace) -> None:
    """Print what was measured for one potential."""
    cell = host_cell(potential)
    agreement = compare_labels(cell, potential)
    print(f"\n{potential.name} ({potential.precision}), {len(cell)} atoms, triclinic")
    print(
        f"  LAMMPS against ASE, relative: energy {agreement.energy:.1e}, forces {agreement.forces:.1e}, "
        f"stress {agreement.stress:.1e}"
    )
    engines: tuple[Engine, ...] = ("ase", "lammps")
    runs = {engine: conserve(engine, cell, potential, options) for engine in engines}
    for engine, run in runs.items():
        spread = 1000 * float(run.series.totals.std()) / len(cell)
        print(
            f"  {engine:6s} {run.status}: drift {energy_drift(run):+.3f} meV/atom/ps, spread {spread:.4f} meV/atom, "
            f"{1000 * run.seconds / options.steps:.1f} ms a step"
        )
    inside, around = lammps_overhead(cell, potential, min(options.steps, 50))
    print(
        f"  LAMMPS npt: {1000 * inside:.2f} ms a step in the potential, {1000 * around:.2f} ms around it "
        f"({100 * around / inside:.1f} %)"
    )


if __name__ == "__main__":
    main()
