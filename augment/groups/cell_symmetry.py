"""Projection of displacements and strains onto the space that a symmetry group H leaves invariant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.errors import SymmetryError
from augment.groups.symmetry import FiniteGroup, close_group

if TYPE_CHECKING:
    from scipy.sparse import csr_array

TRIVIAL = "1"
"""Hermann-Mauguin symbol of the group of the identity alone."""


@dataclass(frozen=True, eq=False)
class CellSymmetry:
    """A group H acting on the atoms of a defect cell: the symmetry a distortion is asked to keep.

    Its operations are integers, so that products, subgroups and classes are exact; Cartesian matrices follow from them.

    Attributes:
        symbol: Hermann-Mauguin point-group symbol of H (`m-3m`, `4/mmm`, `1`).
        group: integer rotations in the basis of `lattice`, and permutations of the atoms: operation k takes atom i to
            the place of atom permutations[k, i].
        lattice: (3, 3) lattice that H keeps, rows, Å.
    """

    symbol: str
    group: FiniteGroup
    lattice: FloatArray

    def __post_init__(self) -> None:
        if len(self.group.rotations) != len(self.group.permutations) or self.group.order == 0:
            raise SymmetryError(f"{self.symbol}: as many rotations as permutations are needed, at least one")

    @classmethod
    def trivial(cls, atoms: int) -> CellSymmetry:
        """The group of the identity alone on so many atoms."""
        return cls(TRIVIAL, FiniteGroup(np.eye(3, dtype=np.int64)[None], np.arange(atoms)[None]), np.eye(3))

    @classmethod
    def from_cartesian(
        cls, symbol: str, rotations: FloatArray, permutations: IntArray, lattice: FloatArray
    ) -> CellSymmetry:
        """The group of Cartesian matrices (h, 3, 3), as files hold them, that keep a lattice (3, 3), rows, Å."""
        columns = lattice.T
        turned = np.rint(np.linalg.inv(columns) @ rotations @ columns).astype(np.int64)
        return cls(symbol, FiniteGroup(turned, permutations), lattice)

    @property
    def order(self) -> int:
        """Number of operations |H|."""
        return self.group.order

    @property
    def permutations(self) -> IntArray:
        """(h, n) images of the atoms."""
        return self.group.permutations

    @cached_property
    def rotations(self) -> FloatArray:
        """(h, 3, 3) orthogonal Cartesian matrices, acting on column vectors."""
        columns = self.lattice.T
        return np.asarray(columns @ self.group.rotations @ np.asarray(np.linalg.inv(columns), dtype=float))

    def subset(self, members: Sequence[int] | IntArray, symbol: str | None = None) -> CellSymmetry:
        """The group of some operations, which must be closed; without a symbol only its order is named."""
        part = self.group.subset(np.asarray(members, dtype=np.int64).tolist())
        return CellSymmetry(symbol or f"order {part.order}", part, self.lattice)

    def generated_by(self, generators: Sequence[int]) -> CellSymmetry:
        """The subgroup that some operations generate (none: the trivial group); only its order is named."""
        marked = np.zeros(self.order, dtype=bool)
        marked[[self.group.identity, *generators]] = True
        return self.subset(np.flatnonzero(close_group(marked, self.group.table)))

    def project_displacements(self, displacements: FloatArray) -> FloatArray:
        """H-invariant part of displacements (..., n, 3), Å: P u = 1/|H| sum over h of D(h) u, with P P = P."""
        u = np.asarray(displacements, dtype=np.float64)
        columns = u.reshape(-1, 3 * u.shape[-2]).T
        return np.asarray((self._projector @ columns).T).reshape(u.shape)

    def project_strain(self, strain: FloatArray) -> FloatArray:
        """H-invariant part of strains (..., 3, 3): 1/|H| sum over h of R e R^T."""
        return self.strain_operator(self._uniform, np.asarray(strain, dtype=np.float64))

    @property
    def _uniform(self) -> FloatArray:
        """Weights of the operations that make an operator the projector onto what is invariant."""
        return np.full(self.order, 1.0 / self.order)

    @cached_property
    def _projector(self) -> csr_array:
        return self.displacement_operator(self._uniform)

    def displacement_operator(self, weights: FloatArray) -> csr_array:
        """Sum over h of weights[h] D(h) as a sparse (3n, 3n) matrix on displacements flattened in row order.

        With weights 1/|H| it is the projector of `project_displacements`; other weights (h,) give those of other
        irreducible representations. Atoms of one orbit couple, so that it holds at most 9 n |H| numbers.
        """
        from scipy.sparse import csr_array

        n, axis = self.permutations.shape[1], np.arange(3)
        used = np.flatnonzero(weights)
        blocks = np.broadcast_to((weights[:, None, None] * self.rotations)[used, None], (len(used), n, 3, 3))
        rows = np.broadcast_to(3 * self.permutations[used][:, :, None, None] + axis[:, None], blocks.shape)
        columns = np.broadcast_to(3 * np.arange(n)[:, None, None] + axis, blocks.shape)
        return csr_array((blocks.ravel(), (rows.ravel(), columns.ravel())), shape=(3 * n, 3 * n))

    def strain_operator(self, weights: FloatArray, strain: FloatArray) -> FloatArray:
        """Sum over h of weights[h] R e R^T for strains (..., 3, 3)."""
        turned: FloatArray = np.einsum("h,hab,...bc,hdc->...ad", weights, self.rotations, strain, self.rotations)
        return turned
