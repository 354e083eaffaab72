"""Chemical potentials of diatomic gases at a temperature and a partial pressure, from tabulated values.

Enthalpies H(T) - H(298.15 K) and entropies S(T) at 1 bar are Shomate equations of the NIST Chemistry WebBook (SRD 69),
fits to the NIST-JANAF tables (Chase, J. Phys. Chem. Ref. Data, Monograph 9 (1998)), with t = T / 1000 K:

    H = A t + B t²/2 + C t³/3 + D t⁴/4 - E/t + F - H0     kJ/mol
    S = A ln t + B t + C t²/2 + D t³/3 - E/(2 t²) + G     J/(mol K)

H(298.15 K) - H(0 K) is of the same tables. Zero-point energies: Irikura, J. Phys. Chem. Ref. Data 36, 389 (2007).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from augment.errors import ConditionError

__all__ = ["GASES", "Gas"]

KJ_PER_MOL = 0.010364269656
"""eV of one kJ/mol."""


@dataclass(frozen=True)
class Gas:
    """A gas of molecules of two like atoms.

    Attributes:
        element: symbol.
        bond: length of the molecule, Å.
        enthalpy: H(298.15 K) - H(0 K) of the molecule, kJ/mol.
        zero_point: of the molecule, eV.
        shomate: upper end of each range, K, and A to G and H0 in it.
        start: K; where the first range begins.
    """

    element: str
    bond: float
    enthalpy: float
    zero_point: float
    start: float
    shomate: tuple[tuple[float, tuple[float, ...]], ...]

    @property
    def formula(self) -> str:
        """`O2`."""
        return f"{self.element}2"

    def shift(self, temperature: float, pressure: float = 1.0) -> float:
        """Chemical potential of an atom above half of the molecule's energy, [H(T) - H(0) - T S + kT ln p] / 2, eV.

        Args:
            temperature: K; at 0 the shift is 0.
            pressure: partial pressure, bar.

        Raises:
            ConditionError: outside of the tables, or a pressure that is not positive.
        """
        from ase import units

        if not pressure > 0:
            raise ConditionError(f"a partial pressure of {pressure:g} bar of {self.formula}; it must be above 0")
        if temperature == 0:
            return 0.0
        enthalpy, entropy = self._tabulated(temperature)
        molar = self.enthalpy + enthalpy - temperature * entropy / 1000
        return float(molar * KJ_PER_MOL + units.kB * temperature * np.log(pressure)) / 2

    @property
    def warm_enthalpy(self) -> float:
        """Of an atom, H(298.15 K) - H(0 K), eV."""
        return self.enthalpy * KJ_PER_MOL / 2

    def _tabulated(self, temperature: float) -> tuple[float, float]:
        """H(T) - H(298.15 K), kJ/mol, and S(T), J/(mol K), at 1 bar."""
        end = self.shomate[-1][0]
        if not self.start <= temperature <= end:
            raise ConditionError(
                f"{temperature:g} K is outside of the table of {self.formula} ({self.start:g} to {end:g} K); "
                f"give its chemical potential with --mu {self.element}=..."
            )
        a, b, c, d, e, f, g, h = next(values for top, values in self.shomate if temperature <= top)
        t = temperature / 1000
        enthalpy = a * t + b * t**2 / 2 + c * t**3 / 3 + d * t**4 / 4 - e / t + f - h
        return enthalpy, float(a * np.log(t) + b * t + c * t**2 / 2 + d * t**3 / 3 - e / (2 * t**2) + g)


GASES: Mapping[str, Gas] = {
    gas.element: gas
    for gas in (
        Gas(
            "H", 0.7414, 8.467, 0.2702, 298.0,
            ((1000, (33.066178, -11.363417, 11.432816, -2.772874, -0.158558, -9.980797, 172.707974, 0.0)),
             (2500, (18.563083, 12.257357, -2.859786, 0.268238, 1.977990, -1.147438, 156.288133, 0.0)),
             (6000, (43.413560, -4.293079, 1.272428, -0.096876, -20.533862, -38.515158, 162.081354, 0.0))),
        ),
        Gas(
            "N", 1.0977, 8.670, 0.1458, 100.0,
            ((500, (28.98641, 1.853978, -9.647459, 16.63537, 0.000117, -8.671914, 226.4168, 0.0)),
             (2000, (19.50583, 19.88705, -8.598535, 1.369784, 0.527601, -4.935202, 212.3900, 0.0)),
             (6000, (35.51872, 1.128728, -0.196103, 0.014662, -4.553760, -18.97091, 224.9810, 0.0))),
        ),
        Gas(
            "O", 1.2075, 8.683, 0.0976, 100.0,
            ((700, (31.32234, -20.23531, 57.86644, -36.50624, -0.007374, -8.903471, 246.7945, 0.0)),
             (2000, (30.03235, 8.772972, -3.988133, 0.788313, -0.741599, -11.32468, 236.1663, 0.0)),
             (6000, (20.91111, 10.72071, -2.020498, 0.146449, 9.245722, 5.337651, 237.6185, 0.0))),
        ),
        Gas(
            "F", 1.4119, 8.825, 0.0565, 298.0,
            ((6000, (31.44510, 8.413831, -2.778850, 0.218104, -0.211175, -10.43260, 237.2770, 0.0)),),
        ),
        Gas(
            "Cl", 1.9879, 9.181, 0.0347, 298.0,
            ((1000, (33.05060, 12.22940, -12.06510, 4.385330, -0.159494, -10.83480, 259.0290, 0.0)),
             (3000, (42.67730, -5.009570, 1.904621, -0.165641, -2.098480, -17.28980, 269.8400, 0.0)),
             (6000, (-42.55350, 41.68570, -7.126830, 0.387839, 101.1440, 132.7640, 264.7860, 0.0))),
        ),
    )
}  # fmt: skip
"""By element."""
