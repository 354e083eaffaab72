"""How far a potential is from reference labels, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from augment.errors import PotentialError
from md.students.rock_salt import EV_PER_CUBIC_ANGSTROM

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class LabelErrors:
    """How far a potential is from reference labels on a set of cells.

    Attributes:
        cells: number of cells.
        energy_mae: eV per atom; energy_rmse likewise.
        force_mae: eV/Å per Cartesian component; force_rmse likewise.
        stress_mae: GPa per component; stress_rmse likewise.
    """

    cells: int
    energy_mae: float
    energy_rmse: float
    force_mae: float
    force_rmse: float
    stress_mae: float
    stress_rmse: float


def label_errors(calculator: Any, labelled: Sequence[Atoms]) -> LabelErrors:
    """Errors of a calculator on cells with `REF_energy`, `REF_forces` and `REF_stress` (Voigt, eV/Å³).

    Raises:
        PotentialError: there is no cell.
    """
    if not labelled:
        raise PotentialError("no labelled cells to compare with")
    energy, forces, stress = [], [], []
    for reference in labelled:
        atoms = reference.copy()
        atoms.calc = calculator
        energy.append((atoms.get_potential_energy() - reference.info["REF_energy"]) / len(atoms))
        forces.append((atoms.get_forces() - reference.arrays["REF_forces"]).ravel())
        stress.append(atoms.get_stress() - np.asarray(reference.info["REF_stress"]))
    columns = np.array(energy), np.concatenate(forces), np.concatenate(stress) * EV_PER_CUBIC_ANGSTROM
    values = [float(v) for c in columns for v in (np.abs(c).mean(), np.sqrt((c**2).mean()))]
    return LabelErrors(len(labelled), *values)


def milliseconds(calculator: Any, atoms: Atoms, *, repeats: int = 7) -> float:
    """Least CPU time of one evaluation of energy, forces and stress of slightly moved `atoms`, ms.

    CPU time of the process and the least of it, because other work on the machine adds to the wall time and, through
    the caches, to the rest; the first three calls, which compile, are out.
    """
    rng, seconds = np.random.default_rng(0), []
    moved = atoms.copy()
    moved.calc = calculator
    for _ in range(repeats + 3):
        moved.positions += rng.normal(scale=1e-3, size=moved.positions.shape)
        start = time.process_time()
        moved.get_forces()
        moved.get_stress()
        seconds.append(time.process_time() - start)
    return 1000 * min(seconds[3:])


def timing_cell(atomic_numbers: Sequence[int], atoms: int) -> Atoms:
    """A slightly rattled rock-salt cell of 64, 216 or 512 atoms to time a potential on.

    MgO where it knows both elements, else the lightest and heaviest that it knows, at about their covalent distance.
    """
    from ase import Atoms
    from ase.data import covalent_radii

    pair = (12, 8) if {12, 8} <= set(atomic_numbers) else (min(atomic_numbers), max(atomic_numbers))
    distance = 2.125 if pair == (12, 8) else 1.1 * float(covalent_radii[list(pair)].sum())
    edge = round(atoms ** (1 / 3))
    places = np.indices((edge, edge, edge)).reshape(3, -1).T
    numbers = np.array(pair)[places.sum(axis=1) % 2]
    crystal = Atoms(numbers, positions=places * distance, cell=[edge * distance] * 3, pbc=True)
    crystal.rattle(0.03, seed=0)
    return crystal
