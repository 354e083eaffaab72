"""The structures of CIFs and extended XYZ files that a user brings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import DefectCell
from augment.errors import DataError
from augment.storage.archive import write_atomically
from defectgen.run.progress import report_notes

_XYZ = {".xyz", ".extxyz"}


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write one JSON object a line, atomically."""
    write_atomically(path, "".join(json.dumps(row) + "\n" for row in rows).encode())


def read_cells_of_files(paths: Sequence[Path]) -> list[DefectCell]:
    """The structures of CIFs and extended XYZ files as cells, each with a name of its own.

    Raises:
        CifError: a CIF cannot be used.
        DataError: a file is missing or damaged, or a structure in it is not periodic.
    """
    cells = [cell for path in paths for cell in _read(path)]
    names = [cell.name for cell in cells]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"several structures are called {', '.join(repeated)}; give files with different names")
    if not cells:
        raise DataError(f"{', '.join(map(str, paths))}: no structure in it; give a CIF or an extended XYZ file")
    return cells


def _read(path: Path) -> Iterator[DefectCell]:
    if path.suffix.lower() not in _XYZ:
        from augment.crystal.cif import read_crystal_file

        crystal = read_crystal_file(path)
        report_notes(f"{path.name}: {note}" for note in crystal.notes)
        structure = crystal.structure
        numbers = np.array([site.specie.Z for site in structure], dtype=np.int64)
        cell = np.array(structure.lattice.matrix, dtype=float)
        yield _cell(path.stem, cell, numbers, np.array(structure.cart_coords, dtype=float))
        return
    for count, atoms in enumerate(_frames(path), start=1):
        if not atoms.pbc.all() or not abs(atoms.cell.volume) > 0:
            raise DataError(f"{path}: structure {count} is not periodic in three directions; give it a Lattice")
        name = str(atoms.info.get("name", path.stem))
        yield _cell(f"{name}_{count}", atoms.cell.array, atoms.numbers.astype(np.int64), atoms.positions)


def _frames(path: Path) -> list[Any]:
    from ase.io import iread

    try:
        return list(iread(path, format="extxyz"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the path") from None
    except Exception as error:  # noqa: BLE001  the parser raises whatever its input provokes
        raise DataError(f"{path}: not readable as extended XYZ ({error})") from None


def _cell(name: str, cell: Any, numbers: Any, positions: Any) -> DefectCell:
    """A cell that no host is known of: its key is its name, and its sites are its atoms."""
    return DefectCell(name, name, np.array(cell, dtype=float), numbers, positions.copy(), np.arange(len(numbers)))
