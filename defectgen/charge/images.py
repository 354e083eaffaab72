"""A point charge in a periodic dielectric: its energy, and its potential, with the images and a neutral background.

In a medium with the dielectric tensor ε the coordinates ε^(-1/2) r make space isotropic again (Rurali and Cartoixà,
Nano Lett. 9, 975 (2009)): the sums are those of a vacuum in the transformed lattice over the root of det ε, and
pymatgen's Ewald sum does them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from augment.cell import FloatArray
from augment.errors import SettingsError

__all__ = ["dielectric_tensor", "image_energy", "point_charge_potentials"]


def dielectric_tensor(values: float | FloatArray) -> FloatArray:
    """A dielectric constant, three values along the axes, or a tensor, as (3, 3).

    Raises:
        SettingsError: it is not symmetric, or not at least 1 in every direction.
    """
    given = np.asarray(values, dtype=float)
    tensor = given if given.shape == (3, 3) else np.diag(np.broadcast_to(given, 3))
    if not np.allclose(tensor, tensor.T) or not np.linalg.eigvalsh(tensor).min() >= 1:
        raise SettingsError(
            f"a dielectric tensor of {given.tolist()}; it is symmetric and at least 1 in every direction, ions included"
        )
    return tensor


def image_energy(cell: FloatArray, tensor: FloatArray) -> float:
    """Energy, eV, of a unit charge with its images and background in a cell (3, 3), Å; negative in all usual cells."""
    lattice, root = _isotropic(cell, tensor)
    return float(_ewald(lattice, np.zeros((1, 3))).total_energy) / root


def point_charge_potentials(cell: FloatArray, tensor: FloatArray, centre: FloatArray, points: FloatArray) -> FloatArray:
    """Potential (n,), V, of a unit charge at a centre (3,), its images and its background at points (n, 3), Å.

    Its mean over the cell is zero. No point may lie on the centre.
    """
    lattice, root = _isotropic(cell, tensor)
    sites = np.vstack([centre, points]) @ np.linalg.inv(cell)
    ewald = _ewald(lattice, sites)
    factor = float(ewald.CONV_FACT)
    background = factor * np.pi / (abs(np.linalg.det(lattice)) * ewald.eta)
    return np.asarray((2 * ewald.total_energy_matrix[0, 1:] - background) / root)


def _isotropic(cell: FloatArray, tensor: FloatArray) -> tuple[FloatArray, float]:
    """The lattice in coordinates in which the medium is isotropic, and the root of det ε."""
    values, axes = np.linalg.eigh(tensor)
    return cell @ (axes / np.sqrt(values)) @ axes.T, float(np.sqrt(values.prod()))


def _ewald(lattice: FloatArray, fractional: FloatArray) -> Any:
    """The sum over unit charges at fractional positions (n, 3)."""
    from pymatgen.analysis.ewald import EwaldSummation
    from pymatgen.core import Lattice, Species, Structure

    summation: Any = EwaldSummation
    return summation(Structure(Lattice(lattice), [Species("H", 1)] * len(fractional), fractional))
