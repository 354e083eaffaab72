"""Whether a defect stays, hops, recombines or changes: the host's sites as the atoms of a trajectory occupy them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from augment.cell import FloatArray, IntArray
from augment.defect import Defect, canonical_edits
from augment.elements import element_symbol
from augment.errors import DataError
from augment.naming import INTERSTITIAL, orbit_suffixes
from augment.supercell import Edit
from md.estimators.statistics import Mean
from md.labels.frames import Frames
from md.observables.occupation import Occupation, occupation_of
from md.observables.sites import check_cell

CONFIDENCE = 0.95
"""Of the upper bound of a rate."""

SPLIT = "split"
"""In the name of a state with two atoms at one lattice site, whatever their direction; it has no key."""

_SHARED_BASE = 128
"""Above every atomic number: two atoms at one site are one digit each of a number that stands for them."""

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
    """A defect that a trajectory is in from some frame on.

    Attributes:
        frame: its first frame.
        name: as of `Defect.name`; a split interstitial is `Fe_i_split_Fe`, without a direction.
        key: defect key; None where two atoms share a site, which no set of edits says.
        occupation: sites and species that differ from the host, canonical: equal for equivalent states.
    """

    frame: int
    name: str
    key: str | None
    occupation: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, eq=False)
class Survival:
    """The course of a defect.

    Attributes:
        defect: what the trajectory began as.
        occupation: (k, n) index of the site of each atom in each frame.
        hops: every move to the cell of another lattice site, or from one void to another; rotations are none.
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
        first, last = self.states[0], self.states[-1]
        if last.occupation == first.occupation:
            numbers = self.defect.cell().numbers.tolist()
            begin, end = (sorted(zip(self.occupation[k].tolist(), numbers, strict=True)) for k in (0, -1))
            same = begin == end
            return "stays" if same else "hops"
        return "recombines" if last.name == "bulk" else "changes"

    @cached_property
    def survived(self) -> float:
        """Share of the frames in which the defect is what it was at the start, at whatever equivalent site."""
        frames = len(self.occupation)
        ends = [s.frame for s in self.states[1:]] + [frames]
        durations = [
            end - s.frame for s, end in zip(self.states, ends, strict=True) if s.occupation == self.states[0].occupation
        ]
        return sum(durations) / frames

    @property
    def rate(self) -> Mean | None:
        """Hops per ps with the error of a Poisson count; None where none was seen: `rate_bound` is all one knows."""
        count = len(self.hops)
        return Mean(count / self.time, float(np.sqrt(count)) / self.time) if count and self.time > 0 else None

    @cached_property
    def diffusion(self) -> Mean | None:
        """Coefficient of the defect by its hops, Å²/ps: their squared lengths over 6 t, with the error of a count.

        As of a walk without memory; hops that go back make it too large. Divided by the number of atoms it is what
        one vacancy adds to theirs. None where no hop was seen.
        """
        squares = [self._length(hop.sites) ** 2 for hop in self.hops]
        if not squares or not self.time > 0:
            return None
        scale = 1 / (6 * self.time)
        return Mean(scale * float(np.sum(squares)), scale * float(np.linalg.norm(squares)))

    @property
    def diffusion_bound(self) -> float:
        """Å²/ps that hops to a nearest lattice site may make at the bound of the rate."""
        lattice = np.flatnonzero(~self.defect.supercell.sites.void)
        distances = self.defect.supercell.distances(lattice)
        np.fill_diagonal(distances, np.inf)
        nearest = min(float(distances.min()), self.defect.supercell.image_distance)
        return self.rate_bound * nearest**2 / 6

    def _length(self, sites: tuple[int, int]) -> float:
        """Distance between two sites, Å."""
        return float(self.defect.supercell.distances(np.array(sites))[0, 1])

    @property
    def rate_bound(self) -> float:
        """Hops per ps that the true rate does not exceed with 95 % confidence (Poisson; 3 / time if none was seen)."""
        from scipy.stats import chi2

        return float(chi2.ppf(CONFIDENCE, 2 * len(self.hops) + 2)) / 2 / self.time


