"""How long a potential takes, and on what that is measured."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms


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
