"""Which symmetry a proposed structure has, by exact projection and by two libraries, and how often it breaks it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from augment import CellSymmetry
from augment.cell import FloatArray, IntArray
from augment.groups.distortion import Distortion, residual
from augment.groups.symmetry import point_group_symbol
from defectgen.benchmark.metrics.geometry import symmetry_images

LIBRARY_SYMPREC = 1e-3
"""Å; tolerance of the libraries. Tighter than any distortion that matters, looser than the digits of a file."""

BREAKING = 0.05
"""Å; a component of a displacement that leaves the stabilizer's invariant space by more than this breaks it."""


def integer_rotations(symmetry: CellSymmetry, cell: FloatArray) -> IntArray:
    """Rotations (h, 3, 3) of a group in the basis of a cell (3, 3) with rows as vectors, acting on fractions."""
    basis = cell.T
    turned = np.linalg.inv(basis) @ symmetry.rotations @ basis
    return np.rint(turned).astype(np.int64)


def spglib_rotations(
    cell: FloatArray, fractional: FloatArray, numbers: IntArray, symprec: float = LIBRARY_SYMPREC
) -> IntArray:
    """Rotations (g, 3, 3) of the space group that spglib finds; none where it finds no group."""
    import spglib

    operations = spglib.get_symmetry((cell, fractional, numbers), symprec=symprec)
    return np.zeros((0, 3, 3), np.int64) if operations is None else np.asarray(operations["rotations"], dtype=np.int64)


def moyopy_rotations(
    cell: FloatArray, fractional: FloatArray, numbers: IntArray, symprec: float = LIBRARY_SYMPREC
) -> IntArray:
    """Rotations (g, 3, 3) of the space group that moyo finds; none where it finds no group."""
    import moyopy

    described = moyopy.Cell(cell.tolist(), fractional.tolist(), numbers.tolist())
    try:
        operations = moyopy.MoyoDataset(described, symprec=symprec).operations
    except (ValueError, RuntimeError):
        return np.zeros((0, 3, 3), np.int64)
    return np.asarray(operations.rotations, dtype=np.int64)


def contains(rotations: IntArray, wanted: IntArray) -> bool:
    """Whether each of some rotations (h, 3, 3) is among others (g, 3, 3)."""
    there = {matrix.tobytes() for matrix in np.ascontiguousarray(rotations)}
    return all(matrix.tobytes() in there for matrix in np.ascontiguousarray(wanted))


def breaks(state: Distortion, stabilizer: CellSymmetry, tolerance: float = BREAKING) -> bool:
    """Whether a geometry breaks the stabilizer: max |(1 - P) u| above a tolerance, Å."""
    return residual(Distortion(state.displacements, np.zeros((3, 3))), stabilizer) > tolerance


def total_variation(proposed: Sequence[str], true: Sequence[str]) -> float:
    """Distance between two distributions of symbols: 1/2 sum_k |p_k - q_k|, from 0 (alike) to 1 (disjoint).

    NaN where one of them is empty.
    """
    if not proposed or not true:
        return float("nan")
    p, q = Counter(proposed), Counter(true)
    return 0.5 * sum(abs(p[k] / len(proposed) - q[k] / len(true)) for k in set(p) | set(q))


def site_symmetry(state: Distortion, stabilizer: CellSymmetry, cell: FloatArray, tolerance: float = BREAKING) -> str:
    """Hermann-Mauguin symbol of the operations of the stabilizer that a geometry keeps.

    Operations that move no component by more than the tolerance may be no group, because tolerances add up; then it is
    halved until they are.

    Args:
        state: the geometry.
        stabilizer: of the defect.
        cell: (3, 3) ideal lattice vectors, rows, Å.
        tolerance: Å.
    """
    off = abs(symmetry_images(state.displacements, stabilizer) - state.displacements).max(axis=(1, 2))
    rotations = integer_rotations(stabilizer, cell)
    while not _closed(subgroup := rotations[off <= tolerance]):
        tolerance /= 2
    return point_group_symbol(subgroup)


def _closed(rotations: IntArray) -> bool:
    """Whether all products of some rotations (k, 3, 3) are among them."""
    return contains(rotations, (rotations[:, None] @ rotations).reshape(-1, 3, 3))
