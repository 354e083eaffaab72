"""How far potentials feel a vacancy: its energy against the size of the cell, and what it does to forces far away.

    OMP_NUM_THREADS=1 python benchmarks/reach.py [POTENTIAL ...] [--teacher-python PYTHON] [--formula MgO]

Rock salt; the vacancy's energy is that of the ideal cell without the atom less that of the whole one (an elemental
energy short of a formation energy). Forces are of a rattled cell of 216 atoms with and without the atom. A student of
two layers sees twice its cutoff: what a teacher feels further than that, no student of it can learn.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from md.distill.teachers import resolve_teacher
from md.labels.third_party import one_torch_thread
from md.potentials.external.packages import package_of

SHELLS = np.arange(1.5, 11.5, 2.0)
"""Edges of the shells around the vacancy, Å."""


def cells(formula: str, constant: float) -> Iterator[Any]:
    """Rock salt of 16 to 216 atoms, images of a vacancy 6 to 12.7 Å apart."""
    from ase.build import bulk

    for cubic, repeats in ((False, 2), (False, 3), (True, 2), (False, 4), (True, 3)):
        yield bulk(formula, "rocksalt", constant, cubic=cubic) * (repeats, repeats, repeats)


def without(atoms: Any, element: str) -> tuple[Any, int]:
    """The cell without its first atom of an element, and which that was."""
    index = list(atoms.symbols).index(element)
    copy = atoms.copy()
    del copy[index]
    return copy, index


def energy(atoms: Any, calculator: Any) -> float:
    """Of a copy, eV."""
    copy = atoms.copy()
    copy.calc = calculator
    return float(copy.get_potential_energy())


def forces(atoms: Any, calculator: Any) -> np.ndarray[Any, Any]:
    """Of a copy, (n, 3), eV/Å."""
    copy = atoms.copy()
    copy.calc = calculator
    return np.asarray(copy.get_forces())


def print_energies(name: str, calculator: Any, formula: str, constant: float, elements: list[str]) -> None:
    """A vacancy's energy in cells of growing size."""
    for element in elements:
        found = []
        for atoms in cells(formula, constant):
            missing, _ = without(atoms, element)
            found.append(f"{energy(missing, calculator) - energy(atoms, calculator):8.2f}")
        print(f"{name:16} v_{element:4}" + "".join(found), flush=True)


def print_forces(name: str, calculator: Any, formula: str, constant: float, elements: list[str]) -> None:
    """Mean change of the forces in shells around the vacancy, meV/Å along an axis."""
    *_, large = cells(formula, constant)
    large.rattle(0.12, seed=1)
    whole = forces(large, calculator)
    for element in elements:
        missing, index = without(large, element)
        distance = np.delete(large.get_distances(index, range(len(large)), mic=True), index)
        change = np.linalg.norm(forces(missing, calculator) - np.delete(whole, index, axis=0), axis=1) / np.sqrt(3)
        means = [1000 * change[(distance > low) & (distance <= high)].mean() for low, high in pairwise(SHELLS)]
        print(f"{name:16} v_{element:4}" + "".join(f"{mean:8.0f}" for mean in means), flush=True)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("potentials", nargs="*", default=["chgnet-r2scan", "mace-mgo"])
    parser.add_argument(
        "--teacher-python", type=Path, help="interpreter of the environment of other packages' potentials"
    )
    parser.add_argument("--formula", default="MgO")
    parser.add_argument("--constant", type=float, default=4.22, help="lattice constant, Å")
    asked = parser.parse_args()
    *_, large = cells(asked.formula, asked.constant)
    elements = sorted(set(large.symbols))
    calculators = {
        name: resolve_teacher(
            name, elements, python=asked.teacher_python if package_of(name) else None
        ).calculator()
        for name in asked.potentials
    }  # fmt: skip
    with one_torch_thread(wanted=True):
        sizes = [len(atoms) for atoms in cells(asked.formula, asked.constant)]
        print(f"{'energy, eV; atoms:':23}" + "".join(f"{size:8}" for size in sizes))
        for name, calculator in calculators.items():
            print_energies(name, calculator, asked.formula, asked.constant, elements)
        shells = (f"{low:g}-{high:g}" for low, high in pairwise(SHELLS))
        print(f"{'force, meV/Å; Å away:':23}" + "".join(f"{shell:>8}" for shell in shells))
        for name, calculator in calculators.items():
            print_forces(name, calculator, asked.formula, asked.constant, elements)


if __name__ == "__main__":
    main()
