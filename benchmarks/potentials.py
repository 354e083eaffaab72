"""How fast potentials are: a student natively and through mace-torch, CHGNet here and as it comes; a step of LAMMPS.

    python benchmarks/potentials.py [--student mace-mgo] [--untrained] [--steps 100]

CPU milliseconds of one thread, float64 but for CHGNet, for energy, forces and stress of rattled MgO; all in one run, so
that their ratios hold whatever else the machine does. `--untrained` times a network of the shape of a new student
(angular momenta to 3, correlation 3, 16 channels, 4.5 Å) instead of a trained one: the weights do not change the time.
The peak memory of CHGNet is that of a process of its own, above what it takes to load it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import DefectCell
from md.conditions.environment import Environment
from md.dynamics import MdPoint, run_point
from md.labels.third_party import one_torch_thread, silent_evaluation, silent_loading
from md.potentials import Potential, resolve_potential
from md.students.accuracy import milliseconds, timing_cell

SIZES = (64, 216, 512)
MGO = (12, 8)
MAX_ATOMS_OF_CHGNET = 216


def untrained(folder: Path) -> Potential:
    """A network of the shape of a new student, as a model file."""
    import torch

    from md.students import load_student
    from md.students.network import construct

    config = {**load_student("mace-mgo")[1]["config"], "max_ell": 3, "hidden_irreps": "16x0e", "r_max": 4.5}
    with silent_loading():
        torch.save(construct(config), folder / "untrained.model")
    return resolve_potential(folder / "untrained.model", trust=True)


def chgnet_as_it_comes() -> Any:
    """CHGNet's own calculator, without magnetic moments."""
    with silent_loading():
        from chgnet.model import CHGNet, CHGNetCalculator

        class WithoutMoments(CHGNetCalculator):  # type: ignore[misc]  # chgnet is untyped
            def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = None) -> None:
                with silent_evaluation():
                    super().calculate(atoms, properties, system_changes, task="efs")

        model = CHGNet.load(use_device="cpu", verbose=False)
        return WithoutMoments(model, use_device="cpu")


def times(calculator: Any, sizes: tuple[int, ...] = SIZES) -> dict[int, float]:
    """CPU milliseconds by number of atoms."""
    return {size: milliseconds(calculator, timing_cell(MGO, size), repeats=4) for size in sizes}


def line(name: str, found: dict[int, float], reference: dict[int, float]) -> str:
    """One row: times, and how many times slower than the reference."""
    cells = [f"{found[s]:9.1f} ({found[s] / reference[s]:6.1f})" if s in found else f"{'':18}" for s in SIZES]
    return f"{name:34}" + "".join(cells)


def lammps_step(potential: Potential, steps: int) -> tuple[float, float]:
    """CPU milliseconds of a step of 216 atoms: in the evaluator, and around it (LAMMPS, guards, record)."""
    atoms = timing_cell(MGO, 216)
    cell = DefectCell("bulk", "x", atoms.cell.array, atoms.numbers.astype(np.int64), atoms.positions, np.arange(216))
    calculator, spent = potential.calculator(), 0.0
    inner = calculator.calculate

    def timed(*arguments: Any, **settings: Any) -> None:
        nonlocal spent
        began = time.process_time()
        inner(*arguments, **settings)
        spent += time.process_time() - began

    def run(n: int) -> float:
        nonlocal spent
        spent, began = 0.0, time.process_time()
        run_point(MdPoint.of(cell, Environment(300.0), engine="lammps", steps=n, interval=n), cell, potential)
        return time.process_time() - began

    calculator.calculate = timed
    try:
        start = run(1), spent
        whole = run(1 + steps)
        inside = spent - start[1]
    finally:
        calculator.calculate = inner
    return 1000 * inside / steps, 1000 * (whole - start[0] - inside) / steps


MEMORY = """
import sys
sys.path.insert(0, sys.argv[1])
from potentials import chgnet_as_it_comes
from md.potentials import resolve_potential
from md.students.accuracy import timing_cell
calculator = chgnet_as_it_comes() if sys.argv[2] == "own" else resolve_potential("chgnet").calculator()
atoms = timing_cell((12, 8), int(sys.argv[3]))
def peak():
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
before = peak()
atoms.calc = calculator
atoms.get_forces()
print((peak() - before) / 2**20)
"""


def peak_memory(which: str, atoms: int) -> float:
    """GiB that one evaluation by CHGNet adds to its process."""
    root = Path(__file__).resolve().parent
    command = [sys.executable, "-c", MEMORY, str(root), which, str(atoms)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root.parent)}
    return float(
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()[-1]
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", default="mace-mgo")
    parser.add_argument("--untrained", action="store_true")
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    print("load of the machine:", *(f"{load:.1f}" for load in os.getloadavg()), f"on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder, one_torch_thread(wanted=True):
        student = untrained(Path(folder)) if options.untrained else resolve_potential(options.student)
        native = times(student.calculator())
        print(f"\nCPU ms of energy, forces and stress{'':>10}" + "".join(f"{size} atoms".rjust(18) for size in SIZES))
        print(line(f"{student.name}, {student.evaluator}", native, native))
        print(line("  mace-torch", times(replace(student, evaluator="mace-torch").calculator()), native))
        small = tuple(size for size in SIZES if size <= MAX_ATOMS_OF_CHGNET)
        print(line("  CHGNet, one backward pass", times(resolve_potential("chgnet").calculator(), small), native))
        print(line("  CHGNet as it comes", times(chgnet_as_it_comes(), small), native))
        inside, around = lammps_step(student, options.steps)
        print(f"\nLAMMPS npt, 216 atoms: {inside:.2f} ms a step in the evaluator, {around:.2f} around it", end=" ")
        print(f"({1 + around / inside:.3f} times the evaluator alone)")
    for which, name in (("ours", "one backward pass"), ("own", "as it comes")):
        found = ", ".join(f"{peak_memory(which, size):.2f} GiB at {size} atoms" for size in small)
        print(f"CHGNet, {name}: {found}")


if __name__ == "__main__":
    main()
