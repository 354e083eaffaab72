"""Parquet: a row a frame, in parts of bounded size, that any table program can query and append to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from augment.cell import FloatArray
from augment.errors import DataError
from defectgen.dataset.fields import FIELD_NAMES, FIELDS
from defectgen.dataset.formats.tables.croissant import write_croissant
from defectgen.dataset.formats.writer import Contents
from defectgen.dataset.frame import NINE_OF_SIX, SIX_OF_NINE, Frame, FrameFact
from defectgen.dataset.survey import composition

ROWS = 1_000
"""Frames in a row group: what is held in memory at once, and what a query skips or reads."""

_TYPES = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "flag": pa.bool_()}

FRAME_SCHEMA = pa.schema(
    [
        pa.field("numbers", pa.list_(pa.int32())),
        pa.field("positions", pa.list_(pa.list_(pa.float64(), 3))),
        pa.field("cell", pa.list_(pa.list_(pa.float64(), 3), 3)),
        pa.field("pbc", pa.list_(pa.bool_(), 3)),
        pa.field("energy", pa.float64()),
        pa.field("forces", pa.list_(pa.list_(pa.float64(), 3))),
        pa.field("stress", pa.list_(pa.list_(pa.float64(), 3))),
        pa.field("charge", pa.int32()),
        pa.field("n_atoms", pa.int32()),
        pa.field("composition", pa.string()),
        pa.field("ideal_positions", pa.list_(pa.list_(pa.float64(), 3))),
        pa.field("ideal_cell", pa.list_(pa.list_(pa.float64(), 3))),
        *(pa.field(field.name, _TYPES[field.kind]) for field in FIELDS),
    ]
)
"""Å, eV, eV/Å, eV/Å³ (3x3, positive under tension), e; then the fields of every frame."""


class ParquetWriter:
    """One file for each split, written a row group at a time, and Croissant metadata of all.

    Args:
        folder: of the dataset in this format.
        contents: of the dataset.
    """

    def __init__(self, folder: Path, contents: Contents) -> None:
        self._folder, self._contents = folder, contents
        (folder / "data").mkdir(exist_ok=True)
        self._paths = {split: folder / "data" / f"{split}.parquet" for split in contents.frames}
        self._tables = {split: TableFile(path, FRAME_SCHEMA, ROWS) for split, path in self._paths.items()}

    def write(self, split: str, frame: Frame) -> None:
        """Append a frame to the file of its split."""
        self._tables[split].write(_row(frame))

    def finish(self) -> None:
        """Write what waits, and the ends of the files."""
        for table in self._tables.values():
            table.finish()
        write_croissant(self._folder / "croissant.json", self._paths, FRAME_SCHEMA, self._contents)

    def close(self) -> None:
        """Close the files, whatever has happened."""
        for table in self._tables.values():
            table.close()


@contextmanager
def open_parquet(folder: Path, contents: Contents) -> Iterator[ParquetWriter]:
    """A writer of `data/train.parquet` and so on, and of `croissant.json`."""
    with closing(ParquetWriter(folder, contents)) as writer:
        yield writer


def _row(frame: Frame) -> dict[str, Any]:
    return {
        "numbers": frame.numbers.astype(np.int32),
        "positions": frame.positions,
        "cell": frame.cell,
        "pbc": frame.pbc,
        "energy": frame.energy,
        "forces": frame.forces,
        "stress": None if frame.stress is None else frame.stress[NINE_OF_SIX].reshape(3, 3),
        "charge": frame.charge,
        "n_atoms": len(frame),
        "composition": composition(frame.numbers),
        "ideal_positions": None if frame.ideal is None else frame.ideal[0],
        "ideal_cell": None if frame.ideal is None else frame.ideal[1],
        **{name: frame.facts.get(name) for name in FIELD_NAMES},
    }


class TableFile:
    """A compressed file of rows, written a group at a time.

    Text is numbered, and bounds are kept of what a query can compare; both would be tried in vain, and slowly, for the
    digits of coordinates.

    Args:
        path: of the file.
        schema: of its columns.
        group: rows that are held in memory at once.
    """

    def __init__(self, path: Path, schema: pa.Schema, group: int) -> None:
        text = [field.name for field in schema if pa.types.is_string(field.type)]
        single = [field.name for field in schema if not pa.types.is_nested(field.type)]
        self._file = pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=text, write_statistics=single)
        self._schema, self._group = schema, group
        self._waiting: list[dict[str, Any]] = []

    def write(self, row: dict[str, Any]) -> None:
        """Append a row."""
        self._waiting.append(row)
        if len(self._waiting) >= self._group:
            self._flush()

    def finish(self) -> None:
        """Write what waits, and the end of the file."""
        self._flush()
        self._file.close()

    def close(self) -> None:
        """Close the file, whatever has happened."""
        self._file.close()

    def _flush(self) -> None:
        rows, self._waiting = self._waiting, []
        if rows:
            self._file.write_table(_arrow_table(rows, self._schema))


def _arrow_table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """A table of rows that have a value, or None, for each column."""
    return pa.table({field.name: _column(field, [row[field.name] for row in rows]) for field in schema}, schema=schema)


def _column(field: pa.Field, values: list[Any]) -> pa.Array:
    """A column of lists from stacked arrays, which is a hundred times faster than from lists of numbers."""
    if not pa.types.is_list(field.type) and not pa.types.is_fixed_size_list(field.type):
        return pa.array(values, type=field.type)
    if any(value is None for value in values):
        return pa.array([None if value is None else value.tolist() for value in values], type=field.type)
    stacked = np.concatenate([np.asarray(value) for value in values])
    inner = pa.array(stacked.ravel())
    if stacked.ndim > 1:
        inner = pa.FixedSizeListArray.from_arrays(inner, stacked.shape[1])
    if pa.types.is_fixed_size_list(field.type):
        return pa.FixedSizeListArray.from_arrays(inner, field.type.list_size)
    ends = np.cumsum([0, *(len(value) for value in values)], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), inner)


def parquet_frames(path: Path) -> Iterator[Frame]:
    """The frames of a Parquet file of this layout, a row group at a time.

    Raises:
        DataError: it cannot be read, or has no columns of structures.
    """
    try:
        file = pq.ParquetFile(path)
        missing = {"numbers", "positions", "cell"} - set(file.schema_arrow.names)
        if missing:
            raise DataError(f"{path}: no column {', '.join(sorted(missing))}; it holds no structures of this layout")
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            columns = {name: _values(table.column(name)) for name in table.column_names}
            for index in range(table.num_rows):
                yield _frame({name: column[index] for name, column in columns.items()})
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: not readable as Parquet ({error})") from None


def _values(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column; lists of numbers as arrays."""
    if not pa.types.is_list(column.type) and not pa.types.is_fixed_size_list(column.type):
        return list(column.to_pylist())
    array = column.combine_chunks()
    if array.null_count:
        return [None if value is None else np.array(value) for value in array.to_pylist()]
    bounds = _bounds(array)
    flat = array.flatten()
    width = flat.type.list_size if pa.types.is_fixed_size_list(flat.type) else 0
    numbers = (flat.flatten() if width else flat).to_numpy(zero_copy_only=False)
    rows = numbers.reshape(-1, width) if width else numbers
    return [rows[start:end] for start, end in pairwise(bounds)]


