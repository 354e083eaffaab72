"""Subgroups of a defect's stabilizer: their classes, which of them a geometry keeps, and what each lets atoms do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.groups.cell_symmetry import CellSymmetry
from augment.groups.distortion import Distortion, project

SYMMETRY_TOLERANCE = 0.05
"""Å; an atom this near to the place that a symmetry operation requires counts as there. Relaxations to 0.05 eV/Å leave
positions uncertain by 0.01 to 0.03 Å, and bonds that break a symmetry differ by more than 0.1 Å."""


@dataclass(frozen=True, eq=False)
class SubgroupClasses:
    """One subgroup of a stabilizer per conjugacy class, largest first and the trivial group last.

    Attributes:
        symmetry: the stabilizer acting on the atoms of a defect cell.
    """

    symmetry: CellSymmetry

    @property
    def members(self) -> tuple[IntArray, ...]:
        """Operations of the representative of each class, as indices into the stabilizer's."""
        return self.symmetry.group.subgroup_classes

    @cached_property
    def symmetries(self) -> tuple[CellSymmetry, ...]:
        """The representative of each class, acting on the atoms."""
        group = self.symmetry.group
        return tuple(self.symmetry.subset(m, group.subset(m.tolist()).symbol) for m in self.members)

    @cached_property
    def sizes(self) -> IntArray:
        """(c,) number of subgroups in each class."""
        return np.array([len({tuple(row) for row in self._conjugates(m)}) for m in self.members], dtype=np.int64)

    @cached_property
    def dimensions(self) -> IntArray:
        """(c, 2) dimensions of the invariant displacements, without rigid translation, and strains of each class.

        Traces of the projectors: the mean character of an atom's vector, and of a symmetric tensor.
        """
        here = self.symmetry.permutations == np.arange(self.symmetry.permutations.shape[1])
        trace = np.trace(self.symmetry.rotations, axis1=1, axis2=2)
        square = np.trace(self.symmetry.rotations @ self.symmetry.rotations, axis1=1, axis2=2)
        characters = np.stack([(here.sum(axis=1) - 1) * trace, (trace**2 + square) / 2], axis=1)
        return np.rint([characters[m].mean(axis=0) for m in self.members]).astype(np.int64)

    @cached_property
    def freedoms(self) -> FloatArray:
        """(c, n, 3, 3) projectors onto the vectors at each atom that the site's operations in each class keep."""
        here = self.symmetry.permutations == np.arange(self.symmetry.permutations.shape[1])
        return np.stack([freedom(self.symmetry.rotations[m], here[m]) for m in self.members])

    def surviving(self, state: Distortion, tolerance: float = SYMMETRY_TOLERANCE) -> tuple[int, int, Distortion]:
        """The largest subgroup that a geometry keeps, and the equivalent geometry that its representative keeps.

        Args:
            state: displacements (n, 3) and strain relative to the ideal cell.
            tolerance: largest distance of an atom from where the subgroup's projection puts it, Å.

        Returns:
            Index of the class, the operation of the stabilizer that brings the surviving subgroup to the representative
            of its class, and the image of the state under it, projected onto its invariant space.
        """
        u = state.displacements
        still = Distortion(u - u.mean(axis=0), state.strain)  # a rigid translation is no distortion
        for index, subgroup in enumerate(self.symmetries):
            for operation in range(self.symmetry.order):
                image = transformed(still, self.symmetry, operation)
                projected = project(image, subgroup)
                off = np.linalg.norm(projected.displacements - image.displacements, axis=1).max(initial=0.0)
                if off < tolerance:
                    return index, operation, projected
        raise AssertionError("the trivial group keeps every geometry")  # pragma: no cover

    def normaliser(self, members: IntArray) -> IntArray:
        """Operations of the stabilizer that take the subgroup of some operations to itself."""
        return np.flatnonzero((self._conjugates(members) == np.sort(members)).all(axis=1))

    def _conjugates(self, members: IntArray) -> IntArray:
        table = self.symmetry.group.table
        inverse = np.argmax(table == self.symmetry.group.identity, axis=1)
        return np.sort(table[table[:, members], inverse[:, None]], axis=1)


def freedom(rotations: FloatArray, here: np.ndarray[Any, np.dtype[np.bool_]]) -> FloatArray:
    """(n, 3, 3) projectors onto the vectors that the operations which fix each atom keep; trace 3 in the general place.

    Args:
        rotations: (h, 3, 3) of a group.
        here: (h, n) whether an operation leaves an atom where it is.
    """
    projectors: FloatArray = np.einsum("hn,hab->nab", here.astype(float), rotations) / here.sum(axis=0)[:, None, None]
    return projectors


def freedom_of(symmetry: CellSymmetry) -> FloatArray:
    """(n, 3, 3) projectors onto the vectors that a group lets each atom move along; see `freedom`."""
    return freedom(symmetry.rotations, symmetry.permutations == np.arange(symmetry.permutations.shape[1]))


def transformed(state: Distortion, symmetry: CellSymmetry, operation: int) -> Distortion:
    """The image of a state under one operation of the stabilizer: atom i goes to the place of its image."""
    rotation, permutation = symmetry.rotations[operation], symmetry.permutations[operation]
    u = np.empty_like(state.displacements)
    u[permutation] = state.displacements @ rotation.T
    return Distortion(u, rotation @ state.strain @ rotation.T)
