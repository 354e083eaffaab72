"""The first two steps down the energy of a defect, from forces in the ideal geometry and after a trial step.

The trial step follows the forces F0 with one stiffness for all atoms. The change of the forces along it says how stiff
the crystal is, and with that the second step follows the new forces F1: the step of Barzilai and Borwein, IMA J. Numer.
Anal. 8, 141 (1988), https://doi.org/10.1093/imanum/8.1.141. Both keep whatever symmetry the forces have.
"""

from __future__ import annotations

import numpy as np

from augment.cell import FloatArray

STIFFNESS = 10.0
"""eV/Å²; of the trial step."""

SOFTEST, STIFFEST = 2.0, 100.0
"""eV/Å²; what the stiffness that the forces tell is kept between."""

LONGEST = 0.2
"""Å; the longest move of one atom in one step."""


def trial_step(forces: FloatArray) -> FloatArray:
    """Displacements (n, 3) in Å along the forces (n, 3) in eV/Å."""
    return _limited(forces / STIFFNESS)


def descended(forces: FloatArray) -> FloatArray:
    """Displacements (n, 3) in Å after two steps, from the forces (n, 2, 3) in eV/Å before and after the first."""
    before, after = forces[:, 0], forces[:, 1]
    first = trial_step(before)
    gained = float((first * (before - after)).sum())
    # Where the energy curves downwards along the step there is no stiffness to be told.
    stiffness = gained / float((first**2).sum()) if gained > 0 else STIFFNESS
    return first + _limited(after / float(np.clip(stiffness, SOFTEST, STIFFEST)))


def _limited(steps: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(steps, axis=1, keepdims=True)
    limited: FloatArray = steps * np.minimum(1.0, LONGEST / np.maximum(lengths, LONGEST))
    return limited
