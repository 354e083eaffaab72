"""Extended XYZ, a file for each split, in the dialect of `defectgen.dataset.extxyz`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from defectgen.dataset.extxyz import MISSING, ExtxyzFile
from defectgen.dataset.fields import FIELDS
from defectgen.dataset.formats.writer import Contents
from defectgen.dataset.frame import Frame


class ExtxyzWriter:
    """One file for each split; its frames all have the same keys.

    Args:
        files: by split.
        facts: names of the fields that some frame has.
    """

    def __init__(self, files: dict[str, ExtxyzFile], facts: Sequence[str]) -> None:
        self._files = files
        self._missing = {field.name: MISSING[field.kind] for field in FIELDS if field.name in facts}

    def write(self, split: str, frame: Frame) -> None:
        """Append a frame to the file of its split."""
        self._files[split].write(replace(frame, facts={**self._missing, **frame.facts}))

    def finish(self) -> None:
        """Put the files in place."""
        for file in self._files.values():
            file.publish()


@contextmanager
def open_extxyz(folder: Path, contents: Contents) -> Iterator[ExtxyzWriter]:
    """Files `train.extxyz`, `valid.extxyz`, `test.extxyz` in a folder, those that have frames."""
    with ExitStack() as stack:
        files = {s: stack.enter_context(ExtxyzFile(folder / f"{s}.extxyz")) for s in contents.frames}
        yield ExtxyzWriter(files, contents.facts)
