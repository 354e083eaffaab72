"""Volume, energy and bulk modulus of a crystal from its energies at several volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from augment.cell import DefectCell
from augment.errors import SettingsError
from md.distill.validate import GPA

__all__ = ["CurveFit", "fit_curve"]


@dataclass(frozen=True)
class CurveFit:
    """The minimum of a curve of energy over volume.

    Attributes:
        volume: Å³ per atom.
        energy: eV per atom.
        modulus: bulk modulus, GPa.
    """

    volume: float
    energy: float
    modulus: float


def fit_curve(cells: Sequence[DefectCell], energies: Sequence[float]) -> CurveFit:
    """Fit of the equation of state of Birch and Murnaghan (Birch, Phys. Rev. 71, 809, 1947) to energies in eV.

    Raises:
        SettingsError: the energies have no minimum within the volumes.
    """
    from ase.eos import EquationOfState

    volumes = np.array([cell.volume / len(cell) for cell in cells])
    levels = np.array([energy / len(cell) for cell, energy in zip(cells, energies, strict=True)])
    formula = cells[0].to_ase().get_chemical_formula(empirical=True)
    if not 0 < int(levels.argmin()) < len(levels) - 1:
        raise SettingsError(
            f"{formula}: the energies have no minimum between {volumes.min():.2f} and {volumes.max():.2f} Å³ per atom; "
            "the student and the teacher are too far apart, distil a student from this teacher first"
        )
    volume, energy, modulus = EquationOfState(volumes, levels, eos="birchmurnaghan").fit()
    return CurveFit(float(volume), float(energy), float(modulus) * GPA)
