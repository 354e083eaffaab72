"""The course of interstitials, vacancies and antisites, on trajectories made to order in bcc iron and MgO."""

from functools import lru_cache

import numpy as np
import pytest

from augment import Defect, Edit, conventional_supercell, read_host
from augment.supercell import Supercell
from md.labels.frames import Frames
from md.observables import Survival, survival
from tests.support.places import HOSTS

SPACING = 40.0
"""fs between frames."""

HALF = 0.95
"""Å, half of the length of a dumbbell in iron."""


@lru_cache
def crystal(name: str, size: int) -> Supercell:
    return conventional_supercell(read_host(HOSTS / f"{name}.cif"), size * np.eye(3, dtype=np.int64))


def void(supercell: Supercell, group: str) -> int:
    """The first void of a site symmetry."""
    orbit = next(k for k, o in enumerate(supercell.host.orbits) if not o.element and o.point_group == group)
    return int(np.flatnonzero(supercell.sites.orbit == orbit)[0])


def short(vectors: np.ndarray, supercell: Supercell) -> np.ndarray:
    """Vectors (n, 3) between the nearest images, Å."""
    fraction = vectors @ np.linalg.inv(supercell.cell)
    return np.asarray((fraction - np.rint(fraction)) @ supercell.cell)


def neighbours(supercell: Supercell, site: int, distance: float) -> list[int]:
    """Lattice sites about so far from a site, Å."""
    lattice = np.flatnonzero(supercell.sites.numbers > 0)
    positions = supercell.sites.positions
    lengths = np.linalg.norm(short(positions[lattice] - positions[site], supercell), axis=1)
    return [int(s) for s in lattice[np.abs(lengths - distance) < 0.05]]


def course(defect: Defect, frames: list[np.ndarray], noise: float = 0.1) -> Survival:
    """What is made of positions (n, 3) frame by frame, with vibrations, in a drifting cell."""
    start, k, positions = defect.cell(), len(frames), np.array(frames)
    rng = np.random.default_rng(0)
    drift = np.linspace(0, 2.0, k)[:, None, None] * np.array([1.0, 0.4, -0.2])
    moved = positions + noise * rng.standard_normal(positions.shape) + drift
    cells = np.repeat(start.cell[None], k, axis=0)
    trajectory = Frames(start, moved, cells, np.zeros(k), np.zeros(moved.shape), np.zeros((k, 6)))
    return survival(trajectory, defect, np.arange(k) * SPACING)


class Iron:
    """A dumbbell in 54 atoms of bcc iron: which atoms are at each site, and the frames that it has been through."""

    def __init__(self) -> None:
        self.supercell = crystal("Fe", 3)
        self.defect = Defect(self.supercell, (Edit(void(self.supercell, "D2d"), 26),))
        start = self.defect.cell()
        self.atoms = {int(site): [atom] for atom, site in enumerate(start.sites) if self.supercell.sites.numbers[site]}
        [extra] = np.flatnonzero(self.supercell.sites.numbers[start.sites] == 0)
        lengths = np.linalg.norm(short(start.positions - start.positions[extra], self.supercell), axis=1)
        self.site = int(start.sites[lengths.argsort()[1]])
        self.atoms[self.site].append(int(extra))
        self.frames = [start.positions]

    def point(self, axis: tuple[int, int, int], frames: int) -> None:
        """The dumbbell stands along an axis, at the site that it is at."""
        positions = np.zeros_like(self.frames[0])
        for site, atoms in self.atoms.items():
            positions[atoms] = self.supercell.sites.positions[site]
        arm = HALF * np.array(axis) / np.linalg.norm(axis)
        positions[self.atoms[self.site]] += np.array([arm, -arm])
        self.frames += [positions] * frames

    def move(self, rng: np.random.Generator) -> None:
        """One of its atoms goes to a neighbouring site and pairs with the atom there; the other one comes home."""
        near = neighbours(self.supercell, self.site, 2.482)
        to = near[int(rng.integers(len(near)))]
        self.atoms[to].append(self.atoms[self.site].pop(int(rng.integers(2))))
        self.site = to


AXES = [(1, 1, 0), (1, 0, 1), (0, 1, -1), (1, -1, 0), (1, 0, -1), (0, 1, 1)]


def test_a_dumbbell_that_turns_on_its_site_stays() -> None:
    iron = Iron()
    for axis in AXES * 3:
        iron.point(axis, 20)
    result = course(iron.defect, iron.frames)
    assert (result.fate, result.hops, result.survived) == ("stays", (), 1.0)
    assert [s.name for s in result.states] == ["Fe_i_split_Fe"]
    assert result.states[0].key is None


@pytest.mark.parametrize("seed", [0, 1])
def test_a_dumbbell_that_moves_by_exchange_and_turns_is_one_interstitial_with_as_many_moves(seed: int) -> None:
    iron, rng = Iron(), np.random.default_rng(seed)
    iron.point(AXES[0], 20)
    for _ in range(19):
        iron.move(rng)
        for _ in range(3):
            iron.point(AXES[int(rng.integers(len(AXES)))], 12)
    result = course(iron.defect, iron.frames)
    assert (result.fate, len(result.hops), result.survived) == ("hops", 19, 1.0)
    assert [s.name for s in result.states] == ["Fe_i_split_Fe"]
    assert all(h.wyckoff == ("2a", "2a") for h in result.hops)
    assert result.diffusion == pytest.approx(
        (19 * 2.482**2 / 6 / result.time, 19**0.5 * 2.482**2 / 6 / result.time), rel=1e-3
    )


