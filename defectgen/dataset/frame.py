"""A frame of a dataset: a labelled structure and what is known of it, whatever file it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from augment.cell import FloatArray, IntArray
from augment.errors import DataError

if TYPE_CHECKING:
    from ase import Atoms

    from md.labels.calculated import CalculatedRecord
    from md.labels.record import Record

FrameFact = str | int | float | bool

SIX_OF_NINE = np.array([0, 4, 8, 5, 2, 1])
"""Where xx, yy, zz, yz, xz, xy stand in a raveled (3, 3) tensor."""

NINE_OF_SIX = np.array([0, 5, 4, 5, 1, 3, 4, 3, 2])
"""Where the nine components of a raveled (3, 3) tensor stand in xx, yy, zz, yz, xz, xy."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One structure of a dataset.

    Attributes:
        numbers: (n,) atomic numbers.
        positions: (n, 3) Cartesian positions, Å.
        cell: (3, 3) lattice vectors as rows, Å.
        pbc: (3,) along which of them it repeats.
        energy: total energy, eV; None where there is no such label.
        forces: (n, 3) eV/Å, or None.
        stress: (6,) Voigt xx, yy, zz, yz, xz, xy in eV/Å³, ASE sign (positive under tension), or None.
        charge: total charge, e.
        facts: what else is known of it, by the names of `FIELDS` and any others that its file had.
        momenta: (n, 3) in ASE units, or None.
        ideal: (n, 3) positions, Å, and (3, 3) cell of the ideal geometry of the defect, or None.
    """

    numbers: IntArray
    positions: FloatArray
    cell: FloatArray
    pbc: NDArray[np.bool_] = field(default_factory=lambda: np.ones(3, dtype=bool))
    energy: float | None = None
    forces: FloatArray | None = None
    stress: FloatArray | None = None
    charge: int = 0
    facts: Mapping[str, FrameFact] = field(default_factory=dict)
    momenta: FloatArray | None = None
    ideal: tuple[FloatArray, FloatArray] | None = None

    def __post_init__(self) -> None:
        n = len(self.numbers)
        if self.positions.shape != (n, 3) or self.cell.shape != (3, 3):
            raise DataError(f"a frame of {n} atoms with positions {self.positions.shape} and cell {self.cell.shape}")
        if self.forces is not None and self.forces.shape != (n, 3):
            raise DataError(f"a frame of {n} atoms with forces {self.forces.shape}")
        if self.stress is not None and self.stress.shape != (6,):
            raise DataError(f"a frame with a stress of shape {self.stress.shape}; it has six components")

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def volume(self) -> float:
        """Volume of the cell, Å³; 0 where there is none."""
        return float(abs(np.linalg.det(self.cell)))

    @property
    def virial(self) -> FloatArray | None:
        """(3, 3) virial -V σ = -dE/dε, eV, positive under compression; None without a stress."""
        return None if self.stress is None else -self.volume * self.stress[NINE_OF_SIX].reshape(3, 3)

    def text(self, name: str) -> str:
        """A fact as text, empty where it is not known."""
        return str(self.facts.get(name, ""))

    def with_facts(self, **facts: FrameFact | None) -> Frame:
        """The frame with more facts; those that are None are left as they were."""
        return replace(self, facts={**self.facts, **{k: v for k, v in facts.items() if v is not None}})

    def to_ase(self) -> Atoms:
        """ASE Atoms whose calculator holds the labels and whose `info` holds the facts and the charge."""
        from ase import Atoms
        from ase.calculators.singlepoint import SinglePointCalculator

        atoms = Atoms(numbers=self.numbers, positions=self.positions, cell=self.cell, pbc=self.pbc)
        atoms.info = {**self.facts, "charge": self.charge}
        labels = {"energy": self.energy, "free_energy": self.energy, "forces": self.forces, "stress": self.stress}
        known = {name: label for name, label in labels.items() if label is not None}
        if known:
            atoms.calc = SinglePointCalculator(atoms, **known)
        if self.momenta is not None:
            atoms.set_momenta(self.momenta)
        return atoms


def frame_of(record: Record | CalculatedRecord, facts: Mapping[str, FrameFact | None]) -> Frame:
    """The frame of a labelled defect cell; facts that are None are left out."""
    return Frame(
        record.cell.numbers,
        record.cell.positions,
        record.cell.cell,
        energy=float(record.energy),
        forces=record.forces,
        stress=record.stress,
        charge=int(record.cell.charge),
        facts={name: value for name, value in facts.items() if value is not None},
    )
