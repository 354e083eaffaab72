"""Monte-Carlo rattle: atoms move one after another, and a move that brings a pair too close is drawn again.

As in hiPhive (F. Eriksson, E. Fransson, P. Erhart, Adv. Theory Simul. 2, 1800184 (2019)) each atom takes a Gaussian
step that is accepted with a smooth probability of its distances d to its neighbours. Here that is erf((d - d_min) / w),
which is 0 at d_min, so that no pair ever comes closer than d_min. Atoms that cannot meet share a colour and move at
once, in all copies of a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.distort.copies import Copies, CopyLabel, copies_provenance, copy_stream
from augment.distort.pairs import Pairs, approaching_pairs
from augment.distort.single import DEFAULT_MIN_FRACTION
from augment.errors import ConditionError
from augment.groups.symmetry import BoolArray
from augment.neighbours import shortest_distance

WIDTH = 0.1
"""Å over which the probability of a move rises from 0; hiPhive's default."""

MAX_STEP_DEVIATIONS = 3.5
"""Standard deviations; a longer step (6 in 1,000) is drawn again, so that the list of pairs is finite."""

_ATTEMPTS = 50
"""Draws before an atom stays where it is. In a cell that is not jammed a few are enough."""

_FAR = 1e6
"""Å; where rows of unequal numbers of neighbours are filled up."""


@dataclass(frozen=True, eq=False)
class Colour:
    """Atoms no two of which can meet, with the neighbours that they can.

    Attributes:
        atoms: (a,).
        neighbours: (a, k) atoms.
        vectors: (3, a, k) from each atom to the image of its neighbour in the undistorted cell, Å.
    """

    atoms: IntArray
    neighbours: IntArray
    vectors: FloatArray


@dataclass(frozen=True, eq=False)
class RattlePlan:
    """What a Monte-Carlo rattle needs to know of a cell; made once for all copies.

    Attributes:
        colours: the atoms, in the order in which they move.
        sigma: standard deviation of a step's components, Å.
        min_distance: no pair comes closer, Å, nor any that is closer already comes closer still.
    """

    colours: tuple[Colour, ...]
    sigma: float
    min_distance: float

    def move(
        self, start: FloatArray, active: BoolArray, rng: np.random.Generator, *, crowded: bool = False
    ) -> FloatArray:
        """Displacements (m, n, 3) after every active atom (m, n) has moved once from `start`, Å.

        Args:
            start: (m, n, 3) displacements to begin with, Å.
            active: (m, n) atoms that move.
            rng: the generator to draw from.
            crowded: whether pairs of the start may be closer than the minimum distance.
        """
        now = np.ascontiguousarray(np.moveaxis(start, -1, 0))
        for colour in self.colours:
            self._move_colour(now, colour, active[:, colour.atoms].ravel(), rng, crowded=crowded)
        return np.moveaxis(now, 0, -1)

    def _move_colour(
        self, now: FloatArray, colour: Colour, active: BoolArray, rng: np.random.Generator, *, crowded: bool
    ) -> None:
        """Move the atoms of one colour in displacements (3, m, n), in place."""
        from scipy.special import erf

        neighbours = (colour.vectors[:, None] + now[:, :, colour.neighbours]).reshape(3, -1, colour.neighbours.shape[1])
        here = now[:, :, colour.atoms].reshape(3, -1)
        limit = np.minimum(_distance(neighbours, here), self.min_distance) if crowded else None
        waiting = np.flatnonzero(active)
        for _ in range(_ATTEMPTS):
            if len(waiting) == 0:
                break
            step = rng.normal(scale=self.sigma, size=(3, len(waiting)))
            chosen = slice(None) if len(waiting) == neighbours.shape[1] else waiting
            moved = here[:, chosen] + step
            distance = _distance(neighbours[:, chosen], moved)
            gap = (distance - (self.min_distance if limit is None else limit[chosen])).min(axis=1, initial=_FAR)
            accepted = rng.random(len(waiting)) < erf(gap / WIDTH)
            accepted &= np.einsum("cp,cp->p", step, step) <= (MAX_STEP_DEVIATIONS * self.sigma) ** 2
            here[:, waiting[accepted]] = moved[:, accepted]
            waiting = waiting[~accepted]
        now[:, :, colour.atoms] = here.reshape(3, now.shape[1], -1)


