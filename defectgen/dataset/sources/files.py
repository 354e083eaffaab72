"""Datasets of ours or of others as sources of frames: extended XYZ, ASE databases, Parquet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from augment.errors import DataError
from defectgen.dataset.extxyz import frame_of_atoms, read_frames
from defectgen.dataset.frame import Frame

XYZ_SUFFIXES = (".extxyz", ".xyz")
DATABASE_SUFFIXES = (".db", ".aselmdb", ".lmdb")
MANIFEST_NAME = "manifest.json"
WHOLE_FORMATS = ("parquet", "aselmdb", "ase-db")
"""Formats that keep all of a frame, the one that keeps most first; extended XYZ lies beside them."""

SPLIT_FILES = ("train", "valid", "test")


@dataclass(frozen=True)
class FileSource:
    """A file of frames, or a folder of such files.

    Attributes:
        path: of the file or the folder.
    """

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def files(self) -> list[Path]:
        """The files that hold frames, in the order of their names; train, valid and test first."""
        return dataset_files(self.path)

    def check(self) -> None:
        """Refuse a path without any file that can be read.

        Raises:
            DataError: there is none.
        """
        if not self.files:
            known = ", ".join(READERS)
            raise DataError(f"{self.path}: neither a run folder nor a dataset; datasets are files that end in {known}")

    def frames(self) -> Iterator[Frame]:
        """The frames of all files; those of a file called train, valid or test know it as `split`.

        Raises:
            DataError: a file is damaged.
        """
        for path in self.files:
            split = split_of(path)
            for frame in READERS[path.suffix](path):
                yield frame.with_facts(run=frame.facts.get("run", path.name), split=split or None)


def split_of(path: Path) -> str:
    """The split that a file is of by its name or by that of its folder, empty where it does not say."""
    words = (path.stem.split(".")[0], path.parent.name)
    known = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}
    return next((known[word] for word in words if word in known), "")


def is_dataset(path: Path) -> bool:
    """Whether there are files of frames at a path, and it is no run folder."""
    return not (path / "run.json").is_file() and not (path / "relax").is_dir() and bool(dataset_files(path))


def dataset_files(path: Path) -> list[Path]:
    """The files of frames at a path: itself, or those of a folder, train, valid and test first."""
    if path.is_file():
        return [path] if path.suffix in READERS else []
    found = [file for file in _one_format(path).rglob("*") if file.suffix in READERS and not file.name.startswith(".")]
    if (path / MANIFEST_NAME).is_file() and any(file.parent == path for file in found):
        found = [file for file in found if file.parent == path]
    order = {name: rank for rank, name in enumerate(SPLIT_FILES)}
    return sorted(found, key=lambda file: (order.get(split_of(file), len(order)), str(file)))


def _one_format(path: Path) -> Path:
    """Where to look in a folder: an exported dataset holds the same frames once for each of its formats."""
    if not (path / MANIFEST_NAME).is_file():
        return path
    return next((path / kind for kind in WHOLE_FORMATS if (path / kind).is_dir()), path)


def read_database(path: Path) -> Iterator[Frame]:
    """The frames of an ASE database: SQLite, or LMDB as fairchem writes it.

    Raises:
        DataError: it cannot be read, or the package for its kind is not installed.
    """
    from ase.db import connect

    try:
        with connect(path) as database:
            for row in database.select():
                atoms = row.toatoms()
                atoms.info = {**row.key_value_pairs, **(row.data or {})}
                yield frame_of_atoms(atoms)
    except ModuleNotFoundError as error:
        raise DataError(f"{path}: needs {error.name}; pip install 'defectgen[datasets]'") from None
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001  the database raises whatever its file provokes
        raise DataError(f"{path}: not readable as an ASE database ({error})") from None


def read_parquet(path: Path) -> Iterator[Frame]:
    """The frames of a Parquet file; see `defectgen.dataset.formats.parquet`.

    Raises:
        DataError: it cannot be read, or pyarrow is not installed.
    """
    try:
        from defectgen.dataset.formats.parquet import parquet_frames
    except ModuleNotFoundError as error:
        raise DataError(f"{path}: needs {error.name}; pip install 'defectgen[datasets]'") from None
    yield from parquet_frames(path)


READERS: dict[str, Callable[[Path], Iterator[Frame]]] = {
    **dict.fromkeys(XYZ_SUFFIXES, read_frames),
    **dict.fromkeys(DATABASE_SUFFIXES, read_database),
    ".parquet": read_parquet,
}
"""What reads a file, by the end of its name."""
