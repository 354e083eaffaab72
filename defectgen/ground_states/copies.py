"""The symmetry of a geometry in its supercell, whatever its atoms have left: operations of the crystal that keep it."""

from __future__ import annotations

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.groups.symmetry import point_group_symbol
from augment.supercell import Supercell
from defectgen.ground_states.same_geometry import aligned, wrapped
from md.relaxation.relaxed_host import pristine

__all__ = ["symmetry_in"]

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
    bulk, group = supercell.bulk_cell(), pristine(supercell).symmetry()
    moved = np.linalg.norm(wrapped(positions - ideal.positions, ideal.cell), axis=1)
    furthest = np.argsort(-moved, kind="stable")[:_LOOKED_AT]
    kept = []
    for operation in range(group.order):
        rotation, image_of_first = group.rotations[operation], group.permutations[operation][0]
        shift = bulk.positions[image_of_first] - rotation @ bulk.positions[0]
        images = positions @ rotation.T + shift
        if all(_is_there(images[k], int(ideal.numbers[k]), positions, ideal) for k in furthest):
            index = aligned(images, ideal.numbers, positions, ideal.numbers, ideal.cell)
            off = wrapped(images[index] - positions, ideal.cell)
            if np.linalg.norm(off, axis=1).max() < MAX_OFF:
                kept.append(operation)
    return point_group_symbol(group.group.rotations[kept]), group.order // len(kept)


def _is_there(place: FloatArray, element: int, positions: FloatArray, ideal: DefectCell) -> bool:
    away = wrapped(positions[ideal.numbers == element] - place, ideal.cell)
    return bool(np.linalg.norm(away, axis=1).min() < MAX_OFF)
