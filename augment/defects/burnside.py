"""Counting and drawing complexes without enumerating them, from the cycles of the symmetry operations.

An operation leaves a set of edits where it is when the set is a union of its cycles. By Burnside's lemma the number of
orbits is the mean number of sets left alone; an operation drawn with that weight, then one of its sets drawn evenly,
is an orbit drawn evenly (Dixon and Wilf, J. Algorithms 4, 205 (1983)). Numbers are exact, of any size.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment.cell import IntArray
from augment.defects.editspace import EditSpace
from augment.defects.recipe import Recipe
from augment.errors import DefectError

MAX_STATES = 200_000
"""Numbers of edits of each kind that are kept apart; beyond, the counts would fill the memory."""

Cycle = tuple[int, tuple[int, ...]]
"""Length of a cycle of sites, and the kinds of edit that its sites can take."""


def count_orbits(space: EditSpace, recipe: Recipe) -> Iterator[tuple[int, int, int]]:
    """Size, number of orbits, and number of complexes in the supercell, for each size; no cutoff.

    Raises:
        DefectError: the space has a cutoff, or the recipe does not fit it.
    """
    order = space.supercell.group_order
    for size in recipe.sizes(space):
        counter = CycleCounter(space, recipe, size)
        fixed = counter.fixed
        total = sum(n * f for n, f in zip(counter.operations, fixed, strict=True))
        yield size, total // order, fixed[counter.identity]


@dataclass(frozen=True, eq=False)
class CycleCounter:
    """The sets of `size` edits that each operation leaves where they are.

    Attributes:
        space: the edits, without a cutoff.
        recipe: which sets count.
        size: number of edits.
    """

    space: EditSpace
    recipe: Recipe
    size: int

    def __post_init__(self) -> None:
        if self.space.cutoff is not None:
            raise DefectError("orbits within a cutoff cannot be counted from cycles; enumerate them")
        shape = self._shape
        if np.prod([float(n) for n in shape]) > MAX_STATES:
            raise DefectError(
                f"{len(shape)} kinds with up to {self.size} edits are too many to count at once; fix the number of some"
            )

    @property
    def _shape(self) -> tuple[int, ...]:
        limits = np.minimum(self.recipe.limits(self.space), self.size)
        return tuple(int(n) + 1 for n in limits)

    @cached_property
    def sites(self) -> IntArray:
        """(n,) the sites that can be edited."""
        return np.unique(self.space.site)

    @cached_property
    def choices(self) -> list[tuple[int, ...]]:
        """Kinds of edit that each of the sites can take."""
        return [tuple(self.space.label[self.space.site == site].tolist()) for site in self.sites]

    @cached_property
    def permutations(self) -> IntArray:
        """(|G|, n) images of the editable sites, as places among them."""
        return np.searchsorted(self.sites, self.space.supercell.images(self.sites))

    @cached_property
    def _types(self) -> tuple[IntArray, IntArray]:
        """Cycle types (t, c x lengths) and the type of each operation (|G|,)."""
        classes = sorted(set(self.choices))
        of_site = np.array([classes.index(c) for c in self.choices])
        lengths = _cycle_lengths(self.permutations)
        longest = int(lengths.max())
        code = of_site * longest + lengths - 1
        counts = np.zeros((len(code), len(classes) * longest), dtype=np.int64)
        np.add.at(counts, (np.arange(len(code))[:, None], code), 1)
        types, which = np.unique(counts, axis=0, return_inverse=True)
        return types, which.reshape(-1)

    @property
    def operations(self) -> list[int]:
        """Number of operations of each cycle type."""
        return [int(n) for n in np.bincount(self._types[1])]

    @cached_property
    def identity(self) -> int:
        """The cycle type of the identity: every site a cycle of its own."""
        moved = (self.permutations != np.arange(len(self.sites))).sum(axis=1)
        return int(self._types[1][moved.argmin()])

    @cached_property
    def _examples(self) -> list[int]:
        """One operation of each cycle type."""
        _, first = np.unique(self._types[1], return_index=True)
        return [int(k) for k in first]

    @cached_property
    def fixed(self) -> list[int]:
        """Number of sets that an operation of each cycle type leaves where they are."""
        wanted = self._wanted
        counts = []
        for example in self._examples:
            lengths = [(len(cycle), choice) for cycle, choice in self.cycles(example)]
            counts.append(int(_products(tuple(lengths), self._shape, self.size)[-1][wanted].sum()))
        return counts

    @cached_property
    def _wanted(self) -> NDArray[np.bool_]:
        """Which numbers of edits of each kind are requested."""
        counts = np.stack(np.meshgrid(*[np.arange(n) for n in self._shape], indexing="ij"), axis=-1)
        rows = counts.reshape(-1, len(self._shape))
        chosen = rows.sum(axis=1) == self.size
        chosen[chosen] = self.recipe.accepts_counts(self.space, rows[chosen])
        return np.asarray(chosen.reshape(self._shape))

    def cycles(self, operation: int) -> list[tuple[IntArray, tuple[int, ...]]]:
        """Cycles of an operation, as places among the sites, and the kinds that each can take."""
        image = self.permutations[operation]
        label = np.arange(len(image))
        for _ in range(len(image)):
            smaller = np.minimum(label, label[image])
            if (smaller == label).all():
                break
            label = smaller
        order = np.argsort(label, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
        return [(part, self.choices[part[0]]) for part in sorted(parts, key=len, reverse=True)]

    def draw(self, rng: random.Random, *, by_orbit: bool) -> IntArray:
        """Places in the space of a random set: every orbit equally likely, or every set."""
        if not any(self.fixed):
            raise DefectError("no complex fits the numbers of edits and charges asked for; relax them")
        operation = self._examples[self.identity]
        if by_orbit:
            weights = [n * f for n, f in zip(self.operations, self.fixed, strict=True)]
            kind = _choose(rng, weights)
            operation = int(rng.choice(np.flatnonzero(self._types[1] == kind).tolist()))
        return self._draw_fixed(rng, self.cycles(operation))

    def _draw_fixed(self, rng: random.Random, cycles: Sequence[tuple[IntArray, tuple[int, ...]]]) -> IntArray:
        """A set that is a union of these cycles, drawn evenly."""
        lengths = tuple((len(cycle), choice) for cycle, choice in cycles)
        products = _products(lengths, self._shape, self.size)
        finals = np.argwhere(self._wanted)
        state = tuple(finals[_choose(rng, [products[-1][tuple(row)] for row in finals])].tolist())
        chosen: list[int] = []
        for (cycle, choice), before in zip(reversed(cycles), reversed(products[:-1]), strict=True):
            steps = [state, *(_less(state, label, len(cycle)) for label in choice)]
            pick = _choose(rng, [before[step] if min(step) >= 0 else 0 for step in steps])
            state = steps[pick]
            if pick:
                taken = (self.space.label == choice[pick - 1]) & np.isin(self.space.site, self.sites[cycle])
                chosen.extend(np.flatnonzero(taken).tolist())
        return np.array(sorted(chosen), dtype=np.int64)


def _cycle_lengths(permutations: IntArray) -> IntArray:
    """(g, n) length of the cycle that each element lies on."""
    start = np.arange(permutations.shape[1])
    lengths = np.zeros(permutations.shape, dtype=np.int64)
    reached = np.broadcast_to(start, permutations.shape)
    step = 0
    while (lengths == 0).any():
        step += 1
        reached = np.take_along_axis(permutations, reached, axis=1)
        lengths[(lengths == 0) & (reached == start)] = step
    return lengths


@lru_cache(maxsize=64)
def _products(cycles: tuple[Cycle, ...], shape: tuple[int, ...], size: int) -> list[NDArray[Any]]:
    """Ways (k + 1 arrays of integers of any size) to reach each number of edits with the first k cycles."""
    products = np.zeros(shape, dtype=object)
    products[(0,) * len(shape)] = 1
    after_cycles = [products]
    for length, choice in cycles:
        more = products.copy()
        if length <= size:
            for label in choice:
                here = [slice(None)] * len(shape)
                there = [slice(None)] * len(shape)
                here[label], there[label] = slice(length, None), slice(None, max(0, shape[label] - length))
                more[tuple(here)] += products[tuple(there)]
        products = more
        after_cycles.append(products)
    return after_cycles


def _less(state: tuple[int, ...], label: int, length: int) -> tuple[int, ...]:
    """The numbers of edits before a cycle of one kind was added."""
    return (*state[:label], state[label] - length, *state[label + 1 :])


def _choose(rng: random.Random, weights: Sequence[int]) -> int:
    """An index drawn with integer weights of any size."""
    totals = list(accumulate(int(w) for w in weights))
    drawn = rng.randrange(totals[-1])
    return next(k for k, total in enumerate(totals) if drawn < total)
