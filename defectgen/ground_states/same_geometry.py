"""Whether two geometries of a defect are the same: up to its stabilizer and to the exchange of like atoms."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from augment.cell import DefectCell, FloatArray, IntArray
from augment.groups.cell_symmetry import CellSymmetry
from augment.groups.distortion import Distortion
from augment.groups.subgroups import transformed

__all__ = ["MAX_SAME_MINIMUM", "aligned", "distance", "pair_distances", "same_minimum", "wrapped"]

MAX_SAME_MINIMUM = 0.15
"""Å; atoms of two relaxed copies of one minimum are nearer, those of two minima are not: bonds that differ do so by a
tenth of an Å or more."""

_LOOKED_AT = 4
"""Atoms that have moved furthest, which an operation must take to like ones."""

_STRAIN = np.zeros((3, 3))


def wrapped(differences: FloatArray, cell: FloatArray) -> FloatArray:
    """Differences (..., 3), Å, to the nearest lattice point of a cell that is wide against them."""
    fractions = differences @ np.linalg.inv(cell)
    nearest: FloatArray = (fractions - np.rint(fractions)) @ cell
    return nearest


def aligned(positions: FloatArray, numbers: IntArray, like: FloatArray, order: IntArray, cell: FloatArray) -> IntArray:
    """Indices (n,) that put atoms at `positions` in the order of others, each of its element and near its partner.

    Args:
        positions: (n, 3), Å.
        numbers: (n,) their atomic numbers.
        like: (n, 3), Å.
        order: (n,) atomic numbers at `like`; the same ones.
        cell: (3, 3), rows.
    """
    index = np.empty(len(order), dtype=np.int64)
    for element in np.unique(order):
        here, there = np.flatnonzero(numbers == element), np.flatnonzero(order == element)
        between = wrapped(like[there][:, None] - positions[here][None], cell)
        rows, columns = linear_sum_assignment((between**2).sum(axis=-1))
        index[there[rows]] = here[columns]
    return index


def distance(first: FloatArray, second: FloatArray, ideal: DefectCell, symmetry: CellSymmetry) -> float:
    """Largest distance (Å) of an atom between two geometries, the least over the stabilizer and like atoms exchanged.

    Args:
        first: (n, 3) positions, Å.
        second: (n, 3) positions, Å.
        ideal: what the stabilizer keeps; its cell is that of both.
        symmetry: the stabilizer acting on the atoms.
    """
    moved, least = _centred(wrapped(first - ideal.positions, ideal.cell)), np.inf
    target = ideal.positions + _centred(wrapped(second - ideal.positions, ideal.cell))
    for operation in range(symmetry.order):
        image = ideal.positions + transformed(Distortion(moved, _STRAIN), symmetry, operation).displacements
        index = aligned(image, ideal.numbers, target, ideal.numbers, ideal.cell)
        left = _centred(wrapped(image[index] - target, ideal.cell))
        least = min(least, float(np.linalg.norm(left, axis=1).max()))
    return least


def same_minimum(first: FloatArray, second: FloatArray, ideal: DefectCell, symmetry: CellSymmetry) -> bool:
    """Whether `distance` is below `MAX_SAME_MINIMUM`; operations that take an atom to no like atom end early."""
    moved = _centred(wrapped(first - ideal.positions, ideal.cell))
    target = ideal.positions + _centred(wrapped(second - ideal.positions, ideal.cell))
    furthest = np.argsort(-np.linalg.norm(moved, axis=1), kind="stable")[:_LOOKED_AT]
    for operation in range(symmetry.order):
        image = ideal.positions + transformed(Distortion(moved, _STRAIN), symmetry, operation).displacements
        there = symmetry.permutations[operation, furthest]
        if all(_has_like(image[atom], int(ideal.numbers[atom]), target, ideal) for atom in there):
            index = aligned(image, ideal.numbers, target, ideal.numbers, ideal.cell)
            left = _centred(wrapped(image[index] - target, ideal.cell))
            if np.linalg.norm(left, axis=1).max() < MAX_SAME_MINIMUM:
                return True
    return False


def _has_like(place: FloatArray, element: int, target: FloatArray, ideal: DefectCell) -> bool:
    away = wrapped(target[ideal.numbers == element] - place, ideal.cell)
    # Twice as far, for the whole may still shift.
    return bool(np.linalg.norm(away, axis=1).min() < 2 * MAX_SAME_MINIMUM)


def pair_distances(positions: FloatArray, ideal: DefectCell) -> FloatArray:
    """Distances between all atoms, Å, sorted for each pair of elements: no symmetry or exchange of like atoms counts.

    Args:
        positions: (n, 3), Å.
        ideal: gives elements and cell.
    """
    between = np.linalg.norm(wrapped(positions[:, None] - positions[None], ideal.cell), axis=-1)
    elements = np.unique(ideal.numbers)
    blocks = (
        np.sort(between[np.ix_(ideal.numbers == a, ideal.numbers == b)].ravel())
        for k, a in enumerate(elements)
        for b in elements[k:]
    )
    return np.concatenate(list(blocks))


def _centred(displacements: FloatArray) -> FloatArray:
    centred: FloatArray = displacements - displacements.mean(axis=0)
    return centred
