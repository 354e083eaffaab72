"""A pair style of LAMMPS as an ASE calculator, for relaxations and for dynamics through ASE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from augment.cell import DefectCell, FloatArray, IntArray
from md.lammps.session import LammpsSession


class LammpsCalculator(Calculator):  # type: ignore[misc]  # ase is untyped here
    """Energy, forces and stress by a pair style.

    Every evaluation lists the neighbours anew, so that the labels of a geometry do not depend on those before.

    Args:
        commands: the commands of the pair style for atoms with these (n,) atomic numbers.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, commands: Callable[[IntArray], tuple[str, ...]]) -> None:
        super().__init__()
        self._style = commands
        self._session: LammpsSession | None = None
        self._numbers = np.zeros(0, dtype=np.int64)

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """Evaluate `atoms`, which must be periodic in three directions.

        Raises:
            Divergence: LAMMPS gives up on the geometry.
            PotentialError: LAMMPS cannot read the potential.
        """
        super().calculate(atoms, properties, system_changes)
        positions, cell = atoms.get_positions(), atoms.cell.array.copy()
        session = self._session_of(np.asarray(atoms.numbers, dtype=np.int64), positions, cell)
        try:
            session.place(positions, cell)
            session.advance(0)
        except BaseException:
            self.close()
            raise
        evaluation = session.evaluation
        self.results = {
            "energy": evaluation.energy,
            "free_energy": evaluation.energy,
            "forces": evaluation.forces,
            "stress": evaluation.stress,
        }

    def close(self) -> None:
        """Free the instance of LAMMPS; the next evaluation makes another."""
        if self._session is not None:
            self._session.close()
        self._session = None

    def _session_of(self, numbers: IntArray, positions: FloatArray, cell: FloatArray) -> LammpsSession:
        """The instance with these atoms in it: setting one up takes twenty times as long as an evaluation."""
        if self._session is None or not np.array_equal(numbers, self._numbers):
            self.close()
            held = DefectCell("evaluation", "", cell, numbers, positions, np.arange(len(numbers)))
            self._session = LammpsSession(held, np.zeros((len(numbers), 3)), self._style(numbers))
            self._numbers = numbers.copy()
        return self._session
