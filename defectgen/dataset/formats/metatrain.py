"""Memory-mapped arrays for metatrain: a folder for each split, read one frame at a time.

https://docs.metatensor.org/metatrain, dataset formats: `ns.npy`, `na.npy` (cumulative), `x.bin`, `a.bin`, `c.bin`, and
a file for each target, all in single precision. The extended XYZ of a dataset is read by metatrain as well, in double
precision; this is for sets that do not fit into memory.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from augment.errors import DataError
from defectgen.dataset.formats.writer import Contents, SplitWriter, split_writer
from defectgen.dataset.frame import NINE_OF_SIX, Frame

NAMES = ("x", "a", "c", "energy", "forces", "stress", "charge")
"""Positions, Å; atomic numbers; cells, Å, rows of zeros where they do not repeat; labels; total charge, e."""


class MemmapPart:
    """The folder of one split.

    Args:
        folder: new.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._streams = {name: (folder / f"{name}.bin").open("wb") for name in NAMES}
        self._ends = [0]

    def write(self, frame: Frame) -> None:
        """Append a frame to all files.

        Raises:
            DataError: it has no energy or forces.
        """
        if frame.energy is None or frame.forces is None:
            raise DataError(f"frame {frame.text('name')}: metatrain takes frames with energy and forces")
        stress = np.full((3, 3), np.nan) if frame.stress is None else frame.stress[NINE_OF_SIX].reshape(3, 3)
        cell = np.where(frame.pbc[:, None], frame.cell, 0.0)
        values = (frame.positions, frame.numbers, cell, frame.energy, frame.forces, stress, frame.charge)
        for name, value in zip(NAMES, values, strict=True):
            kind = np.int32 if name == "a" else np.float32
            self._streams[name].write(np.ascontiguousarray(value, dtype=kind).tobytes())
        self._ends.append(self._ends[-1] + len(frame))

    def finish(self) -> None:
        """Write the numbers of frames and atoms."""
        np.save(self._folder / "ns.npy", np.array(len(self._ends) - 1, dtype=np.int64))
        np.save(self._folder / "na.npy", np.array(self._ends, dtype=np.int64))

    def close(self) -> None:
        """Close the files."""
        for stream in self._streams.values():
            stream.close()


def open_metatrain(folder: Path, contents: Contents) -> AbstractContextManager[SplitWriter]:
    """A writer of a folder for each split."""
    return split_writer(contents, lambda split: MemmapPart(folder / split))
