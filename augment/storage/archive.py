"""Storage of defect cells in one compressed NumPy archive, written atomically and read without pickles."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import DefectCell
from augment.errors import DataError

ARCHIVE_FORMAT = 1


def write_atomically(path: Path, content: bytes) -> None:
    """Put `content` at `path` so that a reader sees the old file or the whole new one, even after a kill."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Write named arrays as one compressed archive, atomically and with the same bytes for the same arrays."""
    import io

    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **dict(arrays))
    write_atomically(path, buffer.getvalue())


def read_arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Read an archive written by `write_arrays`.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; run the stage that writes it first") from None
    except Exception:  # noqa: BLE001  a damaged archive raises whatever its reader meets first, and advises pickles
        raise DataError(f"{path}: no archive of arrays, or a damaged one; make it again") from None


def cells_to_arrays(cells: Sequence[DefectCell]) -> dict[str, np.ndarray[Any, Any]]:
    """Columns of the cells: concatenated per-atom arrays, the start of each cell, and JSON for the rest."""
    counts = np.array([len(cell) for cell in cells], dtype=np.int64)
    meta = [json.dumps([c.name, c.key, c.charge, dict(c.provenance)], sort_keys=True) for c in cells]
    return {
        "format": np.array(ARCHIVE_FORMAT),
        "start": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        "cell": np.array([c.cell for c in cells]).reshape(-1, 3, 3),
        "numbers": np.concatenate([c.numbers for c in cells] or [np.zeros(0, np.int64)]).astype(np.int64),
        "positions": np.concatenate([c.positions for c in cells] or [np.zeros((0, 3))]),
        "sites": np.concatenate([c.sites for c in cells] or [np.zeros(0, np.int64)]).astype(np.int64),
        "meta": np.array(meta, dtype=np.str_),
    }


def cells_from_arrays(arrays: Mapping[str, np.ndarray[Any, Any]], where: str) -> list[DefectCell]:
    """Inverse of `cells_to_arrays`; `where` names the source in errors.

    Raises:
        DataError: a column is missing or the format is not this version's.
    """
    try:
        if int(arrays["format"]) != ARCHIVE_FORMAT:
            raise DataError(f"{where}: format {int(arrays['format'])} is not {ARCHIVE_FORMAT}; run its stage again")
        start, cells = arrays["start"], []
        for i, text in enumerate(arrays["meta"]):
            name, key, charge, provenance = json.loads(str(text))
            atoms = slice(int(start[i]), int(start[i + 1]))
            columns = (arrays["cell"][i], arrays["numbers"][atoms], arrays["positions"][atoms])
            cells.append(DefectCell(name, key, *columns, arrays["sites"][atoms], charge, _current(provenance)))
    except (KeyError, IndexError, ValueError) as error:
        raise DataError(f"{where}: not an archive of defect cells ({error})") from None
    return cells


def _current(provenance: dict[str, Any]) -> dict[str, Any]:
    """A provenance as this version writes it: until 0.1.0 it held a stopwatch, and who gave the forces was `forces`."""
    provenance.pop("elapsed", None)
    if "forces" in provenance:
        provenance["forces_by"] = provenance.pop("forces")
    return provenance


def write_cells(path: Path, cells: Sequence[DefectCell]) -> None:
    """Write defect cells to one archive at `path`, atomically."""
    write_arrays(path, cells_to_arrays(cells))


def read_cells(path: Path) -> list[DefectCell]:
    """Read the defect cells of an archive.

    Raises:
        DataError: the file is missing, damaged or of another format.
    """
    return cells_from_arrays(read_arrays(path), str(path))
