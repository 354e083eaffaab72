"""Projection of displacements and strains onto the space that a symmetry group H leaves invariant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.errors import SymmetryError

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class CellSymmetry:
    """A group H acting on the atoms of a defect cell: the symmetry a distortion is asked to keep.

    Attributes:
        symbol: Hermann-Mauguin point-group symbol of H (`m-3m`, `4/mmm`, `1`).
        rotations: (h, 3, 3) orthogonal Cartesian matrices, acting on column vectors.
        permutations: (h, n) images of the atoms: operation k takes atom i to the place of atom permutations[k, i].
    """

    symbol: str
    rotations: FloatArray
    permutations: IntArray

    def __post_init__(self) -> None:
        if len(self.rotations) != len(self.permutations) or len(self.rotations) == 0:
            raise SymmetryError(f"{self.symbol}: as many rotations as permutations are needed, at least one")

    @property
    def order(self) -> int:
        """Number of operations |H|."""
        return len(self.rotations)

    def project_displacements(self, displacements: FloatArray) -> FloatArray:
        """H-invariant part of displacements (n, 3), Å: P u = 1/|H| sum over h of D(h) u, with P P = P."""
        rotated = np.einsum("hab,nb->hna", self.rotations, displacements)
        total = np.zeros_like(displacements)
        np.add.at(total, self.permutations.ravel(), rotated.reshape(-1, 3))
        return total / self.order

    def project_strain(self, strain: FloatArray) -> FloatArray:
        """H-invariant part of a (3, 3) strain: 1/|H| sum over h of R e R^T."""
        total: FloatArray = np.einsum("hab,bc,hdc->ad", self.rotations, strain, self.rotations)
        return total / self.order

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
