"""Disorder groups in a supercell: the sites that they tie together, and what these can hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product

import numpy as np

from augment.cell import IntArray
from augment.errors import DefectError
from augment.groups.symmetry import BoolArray
from augment.solutions.fragments import DisorderGroup, DisorderRules, split_limits
from augment.supercell import Supercell

MAX_TIED_STATES = 100_000
"""Ways to fill sites that are tied together; those of a refined structure have a handful."""

Claim = dict[int, frozenset[int]]
"""Sites of a fragment, and the atomic numbers that it may have there."""


@dataclass(frozen=True, eq=False)
class TiedSites:
    """Sites whose atoms depend on each other by disorder groups.

    Attributes:
        sites: (k,) of the supercell, ascending.
        states: what they can hold: atomic numbers in the order of the sites, 0 for none; in ascending order.
        wholes: sites of each fragment on them.
    """

    sites: IntArray
    states: tuple[tuple[int, ...], ...]
    wholes: tuple[frozenset[int], ...]

    def allows(self, numbers: IntArray) -> BoolArray:
        """Whether each configuration (c, n) of atomic numbers at all sites holds one of the states here."""
        allowed = set(self.states)
        return np.array([tuple(row) in allowed for row in numbers[:, self.sites].tolist()], dtype=bool)


def tied_sites(rules: DisorderRules, supercell: Supercell) -> tuple[TiedSites, ...]:
    """All sets of sites of a supercell that disorder groups tie together.

    Raises:
        DefectError: they tie too many sites together to list what these can hold.
    """
    return tuple(_PlacedFragments(rules, supercell).ties())


def whole_fragments(rules: DisorderRules, supercell: Supercell) -> list[tuple[DisorderGroup, Claim]]:
    """The fragments of a supercell, those that share an atom on a special position as one, with their groups."""
    placed = _PlacedFragments(rules, supercell)
    group = {int(w): rules.fragments[k // supercell.index].group for k, w in enumerate(placed.whole)}
    return [(group[k], claim) for k, claim in enumerate(placed.wholes)]


@dataclass(frozen=True, eq=False)
class _PlacedFragments:
    """The copies of the fragments in a supercell: copy `f * index + c` is that of fragment f in cell c."""

    rules: DisorderRules
    supercell: Supercell

    @cached_property
    def claims(self) -> list[Claim]:
        """Sites of each copy."""
        index, cells = self.supercell.index, self.supercell.cells
        claims = []
        for fragment in self.rules.fragments:
            columns = [b * index + self.supercell.cell_index(cells + np.array(c)) for b, c in fragment.places]
            claims += [dict(zip(row, fragment.numbers, strict=True)) for row in np.stack(columns, axis=1).tolist()]
        return claims

    @cached_property
    def whole(self) -> IntArray:
        """The whole that each copy is a part of: those of a group that share an atom on a special position are one."""
        return connected_parts(len(self.claims), [pair for pair in self._sharing if self._one(*pair)])

    @cached_property
    def _sharing(self) -> list[tuple[int, int]]:
        """Copies that have a site in common."""
        at: dict[int, list[int]] = {}
        for k, claim in enumerate(self.claims):
            for site in claim:
                at.setdefault(site, []).append(k)
        return sorted({pair for copies in at.values() for pair in combinations(copies, 2)})

    def _one(self, a: int, b: int) -> bool:
        """Whether two copies that share a site are there together: not where their other atoms are too close."""
        first, second = (self.rules.fragments[k // self.supercell.index] for k in (a, b))
        if first.group != second.group:
            return False
        one, other = self.claims[a], self.claims[b]
        if one.keys() == other.keys():
            return True
        apart = sorted(one.keys() ^ other.keys())
        numbers = np.array([max((one | other)[site]) for site in apart])
        mine = np.array([site in one for site in apart])
        close = self.supercell.distances(np.array(apart)) < split_limits(numbers)
        return first.joins and not (close & (mine[:, None] ^ mine)).any()

    @cached_property
    def wholes(self) -> list[Claim]:
        """Sites of each whole."""
        wholes: list[Claim] = [{} for _ in range(int(self.whole.max()) + 1)]
        for k, claim in enumerate(self.claims):
            wholes[self.whole[k]].update(claim)
        return wholes

    def ties(self) -> Iterator[TiedSites]:
        """Sites that depend on each other, from wholes that share sites or exclude each other."""
        wholes = self.wholes
        excluded = {(int(self.whole[a]), int(self.whole[b])) for a, b in self._excluded}
        sharing = [(int(self.whole[a]), int(self.whole[b])) for a, b in self._sharing]
        part = connected_parts(len(wholes), [*excluded, *sharing])
        for k in range(int(part.max()) + 1):
            yield self._tied([(int(w), wholes[w]) for w in np.flatnonzero(part == k)], excluded)

    @property
    def _excluded(self) -> Iterator[tuple[int, int]]:
        """Copies that are never there together."""
        index, cells = self.supercell.index, self.supercell.cells
        for i, j, cell in self.rules.exclusions:
            others = self.supercell.cell_index(cells + np.array(cell))
            yield from ((i * index + c, j * index + int(d)) for c, d in enumerate(others))

    def _tied(self, wholes: list[tuple[int, Claim]], excluded: set[tuple[int, int]]) -> TiedSites:
        sites = sorted({site for _, claim in wholes for site in claim})
        states: set[tuple[int, ...]] = set()
        for tried, chosen in enumerate(_compatible(wholes, excluded)):
            options = []
            for site in sites:
                claims = [claim[site] for claim in chosen if site in claim]
                free = self.rules.free[site // self.supercell.index]
                options.append(sorted(frozenset.intersection(*claims) if claims else free))
            states.update(product(*options))
            if max(len(states), tried) > MAX_TIED_STATES:
                raise DefectError(
                    f"the disorder groups of the file tie {len(sites)} sites of the supercell together in more than "
                    f"{MAX_TIED_STATES} ways; take a smaller supercell, or leave out _atom_site_disorder_group"
                )
        parts = tuple(frozenset(claim) for _, claim in wholes)
        return TiedSites(np.array(sites, dtype=np.int64), tuple(sorted(states)), parts)


def _compatible(wholes: list[tuple[int, Claim]], excluded: set[tuple[int, int]]) -> Iterator[list[Claim]]:
    """Every choice of wholes of which none excludes another."""
    if not wholes:
        yield []
        return
    (number, claim), *others = wholes
    yield from _compatible(others, excluded)
    left = [(k, c) for k, c in others if (number, k) not in excluded and (k, number) not in excluded]
    for chosen in _compatible(left, excluded):
        yield [claim, *chosen]


def connected_parts(count: int, pairs: list[tuple[int, int]]) -> IntArray:
    """Number (count,) of the connected part that each node is in."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    labels: IntArray = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels
