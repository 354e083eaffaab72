"""Labels of calculations of electrons: records whose forces, stress and moments are there where the code gave them.

Their labeller is called `dft:CODE:FUNCTIONAL:HASH`, so that labels of one level of theory share a name, those of
another have another, and none is taken for that of a potential.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.errors import DataError
from augment.storage.archive import cells_from_arrays, cells_to_arrays, read_arrays, write_arrays

DFT_PREFIX = "dft:"
"""How the names of levels of theory begin."""

CALCULATED_RECORDS = Path("label/records.npz")
"""In a run folder: the records of its calculations."""

CALCULATED_ROWS = Path("label/summary.jsonl")
"""In a run folder: one line a calculation that was read, those that were left out with the reason."""


def is_calculated(labeller: str) -> bool:
    """Whether the name of who made labels is that of a level of theory, and not of a potential."""
    return labeller.startswith(DFT_PREFIX)


@dataclass(frozen=True)
class TheoryLevel:
    """What energies of a code have to share to be compared.

    Pseudopotentials are compared element by element where records are gathered; k-points and smearing, which depend on
    the cell, are left to the user's convergence.

    Attributes:
        code: `vasp`, `qe`, `cp2k`, `gpaw`, `aims`, or what a file says.
        functional: of exchange and correlation, with +U where there is one.
        cutoff: of the basis, eV; None where there is none.
    """

    code: str
    functional: str
    cutoff: float | None = None

    @property
    def sha256(self) -> str:
        """Hash of the level, hexadecimal."""
        text = json.dumps([self.code, self.functional, None if self.cutoff is None else round(self.cutoff, 1)])
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def name(self) -> str:
        """`dft:CODE:FUNCTIONAL:HASH`."""
        functional = "".join(c if c.isalnum() or c in "+-._" else "-" for c in self.functional)
        return f"{DFT_PREFIX}{self.code}:{functional}:{self.sha256[:8]}"


@dataclass(frozen=True, eq=False)
class CalculatedRecord:
    """A defect cell with what a calculation found for it; `cell.provenance` says who calculated and how.

    Attributes:
        cell: the structure.
        energy: total energy, eV; the free energy where occupations are smeared, which goes with the forces.
        forces: (n, 3) eV/Å, or None.
        stress: (6,) Voigt xx, yy, zz, yz, xz, xy in eV/Å³, ASE sign, or None.
        moments: (n,) magnetic moments of the atoms, μB, or None.
        config_type: `dft_relaxed` or `dft_single_point`.
        potentials: (n,) electrostatic potential at the nuclei, V, of a positive charge, or None.
    """

    cell: DefectCell
    energy: float
    forces: FloatArray | None
    stress: FloatArray | None
    moments: FloatArray | None
    config_type: str
    potentials: FloatArray | None = None

    def __post_init__(self) -> None:
        n = len(self.cell)
        wanted = ((self.forces, (n, 3)), (self.stress, (6,)), (self.moments, (n,)), (self.potentials, (n,)))
        if any(label is not None and label.shape != shape for label, shape in wanted):
            raise DataError(f"calculation of {self.cell.name}: labels do not fit {n} atoms")
        labels = [np.array(self.energy), *(label for label, _ in wanted if label is not None)]
        if not all(np.isfinite(label).all() for label in labels):
            raise DataError(f"calculation of {self.cell.name}: labels are not finite")


def write_calculated(path: Path, records: Sequence[CalculatedRecord]) -> None:
    """Write records to one archive at `path`, atomically; a label that is not there is NaN."""
    arrays = cells_to_arrays([r.cell for r in records])
    columns: dict[str, list[FloatArray]] = {name: [] for name in ("forces", "stress", "moments", "potentials")}
    for record in records:
        n = len(record.cell)
        for name, label, shape in (
            ("forces", record.forces, (n, 3)),
            ("stress", record.stress, (1, 6)),
            ("moments", record.moments, (n,)),
            ("potentials", record.potentials, (n,)),
        ):
            columns[name].append(np.full(shape, np.nan) if label is None else np.reshape(label, shape))
    empty = {"forces": np.zeros((0, 3)), "stress": np.zeros((0, 6)), "moments": np.zeros(0), "potentials": np.zeros(0)}
    arrays |= {name: np.concatenate(parts or [empty[name]]) for name, parts in columns.items()}
    arrays["energy"] = np.array([r.energy for r in records], dtype=float)
    arrays["config_type"] = np.array([r.config_type for r in records], dtype=np.str_)
    write_arrays(path, arrays)


def read_calculated(path: Path) -> list[CalculatedRecord]:
    """Read the records of an archive.

    Raises:
        DataError: the file is missing, damaged or holds no labels.
    """
    arrays = read_arrays(path)
    cells = cells_from_arrays(arrays, str(path))
    try:
        start, columns = arrays["start"], [arrays[k] for k in ("energy", "forces", "stress", "moments", "config_type")]
    except KeyError as error:
        raise DataError(f"{path}: an archive of cells without labels (no {error})") from None
    energy, forces, stress, moments, kinds = columns
    potentials = arrays.get("potentials", np.full(len(moments), np.nan))
    records = []
    for i, cell in enumerate(cells):
        atoms = slice(int(start[i]), int(start[i + 1]))
        labels = (_known(forces[atoms]), _known(stress[i]), _known(moments[atoms]))
        records.append(CalculatedRecord(cell, float(energy[i]), *labels, str(kinds[i]), _known(potentials[atoms])))
    return records


def _known(label: FloatArray) -> FloatArray | None:
    return None if np.isnan(label).any() else label
