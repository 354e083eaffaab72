"""Elastic dipole tensor and relaxation volume of a defect: how it strains the crystal around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray
from augment.distort.single import strained
from augment.errors import DataError
from augment.groups.cell_symmetry import CellSymmetry
from md.energetics.elastic import TIGHT_FORCE, VOIGT, ElasticConstants, from_voigt, to_voigt
from md.energetics.minimum import minimum
from md.labels.record import Record
from md.potentials import Potential

SAME_CELL = 1e-6
"""Å; cells of a defect and its bulk that differ by less are one."""

DIPOLE_STRAIN = 1e-3
"""Of the derivative of the energy; its error is of second order, its rounding 1e-10 eV over it."""

SAME_STRAIN = 1e-8
"""Singular value from which on a strain counts as another direction."""


@dataclass(frozen=True, eq=False)
class ElasticDipole:
    """The elastic dipole (double-force) tensor P of a defect: it costs -P:e in a strain e.

    Attributes:
        tensor: (3, 3) eV, symmetric and invariant under the defect's stabilizer; positive where it pushes outward.
        deviation: largest entry of what the stabilizer does not allow and was taken out, eV.
        volume: of the supercell, Å³.
    """

    tensor: FloatArray
    deviation: float
    volume: float

    def strain(self, elastic: ElasticConstants) -> FloatArray:
        """Strain (3, 3) that a supercell with one defect takes when it is set free, S P / V."""
        from ase import units

        voigt = elastic.compliance @ to_voigt(self.tensor) / units.GPa / self.volume
        return from_voigt(voigt, engineering=True)

    def relaxation_volume(self, elastic: ElasticConstants) -> float:
        """Relaxation volume of the defect, Å³, V tr(S P / V) of an infinite crystal; tr P / 3 K in a cubic one."""
        return self.volume * float(np.trace(self.strain(elastic)))


def elastic_dipole(defect: Record, bulk: Record, symmetry: CellSymmetry | None = None) -> ElasticDipole:
    """Elastic dipole from the residual stress in a fixed cell: P = -V (stress of the defect - stress of the bulk).

    Clouet, Varvenne and Jourdan, Comput. Mater. Sci. 147, 49 (2018), eq. 6 in the sign of ASE's stress.

    Args:
        defect: relaxed at fixed cell.
        bulk: the pristine supercell in the same cell.
        symmetry: the defect's stabilizer (`Defect.symmetry`); the tensor is projected onto it.

    Raises:
        DataError: the cells differ.
    """
    if np.abs(defect.cell.cell - bulk.cell.cell).max() > SAME_CELL:
        raise DataError(f"{defect.cell.name} and {bulk.cell.name} have different cells; relax both at one fixed cell")
    volume = bulk.cell.volume
    return _projected(-volume * from_voigt(defect.stress - bulk.stress), symmetry, volume)


def elastic_dipole_from_strain(
    defect: Record, bulk: Record, potential: Potential, symmetry: CellSymmetry | None = None
) -> ElasticDipole:
    """Elastic dipole from energies alone, -dE/de of the defect less that of the bulk, atoms relaxed at each strain.

    An independent check of `elastic_dipole`: it would show a stress that is not the derivative of the energy. Only
    strains that `symmetry` leaves invariant are made, one in a cubic site; the others have no derivative.

    Raises:
        DataError: the cells differ, or a strained cell does not relax.
    """
    if np.abs(defect.cell.cell - bulk.cell.cell).max() > SAME_CELL:
        raise DataError(f"{defect.cell.name} and {bulk.cell.name} have different cells; relax both at one fixed cell")
    tensor = np.zeros((3, 3))
    for direction in _invariant_strains(symmetry):
        change = [_slope(record, direction, potential) for record in (defect, bulk)]
        tensor -= (change[0] - change[1]) * direction
    return _projected(tensor, symmetry, bulk.cell.volume)


def _invariant_strains(symmetry: CellSymmetry | None) -> list[FloatArray]:
    """Orthonormal symmetric (3, 3) tensors that span the strains that a group leaves invariant."""
    units = []
    for i, j in VOIGT:
        unit = np.zeros((3, 3))
        unit[i, j] = unit[j, i] = 1.0
        units.append(unit if symmetry is None else symmetry.project_strain(unit))
    _, values, rows = np.linalg.svd(np.array(units).reshape(6, 9))
    return [row.reshape(3, 3) for row in rows[: int((values > SAME_STRAIN).sum())]]


def _slope(record: Record, direction: FloatArray, potential: Potential) -> float:
    """Derivative of the relaxed energy along a strain, eV."""
    energies = [
        minimum(strained(record.cell, sign * DIPOLE_STRAIN * direction), potential, TIGHT_FORCE).energy
        for sign in (1, -1)
    ]
    return (energies[0] - energies[1]) / (2 * DIPOLE_STRAIN)


def _projected(tensor: FloatArray, symmetry: CellSymmetry | None, volume: float) -> ElasticDipole:
    allowed = tensor if symmetry is None else symmetry.project_strain(tensor)
    return ElasticDipole(allowed, float(np.abs(allowed - tensor).max()), volume)


def relaxation_volume(defect: Record, bulk: Record, elastic: ElasticConstants) -> float:
    """Relaxation volume of a defect from two cells set free: V(defect) - V(bulk) at zero stress, Å³.

    A relaxation leaves a strain of up to 1e-5, which in a large cell is a share of the volume of an atom; the elastic
    constants bring both cells to zero stress.
    """
    return _free_volume(defect, elastic) - _free_volume(bulk, elastic)


def _free_volume(record: Record, elastic: ElasticConstants) -> float:
    """Volume of a cell at zero stress to first order, Å³."""
    from ase import units

    strain = elastic.compliance @ (record.stress / units.GPa)
    return record.cell.volume * (1 - float(strain[:3].sum()))
