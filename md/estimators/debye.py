"""Debye's crystal: what quantum atoms have that classical ones lack, from one frequency."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from augment.errors import DataError

MIN_RATIO = 1e-3
"""Of the Debye temperature and that of the crystal, below which the integrals are those of classical atoms."""

MAX_ARGUMENT = 60.0
"""Of the integrals, beyond which nothing is left of the integrands."""

_POINTS = 64
"""Of the Gauss-Legendre integration; exact to ten digits."""


@dataclass(frozen=True)
class QuantumCorrection:
    """What a harmonic crystal of quantum atoms has more than one of classical atoms, in Debye's model.

    Attributes:
        debye_temperature: K.
        energy: eV per atom to be added to the classical energy, zero-point motion included.
        heat_capacity: in that of classical atoms, 3 k_B.
    """

    debye_temperature: float
    energy: float
    heat_capacity: float


def debye_temperature(mean_square_frequency: float) -> float:
    """Debye temperature (K) of the spectrum with a mean square of the angular frequency, 1/fs².

    The density of states 3 w² / w_D³ has the mean square 3 w_D² / 5.

    Raises:
        DataError: the mean square is not positive.
    """
    from ase import units

    if not mean_square_frequency > 0:
        raise DataError("no forces on the atoms, and so no frequencies")
    angular = math.sqrt(5 / 3 * mean_square_frequency) * 1e15  # 1/s
    return float(units._hbar * angular / units._k)  # noqa: SLF001  its constants in SI units


def quantum_correction(theta: float, temperature: float) -> QuantumCorrection:
    """The correction for a Debye temperature at a temperature, both in K."""
    from ase import units

    ratio = max(theta / temperature, MIN_RATIO)
    nodes, weights = np.polynomial.legendre.leggauss(_POINTS)
    end = min(ratio, MAX_ARGUMENT)
    x = (nodes + 1) * end / 2
    grown = np.expm1(x)
    energy, capacity = (
        float(3 / ratio**3 * end / 2 * (weights @ values)) for values in (x**3 / grown, x**4 * np.exp(x) / grown**2)
    )
    classical, zero_point = 3 * units.kB * temperature, 9 / 8 * units.kB * theta
    return QuantumCorrection(theta, float(classical * (energy - 1) + zero_point), capacity)
