"""A store of distorted copies in columns on disk: appended to in batches, killed at any instant, read row by row.

A store is a folder of segments, each an HDF5 file that holds some thousand rows and the parents, labels and provenance
that they need. A segment is written whole, synced and renamed into place, and its name says which rows it holds. So a
reader sees every committed row and nothing torn, whenever the writer is killed; the next writer goes on after the last
committed row. Every dataset carries a checksum. HDF5 rather than Parquet or Zarr because one row is read 10 to 30 times
faster at the same size (`benchmarks/distortions.py`).

Use this store for many copies of few parents, more than fit in memory. `augment.storage.archive` keeps whole stages
of a run, some hundred cells of any kind, in one archive.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self, overload

import numpy as np

from augment.cell import DefectCell, IntArray
from augment.distort.copies import Copies
from augment.distort.store_segment import ColumnArray, Segment, segment_bytes
from augment.errors import DataError
from augment.storage.archive import write_atomically
from augment.storage.lock import folder_lock

COLUMN_FORMAT = {"format": "defectgen columns", "version": 1}
HEADER = "columns.json"

SEGMENT_BYTES = 1 << 24
"""Displacements in one segment: few files for a million copies, and a memory need that is small beside Python's."""

_SEGMENT = re.compile(r"rows-(\d{12})-(\d{12})\.h5")
_OPEN_SEGMENTS = 64
"""Segments whose small columns a reader keeps in memory, about a megabyte each."""


class ColumnWriter:
    """Appends copies to a store, which is made if there is none; use it in a `with` statement.

    Rows are committed whenever a segment is full, by `commit`, and when the block ends without an exception. One
    writer at a time holds the store.

    Raises:
        DataError: the folder holds something else.
        ResumeError: another writer has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[Copies] = []
        _make_header(path)
        self._hold = ExitStack()
        self._hold.enter_context(folder_lock(path))
        for left in path.glob(".rows-*"):  # of a writer that was killed
            left.unlink()
        self._committed = int(_segments(path)[1][-1])

    def __len__(self) -> int:
        """Number of committed rows."""
        return self._committed

    def append(self, copies: Copies) -> None:
        """Add a batch; it is on disk for good after the next commit."""
        if len(copies):
            self._waiting.append(copies)
        if sum(batch.displacements.size for batch in self._waiting) * 4 >= SEGMENT_BYTES:
            self.commit()

    def commit(self) -> None:
        """Write all rows that wait as one segment; on return they survive a kill and a power cut."""
        if not self._waiting:
            return
        stop = self._committed + sum(map(len, self._waiting))
        write_atomically(self.path / f"rows-{self._committed:012}-{stop:012}.h5", segment_bytes(self._waiting))
        _sync_folder(self.path)
        self._committed, self._waiting = stop, []

    def close(self) -> None:
        """Let go of the store without committing what waits."""
        self._hold.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            self.close()


class ColumnStore(Sequence[DefectCell]):
    """The committed rows of a store, read-only; rows committed after it was opened are not seen.

    `store[i]` is the defect cell of row i, with its label, seed, amplitude and provenance in `info`;
    `store[a:b]` is a list of cells; `batches()` gives arrays.

    Raises:
        DataError: there is no store, it is of another format, or (when read) damaged.
    """

    def __init__(self, path: Path) -> None:
        _check_header(path)
        self.path = path
        self._files, self._starts = _segments(path)
        self._opened: dict[int, Segment] = {}

    def __len__(self) -> int:
        return int(self._starts[-1])

    @overload
    def __getitem__(self, key: int) -> DefectCell: ...
    @overload
    def __getitem__(self, key: slice) -> list[DefectCell]: ...
    def __getitem__(self, key: int | slice) -> DefectCell | list[DefectCell]:
        if isinstance(key, slice):
            return [self[i] for i in range(*key.indices(len(self)))]
        row = key + len(self) if key < 0 else key
        if not 0 <= row < len(self):
            raise IndexError(f"row {key} of a store of {len(self)} rows")
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self._segment(number).cell(row - int(self._starts[number]))

    def __iter__(self) -> Iterator[DefectCell]:
        return (self[i] for i in range(len(self)))

    def batches(self) -> Iterator[Copies]:
        """All rows in order as batches of arrays: consecutive rows of one parent and one provenance together."""
        for number in range(len(self._files)):
            segment = self._segment(number)
            for start, stop in pairwise(segment.edges()):
                yield segment.copies(start, stop)

    def column(self, name: str) -> ColumnArray:
        """One value a row: `kind`, `irrep`, `subgroup`, `multiplicity`, `amplitude`, `seed`, `index`, `name`, `key`.

        Raises:
            DataError: there is no such column.
        """
        parts = [self._segment(number).column(name) for number in range(len(self._files))]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _segment(self, number: int) -> Segment:
        """A segment, from those in memory if it is there; the one opened first makes room."""
        if number not in self._opened:
            if len(self._opened) == _OPEN_SEGMENTS:
                del self._opened[next(iter(self._opened))]
            expected = int(self._starts[number + 1] - self._starts[number])
            self._opened[number] = Segment.read(self._files[number], expected)
        return self._opened[number]


def _make_header(path: Path) -> None:
    """Make an empty store where there is nothing, and check what is there otherwise."""
    if path.exists() and (not path.is_dir() or any(not x.name.startswith(".") for x in path.iterdir())):
        _check_header(path)
        return
    write_atomically(path / HEADER, json.dumps(COLUMN_FORMAT).encode())
    _sync_folder(path)


def _check_header(path: Path) -> None:
    try:
        header = json.loads((path / HEADER).read_bytes())
    except (OSError, ValueError):
        raise DataError(f"{path}: not a store of distorted copies; its folder holds no readable {HEADER}") from None
    if header != COLUMN_FORMAT:
        raise DataError(f"{path}: format {header} is not {COLUMN_FORMAT}; read it with the version that wrote it")


def _segments(path: Path) -> tuple[list[Path], IntArray]:
    """Files of the segments in order, and the first row of each followed by the number of all rows."""
    named = sorted((match, file) for file in path.iterdir() if (match := _rows_in_name(file)))
    bounds = [0]
    for (start, stop), file in named:
        if start != bounds[-1] or stop <= start:
            raise DataError(f"{file}: rows {bounds[-1]} to {start} before it are missing; restore their file")
        bounds.append(stop)
    return [file for _, file in named], np.array(bounds, dtype=np.int64)


def _rows_in_name(file: Path) -> tuple[int, int] | None:
    match = _SEGMENT.fullmatch(file.name)
    return (int(match[1]), int(match[2])) if match else None


def _sync_folder(path: Path) -> None:
    """Make names that were put into a folder survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
