"""Neighbours in a periodic crystal: pairs of atoms within a reach, shortest distances, and images around a cell."""

from __future__ import annotations

from typing import Any

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray

_PERIODIC = np.ones(3, dtype=bool)
_FIRST_REACH = 2.0
"""Å; most crystals have their shortest distance within it or soon after."""


def neighbours(quantities: str, cell: FloatArray, positions: FloatArray, reach: float | FloatArray) -> Any:
    """Quantities of every directed pair of atoms closer than a reach, sorted by the first atom.

    An atom and its own images are pairs; an atom is none with itself. Positions may lie outside the cell.

    Args:
        quantities: any of `i` and `j` (the two atoms), `d` (distance, Å), `D` (vector from i to the image of j, Å)
            and `S` (lattice shift of that image); an array of each comes back, in this order.
        cell: (3, 3) lattice vectors, rows, Å.
        positions: (n, 3), Å.
        reach: Å, or (n,) radii of the atoms, Å, whose sums are the reaches.
    """
    from matscipy.neighbours import neighbour_list

    return neighbour_list(quantities, positions=positions, cell=cell, pbc=_PERIODIC, cutoff=reach)


def pairs_within(
    cell: FloatArray, positions: FloatArray, reach: float | FloatArray
) -> tuple[IntArray, IntArray, FloatArray]:
    """Atoms i and j of each pair closer than a reach, as in `neighbours`, and their distances, Å."""
    first, second, distance = neighbours("ijd", cell, positions, reach)
    return first, second, distance


def closest_pair(positions: FloatArray, cell: FloatArray, within: float) -> float:
    """Shortest distance between two atoms, or an atom and its image, Å; infinite where it is not below `within`.

    Linear in the number of atoms: at 500 atoms a hundred times faster than all pairs, which took a fifth of a step.

    Args:
        positions: (n, 3) Cartesian positions, Å.
        cell: (3, 3) lattice vectors as rows, Å.
        within: Å.
    """
    return float(neighbours("d", cell, positions, within).min(initial=np.inf))


def shortest_distance(cell: DefectCell) -> float:
    """Shortest interatomic distance under periodic boundary conditions, Å."""
    reach = _FIRST_REACH
    while (found := closest_pair(cell.positions, cell.cell, reach)) == np.inf:
        reach *= 1.5
    return found


def images_around(points: FloatArray, lattice: FloatArray, distance: float | None = None) -> FloatArray:
    """Cartesian positions (m, 3) of the atoms of the primitive cell and of every cell within a distance of it, Å.

    Args:
        points: (n, 3) fractional coordinates; the atoms of each cell follow one another in this order.
        lattice: (3, 3) primitive lattice, rows, Å.
        distance: Å; the longest lattice vector and 1 Å by default.
    """
    distance = np.linalg.norm(lattice, axis=1).max() + 1.0 if distance is None else distance
    reach = np.ceil(distance * inverse_heights(lattice)).astype(int)
    grids = [np.arange(-r, r + 1) for r in reach]
    shifts = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    images: FloatArray = ((points[None] + shifts) @ lattice).reshape(-1, 3)
    return images


def inverse_heights(lattice: FloatArray) -> FloatArray:
    """(3,) fractional coordinate per Å away from each pair of faces of the cell."""
    inverse: FloatArray = np.linalg.norm(np.linalg.inv(lattice), axis=0)
    return inverse
