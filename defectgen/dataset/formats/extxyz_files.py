"""Extended XYZ, a file for each split, in the dialect of `defectgen.dataset.extxyz`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from defectgen.dataset.extxyz import ExtxyzFile
from defectgen.dataset.formats.writer import Contents
from defectgen.dataset.frame import Frame


class ExtxyzWriter:
    """One file for each split.

    Args:
        files: by split.
    """

    def __init__(self, files: dict[str, ExtxyzFile]) -> None:
        self._files = files

    def write(self, split: str, frame: Frame) -> None:
        """Append a frame to the file of its split."""
        self._files[split].write(frame)

    def finish(self) -> None:
        """Put the files in place."""
        for file in self._files.values():
            file.publish()


@contextmanager
def open_extxyz(folder: Path, contents: Contents) -> Iterator[ExtxyzWriter]:
    """Files `train.extxyz`, `valid.extxyz`, `test.extxyz` in a folder, those that have frames."""
    with ExitStack() as stack:
        yield ExtxyzWriter({s: stack.enter_context(ExtxyzFile(folder / f"{s}.extxyz")) for s in contents.frames})
