"""The symmetry of a geometry in its supercell, whatever its atoms have left: operations of the crystal that keep it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.groups.near_group import near_group
from augment.groups.symmetry import point_group_symbol
from augment.supercell import Supercell
from defectgen.ground_states.same_geometry import MAX_SAME_MINIMUM, aligned, wrapped
from md.relaxation.relaxed_host import pristine

__all__ = ["congruent", "symmetry_in"]

MAX_OFF = 0.1
"""Å; an atom this near to the image of a like one is there: twice what a geometry is off its projection."""

_LOOKED_AT = 4
"""Atoms that are furthest from their sites, which an operation must take to like ones."""


def symmetry_in(supercell: Supercell, ideal: DefectCell, positions: FloatArray) -> tuple[str, int]:
    """Point group of a geometry, and how many copies of it the supercell holds.

    Every operation of the supercell's space group is tried: an atom that sits elsewhere than on its ideal site, or
    shares one, counts with the symmetry that it has there.

    Args:
        supercell: of the crystal in which the geometry lies.
        ideal: gives elements, cell, and how far atoms have moved.
        positions: (n, 3), Å.

    Returns:
        Hermann-Mauguin symbol, and the order of the supercell's group over that of the geometry's.
    """
    group = pristine(supercell).symmetry()
    off = dict(_distances(supercell, ideal, positions, positions, MAX_OFF))
    kept = near_group(group.group, off, MAX_OFF)
    return point_group_symbol(group.group.rotations[kept]), group.order // len(kept)


def congruent(supercell: Supercell, ideal: DefectCell, first: FloatArray, second: FloatArray) -> bool:
    """Whether an operation of the supercell's space group takes one geometry to the other, like atoms exchanged.

    More are the same than under the stabilizer of the ideal defect: an atom may have gone to another site of its kind.
    """
    found = _distances(supercell, ideal, first, second, MAX_SAME_MINIMUM)
    return any(distance < MAX_SAME_MINIMUM for _, distance in found)


def _distances(
    supercell: Supercell, ideal: DefectCell, first: FloatArray, second: FloatArray, limit: float
) -> Iterator[tuple[int, float]]:
    """Operations that take the atoms furthest off their sites to like ones of another geometry, and how far off."""
    bulk, group = supercell.bulk_cell(), pristine(supercell).symmetry()
    moved = np.linalg.norm(wrapped(first - ideal.positions, ideal.cell), axis=1)
    furthest = np.argsort(-moved, kind="stable")[:_LOOKED_AT]
    for operation in range(group.order):
        rotation, image_of_first = group.rotations[operation], group.permutations[operation][0]
        shift = bulk.positions[image_of_first] - rotation @ bulk.positions[0]
        images = first @ rotation.T + shift
        if all(_is_there(images[k], int(ideal.numbers[k]), second, ideal, limit) for k in furthest):
            index = aligned(images, ideal.numbers, second, ideal.numbers, ideal.cell)
            yield operation, float(np.linalg.norm(wrapped(images[index] - second, ideal.cell), axis=1).max())


def _is_there(place: FloatArray, element: int, positions: FloatArray, ideal: DefectCell, limit: float) -> bool:
    away = wrapped(positions[ideal.numbers == element] - place, ideal.cell)
    return bool(np.linalg.norm(away, axis=1).min() < limit)
