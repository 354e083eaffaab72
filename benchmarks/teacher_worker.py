"""Relaxations and equations of state by one teacher, for benchmarks/teachers.py, in any Python with ASE.

    python benchmarks/teacher_worker.py TEACHER < tasks.jsonl > results.jsonl

TEACHER: `defectgen:NAME` (a potential of this project), `sevenn:NAME`, `sevenn:NAME:MODALITY`. It imports nothing of
the project before it has to, so that it runs in another library's environment.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any

import numpy as np

STRAINS = np.linspace(-0.02, 0.02, 9)
"""Of the lengths, around the relaxed cell."""

EV_PER_CUBIC_ANGSTROM = 160.21766208
FMAX, MAX_STEPS = 0.02, 300


def calculator_of(teacher: str) -> Any:
    """The ASE calculator of a teacher on the CPU."""
    library, _, name = teacher.partition(":")
    if library == "defectgen":
        from md.potentials import resolve_potential

        return resolve_potential(name).calculator()
    if library == "sevenn":
        from sevenn.calculator import SevenNetCalculator

        name, _, modality = name.partition(":")
        return SevenNetCalculator(name, device="cpu", **({"modal": modality} if modality else {}))
    raise SystemExit(f"{teacher}: no such teacher")


def equation_of_state(atoms: Any) -> dict[str, float]:
    """Volume (Å³ per atom) and bulk modulus (GPa) at the minimum of energy.

    Cell and atoms are relaxed first; then a cubic in strain is fitted to energies at nine sizes of the relaxed shape,
    with atoms relaxed at each.
    """
    from ase.filters import FrechetCellFilter
    from ase.optimize import LBFGS

    LBFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=0.01, steps=MAX_STEPS)
    cell, energies = atoms.cell.array.copy(), []
    for strain in STRAINS:
        strained = atoms.copy()
        strained.calc = atoms.calc
        strained.set_cell(cell * (1 + strain), scale_atoms=True)
        if np.abs(strained.get_forces()).max() > FMAX:
            LBFGS(strained, logfile=None).run(fmax=FMAX, steps=50)
        energies.append(strained.get_potential_energy())
    fit = np.polynomial.Polynomial.fit(STRAINS, energies, 4).convert()
    roots = fit.deriv().roots()
    minimum = min((r.real for r in roots if abs(r.imag) < 1e-9 and fit.deriv(2)(r.real) > 0), key=abs)
    volume = abs(np.linalg.det(cell)) * (1 + minimum) ** 3
    # d²E/ds² = 9 V B (1 + s)^-2 at the minimum, for lengths that scale with 1 + s.
    modulus = fit.deriv(2)(minimum) * (1 + minimum) ** 2 / (9 * volume) * EV_PER_CUBIC_ANGSTROM
    return {"volume": volume / len(atoms), "modulus": float(modulus)}


def relaxed(atoms: Any) -> dict[str, object]:
    """Positions (Å), energy (eV) and steps of a relaxation at fixed cell."""
    from ase.optimize import LBFGS

    optimizer = LBFGS(atoms, logfile=None, maxstep=0.2, alpha=30.0)
    converged = optimizer.run(fmax=FMAX, steps=MAX_STEPS)
    return {
        "positions": atoms.positions.tolist(),
        "energy": float(atoms.get_potential_energy()),
        "steps": optimizer.nsteps,
        "converged": bool(converged),
    }


def main() -> None:
    """Answer every task on the standard input with a line on the standard output."""
    from ase import Atoms

    warnings.simplefilter("ignore")
    calculator = calculator_of(sys.argv[1])
    for line in sys.stdin:
        task = json.loads(line)
        atoms = Atoms(numbers=task["numbers"], positions=task["positions"], cell=task["cell"], pbc=True)
        atoms.calc = calculator
        began = time.process_time()
        found = {"eos": equation_of_state, "relax": relaxed}[task["kind"]](atoms)
        answer = {"name": task["name"], "cpu_seconds": time.process_time() - began, **found}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
