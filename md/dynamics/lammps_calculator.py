"""A pair style of LAMMPS as an ASE calculator, for relaxations and for dynamics through ASE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from augment.cell import DefectCell, IntArray
from md.dynamics.lammps_session import LammpsSession


class LammpsCalculator(Calculator):  # type: ignore[misc]  # ase is untyped here
    """Energy, forces and stress by a pair style.

    Every evaluation sets LAMMPS up anew, so that the labels of a geometry do not depend on those before.

    Args:
        commands: the commands of the pair style for atoms with these (n,) atomic numbers.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, commands: Callable[[IntArray], tuple[str, ...]]) -> None:
        super().__init__()
        self._style = commands

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """Evaluate `atoms`, which must be periodic in three directions.

        Raises:
            Divergence: LAMMPS gives up on the geometry.
            PotentialError: LAMMPS cannot read the potential.
        """
        super().calculate(atoms, properties, system_changes)
        n = len(atoms)
        numbers = np.asarray(atoms.numbers, dtype=np.int64)
        cell = DefectCell("evaluation", "", atoms.cell.array.copy(), numbers, atoms.get_positions(), np.arange(n))
        session = LammpsSession(cell, np.zeros((n, 3)), self._style(numbers))
        try:
            session.advance(0)
            found = session.evaluation
        finally:
            session.close()
        self.results = {
            "energy": found.energy,
            "free_energy": found.energy,
            "forces": found.forces,
            "stress": found.stress,
        }
