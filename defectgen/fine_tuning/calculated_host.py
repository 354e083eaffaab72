"""The host at rest according to calculations: what displacements of calculated defects are measured from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from augment.cell import BULK, DefectCell, FloatArray
from augment.errors import DataError
from augment.groups.distortion import distortion_of, project, stretch
from augment.host import Host
from augment.supercell import Supercell
from md.labels.calculated import CalculatedRecord
from md.relaxation.relaxed_host import pristine

__all__ = ["calculated_hosts"]

MAX_BROKEN = 0.02
"""Å; a calculated pristine cell whose atoms leave the symmetry of the host by more has reconstructed."""


def calculated_hosts(host: Host, supercell: Supercell, records: Sequence[CalculatedRecord]) -> dict[str, Host]:
    """The host by level of theory, from the lowest calculation of its pristine supercell at that level.

    Raises:
        DataError: a pristine cell does not have the symmetry of the host.
    """
    pristine_cells = [r for r in records if r.cell.name == BULK and r.cell.key == supercell.bulk_cell().key]
    ranked = sorted(pristine_cells, key=lambda record: -record.energy)
    return {str(r.cell.provenance["potential"]): calculated_host(host, supercell, r.cell) for r in ranked}


def calculated_host(host: Host, supercell: Supercell, cell: DefectCell) -> Host:
    """The crystal of a calculated pristine supercell, its symmetry restored.

    Raises:
        DataError: atoms are further than `MAX_BROKEN` from where the symmetry puts them.
    """
    bulk, symmetry = pristine(supercell).cell(), pristine(supercell).symmetry()
    strain = symmetry.project_strain(stretch(bulk.cell, cell.cell))
    order = np.argsort(cell.sites)
    positions = cell.positions[order][np.argsort(np.argsort(bulk.sites))]
    moved = distortion_of(_unwrapped(positions, bulk, strain), bulk, strain)
    kept = project(moved, symmetry)
    off = float(np.linalg.norm(moved.displacements - kept.displacements, axis=1).max())
    if off > MAX_BROKEN:
        raise DataError(
            f"the calculated pristine cell of {host.formula} is {off:.2f} Å off the symmetry of the host; it has "
            "reconstructed, and nothing can be measured from it"
        )
    primitive = host.primitive @ (np.eye(3) + strain)
    first = np.array([int(np.flatnonzero(bulk.sites == site * supercell.index)[0]) for site in range(host.n_lattice)])
    points = host.points[: host.n_lattice] + kept.displacements[first] @ np.linalg.inv(primitive)
    return host.relaxed(primitive, points)


def _unwrapped(positions: FloatArray, ideal: DefectCell, strain: FloatArray) -> FloatArray:
    """Positions of the images that are nearest to the ideal sites in a strained cell."""
    frame = np.eye(3) + strain
    here, cell = ideal.positions @ frame, ideal.cell @ frame
    between = (positions - here) @ np.linalg.inv(cell)
    nearest: FloatArray = here + (between - np.rint(between)) @ cell
    return nearest
