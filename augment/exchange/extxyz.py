"""Defect cells in extended XYZ, through ASE: name, key, charge and provenance of each cell, site of each atom."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import DefectCell
from augment.errors import DataError
from augment.exchange.folder import atomic_file
from augment.storage.missing import no_such_file

_SITES = "site_index"


def write_extxyz(path: Path, cells: Iterable[DefectCell]) -> int:
    """Write cells, taken one by one, to a file that appears at the end or not at all; how many there were.

    Positions are rounded to 1e-8 Å by the format.

    Raises:
        DataError: the file exists or cannot be written.
    """
    from ase.io import write

    count = 0
    with atomic_file(path) as draft, draft.open("w", encoding="utf-8") as stream:
        for cell in cells:
            atoms = cell.to_ase()
            atoms.set_array(_SITES, cell.sites)
            atoms.info["provenance"] = json.dumps(dict(cell.provenance), sort_keys=True)
            write(stream, atoms, format="extxyz")
            count += 1
    return count


def read_extxyz(path: Path) -> Iterator[DefectCell]:
    """The cells of a file that `write_extxyz` wrote, one by one.

    Raises:
        DataError: the file is missing or damaged, or a structure in it lacks its name, key, charge or sites.
    """
    from ase.io import iread

    try:
        for count, atoms in enumerate(iread(path, format="extxyz"), start=1):
            yield _cell(atoms, f"{path}: structure {count}")
    except FileNotFoundError:
        raise DataError(f"{path}: {no_such_file(path)}") from None
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001  the parser raises whatever its input provokes
        raise DataError(f"{path}: not readable as extended XYZ ({error}); write it again") from None


def _cell(atoms: Any, where: str) -> DefectCell:
    missing = [key for key in ("name", "defect_key", "charge") if key not in atoms.info]
    if missing or _SITES not in atoms.arrays:
        raise DataError(f"{where} has no {', '.join(missing) or _SITES}; give a file that this package wrote")
    provenance = atoms.info.get("provenance", "{}")
    return DefectCell(
        name=str(atoms.info["name"]),
        key=str(atoms.info["defect_key"]),
        cell=np.array(atoms.cell),
        numbers=atoms.numbers.astype(np.int64),
        positions=atoms.positions.copy(),
        sites=atoms.arrays[_SITES].astype(np.int64),
        charge=int(atoms.info["charge"]),
        provenance=provenance if isinstance(provenance, dict) else json.loads(provenance),
    )
