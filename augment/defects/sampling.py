"""Random complexes without enumeration: every orbit equally likely, or every complex of the supercell."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Literal

import numpy as np

from augment.cell import IntArray
from augment.defect import Defect
from augment.defects.burnside import CycleCounter
from augment.defects.editspace import EditSpace
from augment.defects.recipe import Recipe
from augment.errors import DefectError

SamplingWeight = Literal["orbit", "degeneracy"]

_BATCH = 4096
"""Candidate sets drawn at once."""

_MAX_BATCHES = 2_000
"""Batches without one fitting set before the search is given up: some eight million candidates."""


_IMAGES = 2_000_000
"""Images of edits that are looked at at once; bounds the memory."""


def sample_complexes(
    space: EditSpace, recipe: Recipe, count: int, seed: int, *, weight: SamplingWeight = "orbit"
) -> Iterator[Defect]:
    """Independent random complexes of one size, with repetition.

    Args:
        space: the edits to choose from, with the cutoff between any two of one complex.
        recipe: of one size.
        count: how many to draw.
        seed: of the random generator.
        weight: `orbit` draws every symmetry-distinct complex alike, `degeneracy` every complex of the supercell, so
            that an orbit comes as often as it has copies.

    Raises:
        DefectError: the recipe allows several sizes, does not fit the space, or no complex fits it.
    """
    if recipe.min_size != recipe.max_size:
        raise DefectError("random complexes are drawn of one size; give the same fewest and most edits")
    size = recipe.sizes(space)[0]
    if space.cutoff is None:
        counter, source = CycleCounter(space, recipe, size), random.Random(seed)  # noqa: S311  not for secrets
        drawn: Iterator[IntArray] = (counter.draw(source, by_orbit=weight == "orbit") for _ in range(count))
    else:
        space.check_cutoff()
        drawn = islice(_Cliques(space, recipe, size).draw(seed, by_orbit=weight == "orbit"), count)
    for members in drawn:
        yield Defect(space.supercell, space.edits(members))


@dataclass(frozen=True, eq=False)
class _Cliques:
    """Sets of edits within a cutoff of one another, drawn by rejection.

    An edit is drawn with the number of ways to draw the others from its neighbours, then the others: each fitting set
    comes up alike, whichever of its edits was first. Accepting it with the order of its stabilizer over a bound makes
    every orbit alike.
    """

    space: EditSpace
    recipe: Recipe
    size: int

    @cached_property
    def degree(self) -> IntArray:
        """(m,) neighbours of each edit."""
        return np.asarray(self.space.compatible.sum(axis=1))

    @cached_property
    def neighbours(self) -> IntArray:
        """(m, most) neighbours of each edit, in the first `degree` places."""
        return np.argsort(~self.space.compatible, axis=1, kind="stable")[:, : max(1, int(self.degree.max()))]

    def draw(self, seed: int, *, by_orbit: bool) -> Iterator[IntArray]:
        """Fitting sets for ever."""
        rng = np.random.default_rng(seed)
        weights = self.degree.astype(float) ** (self.size - 1)
        largest = self.space.supercell.group_order // self._smallest_orbit
        drawn = idle = 0
        while weights.any() and idle < _MAX_BATCHES:
            sets = self._fitting(rng, weights / weights.sum())
            if by_orbit:
                sets = sets[rng.random(len(sets)) * largest * self.size < stabilizer_orders(self.space, sets)]
            yield from sets
            drawn, idle = drawn + len(sets), 0 if len(sets) else idle + 1
        raise DefectError(
            f"no complex of {self.size} edits within {self.space.cutoff:g} Å of one another was found in "
            f"{_MAX_BATCHES * _BATCH} draws after {drawn}; widen the cutoff or relax the numbers of each kind"
        )

    @property
    def _smallest_orbit(self) -> int:
        """Sites of the smallest orbit of edits: a stabilizer is at most `size` times that of one edit."""
        return int(np.unique(self.space.representative, return_counts=True)[1].min())

    def _fitting(self, rng: np.random.Generator, chance: np.ndarray[tuple[int], np.dtype[np.float64]]) -> IntArray:
        """The fitting ones of a batch of candidate sets (c, size), each in ascending order."""
        first = rng.choice(len(self.space), size=_BATCH, p=chance)
        degree = self.degree[first]
        sets = np.empty((_BATCH, self.size), dtype=np.int64)
        sets[:, 0] = first
        for k in range(1, self.size):
            sets[:, k] = self.neighbours[first, rng.integers(degree)]
        keep = np.ones(_BATCH, dtype=bool)
        for a in range(1, self.size):
            for b in range(1, a):
                keep &= self.space.compatible[sets[:, a], sets[:, b]]
        sets = np.sort(sets[keep], axis=1)
        return sets[self.recipe.accepts(self.space, sets)]


def stabilizer_orders(space: EditSpace, sets: IntArray) -> IntArray:
    """(c,) number of operations that leave each of some sets (c, k) of edits where it is."""
    orders = np.zeros(len(sets), dtype=np.int64)
    step = max(1, _IMAGES // (len(space.permutations) * sets.shape[1]))
    for start in range(0, len(sets), step):
        chosen = sets[start : start + step]
        inside = np.zeros((len(chosen), len(space)), dtype=bool)
        inside[np.arange(len(chosen))[:, None], chosen] = True
        stays = inside[np.arange(len(chosen))[:, None], space.permutations[:, chosen]].all(axis=2)
        orders[start : start + step] = stays.sum(axis=0)
    return orders
