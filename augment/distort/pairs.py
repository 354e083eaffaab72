"""Pairs of atoms that may come close: one list for all distorted copies of a cell, and their distances.

The list is long enough by the triangle inequality. In a copy with displacements u and strain e the vector from i to j
is (1 + e) r + u_j - u_i, at least (1 - s) |r| - |u_i| - |u_j| long, where s is the largest size of a principal strain.
So a pair can come within a distance D only if (1 - s) |r| <= D + |u_i| + |u_j|, and all such pairs are listed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.errors import ConditionError
from augment.neighbours import neighbours, shortest_distance

_ROUNDING = 1e-6
"""Å added to every bound, so that rounding cannot drop a pair."""

_MAX_STRAIN = 0.5
"""Principal strain; beyond, the list of pairs that may come close grows without use."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Directed pairs of atoms, periodic images included, in the undistorted cell.

    Attributes:
        first: (p,) atom i.
        second: (p,) atom j.
        vectors: (p, 3) from i to the image of j, Å.
    """

    first: IntArray
    second: IntArray
    vectors: FloatArray

    def distances(self, displacements: FloatArray, strains: FloatArray | None = None) -> FloatArray:
        """Distances (m, p) of the pairs in copies with displacements (m, n, 3), Å, and strains (m, 3, 3)."""
        vectors = self.vectors if strains is None else self.vectors + np.einsum("mab,pb->mpa", strains, self.vectors)
        now = vectors + displacements[:, self.second] - displacements[:, self.first]
        return np.asarray(np.sqrt(np.einsum("mpa,mpa->mp", now, now)))


def approaching_pairs(cell: DefectCell, distance: float, reach: FloatArray, stretch: float = 0.0) -> Pairs:
    """All pairs that can come within a distance of each other, Å, both ways.

    Args:
        cell: the undistorted cell.
        distance: Å.
        reach: (n,) largest displacement of each atom, Å.
        stretch: largest size of a principal strain.

    Raises:
        ConditionError: the strain is too large for a list of pairs.
    """
    if not stretch <= _MAX_STRAIN:
        raise ConditionError(f"{cell.name}: a strain of {stretch:.2f}; at most {_MAX_STRAIN} is supported")
    bound = (distance + 2 * reach.max(initial=0.0) + _ROUNDING) / (1 - stretch)
    first, second, length, vectors = neighbours("ijdD", cell.cell, cell.positions, bound)
    near = (1 - stretch) * length <= distance + reach[first] + reach[second] + _ROUNDING
    return Pairs(first[near].astype(np.int64), second[near].astype(np.int64), vectors[near])


def shortest_distances(cell: DefectCell, displacements: FloatArray, strains: FloatArray | None = None) -> FloatArray:
    """Shortest interatomic distance (m,) of copies of a cell, Å, from one list of pairs.

    Args:
        cell: the undistorted cell.
        displacements: (m, n, 3), Å.
        strains: (m, 3, 3), none by default.
    """
    reach = np.linalg.norm(displacements, axis=-1).max(axis=0, initial=0.0)
    stretch = 0.0 if strains is None else float(np.abs(np.linalg.eigvalsh(strains)).max(initial=0.0))
    # The closest pair of the undistorted cell is this close in every copy, so that no pair farther away matters.
    bound = (1 + stretch) * shortest_distance(cell) + 2 * float(reach.max(initial=0.0))
    pairs = approaching_pairs(cell, bound, reach, stretch)
    return np.asarray(pairs.distances(displacements, strains).min(axis=1))
