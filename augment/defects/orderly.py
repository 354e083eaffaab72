"""Complexes of defects: one edit set an orbit, found in order without keeping the orbits found before.

Sets are grown edit by edit. A set is canonical when no operation takes it to a lexicographically smaller one; without
its largest edit it is still canonical, so that every canonical set grows from a canonical one and none appears twice
(orderly generation: Read, Ann. Discrete Math. 2, 107 (1978); Faradzev, 1978). The operations that matter are those that
bring an edit of the set to the set's smallest one: cosets of a point stabilizer instead of the whole group.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from augment.cell import IntArray
from augment.defect import Defect
from augment.defects.editspace import EditSpace
from augment.defects.recipe import Recipe
from augment.groups.symmetry import BoolArray

_BLOCK = 2_000_000
"""Images of sets that are compared at once; bounds the memory of an enumeration."""


@dataclass(frozen=True, eq=False)
class Orbits:
    """Some orbits of complexes of one size.

    Attributes:
        members: (c, k) places in the edit space of each orbit's least set, ascending.
        stabilizers: (c,) orders of the sets' stabilizers.
    """

    members: IntArray
    stabilizers: IntArray

    def __len__(self) -> int:
        return len(self.members)

    def take(self, chosen: IntArray | BoolArray | slice) -> Orbits:
        """Some of the orbits."""
        return Orbits(self.members[chosen], self.stabilizers[chosen])


def complexes(space: EditSpace, recipe: Recipe) -> Iterator[Defect]:
    """One defect an orbit, smaller complexes first, in bounded memory.

    Args:
        space: the edits to choose from, with the cutoff between any two of one complex.
        recipe: how many edits, and of which kinds.

    Raises:
        DefectError: the recipe does not fit the space.
    """
    for size in recipe.sizes(space):
        for orbits in enumerate_orbits(space, size, recipe):
            for members in orbits.members:
                yield Defect.canonical(space.supercell, space.edits(members))


def enumerate_orbits(space: EditSpace, size: int, recipe: Recipe | None = None) -> Iterator[Orbits]:
    """Orbits of sets of `size` edits, a block at a time, in lexicographic order of their least sets."""
    recipe = recipe or Recipe(size, size)
    limits = recipe.limits(space)
    for first in np.unique(space.representative):
        root = _Root(space, int(first))
        if limits[space.label[first]] == 0:
            continue
        stabilizer = np.array([root.cosets.shape[1]])
        for block in _grow(root, Orbits(np.array([[first]]), stabilizer), size, limits):
            chosen = block.take(recipe.accepts(space, block.members))
            if len(chosen):
                yield chosen


@dataclass(frozen=True, eq=False)
class _Root:
    """The sets whose smallest edit is a given representative of an orbit.

    Attributes:
        space: the edits.
        first: the representative.
    """

    space: EditSpace
    first: int

    @cached_property
    def cosets(self) -> NDArray[np.int32]:
        """(m, h) operations that bring each edit of the representative's orbit to it; h is its stabilizer's order."""
        representative = self.space.representative
        hits = self.space.permutations == self.first
        orbit = np.flatnonzero(representative == self.first)
        table = np.zeros((len(representative), int(hits[:, self.first].sum())), dtype=np.int32)
        table[orbit] = np.nonzero(hits[:, orbit].T)[1].reshape(len(orbit), -1)
        return table

    def canonical(self, sets: IntArray) -> tuple[BoolArray, IntArray]:
        """Whether each of the ascending sets (c, k) is the least of its orbit, and the order of its stabilizer."""
        representative = self.space.representative
        keep = np.asarray((representative[sets] >= self.first).all(axis=1))
        order = np.zeros(len(sets), dtype=np.int64)
        for column in range(sets.shape[1]):
            alive = np.flatnonzero(keep & (representative[sets[:, column]] == self.first))
            operations = self.cosets[sets[alive, column]]
            others = np.delete(sets[alive], column, axis=1)
            images = self.space.permutations[operations[:, :, None], others[:, None]]
            smaller, equal = _compare(images, sets[alive, 1:])
            keep[alive[smaller]] = False
            order[alive] += equal
        return keep, order


def _compare(images: NDArray[np.int32], sets: IntArray) -> tuple[BoolArray, IntArray]:
    """Whether any image (c, h, k) of a set (c, k) is smaller than it, and how many are equal; sets are ascending."""
    if sets.shape[1] == 0:
        return np.zeros(len(sets), dtype=bool), np.full(len(sets), images.shape[1])
    least = images.min(axis=2)
    smaller = np.asarray((least < sets[:, :1]).any(axis=1))
    row, operation = np.nonzero((least == sets[:, :1]) & ~smaller[:, None])
    difference = np.sort(images[row, operation], axis=1) - sets[row]
    deciding = np.take_along_axis(difference, (difference != 0).argmax(axis=1)[:, None], axis=1)[:, 0]
    smaller[row[deciding < 0]] = True
    return smaller, np.bincount(row[deciding == 0], minlength=len(sets))


def _grow(root: _Root, parents: Orbits, size: int, limits: IntArray) -> Iterator[Orbits]:
    """Canonical sets of `size` edits that begin with the canonical sets given."""
    if parents.members.shape[1] == size:
        yield parents
        return
    step = max(1, _BLOCK // (len(root.space) * root.cosets.shape[1] * size))
    for start in range(0, len(parents), step):
        children = _children(root, parents.members[start : start + step], limits)
        if len(children):
            yield from _grow(root, children, size, limits)


def _children(root: _Root, parents: IntArray, limits: IntArray) -> Orbits:
    """Canonical sets with one edit more than the canonical sets (c, k), the new one last."""
    space = root.space
    fits = space.compatible[parents].all(axis=1) & (np.arange(len(space)) > parents[:, -1:])
    labels = space.label[parents]
    for label in range(len(space.names)):
        full = (labels == label).sum(axis=1) >= limits[label]
        fits[np.ix_(full, space.label == label)] = False
    row, new = np.nonzero(fits)
    sets = np.concatenate([parents[row], new[:, None].astype(parents.dtype)], axis=1)
    keep, order = root.canonical(sets)
    return Orbits(sets[keep], order[keep])


def count_by_size(space: EditSpace, recipe: Recipe) -> Iterator[tuple[int, int, int]]:
    """Size, number of orbits, and number of complexes in the supercell (the summed degeneracy), for each size."""
    order = space.supercell.group_order
    for size in recipe.sizes(space):
        orbits = total = 0
        for block in enumerate_orbits(space, size, recipe):
            orbits += len(block)
            total += int((order // block.stabilizers).sum())
        yield size, orbits, total
