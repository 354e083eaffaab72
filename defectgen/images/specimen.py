"""The specimen: a slab cut from a crystal across the beam, with the defect in the middle of the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from augment.cell import FloatArray, IntArray
from augment.errors import ConditionError
from defectgen.images.places import PlaceTable

MAX_SPECIMEN_ATOMS = 200_000
"""Atoms whose potential still fits into the memory of a small computer."""

FACE_TOLERANCE = 1e-6
"""Å; a plane of atoms on the lower face of the box is in it, one on the upper face is not."""


@dataclass(frozen=True, eq=False)
class Specimen:
    """Places of a crystal in a box whose z axis is the beam; it is cut at the sides, and periodic in nothing.

    Attributes:
        box: (3,) edges, Å.
        before: (m,) atomic numbers in the pristine crystal, 0 for an added atom.
        after: (m,) atomic numbers, 0 for a vacancy.
        sites: (m, 3) where the places are in the pristine crystal, Å.
        positions: (c, m, 3) where they are in each of c configurations, Å.
    """

    box: FloatArray
    before: IntArray
    after: IntArray
    sites: FloatArray
    positions: FloatArray

    @property
    def changed(self) -> NDArray[np.bool_]:
        """(m,) whether an edit changed the place."""
        return np.asarray(self.before != self.after)

    @property
    def mean(self) -> FloatArray:
        """(m, 3) mean positions, Å."""
        return np.asarray(self.positions.mean(axis=0))


@dataclass(frozen=True)
class Cut:
    """How a specimen is cut from a crystal.

    Attributes:
        width: edge of the box across the beam, Å.
        thickness: along the beam, Å.
        depth: of the defect, a fraction of the thickness from where the beam comes in.
        single: one defect in the pristine crystal; else every cell of the crystal holds it.
        configurations: number of sets of positions. Each cell of each draws its frame, so that the motion of the atoms
            is not the same in all cells.
    """

    width: float
    thickness: float
    depth: float
    single: bool
    configurations: int


def cut_specimen(places: PlaceTable, axes: FloatArray, cut: Cut, rng: np.random.Generator) -> Specimen:
    """Cut a box from the crystal.

    Args:
        places: of the cell of the defect.
        axes: (3, 3) x, y and beam of the image as rows.
        cut: how.
        rng: draws the frames.

    Raises:
        ConditionError: the box holds too many atoms, or none.
    """
    box = np.array([cut.width, cut.width, cut.thickness])
    origin = box * (0.5, 0.5, cut.depth)
    lattice = places.lattice @ axes.T
    cells = _cells(places, lattice, box, origin)
    offset = (cells - places.centre) @ lattice + origin
    at = offset[:, None] + places.sites @ lattice
    defective = np.ones(len(cells), dtype=bool) if not cut.single else (cells == 0).all(axis=1)
    after = np.where(defective[:, None], places.after, places.before)
    inside = ((at >= -FACE_TOLERANCE) & (at < box - FACE_TOLERANCE)).all(axis=-1) & ((after > 0) | defective[:, None])
    if not inside.any():
        raise ConditionError(f"no atom lies in {cut.thickness:g} Å of this crystal; give a thicker specimen")
    positions = np.stack([_drawn(places, lattice, offset, defective, rng)[inside] for _ in range(cut.configurations)])
    before = np.broadcast_to(places.before, after.shape)
    return Specimen(box, before[inside], after[inside], at[inside], positions)


def _drawn(
    places: PlaceTable, lattice: FloatArray, offset: FloatArray, defective: NDArray[np.bool_], rng: np.random.Generator
) -> FloatArray:
    """Positions (cells, places, 3) with a frame drawn for each cell, Å."""
    drawn = places.pristine[rng.integers(len(places.pristine), size=len(offset))]
    held = places.fractions[rng.integers(len(places.fractions), size=len(offset))]
    fractions = np.where(defective[:, None, None], held, drawn)
    return np.asarray(offset[:, None] + fractions @ lattice)


def _cells(places: PlaceTable, lattice: FloatArray, box: FloatArray, origin: FloatArray) -> IntArray:
    """Integer coordinates (k, 3) of the cells that may reach into the box."""
    volume = abs(np.linalg.det(lattice))
    expected = box.prod() / volume * len(places.before)
    if expected > MAX_SPECIMEN_ATOMS:
        raise ConditionError(f"a specimen of {expected:.0f} atoms; give a smaller field or thickness")
    corners = np.stack(np.meshgrid(*[[0.0, 1.0]] * 3, indexing="ij"), axis=-1).reshape(-1, 3) * box
    fractional = (corners - origin) @ np.linalg.inv(lattice) + places.centre
    low = np.floor(fractional.min(axis=0) - places.sites.max(axis=0)).astype(int)
    high = np.ceil(fractional.max(axis=0) - places.sites.min(axis=0)).astype(int)
    grids = [np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
    cells = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1).reshape(-1, 3)
    # A cell whose circumscribed sphere misses the box has no atom in it; a long thin box leaves most of them out.
    spread = (places.sites - places.sites.mean(axis=0)) @ lattice
    radius = np.linalg.norm(spread, axis=1).max()
    middle = (cells + places.sites.mean(axis=0) - places.centre) @ lattice + origin
    apart = np.maximum(np.maximum(-middle, middle - box), 0.0)
    return np.asarray(cells[np.linalg.norm(apart, axis=1) <= radius + FACE_TOLERANCE])