def test_a_crowdion_that_glides_along_its_row_is_one_interstitial_with_a_move_a_site() -> None:
    """Seven atoms on six sites of a <111> row; the soliton passes three sites, and each atom its plane once."""
    supercell = crystal("Fe", 3)
    defect = Defect(supercell, (Edit(void(supercell, "D2d"), 26),))
    start = defect.cell()
    spacing, direction = 2.482, np.ones(3) / np.sqrt(3)
    first = start.positions[0]
    lattice = {tuple(np.rint(short(x - first, supercell) / 0.2).astype(int)): a for a, x in enumerate(start.positions)}
    row = [lattice[tuple(np.rint(short(k * spacing * direction, supercell) / 0.2).astype(int))] for k in range(6)]
    [extra] = np.flatnonzero(supercell.sites.numbers[start.sites] == 0)
    atoms = [*row[:3], int(extra), *row[3:]]
    places = np.arange(7)
    frames = []
    for centre in np.linspace(2.0, 5.5, 150):
        positions = start.positions.copy()
        shift = 0.5 + np.arctan(2 * (places - centre)) / np.pi
        positions[atoms] = first + ((places - shift) * spacing)[:, None] * direction
        frames.append(positions)
    result = course(defect, frames, noise=0.05)
    assert result.fate == "hops"
    assert len(result.hops) == 3
    assert {s.name for s in result.states} == {"Fe_i_split_Fe"}


def test_an_interstitial_in_a_void_keeps_its_name_and_its_hops_between_voids() -> None:
    supercell = crystal("Cu", 2)
    first = void(supercell, "Oh")
    defect = Defect(supercell, (Edit(first, 1),))
    start = defect.cell()
    [atom] = np.flatnonzero(start.numbers == 1)
    voids = np.flatnonzero(supercell.sites.orbit == supercell.sites.orbit[defect.edits[0].site])
    offsets = short(supercell.sites.positions[voids] - start.positions[atom], supercell)
    step = offsets[np.argsort(np.linalg.norm(offsets, axis=1))[1]]
    frames = [start.positions.copy() for _ in range(60)]
    for positions in frames[35:]:
        positions[atom] += step
    result = course(defect, frames)
    assert (result.fate, result.survived) == ("hops", 1.0)
    [hop] = result.hops
    assert (hop.frame, hop.atom, hop.wyckoff) == (35, atom, ("4b", "4b"))
    assert [(s.name, s.key) for s in result.states] == [(defect.name, defect.key)]


def test_a_dumbbell_beside_a_vacancy_recombines() -> None:
    """A Frenkel pair: the second atom of the dumbbell goes into the empty site, and nothing is left."""
    iron = Iron()
    empty = neighbours(iron.supercell, iron.site, 2.482)[0]
    defect = Defect(iron.supercell, (*iron.defect.edits, Edit(empty, 0)))
    start = defect.cell()
    [extra] = np.flatnonzero(iron.supercell.sites.numbers[start.sites] == 0)
    hole = next(e.site for e in defect.edits if e.number == 0)
    to_void = short(start.positions - start.positions[extra], iron.supercell)
    owner = int(np.linalg.norm(to_void, axis=1).argsort()[1])
    site = start.positions[owner]
    arm = HALF * np.array([1, -1, 0]) / np.sqrt(2)
    apart, together = start.positions.copy(), start.positions.copy()
    apart[owner], apart[extra] = site + arm, site - arm
    together[extra] = iron.supercell.sites.positions[hole]
    result = course(defect, [start.positions, *[apart] * 30, *[together] * 30])
    assert result.fate == "recombines"
    assert [s.name for s in result.states] == ["v_Fe+Fe_i_split_Fe", "bulk"]
    assert result.survived == pytest.approx(31 / 61)
    assert len(result.hops) == 1


def test_an_antisite_that_changes_places_hops_and_one_that_vibrates_stays() -> None:
    supercell = crystal("MgO", 2)
    oxygen = int(np.flatnonzero(supercell.sites.numbers == 8)[0])
    defect = Defect(supercell, (Edit(oxygen, 12),))
    start = defect.cell()
    [magnesium] = np.flatnonzero((start.numbers == 12) & (supercell.sites.numbers[start.sites] == 8))
    site = int(start.sites[magnesium])
    other = next(s for s in neighbours(supercell, site, 2.98) if supercell.sites.numbers[s] == 8)
    [partner] = np.flatnonzero(start.sites == other)
    swapped = start.positions.copy()
    swapped[[magnesium, partner]] = swapped[[partner, magnesium]]
    assert course(defect, [start.positions] * 40).fate == "stays"
    result = course(defect, [*[start.positions] * 20, *[swapped] * 20])
    assert (result.fate, result.survived) == ("hops", 1.0)
    assert {h.atom for h in result.hops} == {magnesium, partner}
