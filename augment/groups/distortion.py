"""A distortion of a cell, displacements and strain, and its projection onto what a symmetry group leaves invariant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.groups.cell_symmetry import CellSymmetry

RESIDUAL_TOLERANCE = 1e-6
"""Å; how far a state may lie from the H-invariant space. Projections in float64 leave about 1e-16."""


@dataclass(frozen=True, eq=False)
class Distortion:
    """Displacements (n, 3) of the real atoms, Å, and symmetric strain (3, 3), both relative to the ideal cell.

    Several states of one defect have a leading axis.
    """

    displacements: FloatArray
    strain: FloatArray

    def __add__(self, other: Distortion) -> Distortion:
        return Distortion(self.displacements + other.displacements, self.strain + other.strain)

    def __sub__(self, other: Distortion) -> Distortion:
        return self + other.scaled(-1.0)

    def scaled(self, factor: float) -> Distortion:
        """The state times a number."""
        return Distortion(factor * self.displacements, factor * self.strain)


def project(state: Distortion, symmetry: CellSymmetry) -> Distortion:
    """The part of a state, or of each of several, that H leaves invariant, without rigid translation.

    The projection is idempotent and orthogonal, in float64.
    """
    u = symmetry.project_displacements(state.displacements)
    e = symmetry.project_strain(state.strain)
    return Distortion(u - u.mean(axis=-2, keepdims=True), 0.5 * (e + np.swapaxes(e, -1, -2)))


def apply_distortion(ideal: DefectCell, state: Distortion) -> DefectCell:
    """The ideal cell with a state applied: x = X (1 + e) + u, with positions X and cell vectors as rows."""
    frame = np.eye(3) + state.strain
    return ideal.with_geometry(ideal.positions @ frame + state.displacements, ideal.cell @ frame)


def distortion_of(positions: FloatArray, ideal: DefectCell, strain: FloatArray) -> Distortion:
    """Inverse of `apply_distortion` for positions (n, 3), without rigid translation."""
    u = positions - ideal.positions @ (np.eye(3) + strain)
    return Distortion(u - u.mean(axis=0), strain)


def stretch(before: FloatArray, after: FloatArray) -> FloatArray:
    """Symmetric strain (3, 3) that takes one cell (rows, Å) to another up to a rotation, in the first one's axes."""
    gradient = np.linalg.solve(before, after)
    values, axes = np.linalg.eigh(gradient @ gradient.T)
    root: FloatArray = (axes * np.sqrt(values)) @ axes.T
    return root - np.eye(3)


def residual(state: Distortion, symmetry: CellSymmetry) -> float:
    """Largest component by which a state leaves the H-invariant space."""
    off = state - project(state, symmetry)
    return float(max(abs(off.displacements).max(initial=0.0), abs(off.strain).max()))