def plan_rattle(cell: DefectCell, sigma: float, min_distance: float, start: FloatArray | None = None) -> RattlePlan:
    """Plan the rattle of a cell.

    Args:
        cell: the undistorted cell.
        sigma: standard deviation of a step's components, Å.
        min_distance: Å.
        start: (n,) largest displacement that each atom may have before it is rattled, Å; none by default.

    Raises:
        ConditionError: an amplitude or a distance is negative.
    """
    if not (sigma >= 0 and min_distance >= 0):
        raise ConditionError(f"rattle amplitude {sigma} Å and least distance {min_distance} Å must not be negative")
    reach = np.full(len(cell), MAX_STEP_DEVIATIONS * sigma) + (0.0 if start is None else start)
    pairs = approaching_pairs(cell, min_distance + 2 * WIDTH, reach)
    apart = pairs.first != pairs.second
    pairs = Pairs(pairs.first[apart], pairs.second[apart], pairs.vectors[apart])
    return RattlePlan(tuple(_colours(pairs, len(cell))), sigma, min_distance)


def rattled(
    cell: DefectCell,
    sigma: float,
    copies: int,
    seed: int,
    *,
    start: int = 0,
    min_distance: float | None = None,
    stabilizer_order: int = 1,
) -> Iterator[Copies]:
    """Stream of rattled copies of a cell without drift.

    Args:
        cell: the cell to distort.
        sigma: standard deviation of each Cartesian component, Å, before near misses are drawn again.
        copies: how many.
        seed: of the stream.
        start: number of the first copy; copies `start` to `start + copies` are made.
        min_distance: no two atoms come closer, Å; 0.7 of the shortest distance by default.
        stabilizer_order: |H| of the defect; a rattled copy keeps none of it and has that many equivalent copies.

    Raises:
        ConditionError: an amplitude, a distance, the seed or the range is not possible.
    """
    shortest = shortest_distance(cell)
    limit = DEFAULT_MIN_FRACTION * shortest if min_distance is None else min_distance
    plan = plan_rattle(cell, sigma, limit)
    labels = (CopyLabel("rattle", "", "1", stabilizer_order),)
    made = copies_provenance(None, sigma=sigma, min_distance=limit, width=WIDTH)

    def make(index: IntArray, rng: np.random.Generator) -> Copies:
        m = len(index)
        moved = plan.move(np.zeros((m, len(cell), 3)), np.ones((m, len(cell)), bool), rng, crowded=limit > shortest)
        moved -= moved.mean(axis=1, keepdims=True)
        zero = np.zeros(m, dtype=np.int64)
        return Copies(cell, moved, np.zeros((m, 3, 3)), labels, zero, np.full(m, sigma), seed, index, made)

    return copy_stream(make, f"rattle {cell.key}", seed, start, start + copies)


def _distance(neighbours: FloatArray, points: FloatArray) -> FloatArray:
    """Distances (p, k) from points (3, p) to neighbours (3, p, k)."""
    total = np.square(neighbours[0] - points[0, :, None])
    for axis in (1, 2):
        total += np.square(neighbours[axis] - points[axis, :, None])
    return np.asarray(np.sqrt(total, out=total))


def _colours(pairs: Pairs, n: int) -> Iterator[Colour]:
    """Colours by the greedy rule: each atom gets the first that none of its neighbours has."""
    colour = np.full(n, -1)
    listed = np.split(np.argsort(pairs.first, kind="stable"), np.cumsum(np.bincount(pairs.first, minlength=n))[:-1])
    for atom, rows in enumerate(listed):
        taken = set(colour[pairs.second[rows]].tolist())
        colour[atom] = next(c for c in range(n) if c not in taken)
    for value in range(colour.max(initial=-1) + 1):
        atoms = np.flatnonzero(colour == value)
        most = max(1, *(len(listed[a]) for a in atoms))
        neighbours = np.zeros((len(atoms), most), dtype=np.int64)
        vectors = np.full((3, len(atoms), most), _FAR)
        for row, atom in enumerate(atoms.tolist()):
            count = len(listed[atom])
            neighbours[row, :count] = pairs.second[listed[atom]]
            vectors[:, row, :count] = pairs.vectors[listed[atom]].T
        yield Colour(atoms, neighbours, vectors)
