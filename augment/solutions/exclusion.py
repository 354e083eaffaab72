"""Random configurations of sites of which some exclude each other, every one alike, without drawing impossible ones.

Sites that exclude each other directly or through others are a cluster. The ways to fill the first clusters with given
numbers of each species follow from those without the last one, so that a configuration is drawn cluster by cluster
from the last on, with the number of ways that remain as weights.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from augment.cell import IntArray
from augment.solutions.solution import SolidSolution

MAX_FILLINGS = 100_000
"""Ways to put species on the sites of one cluster, allowed or not; larger clusters are left to rejection."""

EditCounts = tuple[int, ...]
"""Edits of each kind."""


@dataclass(frozen=True, eq=False)
class ExclusiveClusters:
    """All editable sites of a solid solution as clusters of sites that exclude each other.

    Attributes:
        solution: with a least separation.
    """

    solution: SolidSolution

    @property
    def tractable(self) -> bool:
        """Whether all ways to fill the largest cluster can be listed."""
        return all(np.prod([1.0 + len(self._edits_at[k]) for k in part]) <= MAX_FILLINGS for part in self.clusters)

    @cached_property
    def clusters(self) -> list[list[int]]:
        """Places among the editable sites."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        count, (first, second) = len(self.solution.sites), self.solution.clashes.T
        graph = coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
        label = connected_components(graph, directed=False)[1]
        return [np.flatnonzero(label == k).tolist() for k in range(int(label.max()) + 1)]

    @cached_property
    def _edits_at(self) -> list[list[int]]:
        """Edits that each site can take."""
        return [np.flatnonzero(self.solution.space.site == site).tolist() for site in self.solution.sites]

    @cached_property
    def _fillings(self) -> list[dict[EditCounts, list[EditCounts]]]:
        """Allowed sets of edits of each cluster, by how many of each kind they have."""
        return [self._allowed(cluster) for cluster in self.clusters]

    def _allowed(self, cluster: Sequence[int]) -> dict[EditCounts, list[EditCounts]]:
        space, place = self.solution.space, {k: i for i, k in enumerate(cluster)}
        options = [np.array([-1, *self._edits_at[k]]) for k in cluster]
        chosen = np.stack(np.meshgrid(*options, indexing="ij"), axis=-1).reshape(-1, len(cluster))
        sites = self.solution.sites[cluster]
        pristine = self.solution.supercell.table_with(sites).numbers[sites] > 0
        filled = np.where(chosen < 0, pristine, space.number[chosen] > 0)
        inside = [(place[a], place[b]) for a, b in self.solution.clashes.tolist() if a in place]
        for a, b in inside:
            chosen, filled = (rows[~(filled[:, a] & filled[:, b])] for rows in (chosen, filled))
        edits_by_amounts: dict[EditCounts, list[EditCounts]] = {}
        for row in chosen:
            edits = row[row >= 0]
            amounts = np.bincount(space.label[edits], minlength=len(space.names))
            edits_by_amounts.setdefault(tuple(amounts.tolist()), []).append(tuple(edits.tolist()))
        return edits_by_amounts

    @cached_property
    def _ways(self) -> list[dict[EditCounts, int]]:
        """Ways to fill the first 0, 1, ... clusters with each number of edits of each kind."""
        wanted = tuple(self.solution.counts[name] for name in self.solution.space.names)
        counts = [{(0,) * len(wanted): 1}]
        for fillings in self._fillings:
            grown: dict[EditCounts, int] = {}
            for have, number in counts[-1].items():
                for amounts, sets in fillings.items():
                    total = tuple(a + b for a, b in zip(have, amounts, strict=True))
                    if all(a <= b for a, b in zip(total, wanted, strict=True)):
                        grown[total] = grown.get(total, 0) + number * len(sets)
            counts.append(grown)
        return counts

    @property
    def configurations(self) -> int:
        """Number of possible configurations."""
        return self._ways[-1].get(tuple(self.solution.counts[name] for name in self.solution.space.names), 0)

    def draw(self, seed: int) -> Iterator[IntArray]:
        """Sets of edits, ascending, for ever; none where none is possible."""
        rng = random.Random(seed)  # noqa: S311  not for secrets
        while self.configurations:
            rest = tuple(self.solution.counts[name] for name in self.solution.space.names)
            members: list[int] = []
            for fillings, before in zip(reversed(self._fillings), reversed(self._ways[:-1]), strict=True):
                steps = [(tuple(a - b for a, b in zip(rest, f, strict=True)), f) for f in fillings]
                weights = [before.get(step, 0) * len(fillings[f]) for step, f in steps]
                rest, taken = steps[_choose(rng, weights)]
                members.extend(rng.choice(fillings[taken]))
            yield np.array(sorted(members), dtype=np.int64)


def _choose(rng: random.Random, weights: Sequence[int]) -> int:
    """An index drawn with integer weights of any size."""
    drawn = rng.randrange(sum(weights))
    for k, weight in enumerate(weights):
        drawn -= weight
        if drawn < 0:
            return k
    raise AssertionError  # the weights sum to more than what was drawn
