"""How different the structures of one generator are: invariants of periodic sets, and how far apart they lie.

AMD and PDD are continuous invariants under isometries (D. Widdowson, M. M. Mosca, A. Pulido, A. I. Cooper, V. Kurlin,
MATCH Commun. Math. Comput. Chem. 87, 529 (2022), doi:10.46793/match.87-3.529W; D. Widdowson, V. Kurlin, NeurIPS 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from augment.cell import FloatArray
from augment.neighbours import pairs_within

PDD_NEIGHBOURS = 50
"""Columns of the distributions: two to three shells of coordination in a dense crystal."""


def pointwise_distances(cell: FloatArray, positions: FloatArray, neighbours: int = PDD_NEIGHBOURS) -> FloatArray:
    """PDD before its rows are sorted: distances (n, k) from each atom to its k nearest others, images included, Å."""
    reach = (3.0 * neighbours * abs(np.linalg.det(cell)) / len(positions) / (4.0 * np.pi)) ** (1 / 3)
    while True:
        distances = _within(cell, positions, reach)
        if min(len(row) for row in distances) >= neighbours:
            return np.array([np.sort(row)[:neighbours] for row in distances])
        reach *= 1.2


def average_minimum_distances(cell: FloatArray, positions: FloatArray, neighbours: int = PDD_NEIGHBOURS) -> FloatArray:
    """AMD (k,): the mean over atoms of the distance to the i-th nearest neighbour, Å, AMD_i = 1/n sum_a d_ai."""
    amd: FloatArray = pointwise_distances(cell, positions, neighbours).mean(axis=0)
    return amd


def pdd_distance(first: FloatArray, second: FloatArray) -> float:
    """Earth mover's distance between two PDDs (n, k) of as many atoms, Å, with max |.| between rows.

    With equal weights the cheapest transport is an assignment of rows.
    """
    from scipy.optimize import linear_sum_assignment

    cost = abs(first[:, None] - second[None]).max(axis=-1)
    rows, columns = linear_sum_assignment(cost)
    return float(cost[rows, columns].mean())


def mean_pair_distance(distributions: Sequence[FloatArray]) -> float:
    """Mean of `pdd_distance` over all pairs of structures, Å; NaN for fewer than two."""
    pairs = [pdd_distance(a, b) for a, b in combinations(distributions, 2)]
    return float(np.mean(pairs)) if pairs else float("nan")


def _within(cell: FloatArray, positions: FloatArray, reach: float) -> list[FloatArray]:
    """Distances from each atom to all others within a reach, Å."""
    first, _, distance = pairs_within(cell, positions, reach)
    return np.split(distance, np.searchsorted(first, np.arange(1, len(positions))))
