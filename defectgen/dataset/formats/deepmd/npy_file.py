"""A .npy file that grows by rows, and is a whole array once it is finished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy


class NpyFile:
    """Rows of one shape and type; the file is open only while rows are added.

    Args:
        path: of the file, new.
        row: shape of a row.
        kind: type of its numbers.
    """

    def __init__(self, path: Path, row: tuple[int, ...], kind: type[np.generic] = np.float64) -> None:
        self._path, self._row, self._kind = path, row, np.dtype(kind)
        self._rows = 0
        self._write_header("wb")

    def append(self, rows: np.ndarray[Any, Any]) -> None:
        """Add (n, ...) rows."""
        with self._path.open("ab") as stream:
            stream.write(np.ascontiguousarray(rows, dtype=self._kind).tobytes())
        self._rows += len(rows)

    def finish(self) -> None:
        """Put the number of rows into the head, which has room for it."""
        self._write_header("r+b")

    def _write_header(self, mode: str) -> None:
        head = {"descr": self._kind.str, "fortran_order": False, "shape": (self._rows, *self._row)}
        with self._path.open(mode) as stream:
            npy.write_array_header_1_0(stream, head)
