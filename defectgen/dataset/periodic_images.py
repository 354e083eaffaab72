"""Atoms in the periodic images nearest to those of a reference, so that how a code wraps them does not matter."""

from __future__ import annotations

import numpy as np

from augment.cell import FloatArray, IntArray
from defectgen.dataset.alike import AlikeFrames

MAX_REFERENCE_ATOMS = 2_000_000
"""Atoms of all references together, 50 MB; frames of further kinds stay as they are wrapped."""


class NearestImages:
    """Positions of frames in the images nearest to the first frame with the same atoms in the same order.

    Codes of dynamics put atoms that cross a face back at the other, or do not; two frames that are the same but for
    that have the same positions here, up to a translation of the whole.
    """

    def __init__(self) -> None:
        self._references: dict[bytes, FloatArray] = {}
        self._atoms = 0

    def positions(self, frames: AlikeFrames) -> FloatArray:
        """(k, n, 3) positions, Å; those of the frames where they have no periodic cell."""
        if not frames.pbc.any():
            return frames.positions
        fractional = frames.positions @ np.linalg.inv(frames.cells)
        reference = self._reference(frames.numbers, fractional[0])
        if reference is None:
            return frames.positions
        apart = fractional - reference
        # The translation of the whole, as the direction of the mean of all phases: it knows no images.
        shift = np.angle(np.exp(2j * np.pi * apart).sum(axis=1, keepdims=True)) / (2 * np.pi)
        moved: FloatArray = (fractional - np.where(frames.pbc, np.round(apart - shift), 0.0)) @ frames.cells
        return moved

    def _reference(self, numbers: IntArray, first: FloatArray) -> FloatArray | None:
        """Fractional coordinates of the first frame with some atoms, with which all are compared; None past a limit."""
        kind = numbers.tobytes()
        if kind not in self._references and self._atoms + len(numbers) <= MAX_REFERENCE_ATOMS:
            self._references[kind] = first
            self._atoms += len(numbers)
        return self._references.get(kind)
