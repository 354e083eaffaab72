"""Orbits of the edits of a space and of their pairs: the clusters that an expansion of an energy counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.defects.editspace import EditSpace

NO_PAIR = -1
"""Orbit of two edits at one site, which exclude each other."""


@dataclass(frozen=True, eq=False)
class PairOrbits:
    """Which edits, and which pairs of them, the symmetry of the supercell makes equal.

    Attributes:
        space: the edits.
        single: (m,) number of the orbit of each edit, from 0 on.
        pair: (m, m) number of the orbit of each pair, from 0 on; `NO_PAIR` of two edits at one site.
    """

    space: EditSpace
    single: IntArray
    pair: IntArray

    @classmethod
    def of(cls, space: EditSpace) -> PairOrbits:
        """The orbits of a space.

        A pair (i, j) is moved so that i is the first edit of its orbit; where the operations that leave that edit
        alone then take j says which ordered pair it is, and the lesser of (i, j) and (j, i) which pair.
        """
        images = space.permutations.astype(np.int64)
        first, count = images.min(axis=0), len(space)
        ordered = np.empty((count, count), dtype=np.int64)
        for start in np.unique(first):
            classes = images[images[:, start] == start].min(axis=0)
            for i in np.flatnonzero(first == start):
                to_start = images[int(np.argmax(images[:, i] == start))]
                ordered[i] = start * count + classes[to_start]
        code = np.minimum(ordered, ordered.T)
        code[space.site[:, None] == space.site] = NO_PAIR
        pair = np.full_like(code, NO_PAIR)
        apart = code != NO_PAIR
        pair[apart] = np.unique(code[apart], return_inverse=True)[1]
        return cls(space, np.unique(first, return_inverse=True)[1].astype(np.int64), pair)

    @property
    def singles(self) -> int:
        """Number of orbits of edits."""
        return int(self.single.max()) + 1

    @property
    def pairs(self) -> int:
        """Number of orbits of pairs."""
        return int(self.pair.max()) + 1

    @cached_property
    def distance(self) -> FloatArray:
        """(pairs,) least distance between the sites of each pair, Å."""
        sites, place = np.unique(self.space.site, return_inverse=True)
        apart = self.space.supercell.distances(sites)[place[:, None], place]
        chosen = self.pair != NO_PAIR
        shortest = np.full(self.pairs, np.inf)
        np.minimum.at(shortest, self.pair[chosen], apart[chosen])
        return shortest

    def counts(self, members: IntArray) -> FloatArray:
        """(c, singles + pairs) how many of each orbit sets (c, k) of edits have."""
        rows = np.zeros((len(members), self.singles + self.pairs))
        upper = np.triu_indices(members.shape[1], 1)
        for row, chosen in zip(rows, members, strict=True):
            row[: self.singles] = np.bincount(self.single[chosen], minlength=self.singles)
            row[self.singles :] = np.bincount(self.pair[np.ix_(chosen, chosen)][upper], minlength=self.pairs)
        return rows
