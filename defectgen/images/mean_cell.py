"""The atoms of one cell in several frames, all in their mean cell: what a picture or a pattern is averaged over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.errors import DataError
from md.labels.frames import Frames

MAX_UNLIKE_CELLS = 0.3
"""Strain of a frame against the mean cell beyond which the frames are of no one crystal."""


@dataclass(frozen=True, eq=False)
class MeanCellFrames:
    """k geometries of one defect cell at the same fractional coordinates as in its frames, in the mean of their cells.

    The cell of a few atoms fluctuates far more than that of a crystal, whose lattice has one mean; so do the widths of
    lines that are read from such cells.

    Attributes:
        cell: species, sites and name of the atoms, and the mean cell.
        fractions: (k, n, 3) fractional coordinates; not wrapped.
    """

    cell: DefectCell
    fractions: FloatArray

    def __post_init__(self) -> None:
        if self.fractions.ndim != 3 or self.fractions.shape[1:] != (len(self.cell), 3) or not len(self.fractions):  # noqa: PLR2004  frames, atoms, axes
            raise DataError(f"{self.cell.name}: {self.fractions.shape} are no frames of {len(self.cell)} atoms")

    @classmethod
    def of_cell(cls, cell: DefectCell) -> MeanCellFrames:
        """One geometry at rest."""
        return cls(cell, (cell.positions @ np.linalg.inv(cell.cell))[None])

    @classmethod
    def of_frames(cls, frames: Frames, first: int = 0, most: int | None = None) -> MeanCellFrames:
        """Frames of a trajectory.

        Args:
            frames: the trajectory.
            first: frame from which on it is settled.
            most: number of frames, evenly spaced; all without it.

        Raises:
            DataError: there are no such frames, or their cells are of no one crystal.
        """
        chosen = np.arange(first, len(frames))
        if len(chosen) == 0:
            raise DataError(f"{frames.start.name}: no frames from number {first} on of {len(frames)}; run longer")
        if most is not None and most < len(chosen):
            chosen = chosen[np.linspace(0, len(chosen) - 1, most).round().astype(int)]
        cells = frames.cells[chosen]
        mean = cells.mean(axis=0)
        if np.abs(cells @ np.linalg.inv(mean) - np.eye(3)).max() > MAX_UNLIKE_CELLS:
            raise DataError(f"{frames.start.name}: its cell changes by more than {MAX_UNLIKE_CELLS:.0%} between frames")
        fractions = frames.positions[chosen] @ np.linalg.inv(cells)
        return cls(frames.start.with_geometry(fractions.mean(axis=0) @ mean, mean), fractions)

    def __len__(self) -> int:
        return len(self.fractions)

    @property
    def lattice(self) -> FloatArray:
        """(3, 3) mean lattice vectors, rows, Å."""
        return self.cell.cell

    def cells(self) -> Iterator[DefectCell]:
        """Each frame as a cell."""
        for fractions in self.fractions:
            yield self.cell.with_geometry(fractions @ self.lattice)
