"""All pairs of atoms within a distance, images included."""

from __future__ import annotations

import numpy as np

from augment.cell import FloatArray, IntArray

PERIODIC = np.ones(3, dtype=bool)


def pairs_within(cell: FloatArray, positions: FloatArray, reach: float) -> tuple[IntArray, IntArray, FloatArray]:
    """Atoms i and j of each pair closer than a reach, in both orders and sorted by i, and their distances, Å.

    An atom and its own images are pairs; an atom is none with itself.

    Args:
        cell: (3, 3) lattice vectors, rows, Å.
        positions: (n, 3), Å.
        reach: Å.
    """
    from matscipy.neighbours import neighbour_list

    inside = np.ascontiguousarray((positions @ np.linalg.inv(cell)) % 1.0 @ cell)
    first, second, distance = neighbour_list("ijd", positions=inside, cell=cell, pbc=PERIODIC, cutoff=float(reach))
    return first, second, distance
