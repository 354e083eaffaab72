"""What a format is: something that takes the frames of each split, one by one, and leaves files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Protocol

from augment.errors import DataError
from defectgen.dataset.frame import Frame
from defectgen.dataset.settings import DatasetFormat


@dataclass(frozen=True)
class Contents:
    """What is known of a dataset before its first frame is written.

    Attributes:
        frames: number of frames of each split that has any, train first.
        elements: symbols, by atomic number.
        potentials: that labelled it.
        atomic_energies: energies of isolated atoms, eV, by potential and element, where the potentials know them.
        license: of the dataset.
        largest: most atoms in a frame.
        facts: names of the fields that some frame has.
    """

    frames: Mapping[str, int]
    elements: Sequence[str]
    potentials: Sequence[str]
    atomic_energies: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    license: str = ""
    largest: int = 0
    facts: Sequence[str] = ()


class Writer(Protocol):
    """Writes the frames of a dataset in one format."""

    def write(self, split: str, frame: Frame) -> None:
        """Append a frame to a split."""

    def finish(self) -> None:
        """Write what needs all frames to be known; the files are whole afterwards."""


class Part(Protocol):
    """Writes the frames of one split."""

    def write(self, frame: Frame) -> None:
        """Append a frame."""

    def finish(self) -> None:
        """Write what needs all frames of the split to be known."""

    def close(self) -> None:
        """Give back what is open, whatever has happened."""


class SplitWriter:
    """A writer that keeps splits apart.

    Args:
        parts: by split.
    """

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = parts

    def write(self, split: str, frame: Frame) -> None:
        """Append a frame to its split."""
        self._parts[split].write(frame)

    def finish(self) -> None:
        """Finish every split."""
        for part in self._parts.values():
            part.finish()


@contextmanager
def split_writer(contents: Contents, make: Callable[[str], Part]) -> Iterator[SplitWriter]:
    """A writer with a part for each split that has frames; `make` opens the part of a split."""
    with ExitStack() as stack:
        yield SplitWriter({split: stack.enter_context(closing(make(split))) for split in contents.frames})


OPENERS: Mapping[DatasetFormat, str] = {
    "extxyz": "extxyz_files:open_extxyz",
    "mace-hdf5": "mace_hdf5:open_mace_hdf5",
    "aselmdb": "databases.aselmdb:open_aselmdb",
    "ase-db": "databases.ase_db:open_ase_db",
    "deepmd": "deepmd.systems:open_deepmd",
    "deepmd-mixed": "deepmd.systems:open_deepmd_mixed",
    "nep": "nep:open_nep",
    "matpes": "matpes:open_matpes",
    "grace": "grace:open_grace",
    "metatrain": "metatrain:open_metatrain",
    "parquet": "parquet:open_parquet",
    "generative": "tables.generative:open_generative",
    "optimade": "tables.optimade:open_optimade",
}
"""Module of this room and function of each format: given a folder and `Contents`, a context manager of a `Writer`."""


@contextmanager
def open_writers(formats: Iterable[DatasetFormat], folder: Path, contents: Contents) -> Iterator[list[Writer]]:
    """Writers of some formats into a folder; extended XYZ at its top, each other in a folder of its name.

    Raises:
        DataError: a format needs a package that is not installed.
    """
    with ExitStack() as stack:
        yield [stack.enter_context(opener(kind)(_place(folder, kind), contents)) for kind in formats]


def _place(folder: Path, kind: DatasetFormat) -> Path:
    place = folder if kind == "extxyz" else folder / kind
    place.mkdir(parents=True, exist_ok=True)
    return place


def opener(kind: DatasetFormat) -> Callable[[Path, Contents], AbstractContextManager[Writer]]:
    """What opens the writer of a format.

    Raises:
        DataError: the format needs a package that is not installed.
    """
    module, name = OPENERS[kind].split(":")
    try:
        function: Callable[[Path, Contents], AbstractContextManager[Writer]]
        function = getattr(import_module(f"defectgen.dataset.formats.{module}"), name)
    except ModuleNotFoundError as error:
        raise DataError(f"the format {kind} needs {error.name}; pip install 'defectgen[datasets]'") from None
    return function
