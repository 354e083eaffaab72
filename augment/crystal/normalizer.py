"""The affine normaliser of a space group: every way to describe one crystal in the standard setting of its group.

A right-handed description goes over into another by x' = U x + tau, with U an integer matrix of determinant 1 that maps
the point group onto itself, and tau such that (U | tau) g (U | tau)^-1 is in the group for every g. Only proper U are
used: a description in right-handed axes distinguishes a crystal from its mirror image.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.lattice import diagonal_form
from augment.crystal.spacegroup import FRACTIONS, standard_group
from augment.groups.symmetry import rounded_to_grid

TRICLINIC = 3
MONOCLINIC = 16
"""The first space groups of the next crystal system: below, the normaliser has infinitely many linear parts."""

_REACH = 3
"""Largest entry tried for a new monoclinic cell; repeated until no cell is shorter."""


def least_cells(number: int, lattice: FloatArray) -> tuple[FloatArray, IntArray]:
    """The shortest conventional lattice that the setting allows, and every linear part that leads to it.

    The least metric has the least sum of squares, then a <= b <= c where the group allows it, then obtuse angles.

    Args:
        number: space group.
        lattice: (3, 3) conventional lattice in the standard setting, rows, Å.

    Returns:
        The lattice (3, 3) and linear parts (k, 3, 3), in the primitive basis, one for each coset of the point group.
    """
    basis = standard_group(number).basis
    linear = _linear_parts(number)
    # Columns of coordinates change by U, so rows of the lattice by its inverse transposed.
    change = np.linalg.inv(basis.T @ linear @ np.linalg.inv(basis.T)).transpose(0, 2, 1)
    identity = np.flatnonzero((linear == np.eye(3, dtype=int)).all(axis=(1, 2)))[0]
    shortest, so_far = np.array(lattice, dtype=float), np.eye(3, dtype=np.int64)
    while True:
        lattices = change @ shortest
        keys = _metric_keys(lattices @ lattices.transpose(0, 2, 1))
        best = np.lexsort(keys.T[::-1])[0]
        same = (keys == keys[best]).all(axis=1)
        if same[identity]:
            return shortest, _without_point_group(number, linear[same] @ so_far)
        shortest, so_far = lattices[best], linear[best] @ so_far


def _metric_keys(metrics: FloatArray) -> IntArray:
    """What to minimise, (k, 8): trace, squared lengths, angles (0 obtuse, 1 acute, 2 mixed), scalar products."""
    lengths = np.diagonal(metrics, axis1=1, axis2=2)
    products = metrics[:, [1, 0, 0], [2, 2, 1]]
    rounded = rounded_to_grid(np.concatenate([lengths.sum(axis=1)[:, None], lengths, products], axis=1))
    kind = np.where((rounded[:, 4:] <= 0).all(axis=1), 0, np.where((rounded[:, 4:] >= 0).all(axis=1), 1, 2))
    return np.concatenate([rounded[:, :4], kind[:, None], rounded[:, 4:]], axis=1)


@lru_cache(maxsize=230)
def _linear_parts(number: int) -> IntArray:
    """Proper integer matrices (k, 3, 3), primitive basis, that are linear parts of normaliser elements."""
    standard = standard_group(number)
    to_conventional = standard.basis.T
    trials = np.linalg.inv(to_conventional) @ _trial_matrices(number) @ to_conventional
    linear = np.rint(trials).astype(np.int64)
    linear = linear[np.abs(trials - linear).max(axis=(1, 2)) < 1e-6]  # noqa: PLR2004  keeps the centring, to rounding
    codes = _codes(standard.group.rotations)
    inverse = np.rint(np.linalg.inv(linear)).astype(np.int64)
    keep = np.ones(len(linear), dtype=bool)
    for rotation in standard.group.rotations:
        alive = np.flatnonzero(keep)
        keep[alive] = np.isin(_codes(linear[alive] @ rotation @ inverse[alive]), codes)
    linear = linear[keep]
    if standard.group.translations.any():
        linear = linear[[len(origin_shifts(number, u)) > 0 for u in linear]]
    return np.asarray(linear)


def _trial_matrices(number: int) -> IntArray:
    """Conventional-basis matrices of determinant 1 to choose from.

    Entries of -1, 0 and 1 hold every symmetry of a conventional lattice and every change between reduced triclinic
    cells; monoclinic cells share their b axis and differ by a change of basis in the plane of a and c.
    """
    if TRICLINIC <= number < MONOCLINIC:
        entries = range(-_REACH, _REACH + 1)
        rows = [
            [[p, 0, q], [0, sign, 0], [r, 0, s]]
            for p, q, r, s in itertools.product(entries, repeat=4)
            for sign in (1, -1)
            if (p * s - q * r) * sign == 1
        ]
        return np.array(rows, dtype=np.int64)
    every = np.array(list(itertools.product((-1, 0, 1), repeat=9)), dtype=np.int64).reshape(-1, 3, 3)
    return np.asarray(every[np.rint(np.linalg.det(every)) == 1])


def _codes(matrices: IntArray) -> IntArray:
    """One integer for each small integer matrix (k, 3, 3)."""
    weights = 64 ** np.arange(9, dtype=np.int64)
    return np.asarray((matrices.reshape(-1, 9) + 31) @ weights)


def _without_point_group(number: int, linear: IntArray) -> IntArray:
    """One linear part of each coset U P of the proper point group P: the others describe the crystal alike."""
    rotations = standard_group(number).group.rotations
    proper = rotations[np.rint(np.linalg.det(rotations)) == 1]
    _, first = np.unique(_codes_of_cosets(linear, proper), return_index=True)
    return np.asarray(linear[np.sort(first)])


def _codes_of_cosets(linear: IntArray, proper: IntArray) -> IntArray:
    products = linear[:, None] @ proper[None]
    return np.asarray(_codes(products.reshape(-1, 3, 3)).reshape(len(linear), -1).min(axis=1))


def origin_shifts(number: int, linear: IntArray) -> FloatArray:
    """Translations (k, 3) that make (linear | tau) a normaliser element, modulo the lattice and the free directions.

    They solve (1 - R_j) tau = t_j - U t_i modulo 1 with R_j = U R_i U^-1 for every operation i, exactly, in integer
    multiples of 1/24. None may exist.
    """
    standard = standard_group(number)
    rotations = standard.group.rotations
    steps = np.rint(standard.group.translations * FRACTIONS).astype(np.int64)
    inverse = np.rint(np.linalg.inv(linear)).astype(np.int64)
    order = np.argsort(_codes(rotations))
    turned = _codes(linear @ rotations @ inverse)
    partner = order[np.searchsorted(_codes(rotations)[order], turned)]
    diagonal, left, right = _fixed_space(number)
    wanted = (steps[partner] - steps @ linear.T)[np.argsort(partner)]  # in the order of R_j
    rest = left @ wanted.reshape(-1)
    rank = np.count_nonzero(diagonal)
    if (rest[rank:] % FRACTIONS).any():
        return np.zeros((0, 3))
    choices = [
        (rest[k] / FRACTIONS + np.arange(diagonal[k])) / diagonal[k] if diagonal[k] else np.zeros(1) for k in range(3)
    ]
    solutions = np.array(list(itertools.product(*choices)))
    shifts: FloatArray = solutions @ right.T
    return shifts


@lru_cache(maxsize=230)
def _fixed_space(number: int) -> tuple[IntArray, IntArray, IntArray]:
    """Diagonal form of the stacked matrices 1 - R of all operations."""
    rotations = standard_group(number).group.rotations
    return diagonal_form((np.eye(3, dtype=np.int64) - rotations).reshape(-1, 3))


def free_projector(number: int) -> FloatArray:
    """Projector (3, 3), primitive basis, onto the directions in which the origin is free (polar groups): mean of R."""
    projector: FloatArray = standard_group(number).group.rotations.mean(axis=0)
    return projector


def anchor_shifts(number: int, anchors: FloatArray) -> Iterator[FloatArray]:
    """Translations (3,) along the free directions that bring one of the points (n, 3) to zero in them.

    A copy of the point in another cell may be as far along as a fraction of a lattice vector, so each of those counts.
    """
    projector = free_projector(number)
    if not projector.any():
        yield np.zeros(3)
        return
    copies = np.array(list(itertools.product(range(3), repeat=3))) @ projector.T
    _, first = np.unique(np.round((copies - np.floor(copies + 1e-9)) * FRACTIONS), axis=0, return_index=True)
    for point in anchors:
        for copy in copies[np.sort(first)]:
            yield -(projector @ point) - copy
