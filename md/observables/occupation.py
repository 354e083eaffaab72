"""Which sites of the host the atoms of a trajectory occupy: its Wigner-Seitz cells first, voids second."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.defect import Defect
from md.labels.frames import Frames

BEYOND = 0.3
"""Of the shortest distance between lattice sites: so much nearer an atom must be to another site than to its own to
belong there. A vibration across the plane between them is no hop, and the ends of dumbbells come far enough over."""

AT_HOME = 0.25
"""Of the shortest distance between lattice sites: within it of its site the owner of a cell is at home, so that a
second atom there is in a void; both ends of a dumbbell are further away."""

CORE = 0.35
"""Of the shortest distance between two sites, voids included: the radius in which an atom is in a void."""

IN_VOID = 0.25
"""Share of the frames in which the second atom of a cell is in a void, if it is one that lives there: in a crowdion an
owner is near its site as well, but the second atom comes through the planes between cells."""


@dataclass(frozen=True, eq=False)
class Occupation:
    """Where the atoms are.

    Attributes:
        cells: (k, n) index of the lattice site in whose Wigner-Seitz cell each atom is in each frame.
        sites: (k, n) index of the site that it occupies: a void, or the lattice site of its cell. Two atoms at one
            lattice site share it, as a split interstitial does whatever its direction.
    """

    cells: IntArray
    sites: IntArray


@dataclass(eq=False)
class _Ground:
    """The sites under a trajectory, and the frames in their fractional coordinates.

    Attributes:
        lattice, voids: indices of the sites; ends of dumbbells are no voids of their own.
        fractional: (m, 3) of all sites.
        spacing: shortest distance between lattice sites, Å.
        core: radius of a void, Å.
    """

    frames: Frames
    defect: Defect
    lattice: IntArray = field(init=False)
    voids: IntArray = field(init=False)
    fractional: FloatArray = field(init=False)
    spacing: float = field(init=False)
    core: float = field(init=False)

    def __post_init__(self) -> None:
        supercell = self.defect.supercell
        orbits = [supercell.host.orbits[k] for k in supercell.sites.orbit]
        self.lattice = np.flatnonzero(supercell.sites.numbers > 0)
        self.voids = np.array([s for s, o in enumerate(orbits) if not o.element and not o.axis], dtype=np.int64)
        self.fractional = np.asarray(supercell.sites.positions @ np.linalg.inv(supercell.cell), dtype=float)
        self.spacing = self._shortest(self.lattice)
        self.core = CORE * self._shortest(np.concatenate([self.lattice, self.voids]))

    def _shortest(self, sites: IntArray) -> float:
        """Shortest distance between sites; between images where there is one site."""
        distances = self.defect.supercell.distances(sites)
        np.fill_diagonal(distances, np.inf)
        return min(float(distances.min()), self.defect.supercell.image_distance)

    def distances(self, points: FloatArray, cell: FloatArray, sites: IntArray) -> FloatArray:
        """Distances (p, s), Å, of fractional points from sites in a cell.

        Short ones, which are all that is looked at, are right with the rounded difference, however skewed the cell.
        """
        between = points[:, None] - self.fractional[sites][None]
        return np.asarray(np.linalg.norm((between - np.rint(between)) @ cell, axis=2), dtype=float)


def occupation_of(frames: Frames, defect: Defect) -> Occupation:
    """Follow the atoms of a trajectory from site to site.

    An atom is in the Wigner-Seitz cell of the nearest lattice site, and stays there until it is clearly nearer to
    another one. Where two share a cell for a while and one of them is at home, the other one is in a void; where none
    is, they are the two halves of a split interstitial. An atom that starts in a void beside an empty lattice site is
    in the void until it comes home.
    """
    ground = _Ground(frames, defect)
    points, cells, away = (np.array(column) for column in zip(*_followed(ground), strict=True))
    sites = cells.copy()
    _waiting(ground, sites, away)
    for site, first, last in _shared(cells, ground.lattice):
        _settle(ground, points, cells, away, sites, (site, first, last))
    return Occupation(cells, sites)


def _followed(ground: _Ground) -> Iterator[tuple[FloatArray, IntArray, FloatArray]]:
    """Frame by frame, fractional positions (n, 3) without the drift, the cell (n,) and the distance from its site."""
    frames, lattice = ground.frames, ground.lattice
    start = ground.fractional[frames.start.sites]
    now = lattice[ground.distances(start, ground.defect.supercell.cell, lattice).argmin(axis=1)]
    drift = np.zeros(3)
    for positions, cell in zip(frames.positions, frames.cells, strict=True):
        points = positions @ np.linalg.inv(cell)
        offset = points - ground.fractional[now]
        offset -= drift
        drift = drift + np.median(offset - np.rint(offset), axis=0)
        points = points - drift
        offset = points - ground.fractional[now]
        away = np.linalg.norm((offset - np.rint(offset)) @ cell, axis=1)
        far = np.flatnonzero(away > (1 + BEYOND) / 2 * ground.spacing)
        if len(far):
            to_all = ground.distances(points[far], cell, lattice)
            nearest = to_all.argmin(axis=1)
            reached = to_all[np.arange(len(far)), nearest]
            moves = reached < away[far] - BEYOND * ground.spacing
            now = now.copy()
            now[far[moves]] = lattice[nearest[moves]]
            away[far[moves]] = reached[moves]
        yield points, now, away


def _waiting(ground: _Ground, sites: IntArray, away: FloatArray) -> None:
    """Leave atoms that start in a void there until they first come home, in whose cell nobody else is at the start."""
    start = ground.frames.start.sites
    void = ground.defect.supercell.sites.numbers[start] == 0
    for atom in np.flatnonzero(void):
        if (sites[0] == sites[0, atom]).sum() > 1:
            continue
        home = (away[:, atom] < AT_HOME * ground.spacing) | (sites[:, atom] != sites[0, atom])
        sites[: int(home.argmax()) if home.any() else len(home), atom] = start[atom]


def _shared(cells: IntArray, lattice: IntArray) -> Iterator[tuple[int, int, int]]:
    """Stretches in which a cell holds two atoms or more: site, first frame, frame after the last."""
    counts = np.stack([np.bincount(row, minlength=int(lattice.max()) + 1) for row in cells])
    for site in np.flatnonzero((counts > 1).any(axis=0)):
        edges = np.diff(np.concatenate([[0], counts[:, site] > 1, [0]]).astype(np.int64))
        for first, last in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
            yield int(site), int(first), int(last)


def _settle(
    ground: _Ground,
    points: FloatArray,
    cells: IntArray,
    away: FloatArray,
    sites: IntArray,
    stretch: tuple[int, int, int],
) -> None:
    """Put the atoms beside an owner at home into voids, for one stretch of a shared cell."""
    site, first, last = stretch
    here = cells[first:last] == site
    nearest = np.where(here, away[first:last], np.inf)
    if not len(ground.voids) or np.median(nearest.min(axis=1)) > AT_HOME * ground.spacing:
        return
    guests, nearby, inside = [], [], []
    for frame, present, owner in zip(range(first, last), here, nearest.argmin(axis=1), strict=True):
        others = np.flatnonzero(present & (np.arange(len(present)) != owner))
        to_all = ground.distances(points[frame, others], ground.frames.cells[frame], ground.voids)
        guests.append(others)
        nearby.append(ground.voids[to_all.argmin(axis=1)])
        inside.append(to_all.min(axis=1) < ground.core)
    if np.concatenate(inside).mean() < IN_VOID:
        return
    before = sites[first - 1] if first else ground.frames.start.sites
    for frame, others, near, entered in zip(range(first, last), guests, nearby, inside, strict=True):
        stay = np.isin(before[others], ground.voids) & ~entered
        sites[frame, others] = np.where(stay, before[others], near)
        before = sites[frame]
