"""Which kind of source a path is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from augment.errors import DataError
from augment.storage.missing import no_such_file
from defectgen.dataset.frame import Frame
from defectgen.dataset.sources.files import FileSource, is_dataset
from defectgen.dataset.sources.run_folder import RunSource


class Source(Protocol):
    """A place that gives frames, from the first, as often as it is asked."""

    def check(self) -> None:
        """Refuse what has no frames, before anything is written."""

    def frames(self) -> Iterator[Frame]:
        """All frames in their order."""


def open_sources(paths: Sequence[Path], path_frames: int = 4) -> list[Source]:
    """The sources at some paths: run folders, and datasets of ours or of others.

    Args:
        paths: of them.
        path_frames: of each relaxation of a run folder.

    Raises:
        DataError: there is none, one is missing, is given twice, or holds no frames.
    """
    if not paths:
        raise DataError("nothing to read; give at least one run folder or dataset")
    seen: set[Path] = set()
    sources: list[Source] = []
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: {no_such_file(path, 'name a run folder or a dataset')}")
        if path.resolve() in seen:
            raise DataError(f"{path} is given twice; its frames would be in the dataset twice")
        seen.add(path.resolve())
        sources.append(FileSource(path) if is_dataset(path) else RunSource(path, path_frames))
    for source in sources:
        source.check()
    return sources
