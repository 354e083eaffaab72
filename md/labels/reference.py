"""The relaxed host as the reference of every displacement: defect cells put onto its lattice."""

from __future__ import annotations

import numpy as np

from augment.cell import DefectCell
from augment.errors import DataError


def onto_relaxed_host(cell: DefectCell, ideal: DefectCell, relaxed: DefectCell) -> DefectCell:
    """An ideal defect cell in the lattice and on the sites of the host relaxed under a potential.

    Lattice sites move as they do in the pristine supercell; void sites follow the lattice.

    Args:
        cell: ideal defect cell, on the sites of the host as its CIF gives them.
        ideal: pristine supercell before relaxation.
        relaxed: the same cell after relaxation of positions and lattice.

    Raises:
        DataError: the three are not cells of one supercell.
    """
    if not np.array_equal(ideal.sites, relaxed.sites) or not np.allclose(cell.cell, ideal.cell):
        raise DataError(f"{cell.name}: not in the supercell of the relaxed host; build both from one supercell")
    gradient = np.linalg.solve(ideal.cell, relaxed.cell)
    shift = np.zeros((max(int(cell.sites.max()), int(ideal.sites.max())) + 1, 3))
    shift[ideal.sites] = relaxed.positions - ideal.positions @ gradient
    return cell.with_geometry(cell.positions @ gradient + shift[cell.sites], relaxed.cell)
