"""The places of a defect cell beside those of the pristine crystal: which of them an edit has changed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from augment.cell import DefectCell, FloatArray, IntArray
from augment.errors import DataError
from defectgen.images.mean_cell import MeanCellFrames
from defectgen.representation.template import nearest_images

PLACE_TOLERANCE = 1.0
"""Å; an atom this close to a pristine site holds it: further than atoms relax, less than a bond."""

ALIKE_CELLS = 0.1
"""Strain by which a defect cell may differ from the pristine supercell that it is compared with."""


@dataclass(frozen=True, eq=False)
class PlaceTable:
    """The sites of a pristine cell, then the atoms that were added to it.

    Attributes:
        lattice: (3, 3) mean lattice vectors of the defect cell, rows, Å.
        before: (m,) atomic numbers in the pristine cell, 0 for an added atom.
        after: (m,) atomic numbers in the defect cell, 0 for a vacancy.
        pristine: (k', m, 3) fractional coordinates in frames of the pristine cell.
        fractions: (k, m, 3) fractional coordinates in frames of the defect cell; a vacancy is at its site.
    """

    lattice: FloatArray
    before: IntArray
    after: IntArray
    pristine: FloatArray
    fractions: FloatArray

    @property
    def changed(self) -> NDArray[np.bool_]:
        """(m,) whether an edit changed the place."""
        return np.asarray(self.before != self.after)

    @property
    def sites(self) -> FloatArray:
        """(m, 3) mean fractional coordinates in the pristine cell; those of added atoms are where they are."""
        return np.asarray(self.pristine.mean(axis=0))

    @property
    def centre(self) -> FloatArray:
        """(3,) mean fractional coordinates of what is changed, minding periodicity; the middle where nothing is."""
        points = self.sites[self.changed]
        if len(points) == 0:
            return np.full(3, 0.5)
        offset = points - points[0]
        return np.asarray(points[0] + (offset - np.rint(offset)).mean(axis=0))


def place_table(frames: MeanCellFrames, pristine: MeanCellFrames | None = None) -> PlaceTable:
    """The places of a defect cell, compared with the pristine cell by the numbers of its sites.

    Args:
        frames: the defect cell.
        pristine: the same supercell without the defect; without it nothing counts as changed.

    Raises:
        DataError: the two are no cells of one supercell.
    """
    cell = frames.cell
    if pristine is None:
        return PlaceTable(frames.lattice, cell.numbers, cell.numbers, frames.fractions, frames.fractions)
    host = pristine.cell
    _check_alike(cell, host)
    row = {int(site): i for i, site in enumerate(host.sites)}
    held = np.full(len(host), -1)
    added = []
    for atom, site in enumerate(cell.sites):
        place = row.get(int(site))
        if place is None or held[place] >= 0:
            added.append(atom)
        else:
            held[place] = atom
    after = np.where(held >= 0, cell.numbers[held], 0)
    before, after = (np.append(host.numbers, [0] * len(added)), np.append(after, cell.numbers[added]))
    at = _aligned(frames.fractions, pristine.fractions.mean(axis=0), held)
    places = np.where((held >= 0)[None, :, None], at[:, held], pristine.fractions.mean(axis=0))
    extra = at[:, added]
    rest = np.repeat(extra.mean(axis=0)[None], len(pristine), axis=0)
    return PlaceTable(
        frames.lattice,
        before.astype(np.int64),
        after.astype(np.int64),
        np.concatenate([pristine.fractions, rest], axis=1),
        np.concatenate([places, extra], axis=1),
    )


def _check_alike(cell: DefectCell, host: DefectCell) -> None:
    strain = np.abs(cell.cell @ np.linalg.inv(host.cell) - np.eye(3)).max()
    if strain > ALIKE_CELLS:
        raise DataError(
            f"{cell.name}: its cell differs from the pristine one by {strain:.2f}; give the pristine cell of the same "
            "supercell, in the same axes"
        )


def _aligned(fractions: FloatArray, sites: FloatArray, held: IntArray) -> FloatArray:
    """Fractions (k, n, 3) in the periodic images next to their sites, without the drift of the crystal."""
    kept = np.flatnonzero(held >= 0)
    offset = fractions[:, held[kept]] - sites[kept]
    whole = np.rint(offset[0])
    drift = np.median(offset - whole, axis=1, keepdims=True) if len(kept) else np.zeros((len(fractions), 1, 3))
    shifts = np.zeros(fractions.shape[1:])
    shifts[held[kept]] = whole
    return np.asarray(fractions - shifts - drift)


def on_sites(cell: DefectCell, pristine: DefectCell, tolerance: float = PLACE_TOLERANCE) -> DefectCell:
    """A cell whose atoms have the numbers of the nearest pristine sites, for a structure that knows none.

    Every site goes to one atom at most, so that the sum of squared distances is least; an atom further than the
    tolerance from its site is an added one, with a number after those of the sites.

    Args:
        cell: a defective supercell, in the axes and with the origin of the pristine one.
        pristine: the same supercell without the defect.
        tolerance: Å.

    Raises:
        DataError: the two are no cells of one supercell.
    """
    from scipy.optimize import linear_sum_assignment

    _check_alike(cell, pristine)
    places_in_cell = pristine.positions @ np.linalg.inv(pristine.cell) @ cell.cell
    distance = nearest_images(cell.positions, places_in_cell, cell.cell)
    # Beyond the tolerance all sites are equally bad, so that a far atom pushes no other off its site.
    atoms, places = linear_sum_assignment(np.minimum(distance, tolerance) ** 2)
    sites = int(pristine.sites.max()) + 1 + np.arange(len(cell))
    near = distance[atoms, places] < tolerance
    sites[atoms[near]] = pristine.sites[places[near]]
    return replace(cell, sites=sites)
