"""Cells and potentials small enough for the tests of `md`."""

from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from augment.cell import DefectCell
from md.potentials import Potential, resolve_potential


def cell_of(atoms: Atoms, name: str = "bulk", key: str = "test") -> DefectCell:
    """A defect cell with the geometry of ASE atoms."""
    n = len(atoms)
    return DefectCell(name, key, atoms.cell.array, atoms.numbers.astype(np.int64), atoms.positions.copy(), np.arange(n))


@pytest.fixture(scope="session")
def emt() -> Potential:
    return resolve_potential("emt")


@pytest.fixture
def copper() -> DefectCell:
    """Cu, 32 atoms in a cubic cell at EMT's lattice constant."""
    return cell_of(bulk("Cu", "fcc", 3.59, cubic=True) * (2, 2, 2))


@pytest.fixture
def alloy() -> DefectCell:
    """A rattled Cu-Au alloy of 12 atoms in a left-leaning triclinic cell: no label vanishes by symmetry."""
    atoms = bulk("Cu", "fcc", 3.8) * (2, 2, 3)
    atoms.numbers[::3] = 79
    deformation = np.array([[1.02, 0.05, -0.03], [0.01, 0.97, 0.06], [-0.04, 0.02, 1.01]])
    atoms.set_cell(atoms.cell @ deformation, scale_atoms=True)
    atoms.rattle(0.08, seed=5)
    return cell_of(atoms, "alloy")


class FailingCalculator:
    """Wraps a calculator's `calculate` so that it misbehaves from the `after`-th evaluation on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, calculator: Any, after: int, what: Any) -> None:
        original, self.calls = calculator.calculate, 0

        def calculate(*args: Any, **kwargs: Any) -> None:
            self.calls += 1
            original(*args, **kwargs)
            if self.calls > after:
                what(calculator.results)

        monkeypatch.setattr(calculator, "calculate", calculate)
