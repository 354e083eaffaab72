"""AseLMDB as fairchem lays it out: `train/data.0000.aselmdb` with `metadata.npz`, the held-out splits beside it.

The rows are those of `ase-db-backends`, which takes a millisecond for each and looks through all earlier ones; here
they are put into the LMDB file directly, with the same keys and values, and `ase.db.connect` reads them. fairchem puts
the data of a row into `atoms.info`, where `energy`, `forces` or `stress` would take the place of the labels of the
calculator; they are never in it.
"""

from __future__ import annotations

import zlib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import orjson

from augment.storage.archive import write_arrays
from defectgen.dataset.formats.databases.rows import row_name
from defectgen.dataset.formats.writer import Contents, SplitWriter, split_writer
from defectgen.dataset.frame import Frame

FOLDERS = {"train": "train", "valid": "val", "test": "test"}
"""fairchem's name of each split."""

SPIN = 0
"""Multiplicity of a frame: not known, as in the sets of materials of fairchem."""

_MAP_SIZE = 2**40
"""Bytes that the file may grow to; it takes what it holds."""

_BATCH = 1_000
"""Frames of a transaction."""

_LEVEL = 1
"""Of compression: the digits of coordinates hardly compress, and higher levels take three times as long."""

_LABEL_NAMES = frozenset({"energy", "free_energy", "forces", "stress", "REF_energy", "REF_forces", "REF_stress"})


class LmdbPart:
    """The folder of one split.

    Args:
        folder: new.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._file = lmdb.open(
            str(folder / "data.0000.aselmdb"), map_size=_MAP_SIZE, subdir=False, lock=False, sync=False, readahead=False
        )
        self._waiting: list[tuple[bytes, bytes]] = []
        self._natoms: list[int] = []
        self._charges: list[int] = []

    def write(self, frame: Frame) -> None:
        """Append a frame as the next row."""
        self._natoms.append(len(frame))
        self._charges.append(frame.charge)
        self._waiting.append((str(len(self._natoms)).encode(), _packed(lmdb_row(frame, len(self._natoms)))))
        if len(self._waiting) >= _BATCH:
            self._flush()

    def finish(self) -> None:
        """Write what waits, and the numbers that samplers need."""
        self._flush()
        spins = np.full(len(self._natoms), SPIN, dtype=np.int64)
        columns = {"natoms": np.array(self._natoms, dtype=np.int64), "charge": np.array(self._charges, dtype=np.int64)}
        write_arrays(self._folder / "metadata.npz", {**columns, "spin": spins})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _flush(self) -> None:
        with self._file.begin(write=True) as transaction:
            for key, value in self._waiting:
                transaction.put(key, value)
            transaction.put(b"nextid", _packed(len(self._natoms) + 1))
        self._waiting.clear()


def lmdb_row(frame: Frame, index: int) -> dict[str, Any]:
    """The row of a frame, number `index` of its file, as `ase-db-backends` has it."""
    labels = {"energy": frame.energy, "free_energy": frame.energy, "forces": frame.forces, "stress": frame.stress}
    facts = {name: value for name, value in frame.facts.items() if name not in _LABEL_NAMES}
    return {
        "numbers": _array(frame.numbers),
        "positions": _array(frame.positions),
        "cell": _array(frame.cell),
        "pbc": _array(np.asarray(frame.pbc, dtype=bool)),
        "unique_id": row_name(frame, index),
        "ctime": 0.0,
        "mtime": 0.0,
        "user": "",
        "calculator": "unknown",
        "calculator_parameters": {},
        **{k: _array(v) if isinstance(v, np.ndarray) else v for k, v in labels.items() if v is not None},
        "data": {**facts, "charge": frame.charge, "spin": SPIN},
    }


def _array(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    """An array in ASE's JSON."""
    return {"__ndarray__": [values.shape, str(values.dtype), np.ascontiguousarray(values).ravel()]}


def _packed(value: object) -> bytes:
    return zlib.compress(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), _LEVEL)


def open_aselmdb(folder: Path, contents: Contents) -> AbstractContextManager[SplitWriter]:
    """A writer of the folders `train`, `val` and `test`."""
    return split_writer(contents, lambda split: LmdbPart(folder / FOLDERS[split]))
