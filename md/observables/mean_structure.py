"""The time-averaged structure: which symmetry it has, and how atoms are displaced and vibrate around the defect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.defect import Defect
from augment.errors import DataError
from augment.groups.symmetry import FiniteGroup, orbits, schoenflies
from md.estimators.statistics import Mean, block_average
from md.labels.frames import Frames
from md.observables.sites import centre_fraction, check_cell, site_displacements

MIN_MEAN_FRAMES = 8
"""Frames below which neither a mean displacement nor its error says anything."""

SIGNIFICANCE = 1e-3
"""Probability that noise alone breaks an operation that the mean structure has."""

SHARE_FREE = 1 / 4
"""Degrees of freedom over the trace of (D - 1)^T (D - 1): exact for an involution, whose eigenvalues there are 0 and 4,
and the fewest for any operation."""

B_PER_SQUARE = 8 * np.pi**2 / 3
"""Isotropic Debye-Waller factor B over the mean square displacement <u²> of an atom."""


@dataclass(frozen=True, eq=False)
class MeanSymmetry:
    """Symmetry of a time-averaged defect.

    Attributes:
        group: the operations of the ideal defect's stabilizer that the mean structure has within its errors.
        ideal: order of that stabilizer.
        deviations: (ideal,) for each operation of the stabilizer the mean squared violation over its variance; near
            1 for an operation that holds.
        limit: deviation up to which an operation counts as kept.
        resolution: standard error of a mean displacement, Å, root mean square: what could have been seen.
    """

    group: FiniteGroup
    ideal: int
    deviations: FloatArray
    limit: float
    resolution: float

    @property
    def point_group(self) -> str:
        """Schoenflies symbol of the mean structure's site symmetry (`D4h`)."""
        return schoenflies(self.group.symbol)


@dataclass(frozen=True)
class Shell:
    """Atoms that are equivalent around a defect.

    Attributes:
        atoms: their indices.
        distance: of their sites from the defect in the mean cell, Å.
        outward: mean displacement away from the defect, Å.
        shift: length of the mean displacement of one of them, Å, in the average that the stabilizer allows.
        b_factor: isotropic Debye-Waller factor B = 8 pi² <u²> / 3, Å².
    """

    atoms: tuple[int, ...]
    distance: float
    outward: Mean
    shift: float
    b_factor: Mean


def mean_symmetry(frames: Frames, defect: Defect, first: int = 0) -> MeanSymmetry:
    """Site symmetry of the time-averaged structure, a subgroup of the stabilizer of the ideal defect.

    An operation D is kept where D u - u of the mean displacements u vanishes within its standard errors, by a
    chi-squared test over all coordinates; errors are of blocks in time, pooled over the atoms of an orbit. If the kept
    operations form no group, the worst are dropped until they do. A crystal that hops between equivalent
    distortions has the full symmetry on average; a shorter stretch (`first`, or fewer frames) shows the lower one.

    Raises:
        DataError: the trajectory is of another defect, or has fewer than 8 frames there.
    """
    moved = _settled(frames, defect, first)
    symmetry = defect.symmetry()
    mean, errors = moved.mean(axis=0), _errors(moved, symmetry.permutations)
    violation, expected = np.empty(symmetry.order), np.empty(symmetry.order)
    for k, (rotation, image) in enumerate(zip(symmetry.rotations, symmetry.permutations, strict=True)):
        turned = np.empty_like(mean)
        turned[image] = mean @ rotation.T
        fixed = image == np.arange(len(image))
        violation[k] = (((turned - mean) / errors[:, None]) ** 2).sum()
        expected[k] = np.where(fixed, ((rotation - np.eye(3)) ** 2).sum(), 6.0).sum()
    deviations = violation / np.maximum(expected, 1.0)
    limit = _limit(len(moved), float(expected.max(initial=1)) * SHARE_FREE, symmetry.order)
    group = _largest_group(defect.stabilizer, deviations, limit)
    return MeanSymmetry(group, symmetry.order, deviations, limit, float(np.sqrt((errors**2).mean())))


