"""What a format is: something that takes the frames of each split, one by one, and leaves files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from augment.errors import PotentialError
from defectgen.dataset.frame import Frame
from defectgen.dataset.settings import Format


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
    """

    frames: Mapping[str, int]
    elements: Sequence[str]
    potentials: Sequence[str]
    atomic_energies: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    license: str = ""
    largest: int = 0


class Writer(Protocol):
    """Writes the frames of a dataset in one format."""

    def write(self, split: str, frame: Frame) -> None:
        """Append a frame to a split."""

    def finish(self) -> None:
        """Write what needs all frames to be known; the files are whole afterwards."""


MODULES: Mapping[Format, str] = {
    "extxyz": "extxyz_files",
    "parquet": "parquet",
}
"""Module of each format in this room; each has `open_writer(folder, contents)`, a context manager of a `Writer`."""


@contextmanager
def open_writers(formats: Iterable[Format], folder: Path, contents: Contents) -> Iterator[list[Writer]]:
    """Writers of some formats into a folder; extended XYZ at its top, each other in a folder of its name.

    Raises:
        PotentialError: a format needs a package that is not installed.
    """
    with ExitStack() as stack:
        yield [stack.enter_context(_module(kind).open_writer(_place(folder, kind), contents)) for kind in formats]


def _place(folder: Path, kind: Format) -> Path:
    place = folder if kind == "extxyz" else folder / kind
    place.mkdir(parents=True, exist_ok=True)
    return place


def _module(kind: Format) -> Any:
    try:
        return import_module(f"defectgen.dataset.formats.{MODULES[kind]}")
    except ModuleNotFoundError as error:
        raise PotentialError(f"the format {kind} needs {error.name}; pip install 'defectgen[datasets]'") from None