def _bounds(array: pa.Array) -> list[int]:
    if pa.types.is_fixed_size_list(array.type):
        return list(range(0, (len(array) + 1) * array.type.list_size, array.type.list_size))
    offsets = array.offsets.to_numpy()
    return [int(offset) for offset in offsets - offsets[0]]


def _frame(row: dict[str, Any]) -> Frame:
    stress, forces = row.get("stress"), row.get("forces")
    ideal = (row.get("ideal_positions"), row.get("ideal_cell"))
    facts: dict[str, FrameFact] = {name: row[name] for name in FIELD_NAMES if row.get(name) is not None}
    return Frame(
        np.asarray(row["numbers"], dtype=np.int64),
        np.asarray(row["positions"], dtype=float),
        np.asarray(row["cell"], dtype=float),
        np.asarray(row["pbc"], dtype=bool) if row.get("pbc") is not None else np.ones(3, dtype=bool),
        energy=row.get("energy"),
        forces=None if forces is None else np.asarray(forces, dtype=float),
        stress=None if stress is None else np.asarray(stress, dtype=float).ravel()[SIX_OF_NINE],
        charge=int(row.get("charge") or 0),
        facts=facts,
        ideal=None if any(array is None for array in ideal) else (_floats(ideal[0]), _floats(ideal[1])),
    )


def _floats(rows: Any) -> FloatArray:
    return np.array(rows, dtype=float)
