"""The files of anybody's dataset, and the entries of each: extended XYZ, ASE databases, Parquet."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from augment.errors import DataError
from augment.storage.missing import no_such_file
from defectgen.dataset.frame import Frame
from defectgen.dataset.sources.files import DATABASE_SUFFIXES, READERS, XYZ_SUFFIXES, dataset_files
from defectgen.dataset.validation.entries import Entry, make_entry
from defectgen.dataset.validation.extxyz_blocks import extxyz_entries

MANIFEST_FILE = "manifest.json"

_SPLIT_WORDS = {
    "train": "train", "training": "train", "valid": "valid", "val": "valid", "validation": "valid", "dev": "valid",
    "test": "test", "testing": "test", "holdout": "test",
}  # fmt: skip

_COLUMNS = {
    "atomic_numbers": "numbers",
    "coords": "positions",
    "lattice": "cell",
    "atomic_forces": "forces",
    "cauchy_stress": "stress",
}
"""Names that other tables give to what ours call otherwise; those of ColabFit among them."""

_MEASURED = frozenset({"n_atoms", "composition"})
"""Columns that say again what the structure says."""

_BATCH = 500


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files to read, each once; of a dataset that holds the same frames in several formats those of one format.

    Raises:
        DataError: a path is missing, or no file of frames is there.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: {no_such_file(path)}")
        found = _one_format(path) if (path / MANIFEST_FILE).is_file() else dataset_files(path)
        if (path / "run.json").is_file():
            raise DataError(f"{path}: a run folder, no dataset; validate {path / 'export'}")
        if not found:
            raise DataError(f"{path}: no file of frames; datasets are files that end in {', '.join(READERS)}")
        files += [file for file in found if file not in files]
    return files


def _one_format(path: Path) -> list[Path]:
    """The files of an exported dataset: those at its top, or those of the first of its formats."""
    top = [file for file in dataset_files(path) if file.parent == path]
    every = dataset_files(path)
    return top or [file for file in every if file.suffix == every[0].suffix]


def split_in_name(path: Path) -> str:
    """The split that the words in the name of a file or of its folder say, empty where they say none."""
    for name in (path.name.split(".")[0], path.parent.name):
        words = re.findall(r"[a-z]+", name.lower())
        for word in reversed(words):
            if word in _SPLIT_WORDS:
                return _SPLIT_WORDS[word]
    return ""


def entries_of(path: Path) -> Iterator[Entry]:
    """The entries of a file; one that cannot be read at all gives a single entry that says so.

    Raises:
        DataError: a package for its kind is not installed.
    """
    reader = next(read for suffixes, read in _READERS.items() if path.suffix in suffixes)
    yield from reader(path)


def usable_frames(path: Path) -> Iterator[tuple[Entry, Frame | None]]:
    """The entries of a file, each with its frame where it is one that can be learnt; it knows its file and split.

    Raises:
        DataError: a package for its kind is not installed.
    """
    split = split_in_name(path)
    for entry in entries_of(path):
        if entry.problem or entry.frame is None or entry.is_isolated_atom:
            yield entry, None
        else:
            frame = entry.frame
            yield entry, frame.with_facts(run=frame.facts.get("run", path.name), split=split or None)


def _database_entries(path: Path) -> Iterator[Entry]:
    from ase.db import connect

    number = 0
    try:
        _check_lmdb(path)
        with connect(path) as database:
            for row in database.select():
                yield _row_entry(number, row)
                number += 1
    except ModuleNotFoundError as error:
        raise DataError(f"{path}: needs {error.name}; pip install 'defectgen[datasets]'") from None
    except Exception as error:  # noqa: BLE001  the database raises whatever its file provokes
        yield Entry(number, None, f"not readable as an ASE database ({type(error).__name__}: {error})")


def _check_lmdb(path: Path) -> None:
    """Open a file of LMDB and close it: ASE's object for one that cannot be opened fails again when it is deleted."""
    if path.suffix in (".aselmdb", ".lmdb"):
        import lmdb

        lmdb.open(str(path), subdir=path.is_dir(), readonly=True, lock=False).close()


def _row_entry(number: int, row: Any) -> Entry:
    """The entry of a row; what its data says hides what its calculator says, as in fairchem."""
    try:
        atoms = row.toatoms()
        results = {} if atoms.calc is None else dict(atoms.calc.results)
        data = row.data if isinstance(row.data, Mapping) else {}
        arrays = {name: atoms.arrays[name] for name in ("momenta", "initial_magmoms") if name in atoms.arrays}
        values = {**arrays, **row.key_value_pairs, **_decoded(data), **results}
        hidden = {f"data.{name}": data[name] for name in ("energy", "forces", "stress") if name in data}
        numbers = np.asarray(atoms.numbers, dtype=np.int64)
        cell, pbc = np.array(atoms.cell, dtype=float), np.array(atoms.pbc, dtype=bool)
    except Exception as error:  # noqa: BLE001  as above
        return Entry(number, None, f"a row that is no structure ({type(error).__name__}: {error})")
    return make_entry(number, numbers, np.array(atoms.positions, dtype=float), cell, pbc, {**values, **hidden})


def _decoded(data: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in data.items() if not str(name).startswith("__")}


def _parquet_entries(path: Path) -> Iterator[Entry]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise DataError(f"{path}: needs {error.name}; pip install 'defectgen[datasets]'") from None
    number = 0
    try:
        file = pq.ParquetFile(path)
        missing = {"numbers", "positions", "cell"} - {_COLUMNS.get(name, name) for name in file.schema_arrow.names}
        if missing:
            yield Entry(0, None, f"no column {', '.join(sorted(missing))}: no structures in it")
            return
        for batch in file.iter_batches(batch_size=_BATCH):
            for row in batch.to_pylist():
                yield _table_entry(number, row)
                number += 1
    except (OSError, pa.ArrowException) as error:
        yield Entry(number, None, f"not readable as Parquet ({error})")


def _table_entry(number: int, row: Mapping[str, Any]) -> Entry:
    known = {_COLUMNS.get(name, name): value for name, value in row.items() if value is not None}
    values = {name: value for name, value in known.items() if name not in _MEASURED}
    try:
        numbers = np.asarray(values.pop("numbers"), dtype=np.int64)
        positions = np.asarray(values.pop("positions"), dtype=float).reshape(len(numbers), 3)
        cell = np.asarray(values.pop("cell"), dtype=float).reshape(3, 3)
        pbc = np.broadcast_to(np.asarray(values.pop("pbc", True), dtype=bool), (3,)).copy()
    except (KeyError, TypeError, ValueError) as error:
        return Entry(number, None, f"a row that is no structure ({error})")
    return make_entry(number, numbers, positions, cell, pbc, values)


_READERS: dict[tuple[str, ...], Callable[[Path], Iterator[Entry]]] = {
    XYZ_SUFFIXES: extxyz_entries,
    DATABASE_SUFFIXES: _database_entries,
    (".parquet",): _parquet_entries,
}
