"""Degrees of freedom and velocities of a temperature."""

from __future__ import annotations

import numpy as np

from augment.cell import FloatArray


def degrees_of_freedom(atoms: int) -> int:
    """Degrees of freedom of n atoms whose centre of mass rests, 3n - 3; at least 1."""
    return max(3 * atoms - 3, 1)


def thermal_velocities(
    masses: FloatArray, temperature: float, rng: np.random.Generator, *, drifts: bool = False
) -> FloatArray:
    """Maxwell-Boltzmann velocities (n, 3) in ASE units with no total momentum and exactly this temperature.

    Args:
        masses: (n,) amu.
        temperature: K.
        rng: source of the random numbers.
        drifts: the total momentum is free, as where other atoms are held.
    """
    from ase import units

    velocities = rng.standard_normal((len(masses), 3)) / np.sqrt(masses)[:, None]
    if not drifts:
        velocities -= (masses[:, None] * velocities).sum(axis=0) / masses.sum()
    kinetic = 0.5 * float((masses[:, None] * velocities**2).sum())
    if kinetic == 0.0:
        return velocities
    freedom = 3 * len(masses) if drifts else degrees_of_freedom(len(masses))
    target = 0.5 * freedom * units.kB * temperature
    return np.asarray(velocities * np.sqrt(target / kinetic), dtype=float)
