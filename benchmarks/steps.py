"""What a step of dynamics costs with a student: beside the bare potential, in both engines, against size and cores.

    OMP_NUM_THREADS=1 python benchmarks/steps.py [--potential mace-mgo] [--drift 50] [--points 32] [--only PART ...]

- `whole`: CPU time of a step of LAMMPS and of ASE (npt) over that of the potential alone, called on the geometries of
  the same run. The three take turns, three times each, and the medians count, since other work disturbs them alike.
- `size`: CPU time of the potential against the number of atoms, and the exponent of a power law through it.
- `drift`: change of the total energy in nve with 1 fs over so many picoseconds, in float64.
- `cores`: wall time of independent points of 64 atoms with one worker and with two; only an idle machine shows it, so
  the load is printed too.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
from ase import Atoms
from ase.build import bulk

from augment.cell import DefectCell
from md.campaigns.relax_and_md import grid, md_all
from md.conditions.environment import Environment
from md.dynamics import Engine, MdPoint, run_point
from md.observables import energy_drift
from md.potentials import Potential, resolve_potential

PARTS = ("whole", "size", "cores", "drift")
TURNS = 3
WORK = 6400
"""Atoms times steps in one turn."""

REPEATS = (2, 3, 4)
"""Conventional cells along each edge: 64, 216 and 512 atoms of a rock salt."""

LARGER = ((2, 2, 2), (3, 3, 3), (4, 4, 4), (6, 5, 5), (8, 6, 6), (10, 7, 7))


def rock_salt(*repeats: int) -> DefectCell:
    """A rattled cell of MgO."""
    atoms: Atoms = bulk("MgO", "rocksalt", 4.24, cubic=True) * repeats
    atoms.rattle(0.03, seed=1)
    n = len(atoms)
    return DefectCell(
        "bulk", "benchmark", atoms.cell.array, atoms.numbers.astype(np.int64), atoms.positions, np.arange(n)
    )


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of some work in this process."""
    began = time.process_time()
    work()
    return time.process_time() - began


def per_step(point: MdPoint, cell: DefectCell, potential: Potential) -> float:
    """CPU seconds a step without setting up: a long run less one of a step."""
    short = replace(point, steps=1, interval=1)
    spent = cpu(lambda: run_point(point, cell, potential)) - cpu(lambda: run_point(short, cell, potential))
    return spent / (point.steps - 1)


def bare(point: MdPoint, cell: DefectCell, potential: Potential) -> Callable[[], float]:
    """What measures the CPU seconds of an evaluation on the geometries of a run."""
    frames = run_point(replace(point, interval=1), cell, potential).frames
    atoms, calculator = cell.to_ase(), potential.calculator()

    def evaluate() -> None:
        for positions, lattice in zip(frames.positions, frames.cells, strict=True):
            atoms.set_cell(lattice)
            atoms.set_positions(positions)
            calculator.calculate(atoms, ["energy", "forces", "stress"], ["positions", "cell"])

    return lambda: cpu(evaluate) / len(frames)


def show_whole(potential: Potential) -> None:
    """Steps of both engines over the bare potential."""
    print("\natoms   bare (ms)   lammps / bare   ase / bare   lammps / ase     (medians of CPU time)")
    for repeats in REPEATS:
        cell = rock_salt(repeats, repeats, repeats)
        steps = max(WORK // len(cell), 10)
        points: dict[Engine, MdPoint] = {
            engine: MdPoint.of(cell, Environment(300.0), engine=engine, steps=steps, interval=min(20, steps))
            for engine in ("lammps", "ase")
        }
        alone = bare(points["lammps"], cell, potential)
        turns = [(alone(), *(per_step(point, cell, potential) for point in points.values())) for _ in range(TURNS)]
        evaluation, lammps, ase = (median(column) for column in zip(*turns, strict=True))
        print(
            f"{len(cell):5}{1000 * evaluation:12.2f}{lammps / evaluation:16.3f}{ase / evaluation:13.3f}"
            f"{lammps / ase:15.3f}"
        )


def show_size(potential: Potential) -> None:
    """Cost against the number of atoms."""
    sizes, costs = [], []
    calculator = potential.calculator()
    for repeats in LARGER:
        atoms = rock_salt(*repeats).to_ase()
        calculator.reset()
        calculator.calculate(atoms, ["energy", "forces", "stress"], ["positions", "cell"])
        count = max(WORK // 2 // len(atoms), 2)

        def evaluate(atoms: Atoms = atoms, count: int = count) -> None:
            for _ in range(count):
                atoms.rattle(0.001)
                calculator.calculate(atoms, ["energy", "forces", "stress"], ["positions", "cell"])

        sizes.append(len(atoms))
        costs.append(min(cpu(evaluate) / count for _ in range(2)))
        print(f"{sizes[-1]:6} atoms: {1000 * costs[-1]:8.2f} ms, {1e6 * costs[-1] / sizes[-1]:6.1f} µs an atom")
    exponent = np.polyfit(np.log(sizes), np.log(costs), 1)[0]
    print(f"cost ~ N^{exponent:.2f}")


def show_drift(potential: Potential, picoseconds: float) -> None:
    """Energy conservation over a long run."""
    cell, steps = rock_salt(2, 2, 2), round(1000 * picoseconds)
    point = MdPoint.of(cell, Environment(600.0, ensemble="nve"), engine="lammps", steps=steps, interval=steps)
    began = time.process_time()
    run = run_point(point, cell, potential)
    print(
        f"nve, {len(cell)} atoms, {picoseconds:g} ps at 1 fs, {run.status}: drift {energy_drift(run):+.5f} meV/atom/ps,"
        f" spread {1000 * run.series.totals.std() / len(cell):.4f} meV/atom, mean temperature "
        f"{run.series.temperatures.mean():.0f} K ({time.process_time() - began:.0f} CPU s)"
    )


def show_cores(potential: Potential, count: int, steps: int) -> None:
    """Independent points on one core and on two."""
    cell = rock_salt(2, 2, 2)
    points = grid([cell], [Environment(300.0 + k) for k in range(count)], ["lammps"], steps=steps, interval=steps)
    print(f"load before: {os.getloadavg()[0]:.2f}")
    seconds = []
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            md_all(points, potential, Path(folder), workers=workers)
            seconds.append(time.perf_counter() - began)
    print(
        f"{count} points of {len(cell)} atoms, {steps} steps: {seconds[0]:.1f} s with 1 worker, {seconds[1]:.1f} s "
        f"with 2, {seconds[0] / seconds[1]:.2f} times as fast (load after: {os.getloadavg()[0]:.2f})"
    )


def main() -> None:
    """Print the parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--potential", default="mace-mgo")
    parser.add_argument("--drift", type=float, default=50.0, help="ps")
    parser.add_argument("--points", type=int, default=32)
    parser.add_argument("--steps", type=int, default=100, help="of each of the points")
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS)
    options = parser.parse_args()
    potential = resolve_potential(options.potential)
    print(f"{potential.name}, {potential.precision} by {potential.evaluator}")
    if "whole" in options.only:
        show_whole(potential)
    if "size" in options.only:
        show_size(potential)
    if "cores" in options.only:
        show_cores(potential, options.points, options.steps)
    if "drift" in options.only:
        show_drift(potential, options.drift)


if __name__ == "__main__":
    main()
