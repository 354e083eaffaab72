"""Which of many cells to label: those whose atoms are furthest from all that is labelled, or on which students differ.

Farthest-point sampling of atomic environments (Eldar et al., IEEE Trans. Image Process. 6, 1305, 1997) on the
invariants of `md.potentials.environments`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from md.distill.explore import disagreement
from md.potentials.environments import environment_features

__all__ = ["farthest", "most_disputed"]

_SHORTLIST = 3
"""Times as many cells as are wanted, the most disputed ones, among which the most different are taken."""


def farthest(cells: Sequence[DefectCell], known: Sequence[DefectCell], count: int) -> list[int]:
    """Indices of the `count` cells that are most unlike what is known and each other, the most unlike first.

    A cell is as far from the known ones as its atoms are on average, each from the nearest known atom of its element.
    """
    everything = [*known, *cells]
    elements = sorted({int(z) for cell in everything for z in np.unique(cell.numbers)})
    features = [environment_features(c.cell, c.numbers, c.positions, elements) for c in everything]
    spread = np.concatenate(features).std(axis=0) + 1e-3
    rows = [(cell.numbers, found / spread) for cell, found in zip(everything, features, strict=True)]
    away = [np.full(len(cell), np.inf) for cell in cells]
    for row in rows[: len(known)]:
        away = _nearer(away, rows[len(known) :], row)
    chosen: list[int] = []
    while len(chosen) < min(count, len(cells)):
        distance = [-1.0 if i in chosen else _mean(d) for i, d in enumerate(away)]
        chosen.append(int(np.argmax(distance)))
        away = _nearer(away, rows[len(known) :], rows[len(known) + chosen[-1]])
    return chosen


def most_disputed(
    cells: Sequence[DefectCell], committee: Sequence[Any], known: Sequence[DefectCell], count: int
) -> list[int]:
    """Indices of the `count` most unlike cells among those on which the forces of two students differ most."""
    if count == 0:
        return []
    dispute = np.array([disagreement(cell, committee) for cell in cells])
    shortlist = np.argsort(-dispute, kind="stable")[: _SHORTLIST * count]
    return [int(shortlist[i]) for i in farthest([cells[i] for i in shortlist], known, count)]


def _mean(distances: FloatArray) -> float:
    """Mean distance of the atoms; what has no known atom of its element is further than all that has."""
    known = np.isfinite(distances)
    return float(distances[known].sum() / len(distances) + 1e3 * (~known).mean())


def _nearer(
    away: Sequence[FloatArray], rows: Sequence[tuple[IntArray, FloatArray]], one: tuple[IntArray, FloatArray]
) -> list[FloatArray]:
    """Distances of the atoms of each cell from the nearest known one, once the atoms of `one` are known too."""
    numbers, features = one
    found = []
    for before, (own, theirs) in zip(away, rows, strict=True):
        square = (theirs**2).sum(axis=1)[:, None] + (features**2).sum(axis=1) - 2 * theirs @ features.T
        distance = np.sqrt(np.maximum(np.where(own[:, None] == numbers, square, np.inf), 0.0))
        found.append(np.minimum(before, distance.min(axis=1)))
    return found