def _settled(frames: Frames, defect: Defect, first: int) -> FloatArray:
    check_cell(frames.start, defect)
    if len(frames) - first < MIN_MEAN_FRAMES:
        raise DataError(
            f"{frames.start.name}: {max(len(frames) - first, 0)} frames are too few for a mean structure "
            f"(at least {MIN_MEAN_FRAMES}); run longer"
        )
    return site_displacements(frames, defect, first)


def _errors(moved: FloatArray, permutations: IntArray) -> FloatArray:
    """Standard errors (n,) of mean coordinates: of blocks in time, pooled over directions and equivalent atoms."""
    k, n, _ = moved.shape
    single = np.array([block_average(column).error for column in moved.reshape(k, -1).T]).reshape(n, 3) ** 2
    orbit = orbits(permutations)
    pooled = np.bincount(orbit, single.mean(axis=1), n) / np.maximum(np.bincount(orbit, minlength=n), 1)
    floor = np.finfo(float).eps * max(float(np.abs(moved).max()), 1.0)
    return np.asarray(np.sqrt(pooled[orbit]) + floor, dtype=float)


def _limit(frames: int, free: float, operations: int) -> float:
    """Deviation that noise exceeds with a probability of 1e-3, the few blocks of short runs allowed for (F test)."""
    from scipy.stats import f

    blocks = min(frames, MIN_MEAN_FRAMES) - 1
    return float(f.isf(SIGNIFICANCE / operations, max(free, 1.0), blocks * max(free, 1.0)))


def _largest_group(stabilizer: FiniteGroup, deviations: FloatArray, limit: float) -> FiniteGroup:
    """The group of the operations up to the largest deviation below the limit that makes one."""
    for bound in sorted({float(d) for d in deviations[deviations <= limit]}, reverse=True):
        chosen = np.flatnonzero(deviations <= bound)
        products = stabilizer.table[chosen[:, None], chosen]
        if np.isin(products, chosen).all():
            return stabilizer.subset(chosen.tolist())
    identity = np.flatnonzero((stabilizer.permutations == np.arange(stabilizer.permutations.shape[1])).all(axis=1))
    return stabilizer.subset(identity[:1].tolist())


def shells(frames: Frames, defect: Defect, first: int = 0) -> tuple[Shell, ...]:
    """Displacement and Debye-Waller factor of the atoms against their distance from the defect, nearest first.

    A shell is an orbit of the defect's stabilizer, exactly; its averages run over its atoms and the frames.

    Raises:
        DataError: the trajectory is of another defect or of none, or has fewer than 8 frames there.
    """
    from ase.geometry import find_mic

    moved = _settled(frames, defect, first)
    symmetry, supercell = defect.symmetry(), defect.supercell
    cell = frames.cells[first:].mean(axis=0)
    away = supercell.sites.positions[frames.start.sites] @ np.linalg.inv(supercell.cell) - centre_fraction(defect)
    vectors, distances = find_mic(away @ cell, cell)
    directions = vectors / np.maximum(distances, np.finfo(float).tiny)[:, None]
    outward = np.einsum("kna,na->kn", moved, directions)
    squares = ((moved - moved.mean(axis=0)) ** 2).sum(axis=2)
    shift = np.linalg.norm(symmetry.project_displacements(moved.mean(axis=0)), axis=1)
    orbit = orbits(symmetry.permutations)
    by_distance = []
    for smallest in np.unique(orbit):
        atoms = np.flatnonzero(orbit == smallest)
        b = block_average(B_PER_SQUARE * squares[:, atoms].mean(axis=1))
        radial = block_average(outward[:, atoms].mean(axis=1))
        distance, moved_by = float(distances[atoms].mean()), float(shift[atoms].mean())
        by_distance.append(Shell(tuple(atoms.tolist()), distance, radial, moved_by, b))
    return tuple(sorted(by_distance, key=lambda shell: shell.distance))
