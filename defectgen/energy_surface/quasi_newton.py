"""Steps down the energy of a defect, each from the forces at the points that were evaluated before.

The points of a descent are an array (n, k, 2, 3): for each of n atoms and k points the displacement from the ideal
cell, Å, and the force there, eV/Å. The first step follows the forces with one stiffness for all atoms. Later ones use
the stiffness between the last two points: the step of Barzilai and Borwein, IMA J. Numer. Anal. 8, 141 (1988),
https://doi.org/10.1093/imanum/8.1.141. From where a network has put the atoms all points count: the step of the
limited-memory BFGS method, Nocedal, Math. Comput. 35, 773 (1980), https://doi.org/10.1090/S0025-5718-1980-0572855-7.
All keep whatever symmetry the points have.
"""

from __future__ import annotations

import numpy as np

from augment.cell import FloatArray

DESCENT_POINTS = 3
"""Points of a descent that are input features of the generative model."""

STIFFNESS = 10.0
"""eV/Å²; of the first step."""

MIN_STIFFNESS, MAX_STIFFNESS = 2.0, 100.0
"""eV/Å²; bounds of the stiffness estimated from forces."""

MIN_CURVATURE = 1.0
"""eV/Å²; curvature along a step above which it estimates the stiffness of what is below."""

MAX_STEP = 0.2
"""Å; the longest move of one atom in one step."""


def trial_step(forces: FloatArray) -> FloatArray:
    """Displacements (n, 3) in Å along the forces (n, 3) in eV/Å."""
    return _limited(forces / STIFFNESS)


def secant_step(points: FloatArray) -> FloatArray:
    """Displacements (n, 3) in Å to which the points (n, k, 2, 3) of a descent lead; k is at least one."""
    here, forces = points[:, -1, 0], points[:, -1, 1]
    if points.shape[1] == 1:
        return here + trial_step(forces)
    step = here - points[:, -2, 0]
    gained = float((step * (points[:, -2, 1] - forces)).sum())
    # Where the energy curves downwards along the last step there is no stiffness to estimate.
    stiffness = gained / float((step**2).sum()) if gained > 0 else STIFFNESS
    return here + _limited(forces / float(np.clip(stiffness, MIN_STIFFNESS, MAX_STIFFNESS)))


def quasi_newton(points: FloatArray) -> FloatArray:
    """Displacements (n, 3) in Å to which all points (n, k, 2, 3) together lead, the last of them where to begin.

    Steps along which the energy does not curve upwards by `MIN_CURVATURE` say nothing; without any it is `secant_step`.
    """
    here, forces = points[:, -1, 0], points[:, -1, 1]
    steps = np.diff(points, axis=1)
    differences = [(steps[:, k, 0], -steps[:, k, 1]) for k in range(steps.shape[1])]
    pairs = [(s, y, float((s * y).sum())) for s, y in differences]
    pairs = [(s, y, work) for s, y, work in pairs if work > MIN_CURVATURE * float((s**2).sum())]
    if not pairs:
        return secant_step(points)
    direction, shares = forces, []
    for s, y, work in reversed(pairs):
        shares.append(float((s * direction).sum()) / work)
        direction = direction - shares[-1] * y
    _, y, work = pairs[-1]
    direction = direction / float(np.clip((y**2).sum() / work, MIN_STIFFNESS, MAX_STIFFNESS))
    for (s, y, work), share in zip(pairs, reversed(shares), strict=True):
        direction = direction + (share - float((y * direction).sum()) / work) * s
    return here + _limited(direction)


def _limited(steps: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(steps, axis=1, keepdims=True)
    limited: FloatArray = steps * np.minimum(1.0, MAX_STEP / np.maximum(lengths, MAX_STEP))
    return limited
