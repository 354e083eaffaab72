"""Random configurations of sites that depend on each other, every one alike, without drawing impossible ones.

Sites that exclude each other, or have their atoms together, directly or through others are a cluster. The ways to fill
the first clusters with given numbers of each species follow from those without the last one, so that a configuration is
drawn cluster by cluster from the last on, with the number of ways that remain as weights.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from augment.cell import IntArray
from augment.solutions.fragment_states import TiedSites, connected_parts
from augment.solutions.solution import SolidSolution

MAX_FILLINGS = 100_000
"""Ways to put species on the sites of one cluster, allowed or not; larger clusters are left to rejection."""

EditCounts = tuple[int, ...]
"""Edits of each kind."""


@dataclass(frozen=True, eq=False)
class _Unit:
    """Sites that are filled together: one alone, or those that disorder groups tie.

    Attributes:
        places: among the editable sites.
        fillings: (f, k) edit at each place, -1 for none.
    """

    places: list[int]
    fillings: IntArray


@dataclass(frozen=True, eq=False)
class ExclusiveClusters:
    """All editable sites of a solid solution as clusters of sites that depend on each other.

    Attributes:
        solution: with a least separation, or disorder groups.
    """

    solution: SolidSolution

    @property
    def tractable(self) -> bool:
        """Whether all ways to fill the largest cluster can be listed."""
        return all(
            np.prod([float(len(unit.fillings)) for unit in cluster]) <= MAX_FILLINGS for cluster in self.clusters
        )

    @cached_property
    def clusters(self) -> list[list[_Unit]]:
        """Units that exclude each other, directly or through others."""
        units = self._units
        unit_at = {place: k for k, unit in enumerate(units) for place in unit.places}
        part = connected_parts(len(units), [(unit_at[a], unit_at[b]) for a, b in self.solution.clashes.tolist()])
        return [[units[k] for k in np.flatnonzero(part == label)] for label in range(int(part.max(initial=-1)) + 1)]

    @cached_property
    def _units(self) -> list[_Unit]:
        space, sites = self.solution.space, self.solution.sites
        tied = [self._tied(tie) for tie in self.solution.ties]
        alone = set(range(len(sites))).difference(*(unit.places for unit in tied))
        edits = {k: np.flatnonzero(space.site == sites[k]).tolist() for k in sorted(alone)}
        return tied + [_Unit([k], np.array([-1, *here], dtype=np.int64)[:, None]) for k, here in edits.items()]

    def _tied(self, tie: TiedSites) -> _Unit:
        """The editable ones of sites that are tied; the others keep the atom of the parent in every state."""
        held = self.solution.supercell.lattice_sites.numbers
        place = {int(site): k for k, site in enumerate(self.solution.sites)}
        editable = [k for k, site in enumerate(tie.sites.tolist()) if site in place]
        fillings = {
            tuple(-1 if z == held[site] else self._edit_of[site, z] for z, site in zip(state, tie.sites, strict=True))
            for state in tie.states
            if all(z == held[site] or (site, z) in self._edit_of for z, site in zip(state, tie.sites, strict=True))
        }
        listed = np.array(sorted(fillings), dtype=np.int64).reshape(-1, len(tie.sites))
        return _Unit([place[int(tie.sites[k])] for k in editable], listed[:, editable])

    @cached_property
    def _edit_of(self) -> dict[tuple[int, int], int]:
        """Edit that puts an atomic number at a site."""
        space = self.solution.space
        return {edit: k for k, edit in enumerate(zip(space.site.tolist(), space.number.tolist(), strict=True))}

    @cached_property
    def _fillings(self) -> list[dict[EditCounts, list[EditCounts]]]:
        """Allowed sets of edits of each cluster, by how many of each kind they have."""
        return [self._allowed(cluster) for cluster in self.clusters]

    def _allowed(self, cluster: Sequence[_Unit]) -> dict[EditCounts, list[EditCounts]]:
        space, places = self.solution.space, [k for unit in cluster for k in unit.places]
        rows = np.meshgrid(*[np.arange(len(unit.fillings)) for unit in cluster], indexing="ij")
        chosen = np.concatenate([u.fillings[row.ravel()] for u, row in zip(cluster, rows, strict=True)], axis=1)
        sites, column = self.solution.sites[places], {k: i for i, k in enumerate(places)}
        pristine = self.solution.supercell.table_with(sites).numbers[sites] > 0
        filled = np.where(chosen < 0, pristine, space.number[chosen] > 0)
        inside = [(column[a], column[b]) for a, b in self.solution.clashes.tolist() if a in column]
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
        wanted = self._wanted
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
        return self._ways[-1].get(self._wanted, 0)

    @property
    def _wanted(self) -> EditCounts:
        return tuple(self.solution.counts[name] for name in self.solution.space.names)

    def every(self) -> Iterator[IntArray]:
        """All possible sets of edits, ascending."""
        yield from self._every(len(self._fillings), self._wanted)

    def _every(self, count: int, wanted: EditCounts) -> Iterator[IntArray]:
        """All ways to fill the first so many clusters with so many edits of each kind."""
        if not count:
            yield np.zeros(0, dtype=np.int64)
            return
        for amounts, sets in self._fillings[count - 1].items():
            rest = tuple(a - b for a, b in zip(wanted, amounts, strict=True))
            if self._ways[count - 1].get(rest, 0):
                for before in self._every(count - 1, rest):
                    yield from (np.sort(np.append(before, np.array(edits, dtype=np.int64))) for edits in sets)

    def draw(self, seed: int) -> Iterator[IntArray]:
        """Sets of edits, ascending, for ever; none where none is possible."""
        rng = random.Random(seed)  # noqa: S311  not for secrets
        while self.configurations:
            rest = self._wanted
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
