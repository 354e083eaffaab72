"""Short-range order of configurations: how many more or fewer neighbours there are than if all were random.

    α_ab = 1 - N_ab / <N_ab>

(J. M. Cowley, Phys. Rev. 77, 669 (1950), doi:10.1103/PhysRev.77.669), where N_ab is the number of pairs of a and b in
a shell of neighbours and <N_ab> its mean over all configurations with the same numbers of each: 0 in a random solution
of any size, below 0 where a and b are beside each other more often, 1 where they never are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.elements import element_symbol
from augment.solutions.quasirandom import shell_edges
from augment.solutions.solution import SolidSolution

ORDER_SHELLS = 3
"""Shells of neighbours that are counted."""


@dataclass(frozen=True)
class ShellOrder:
    """Short-range order of two occupants in a shell.

    Attributes:
        first: kind of edit, or the element of the pristine sites.
        second: the other, at the far end.
        distance: Å, of the ideal sites of the shell's nearest pair.
        random: pairs in a supercell, if they were distributed at random.
        value: α.
        error: standard error of α; None of exact averages.
    """

    first: str
    second: str
    distance: float
    random: float
    value: float
    error: float | None

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "first": self.first,
            "second": self.second,
            "distance": self.distance,
            "random_pairs": self.random,
            "value": self.value,
            "error": self.error,
        }


@dataclass(frozen=True, eq=False)
class OrderParameters:
    """What is counted of every configuration of a solution.

    Attributes:
        solution: the numbers of edits.
        pairs: the occupants and shells, with the pairs of random configurations; no values yet.
        counters: for each of them the sites of the first occupant (edits + 1, n), whether two sites are in the shell
            (n, m), and the sites of the second (edits + 1, m).
    """

    solution: SolidSolution
    pairs: tuple[ShellOrder, ...]
    counters: tuple[tuple[FloatArray, FloatArray, FloatArray], ...]

    @classmethod
    def of(cls, solution: SolidSolution, shells: int = ORDER_SHELLS) -> OrderParameters:
        """Pairs of the kinds of edit, and of each with the element that it replaces."""
        occupants = _occupants(solution)
        pairs, counters = [], []
        for i, first in enumerate(occupants):
            for second in occupants[i:]:
                if not (first.edits and second.edits) and (first is second or first.sites is not second.sites):
                    continue
                for distance, mask in _shells(solution, first.sites, second.sites, shells):
                    random = _random_pairs(first, second, mask)
                    if random > 0:
                        pairs.append(ShellOrder(first.name, second.name, distance, random, 0.0, None))
                        half = mask / 2 if first is second else mask
                        counters.append((first.indicator(solution), half, second.indicator(solution)))
        return cls(solution, tuple(pairs), tuple(counters))

    def values(self, members: IntArray) -> FloatArray:
        """(c, pairs) α of sets (c, k) of edits."""
        held = np.zeros((len(members), len(self.solution.space) + 1))
        np.put_along_axis(held, members, 1.0, axis=1)
        held[:, -1] = 1.0
        columns = [
            1 - np.einsum("ca,ab,cb->c", held @ first, mask, held @ second) / pair.random
            for pair, (first, mask, second) in zip(self.pairs, self.counters, strict=True)
        ]
        return np.stack(columns, axis=1) if columns else np.zeros((len(members), 0))


@dataclass(frozen=True, eq=False)
class _Occupant:
    """One species on the sites of a sublattice: its edits by site, none for the pristine one."""

    name: str
    sites: IntArray
    count: int
    edits: tuple[int, ...]
    others: IntArray

    def indicator(self, solution: SolidSolution) -> FloatArray:
        """(edits + 1, n) that turns edits held, and a 1, into whether it is on each site."""
        matrix = np.zeros((len(solution.space) + 1, len(self.sites)))
        if self.edits:
            matrix[list(self.edits), np.arange(len(self.sites))] = 1.0
        else:
            matrix[-1] = 1.0
            for column in self.others.T:
                matrix[column, np.arange(len(self.sites))] = -1.0
        return matrix


def _occupants(solution: SolidSolution) -> list[_Occupant]:
    """Every kind of edit, and the pristine element of each sublattice that has one."""
    found = []
    for part in solution.sublattices:
        names = [solution.space.names[int(solution.space.label[part.edits[0, k]])] for k in range(part.edits.shape[1])]
        for k, name in enumerate(names):
            found.append(_Occupant(name, part.sites, part.counts[k + 1], tuple(part.edits[:, k].tolist()), part.edits))
        if part.species[0] and part.counts[0]:
            found.append(_Occupant(element_symbol(part.species[0]), part.sites, part.counts[0], (), part.edits))
    return found


def _shells(solution: SolidSolution, first: IntArray, second: IntArray, shells: int) -> list[tuple[float, FloatArray]]:
    """Distance and (n, m) pairs of sites of the first shells between two sets of sites."""
    together = np.union1d(first, second)
    apart = solution.supercell.distances(together)
    apart = apart[np.ix_(np.searchsorted(together, first), np.searchsorted(together, second))]
    edges = shell_edges(apart, shells)
    shell = np.searchsorted(edges, apart)
    masks = [(shell == k) & (apart > 0) for k in range(1, len(edges))]
    return [(float(apart[mask].min()), mask.astype(float)) for mask in masks if mask.any()]


def _random_pairs(first: _Occupant, second: _Occupant, mask: FloatArray) -> float:
    """Mean number of pairs over all configurations with the same numbers."""
    sites = len(first.sites)
    if first is second:
        return float(mask.sum()) / 2 * first.count * (first.count - 1) / (sites * (sites - 1))
    if first.sites is second.sites:
        return float(mask.sum()) * first.count * second.count / (sites * (sites - 1))
    return float(mask.sum()) * first.count * second.count / (sites * len(second.sites))