def survival(frames: Frames, defect: Defect, times: FloatArray) -> Survival:
    """Follow the defect of a trajectory by which sites of the host its atoms occupy (`occupation_of`).

    Wigner-Seitz cells of the lattice come first: an interstitial is where a cell holds two atoms, a vacancy where it
    holds none. Where the owner of the cell is at home, the interstitial is in a void of the host.

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
    occupation = occupation_of(frames, defect)
    time = float(times[-1] - times[0]) / 1000.0
    states = _states(occupation.sites, frames, defect)
    return Survival(defect, occupation.sites, _hops(occupation, defect), states, time)


def _hops(occupation: Occupation, defect: Defect) -> tuple[Hop, ...]:
    sites, cells = occupation.sites, occupation.cells
    table, host = defect.supercell.sites, defect.host
    changed = np.diff(sites, axis=0) != 0
    within = (np.diff(cells, axis=0) == 0) & ~(table.void[sites[1:]] & table.void[sites[:-1]])
    emptied = _alone(cells)
    hops = []
    for before, atom in np.argwhere(changed & ~(within & ~emptied)):
        pair = int(sites[before, atom]), int(sites[before + 1, atom])
        wyckoff = host.orbits[table.orbit[pair[0]]].wyckoff, host.orbits[table.orbit[pair[1]]].wyckoff
        hops.append(Hop(int(before) + 1, int(atom), pair, wyckoff))
    return tuple(hops)


def _alone(cells: IntArray) -> NDArray[np.bool_]:
    """Whether each atom (k - 1, n) is the only one in its cell in the frame and in the one before."""
    alone = np.stack([np.bincount(row, minlength=int(cells.max()) + 1)[row] == 1 for row in cells])
    return np.asarray(alone[1:] & alone[:-1])


def _states(sites: IntArray, frames: Frames, defect: Defect) -> tuple[DefectState, ...]:
    changes = np.flatnonzero(np.diff(sites, axis=0).any(axis=1)) + 1
    states: list[DefectState] = []
    for frame in (0, *changes.tolist()):
        state = _state(frame, sites[frame], frames.start.numbers, defect)
        if not states or state.occupation != states[-1].occupation:
            states.append(state)
    return tuple(states)


def _state(frame: int, sites: IntArray, numbers: IntArray, defect: Defect) -> DefectState:
    """The defect of one occupation: the canonical edit set that turns the host into it."""
    supercell = defect.supercell
    there = np.zeros_like(supercell.sites.numbers)
    for site, number in sorted(zip(sites.tolist(), numbers.tolist(), strict=True)):
        there[site] = there[site] * _SHARED_BASE + number
    edits = [Edit(int(site), int(there[site])) for site in np.flatnonzero(there != supercell.sites.numbers)]
    shared = [edit for edit in edits if edit.number >= _SHARED_BASE]
    alike = tuple((edit.site, edit.number) for edit in canonical_edits(supercell, edits))
    if not shared:
        now = Defect(supercell, tuple(edits), defect.charge if edits else 0)
        return DefectState(frame, now.name, now.key, alike)
    rest = tuple(edit for edit in edits if edit.number < _SHARED_BASE)
    names = [Defect(supercell, rest).name] if rest else []
    return DefectState(frame, "+".join([*names, *(_split_name(e, defect) for e in shared)]), None, alike)


def _split_name(edit: Edit, defect: Defect) -> str:
    """Name of the atoms that share a site: `Fe_i_split_Fe`, what is there besides the site's own element first."""
    orbit = int(defect.supercell.sites.orbit[edit.site])
    own = defect.host.orbits[orbit].element
    elements, rest = [], edit.number
    while rest:
        rest, number = divmod(rest, _SHARED_BASE)
        elements.append(element_symbol(number))
    if own in elements:
        elements.remove(own)
    return f"{''.join(sorted(elements))}_{INTERSTITIAL}_{SPLIT}_{own}{orbit_suffixes(defect.host)[orbit]}"
