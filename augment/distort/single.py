"""One distorted copy of a defect cell: rattled as a whole with minimum distances kept, or strained."""

from __future__ import annotations

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.errors import ConditionError
from augment.groups.cell_symmetry import CellSymmetry
from augment.neighbours import shortest_distance

DEFAULT_MIN_FRACTION = 0.7
"""Of the shortest distance in the undistorted cell; no pair may come closer."""

_ATTEMPTS = 50


def rattle(
    cell: DefectCell,
    sigma: float,
    seed: int,
    *,
    min_distance: float | None = None,
    symmetry: CellSymmetry | None = None,
) -> DefectCell:
    """Gaussian displacements of standard deviation `sigma` (Å per Cartesian component), without drift.

    Args:
        cell: the structure to distort.
        sigma: standard deviation, Å; with a symmetry, that of the noise before it is projected.
        seed: of the random generator.
        min_distance: no two atoms may come closer, Å; 0.7 of the shortest distance by default. A draw that breaks
            it is repeated with nine tenths of the amplitude.
        symmetry: keep this symmetry by projecting the noise onto its invariant space.

    Raises:
        ConditionError: sigma is negative, or no draw keeps the distance.
    """
    if not sigma >= 0:
        raise ConditionError(f"rattle amplitude {sigma} Å must not be negative")
    rng = np.random.default_rng(seed)
    limit = DEFAULT_MIN_FRACTION * shortest_distance(cell) if min_distance is None else min_distance
    scale = 1.0
    for _ in range(_ATTEMPTS):
        noise = rng.normal(scale=sigma * scale, size=cell.positions.shape)
        if symmetry is not None:
            noise = symmetry.project_displacements(noise)
        noise -= noise.mean(axis=0)
        moved = cell.with_geometry(cell.positions + noise, geometry="rattled", rattle=sigma, seed=seed)
        if shortest_distance(moved) >= limit:
            return moved
        scale *= 0.9
    raise ConditionError(f"{cell.name}: no rattle of {sigma} Å keeps atoms {limit:.2f} Å apart; use less amplitude")


def strained(cell: DefectCell, strain: FloatArray) -> DefectCell:
    """The cell under a homogeneous strain (3, 3): every vector x becomes (1 + strain) x; atoms move along."""
    deformation = np.eye(3) + np.asarray(strain, dtype=float)
    if not np.isfinite(deformation).all() or np.linalg.det(deformation) <= 0:
        raise ConditionError("a strain that turns the cell inside out; the determinant of 1 + strain must be positive")
    return cell.with_geometry(cell.positions @ deformation.T, cell.cell @ deformation.T, geometry="strained")
