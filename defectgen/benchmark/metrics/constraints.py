"""Whether a structure is what was requested, and whether its atoms leave each other room."""

from __future__ import annotations

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.groups.symmetry import BoolArray
from augment.neighbours import pairs_within
from defectgen.generation.validity import OVERLAP
from defectgen.representation.elements import covalent_radii

BOND = 1.25
"""Of the sum of covalent radii; atoms closer than this are neighbours."""


def same_composition(numbers: IntArray, requested: IntArray) -> bool:
    """Whether atomic numbers (n,) are those requested (m,), in any order: species and counts."""
    return np.array_equal(np.sort(numbers), np.sort(requested))


def closest_contact(cell: FloatArray, numbers: IntArray, positions: FloatArray) -> float:
    """Smallest distance between atoms in units of the sum of their covalent radii; infinite where none is within it.

    Radii of B. Cordero et al., Dalton Trans. 2832 (2008), doi:10.1039/b801115j. A cell without volume has contact 0.
    """
    if not np.linalg.det(cell):
        return 0.0
    first, second, distance = _contacts(cell, numbers, positions, 1.0)
    radii = covalent_radii(numbers)
    return float((distance / (radii[first] + radii[second])).min(initial=np.inf))


def no_overlap(contact: float, ideal_contact: float) -> bool:
    """Whether the closest contact is beyond `OVERLAP`, or at least as wide as in the ideal cell."""
    return contact >= min(OVERLAP, ideal_contact) - 1e-6


def coordination_numbers(cell: FloatArray, numbers: IntArray, positions: FloatArray) -> IntArray:
    """(n,) atoms within `BOND` of the sum of covalent radii around each atom, images included."""
    first, _, _ = _contacts(cell, numbers, positions, BOND)
    return np.bincount(first, minlength=len(numbers)).astype(np.int64)


def coordination_kept(proposed: IntArray, true: IntArray, near: BoolArray) -> float:
    """Share of some atoms whose coordination number (n,) is the reference's; NaN where there are none."""
    return float((proposed == true)[near].mean()) if near.any() else float("nan")


def _contacts(
    cell: FloatArray, numbers: IntArray, positions: FloatArray, reach: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """Pairs, images included, closer than `reach` times the sum of their covalent radii, and their distances."""
    radii = reach * covalent_radii(numbers)
    first, second, distance = pairs_within(cell, positions, 2 * radii.max())
    close = distance < radii[first] + radii[second]
    return first[close], second[close], distance[close]
