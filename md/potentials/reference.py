"""Reference cells with stored labels: the check that a library reads weights rightly before anything runs.

A library can load weights without a complaint and compute something else with them (a newer matgl reads older
weights so that NaCl grows by a fifth). Energy, forces and stress of a few cells without symmetry show it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.errors import PotentialError
from md.labels.third_party import silent_evaluation


@dataclass(frozen=True)
class LabelTolerance:
    """Largest deviations from stored labels: energy (eV per atom), forces (eV/Å), stress (eV/Å³)."""

    energy: float
    forces: float
    stress: float

    def relative_to(self, cell: ReferenceCell) -> LabelTolerance:
        """In proportion to the labels of a cell where they are larger than 1: close pairs have hundreds of eV/Å."""
        energy = max(1.0, abs(cell.energy) / len(cell.numbers))
        forces, stress = (max(1.0, float(np.abs(label).max())) for label in (cell.forces, cell.stress))
        return LabelTolerance(self.energy * energy, self.forces * forces, self.stress * stress)


@dataclass(frozen=True, eq=False)
class ReferenceCell:
    """A periodic cell with its labels.

    Attributes:
        cell: (3, 3) lattice vectors as rows, Å.
        numbers: (n,) atomic numbers.
        positions: (n, 3) Cartesian positions, Å.
        energy: eV.
        forces: (n, 3), eV/Å.
        stress: (6,) Voigt, eV/Å³, ASE sign.
    """

    cell: FloatArray
    numbers: IntArray
    positions: FloatArray
    energy: float
    forces: FloatArray
    stress: FloatArray

    @property
    def json(self) -> dict[str, Any]:
        """The cell and its labels as JSON values, exact to the last bit."""
        arrays = {name: getattr(self, name).tolist() for name in ("cell", "numbers", "positions", "forces", "stress")}
        return {**arrays, "energy": self.energy}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ReferenceCell:
        """Inverse of `json`."""
        arrays = {name: np.array(values[name], dtype=float) for name in ("cell", "positions", "forces", "stress")}
        return cls(**arrays, numbers=np.array(values["numbers"], dtype=np.int64), energy=float(values["energy"]))


def labelled_by(calculator: Any, cell: FloatArray, numbers: IntArray, positions: FloatArray) -> ReferenceCell:
    """The cell with the labels that an ASE calculator gives it."""
    from ase import Atoms

    atoms = Atoms(numbers=numbers, positions=positions, cell=cell, pbc=True, calculator=calculator)
    with silent_evaluation():
        energy, forces, stress = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
    return ReferenceCell(cell, numbers, positions, float(energy), np.array(forces, float), np.array(stress, float))


def read_reference_cells(path: Path, name: str) -> list[ReferenceCell]:
    """The reference cells of the potential `name` in a JSON file.

    Raises:
        PotentialError: the file is damaged or lacks the potential.
    """
    try:
        return [ReferenceCell.from_json(values) for values in json.loads(path.read_bytes())[name]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PotentialError(f"{path}: no reference labels for {name} ({error!r}); reinstall the package") from None


def check_cells(
    calculator: Any, cells: Sequence[ReferenceCell], tolerance: LabelTolerance, where: str, *, relative: bool = False
) -> None:
    """Compare what a calculator gives with the stored labels.

    Args:
        calculator: ASE calculator.
        cells: with their labels.
        tolerance: largest deviations.
        where: what is tested, for the message.
        relative: let labels larger than 1 deviate in proportion.

    Raises:
        PotentialError: a label deviates by more than its tolerance, or there is no cell.
    """
    if not cells:
        raise PotentialError(f"{where}: no reference cell to test it on; reinstall the package")
    for stored in cells:
        found = labelled_by(calculator, stored.cell, stored.numbers, stored.positions)
        allowed = tolerance.relative_to(stored) if relative else tolerance
        for label, deviation, limit in (
            ("energy", abs(found.energy - stored.energy) / len(stored.numbers), allowed.energy),
            ("forces", float(np.abs(found.forces - stored.forces).max()), allowed.forces),
            ("stress", float(np.abs(found.stress - stored.stress).max()), allowed.stress),
        ):
            # Written so that a deviation that is not a number fails too.
            if not deviation <= limit:
                raise PotentialError(
                    f"{where}: self-test failed, {label} of a reference cell deviates by {deviation:.1e} where "
                    f"{limit:.0e} is allowed: its weights are not read rightly here; reinstall the package"
                )
