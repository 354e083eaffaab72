"""The Fermi level at which charged defects, electrons and holes are neutral together, and their concentrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase.units import kB

from augment.errors import DataError, SettingsError
from defectgen.charge.levels import ChargeState

__all__ = ["Bands", "NeutralEquilibrium", "neutral_equilibrium"]

_STATES = 4.8293e15
"""1/cm³/K^1.5; of a free electron, 2 (2π m k/h²)^1.5, spin included."""

MAX_BEYOND = 1.0
"""eV; how far outside of the gap a Fermi level is looked for."""


@dataclass(frozen=True)
class Bands:
    """Parabolic bands: what carriers need.

    Attributes:
        gap: eV.
        electrons: effective mass of the density of states, electron masses.
        holes: the same of the valence band.

    Raises:
        SettingsError: a value is not above 0.
    """

    gap: float
    electrons: float = 1.0
    holes: float = 1.0

    def __post_init__(self) -> None:
        if not min(self.gap, self.electrons, self.holes) > 0:
            raise SettingsError(f"a gap of {self.gap} eV, masses of {self.electrons} and {self.holes}; all are above 0")

    def carriers(self, fermi_level: float, temperature: float) -> tuple[float, float]:
        """Electrons and holes, 1/cm³, of Fermi-Dirac statistics, at a level above the valence-band maximum, eV."""
        states, unit = _STATES * temperature**1.5, kB * temperature
        electrons = states * self.electrons**1.5 * _half_integral((fermi_level - self.gap) / unit)
        return electrons, states * self.holes**1.5 * _half_integral(-fermi_level / unit)


@dataclass(frozen=True)
class NeutralEquilibrium:
    """Concentrations at one temperature.

    Attributes:
        temperature: K.
        fermi_level: above the valence-band maximum, eV.
        electrons: 1/cm³.
        holes: 1/cm³.
        concentrations: 1/cm³, of each defect and charge.
    """

    temperature: float
    fermi_level: float
    electrons: float
    holes: float
    concentrations: Mapping[tuple[str, int], float]


def neutral_equilibrium(
    states: Sequence[ChargeState], sites: Mapping[str, float], bands: Bands, temperature: float, doping: float = 0.0
) -> NeutralEquilibrium:
    """The neutral crystal: one root of the total charge, which falls with the Fermi level.

    Concentrations are N g exp(-E/kT) / (1 + Σ g exp(-E/kT)), the sum over the states of one defect: a site holds one.

    Args:
        states: of all defects, with their formation energies at the chemical potentials wanted.
        sites: of each defect, 1/cm³.
        bands: of the host.
        temperature: K.
        doping: fixed charge, e/cm³, positive for ionised donors that are not among the states.

    Raises:
        SettingsError: the temperature is not above 0.
        DataError: no Fermi level within 1 eV of the gap makes it neutral.
    """
    from scipy.optimize import brentq

    if not temperature > 0:
        raise SettingsError(f"a temperature of {temperature} K; it is above 0")

    def charge(level: float) -> float:
        electrons, holes = bands.carriers(level, temperature)
        found = _concentrations(states, sites, level, temperature)
        return doping + holes - electrons + sum(q * amount for (_, q), amount in found.items())

    low, high = -MAX_BEYOND, bands.gap + MAX_BEYOND
    if not charge(low) > 0 > charge(high):
        raise DataError(
            f"no Fermi level between {low:g} and {high:g} eV makes the crystal neutral at {temperature:g} K; a "
            "formation energy is far below 0 there: look at the limit of the chemical potentials"
        )
    level = float(brentq(charge, low, high, xtol=1e-12))
    electrons, holes = bands.carriers(level, temperature)
    return NeutralEquilibrium(temperature, level, electrons, holes, _concentrations(states, sites, level, temperature))


def _concentrations(
    states: Sequence[ChargeState], sites: Mapping[str, float], level: float, temperature: float
) -> dict[tuple[str, int], float]:
    """1/cm³, of each defect and charge."""
    found: dict[tuple[str, int], float] = {}
    for name in dict.fromkeys(state.name for state in states):
        own = [state for state in states if state.name == name]
        exponents = np.array([np.log(state.degeneracy) - state.at(level) / (kB * temperature) for state in own])
        top = max(0.0, float(exponents.max()))
        weights = np.exp(exponents - top)
        shares = weights / (np.exp(-top) + weights.sum())
        for state, share in zip(own, shares, strict=True):
            key = (name, state.charge)
            found[key] = found.get(key, 0.0) + sites[name] * float(share)
    return found


def _half_integral(x: float) -> float:
    """The Fermi-Dirac integral of order 1/2 over Γ(3/2): exp(x) far below 0."""
    from scipy.integrate import quad
    from scipy.special import expit

    if x < -30:  # noqa: PLR2004  exact to all digits
        return float(np.exp(x))
    upper = max(x, 0.0) + 60.0
    value, _ = quad(
        lambda t: 2 * t * t * expit(x - t * t), 0.0, float(np.sqrt(upper)), epsabs=0, epsrel=1e-10, limit=200
    )
    return float(value * 2 / np.sqrt(np.pi))
