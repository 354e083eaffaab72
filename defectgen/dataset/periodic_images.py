"""Atoms in the periodic images nearest to those of a reference, so that how a code wraps them does not matter."""

from __future__ import annotations

import numpy as np

from augment.cell import FloatArray
from defectgen.dataset.frame import Frame

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

    def positions(self, frame: Frame) -> FloatArray:
        """(n, 3) positions, Å; those of the frame where it has no periodic cell."""
        if not frame.volume or not frame.pbc.any():
            return frame.positions
        fractional = frame.positions @ np.linalg.inv(frame.cell)
        kind = frame.numbers.tobytes()
        reference = self._references.get(kind)
        if reference is None:
            if self._atoms + len(frame) <= MAX_REFERENCE_ATOMS:
                self._references[kind] = fractional
                self._atoms += len(frame)
            return frame.positions
        apart = fractional - reference
        # The translation of the whole, as the direction of the mean of all phases: it knows no images.
        shift = np.angle(np.exp(2j * np.pi * apart).sum(axis=0)) / (2 * np.pi)
        moved: FloatArray = (fractional - np.where(frame.pbc, np.round(apart - shift), 0.0)) @ frame.cell
        return moved
