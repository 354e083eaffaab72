"""Whether a defect stays, hops, recombines or changes: the host's sites as the atoms of a trajectory occupy them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.defect import Defect
from augment.errors import DataError
from augment.supercell import Edit
from md.labels.frames import Frames
from md.observables.estimators.statistics import Mean
from md.observables.sites import check_cell

CORE = 0.35
"""Of the shortest distance between two sites: an atom belongs to the site whose core it was in last. Below one half,
so that cores never touch and a vibration across a saddle is no hop."""

CONFIDENCE = 0.95
"""Of the upper bound of a rate."""

CROWDED = "crowded"
"""Name of a state with two atoms at one site, such as a split interstitial; it has no edit set and no key."""

Fate = Literal["stays", "hops", "recombines", "changes"]
"""Same sites throughout; same defect at other, equivalent sites; no defect at the end; another defect at the end."""


@dataclass(frozen=True)
class Hop:
    """An atom that went from one site to another.

    Attributes:
        frame: first frame in which it is there.
        atom: its index.
        sites: index of the site before and after.
        wyckoff: Wyckoff positions before and after (`4a`, `8c`).
    """

    frame: int
    atom: int
    sites: tuple[int, int]
    wyckoff: tuple[str, str]


@dataclass(frozen=True)
class DefectState:
    """A defect that a trajectory is in from some frame on; `key` is None where it is crowded."""

    frame: int
    name: str
    key: str | None


@dataclass(frozen=True, eq=False)
class Survival:
    """The course of a defect.

    Attributes:
        defect: what the trajectory began as.
        occupation: (k, n) index of the site of each atom in each frame.
        hops: every change of site.
        states: the defects it was, in order; equivalent positions of one defect are one state.
        time: length of the trajectory, ps.
    """

    defect: Defect
    occupation: IntArray
    hops: tuple[Hop, ...]
    states: tuple[DefectState, ...]
    time: float

    @property
    def fate(self) -> Fate:
        """What became of the defect by the last frame."""
        last = self.states[-1]
        if last.key == self.defect.key:
            same = set(self.occupation[-1]) == set(self.occupation[0])
            return "stays" if same else "hops"
        return "recombines" if last.name == "bulk" else "changes"

    @cached_property
    def survived(self) -> float:
        """Share of the frames in which the defect is what it was at the start, at whatever equivalent site."""
        frames = len(self.occupation)
        ends = [s.frame for s in self.states[1:]] + [frames]
        durations = [end - s.frame for s, end in zip(self.states, ends, strict=True) if s.key == self.defect.key]
        return sum(durations) / frames

    @property
    def rate(self) -> Mean | None:
        """Hops per ps with the error of a Poisson count; None where none was seen: `rate_bound` is all one knows."""
        count = len(self.hops)
        return Mean(count / self.time, float(np.sqrt(count)) / self.time) if count and self.time > 0 else None

    @property
    def rate_bound(self) -> float:
        """Hops per ps that the true rate does not exceed with 95 % confidence (Poisson; 3 / time if none was seen)."""
        from scipy.stats import chi2

        return float(chi2.ppf(CONFIDENCE, 2 * len(self.hops) + 2)) / 2 / self.time


def survival(frames: Frames, defect: Defect, times: FloatArray) -> Survival:
    """Follow the defect of a trajectory by which sites of the host, voids included, its atoms occupy.

    Args:
        frames: the trajectory.
        defect: what it started as (`defect_of`).
        times: (k,) time of each frame, fs.

    Raises:
        DataError: the trajectory is of another defect, or has fewer than two frames.
    """
    check_cell(frames.start, defect)
    if len(frames) < 2:  # noqa: PLR2004  nothing can change in one
        raise DataError(f"{frames.start.name}: {len(frames)} frames are too few to follow a defect; run longer")
    occupation = np.array(list(_occupations(frames, defect)), dtype=np.int64)
    time = float(times[-1] - times[0]) / 1000.0
    return Survival(defect, occupation, _hops(occupation, defect), _states(occupation, frames, defect), time)


def _occupations(frames: Frames, defect: Defect) -> Iterator[IntArray]:
    """Sites (n,) of the atoms, frame by frame: the nearest site once the atom is in its core, the last one until then.

    Distances below the core's are found right with the rounded fractional difference, however skewed the cell.
    """
    supercell = defect.supercell
    sites = supercell.sites.positions @ np.linalg.inv(supercell.cell)
    every = supercell.distances(np.arange(len(sites)))
    np.fill_diagonal(every, np.inf)
    core = CORE * float(every.min())
    now = frames.start.sites.copy()
    for positions, cell in zip(frames.positions, frames.cells, strict=True):
        points = positions @ np.linalg.inv(cell)
        offset = points - sites[now]
        offset -= np.rint(offset)
        drift = np.median(offset, axis=0)
        away = np.flatnonzero(np.linalg.norm((offset - drift) @ cell, axis=1) > core)
        between = points[away, None] - drift - sites[None]
        distances = np.linalg.norm((between - np.rint(between)) @ cell, axis=2)
        nearest = distances.argmin(axis=1) if len(away) else np.zeros(0, dtype=np.int64)
        inside = distances[np.arange(len(away)), nearest] < core
        now = now.copy()
        now[away[inside]] = nearest[inside]
        yield now


def _hops(occupation: IntArray, defect: Defect) -> tuple[Hop, ...]:
    orbit, host = defect.supercell.sites.orbit, defect.host
    hops = []
    for before, atom in np.argwhere(np.diff(occupation, axis=0)):
        pair = int(occupation[before, atom]), int(occupation[before + 1, atom])
        wyckoff = host.orbits[orbit[pair[0]]].wyckoff, host.orbits[orbit[pair[1]]].wyckoff
        hops.append(Hop(int(before) + 1, int(atom), pair, wyckoff))
    return tuple(hops)


def _states(occupation: IntArray, frames: Frames, defect: Defect) -> tuple[DefectState, ...]:
    changes = np.flatnonzero(np.diff(occupation, axis=0).any(axis=1)) + 1
    states: list[DefectState] = []
    for frame in (0, *changes.tolist()):
        state = _state(frame, occupation[frame], frames.start.numbers, defect)
        if not states or (state.key, state.name) != (states[-1].key, states[-1].name):
            states.append(state)
    return tuple(states)


def _state(frame: int, sites: IntArray, numbers: IntArray, defect: Defect) -> DefectState:
    """The defect of one occupation: the canonical edit set that turns the host into it."""
    if len(np.unique(sites)) < len(sites):
        return DefectState(frame, CROWDED, None)
    ideal = defect.supercell.sites.numbers
    there = np.zeros_like(ideal)
    there[sites] = numbers
    edits = tuple(Edit(int(site), int(there[site])) for site in np.flatnonzero(there != ideal))
    now = Defect(defect.supercell, edits, defect.charge if edits else 0)
    return DefectState(frame, now.name, now.key)
