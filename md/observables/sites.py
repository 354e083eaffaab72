"""The host's sites under a trajectory: which defect it started as, and how far each atom is from its site."""

from __future__ import annotations

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.defect import Defect
from augment.errors import DataError
from augment.host import Host
from augment.supercell import Supercell
from md.labels.frames import Frames
from md.observables.structure import strains

MAX_CELL_STRAIN = 0.3
"""Of a cell against the supercell it is said to be of; a crystal has left its structure before."""

ON_SITE_DISTANCE = 1.0
"""Å; atoms this near their sites define the drift of the crystal, those that jumped do not."""


def defect_of(start: DefectCell, host: Host) -> Defect:
    """The defect that a cell holds, in a supercell with the basis of that cell.

    Raises:
        DefectError: the cell is of another host.
        DataError: the cell has the axes of no supercell of the host.
    """
    defect = Defect.from_key(host, start.key)
    if "supercell" in start.provenance:
        matrix = np.array(start.provenance["supercell"], dtype=np.int64)
        defect = Defect(Supercell(defect.host, matrix), defect.edits, defect.charge)
    check_cell(start, defect)
    return defect


def check_cell(start: DefectCell, defect: Defect) -> None:
    """Check that a cell has the atoms and axes of a defect.

    Raises:
        DataError: it has not.
    """
    ideal = defect.cell()
    if len(ideal) != len(start) or (ideal.numbers != start.numbers).any() or (ideal.sites != start.sites).any():
        raise DataError(f"{start.name}: its atoms are not those of {defect.name} in this supercell")
    strain = float(np.abs(strains(ideal.cell, start.cell[None])).max())
    if strain > MAX_CELL_STRAIN:
        raise DataError(f"{start.name}: its cell differs from that of the supercell by a strain of {strain:.2f}")


def site_displacements(frames: Frames, defect: Defect, first: int = 0) -> FloatArray:
    """Displacements (k - first, n, 3) of the atoms from the host sites they started at, Å, in the mean cell.

    The sites scale with the cell of each frame; a drift of the crystal, the mean over the atoms near their sites, is
    removed. They are not wrapped: an atom that leaves its site for another shows it.

    Raises:
        DataError: the trajectory is of another defect, or has no frames there.
    """
    check_cell(frames.start, defect)
    cells = frames.cells[first:]
    if len(cells) == 0:
        raise DataError(f"{frames.start.name}: no frames from number {first} on; run longer")
    offset = frames.positions[first:] @ np.linalg.inv(cells) - _ideal(frames, defect)
    offset -= np.rint(offset[0])
    moved = offset @ cells.mean(axis=0)
    moved -= np.median(moved, axis=1, keepdims=True)
    near = (np.linalg.norm(moved, axis=2) < ON_SITE_DISTANCE)[:, :, None]
    moved -= (moved * near).sum(axis=1, keepdims=True) / np.maximum(near.sum(axis=1, keepdims=True), 1)
    return np.asarray(moved, dtype=float)


def _ideal(frames: Frames, defect: Defect) -> FloatArray:
    """Fractional coordinates (n, 3) of the sites of the atoms."""
    supercell = defect.supercell
    return np.asarray(supercell.sites.positions[frames.start.sites] @ np.linalg.inv(supercell.cell), dtype=float)


def centre_fraction(defect: Defect) -> FloatArray:
    """Centre of a defect (3,) in fractional coordinates of its supercell.

    Raises:
        DataError: there is no defect in it.
    """
    if not defect.edits:
        raise DataError("the pristine crystal has no defect to measure from")
    return np.asarray(defect.centre() @ np.linalg.inv(defect.supercell.cell), dtype=float)
