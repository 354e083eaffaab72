"""Records: defect cells with their labels and who made them, ready for export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.errors import DataError
from augment.storage.archive import cells_from_arrays, cells_to_arrays, read_arrays, write_arrays


@dataclass(frozen=True, eq=False)
class Record:
    """A defect cell with energy, forces and stress; `cell.provenance` says which potential made them.

    Attributes:
        cell: the structure.
        energy: total energy, eV.
        forces: (n, 3) forces, eV/Å.
        stress: (6,) Voigt stress xx, yy, zz, yz, xz, xy in eV/Å³, ASE sign (positive under tension).
        config_type: what the structure is (`relaxed`, `md_300K_0GPa`, ...), as MACE groups errors by it.
    """

    cell: DefectCell
    energy: float
    forces: FloatArray
    stress: FloatArray
    config_type: str

    def __post_init__(self) -> None:
        if self.forces.shape != (len(self.cell), 3) or self.stress.shape != (6,):
            raise DataError(f"record {self.cell.name}: labels do not fit {len(self.cell)} atoms")
        finite = np.isfinite(self.energy), np.isfinite(self.forces).all(), np.isfinite(self.stress).all()
        if not all(finite):
            raise DataError(f"record {self.cell.name}: labels are not finite")


def write_records(path: Path, records: Sequence[Record]) -> None:
    """Write records to one archive at `path`, atomically."""
    arrays = cells_to_arrays([r.cell for r in records])
    arrays["energy"] = np.array([r.energy for r in records], dtype=float)
    arrays["forces"] = np.concatenate([r.forces for r in records] or [np.zeros((0, 3))])
    arrays["stress"] = np.array([r.stress for r in records], dtype=float).reshape(-1, 6)
    arrays["config_type"] = np.array([r.config_type for r in records], dtype=np.str_)
    write_arrays(path, arrays)


def read_records(path: Path) -> list[Record]:
    """Read the records of an archive.

    Raises:
        DataError: the file is missing, damaged or holds no labels.
    """
    arrays = read_arrays(path)
    cells = cells_from_arrays(arrays, str(path))
    try:
        start, energy, forces = arrays["start"], arrays["energy"], arrays["forces"]
        stress, kinds = arrays["stress"], arrays["config_type"]
    except KeyError as error:
        raise DataError(f"{path}: an archive of cells without labels (no {error})") from None
    return [
        Record(cell, float(energy[i]), forces[start[i] : start[i + 1]], stress[i], str(kinds[i]))
        for i, cell in enumerate(cells)
    ]
