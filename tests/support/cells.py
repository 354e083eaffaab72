"""Cells of any atoms, and calculators that fail when they are told to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms

from augment.cell import DefectCell


def cell_of(atoms: Atoms, name: str = "bulk", key: str = "test") -> DefectCell:
    """A defect cell with the geometry of ASE atoms."""
    n = len(atoms)
    return DefectCell(name, key, atoms.cell.array, atoms.numbers.astype(np.int64), atoms.positions.copy(), np.arange(n))


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
