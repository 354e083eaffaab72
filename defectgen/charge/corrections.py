"""Finite-size corrections of charged cells: images and background, and the alignment of the potential where known.

With the potentials at the nuclei of both cells it is the extended scheme of Freysoldt, Neugebauer and Van de Walle in
the form of Kumagai and Oba, Phys. Rev. B 89, 195205 (2014): E = q² E_PC - q <V_defect - V_bulk - q V_PC>, the mean over
the atoms outside of the sphere that fits into the cell. Without them only the first term is there, which is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.defect import Defect
from defectgen.charge.images import image_energy, point_charge_potentials
from md.labels.calculated import CalculatedRecord

__all__ = ["ALIGNED", "POINT_CHARGES", "Correction", "correction"]

ALIGNED, POINT_CHARGES, NO_CORRECTION = "Kumagai-Oba", "point charges", "none"

_SAME_PLACE = 1.5
"""Å; an atom of the pristine cell nearer than this to one of its element in the other is the same."""


@dataclass(frozen=True)
class Correction:
    """What is added to the energy of a charged cell, eV.

    Attributes:
        scheme: `Kumagai-Oba`, `point charges` or `none`.
        image: of the images and the background.
        alignment: of the potential; 0 where it is not known.
        spread: standard deviation of the potential differences times the charge; NaN where they are not known. Where it
            is not small the cell is too small, or the charge is not localised.
        atoms: outside of the sphere.
    """

    scheme: str
    image: float = 0.0
    alignment: float = 0.0
    spread: float = float("nan")
    atoms: int = 0

    @property
    def energy(self) -> float:
        """The whole of it, eV."""
        return self.image + self.alignment


def correction(record: CalculatedRecord, bulk: CalculatedRecord, defect: Defect, tensor: FloatArray) -> Correction:
    """The correction of a charged cell; that of a neutral one is none.

    Args:
        record: the defect, in the axes of its canonical cell.
        bulk: the pristine cell of the same superlattice and level of theory.
        defect: what it is, for where its charge is.
        tensor: static dielectric tensor (3, 3) of the host, ions included, in the axes of the cell.
    """
    charge, cell = record.cell.charge, record.cell
    if charge == 0:
        return Correction(NO_CORRECTION)
    image = -(charge**2) * image_energy(cell.cell, tensor)
    if record.potentials is None or bulk.potentials is None:
        return Correction(POINT_CHARGES, image)
    centre = centre_of(defect, cell)
    there, here = _same_atoms(cell, bulk.cell, centre)
    if not len(there):
        return Correction(POINT_CHARGES, image)
    model = charge * point_charge_potentials(cell.cell, tensor, centre, cell.positions[there])
    away = record.potentials[there] - bulk.potentials[here] - model
    alignment, spread = -charge * float(away.mean()), abs(charge) * float(away.std())
    return Correction(ALIGNED, image, alignment, spread, len(there))


def centre_of(defect: Defect, cell: DefectCell) -> FloatArray:
    """Middle (3,), Å, of the edited sites, nearest images of the first, in the strained cell."""
    ideal = defect.supercell
    places = ideal.sites.positions[[edit.site for edit in defect.edits]] @ np.linalg.inv(ideal.cell)
    away = places - places[0]
    fraction = (places[0] + (away - np.rint(away)).mean(axis=0)) % 1.0
    return np.asarray(fraction @ cell.cell)


def inner_radius(cell: FloatArray) -> float:
    """Radius, Å, of the largest sphere between opposite faces of a cell (3, 3), by the pair that is furthest apart."""
    normals = np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]])
    return float((abs(np.linalg.det(cell)) / np.linalg.norm(normals, axis=1)).max() / 2)


def _same_atoms(
    cell: DefectCell, bulk: DefectCell, centre: FloatArray
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Atoms outside of the sphere around the centre, and those of the pristine cell that they are."""
    inverse = np.linalg.inv(cell.cell)

    def distances(points: FloatArray, others: FloatArray) -> FloatArray:
        between = (points[:, None] - others[None]) @ inverse
        return np.asarray(np.linalg.norm((between - np.rint(between)) @ cell.cell, axis=-1))

    outside = np.flatnonzero(distances(cell.positions, centre[None])[:, 0] > inner_radius(cell.cell))
    apart = distances(cell.positions[outside], bulk.positions @ np.linalg.inv(bulk.cell) @ cell.cell)
    apart[cell.numbers[outside][:, None] != bulk.numbers[None]] = np.inf
    nearest = apart.argmin(axis=1)
    near = apart[np.arange(len(outside)), nearest] < _SAME_PLACE
    return outside[near].astype(np.int64), nearest[near].astype(np.int64)
