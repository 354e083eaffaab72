"""One segment of a columnar store: rows of distorted copies, with all that they refer to, in one HDF5 file.

Displacements are one flat dataset, so that parents of different sizes share a file; the row's parent gives how many
lines belong to it. Names, labels and provenance are tables that rows point into, so that they cost a few bytes a row.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.distort.copies import Copies, CopyLabel, distorted_cell
from augment.errors import DataError

_CHUNK_ROWS = 4096
"""Lines of a dataset that are compressed together; 48 kB of displacements, decompressed to read one row."""

_UPPER = np.triu_indices(3)

ColumnArray = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Segment:
    """One file: its parents, labels and small columns in memory, its displacements on disk.

    Attributes:
        path: of the file.
        parents: the parent cells.
        labels: distinct labels.
        provenance: distinct provenances.
        rows: columns with a value a row: parent, label, provenance, seed, index, amplitude, strain (m, 6).
        starts: (m + 1,) where the displacements of each row begin.
        stored: the HDF5 dataset (atoms, 3) of the displacements.
    """

    path: Path
    parents: tuple[DefectCell, ...]
    labels: tuple[CopyLabel, ...]
    provenance: tuple[dict[str, Any], ...]
    rows: dict[str, ColumnArray]
    starts: IntArray
    stored: Any

    @classmethod
    def read(cls, path: Path, expected: int) -> Self:
        """Open the file of a segment that must hold the expected number of rows.

        Raises:
            DataError: it is damaged or holds another number of rows.
        """
        import h5py

        try:
            file = h5py.File(path, "r")
            tables = json.loads(bytes(file["tables"][()]))
            rows = {name: dataset[()] for name, dataset in file["rows"].items()}
            parents = _read_parents(tables["parents"], {k: d[()] for k, d in file["parents"].items()})
            counts = np.array([len(parent) for parent in parents])[rows["parent"]]
            labels = tuple(CopyLabel(*label) for label in tables["labels"])
            segment = cls(
                path, parents, labels, tuple(tables["provenance"]), rows, _starts(counts), file["displacements"]
            )
        except Exception as error:  # noqa: BLE001  a damaged file raises whatever its reader meets first
            raise _damaged(path, error) from None
        if any(len(column) != expected for column in rows.values()) or segment.stored.shape != (segment.starts[-1], 3):
            raise DataError(f"{path}: does not hold the {expected} rows that its name says")
        return segment

    def edges(self) -> list[int]:
        """Rows where the parent, the provenance or the seed changes, with both ends."""
        changes = np.any([np.diff(self.rows[name]) != 0 for name in ("parent", "provenance", "seed")], axis=0)
        return [0, *(np.flatnonzero(changes) + 1).tolist(), len(self.rows["parent"])]

    def displacements(self, start: int, stop: int) -> FloatArray:
        """Displacements of some rows, one after another, (atoms, 3), Å."""
        try:
            return np.asarray(self.stored[self.starts[start] : self.starts[stop]], dtype=float)
        except Exception as error:  # noqa: BLE001  as above
            raise _damaged(self.path, error) from None

    def cell(self, row: int) -> DefectCell:
        """The defect cell of a row."""
        values = {name: self.rows[name][row].item() for name in ("amplitude", "seed", "index")}
        return distorted_cell(
            self.parents[self.rows["parent"][row]],
            self.displacements(row, row + 1),
            _full_strain(self.rows["strain"][row]),
            self.labels[self.rows["label"][row]],
            values,
            self.provenance[self.rows["provenance"][row]],
        )

    def copies(self, start: int, stop: int) -> Copies:
        """Rows of one parent, provenance and seed as arrays."""
        parent = self.parents[self.rows["parent"][start]]
        rows = {name: column[start:stop] for name, column in self.rows.items()}
        moved = self.displacements(start, stop).reshape(stop - start, len(parent), 3)
        numbers = (rows["amplitude"], int(rows["seed"][0]), rows["index"])
        shared = self.provenance[rows["provenance"][0]]
        return Copies(parent, moved, _full_strain(rows["strain"]), self.labels, rows["label"], *numbers, shared)

    def column(self, name: str) -> ColumnArray:
        """One value a row, by name."""
        if name in ("amplitude", "seed", "index"):
            return self.rows[name]
        if name in CopyLabel.__dataclass_fields__:
            return np.asarray([getattr(label, name) for label in self.labels])[self.rows["label"]]
        if name in ("name", "key"):
            return np.array([getattr(parent, name) for parent in self.parents])[self.rows["parent"]]
        raise DataError(f"{self.path.parent}: no column {name!r}")


def segment_bytes(batches: Sequence[Copies]) -> bytes:
    """The HDF5 file that holds some batches."""
    parents = {id(b.parent): b.parent for b in batches}
    parent = {key: k for k, key in enumerate(parents)}
    label = {x: k for k, x in enumerate(dict.fromkeys(x for b in batches for x in b.labels))}
    texts = [json.dumps(dict(b.provenance), sort_keys=True) for b in batches]
    provenance = {text: k for k, text in enumerate(dict.fromkeys(texts))}
    size = [len(b) for b in batches]
    rows: dict[str, ColumnArray] = {
        "rows/parent": np.repeat(np.array([parent[id(b.parent)] for b in batches], np.int32), size),
        "rows/provenance": np.repeat(np.array([provenance[t] for t in texts], np.int32), size),
        "rows/seed": np.repeat(np.array([b.seed for b in batches], np.int64), size),
        "rows/label": np.concatenate([np.array([label[x] for x in b.labels], np.int32)[b.label] for b in batches]),
        "rows/index": np.concatenate([b.index for b in batches]).astype(np.int64),
        "rows/amplitude": np.concatenate([b.amplitudes for b in batches]).astype(np.float32),
        "rows/strain": np.concatenate([b.strains[:, *_UPPER] for b in batches]).astype(np.float32),
    }
    tables = {
        "parents": [[p.name, p.key, p.charge, dict(p.provenance)] for p in parents.values()],
        "labels": [astuple(x) for x in label],
        "provenance": [json.loads(text) for text in provenance],
    }
    flat = np.concatenate([b.displacements.reshape(-1, 3) for b in batches]).astype(np.float32)
    text = np.frombuffer(json.dumps(tables, sort_keys=True).encode(), np.uint8)
    return _hdf5(rows | _parent_columns(list(parents.values())) | {"displacements": flat, "tables": text})


def _hdf5(columns: dict[str, ColumnArray]) -> bytes:
    """An HDF5 file of these columns, compressed and with checksums, as bytes; equal columns give equal bytes."""
    import h5py

    # Closed before its bytes are taken: HDF5 before 2.0 leaves a stale checksum in the image of a file that is open.
    stream = BytesIO()
    with h5py.File(stream, "w", libver="latest") as file:
        for name, column in columns.items():
            chunk = (min(max(len(column), 1), _CHUNK_ROWS), *column.shape[1:])
            file.create_dataset(
                name, data=column, chunks=chunk, shuffle=True, compression="gzip", compression_opts=1, fletcher32=True
            )
    return stream.getvalue()


def _parent_columns(parents: Sequence[DefectCell]) -> dict[str, ColumnArray]:
    return {
        "parents/atoms": np.array([len(p) for p in parents], np.int64),
        "parents/cell": np.array([p.cell for p in parents]),
        "parents/numbers": np.concatenate([p.numbers for p in parents]).astype(np.uint8),
        "parents/sites": np.concatenate([p.sites for p in parents]).astype(np.int32),
        "parents/positions": np.concatenate([p.positions for p in parents]),
    }


def _read_parents(
    described: Sequence[tuple[str, str, int, dict[str, Any]]], columns: dict[str, ColumnArray]
) -> tuple[DefectCell, ...]:
    starts = _starts(columns["atoms"])
    parents = []
    for k, (name, key, charge, info) in enumerate(described):
        part = slice(int(starts[k]), int(starts[k + 1]))
        numbers, sites = columns["numbers"][part].astype(np.int64), columns["sites"][part].astype(np.int64)
        parents.append(
            DefectCell(name, key, columns["cell"][k], numbers, columns["positions"][part], sites, charge, info)
        )
    return tuple(parents)


def _starts(counts: IntArray) -> IntArray:
    return np.concatenate([[0], np.cumsum(counts)])


def _full_strain(upper: FloatArray) -> FloatArray:
    """Symmetric matrices (..., 3, 3) of their upper triangles (..., 6): xx, xy, xz, yy, yz, zz."""
    full = np.zeros((*upper.shape[:-1], 3, 3))
    full[..., *_UPPER] = upper
    full[..., _UPPER[1], _UPPER[0]] = upper
    return full


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: damaged ({error}); restore it, or delete it and every later one and write them again")
