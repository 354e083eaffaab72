"""A defect as a chemical species: its energy, what it takes from the reservoirs, its places, states and vibrations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from augment.errors import ConditionError
from defectgen.thermodynamics.reservoir import VibrationalEnergy

__all__ = ["CrystalConditions", "DefectSpecies", "binding_energy"]


@dataclass(frozen=True)
class CrystalConditions:
    """What a crystal is held at.

    Attributes:
        temperature: K.
        pressure: GPa.
        thermal_pressure: GPa, of the phonons at constant volume; the crystal expands as under its negative.
    """

    temperature: float
    pressure: float = 0.0
    thermal_pressure: float = 0.0


@dataclass(frozen=True)
class DefectSpecies:
    """A defect with what its number in equilibrium depends on; all energies for one defect.

    Attributes:
        name: `v_O`.
        key: canonical defect key.
        energy: of its lowest state above the pristine supercell, eV, at 0 K in the lattice of the relaxed host.
        added: atoms that it has more than the pristine cell, by element.
        places: distinct places and orientations per primitive cell, |G| / |Stab| over the cells of the supercell.
        orbits: number of the site orbit of each edit.
        states: energy above the lowest (eV) and number of copies at a place, of each minimum that is known.
        relaxation_volume: Å³; None where it is not known.
        vibrations: vibrational free energy above that of the pristine supercell, where it is known.
        error: estimate of the error of the energy, eV; None where nothing is known.
        thermal_error: standard error of the vibrational free energy, eV, at a temperature, where it was sampled.
        parts: keys of the isolated defects that a complex is made of; empty for a point defect.
    """

    name: str
    key: str
    energy: float
    added: Mapping[str, int]
    places: float
    orbits: tuple[int, ...]
    states: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
    relaxation_volume: float | None = None
    vibrations: VibrationalEnergy | None = field(default=None, compare=False)
    error: float | None = None
    thermal_error: VibrationalEnergy | None = field(default=None, compare=False)
    parts: tuple[str, ...] = ()

    def formation_energy(self, chemical_potentials: Mapping[str, float]) -> float:
        """At 0 K and no pressure, eV.

        Raises:
            ConditionError: a chemical potential is missing.
        """
        missing = sorted(set(self.added) - set(chemical_potentials))
        if missing:
            raise ConditionError(f"{self.name}: no chemical potential of {', '.join(missing)}; give it with --mu")
        taken = sum(count * chemical_potentials[symbol] for symbol, count in self.added.items())
        return self.energy - taken

    def formation_volume(self, volumes: Mapping[str, float]) -> float | None:
        """Relaxation volume less that of the atoms added from their reservoirs, Å³; None where one is not known."""
        if self.relaxation_volume is None or not set(self.added) <= set(volumes):
            return None
        return self.relaxation_volume - sum(count * volumes[symbol] for symbol, count in self.added.items())

    def gibbs(self, chemical_potentials: Mapping[str, float], at: CrystalConditions) -> float:
        """Gibbs energy of formation without the entropy of its places and states, eV.

        E - sum of n mu(T, P) + F_vib(T) at the volume at rest + (P - P_thermal) V_relax: the volumes of the reservoirs
        are in their chemical potentials, and Maxwell's relation makes constant pressure of constant volume.

        Raises:
            ConditionError: a chemical potential is missing.
        """
        from ase import units

        total = self.formation_energy(chemical_potentials)
        if self.vibrations is not None and at.temperature > 0:
            total += self.vibrations(at.temperature)
        pressure = (at.pressure - at.thermal_pressure) * float(units.GPa)
        return total + pressure * (self.relaxation_volume or 0.0)

    def gibbs_error(self, temperature: float) -> float | None:
        """What is known of the error of the Gibbs energy, eV: the size of the cell, and sampling; None of neither."""
        sampled = self.thermal_error(temperature) if self.thermal_error is not None else 0.0
        return None if self.error is None and not sampled else float(np.hypot(self.error or 0.0, sampled))

    def degeneracy(self, temperature: float) -> float:
        """States at a place, each weighed by its energy above the lowest: sum of g exp(-E / k T)."""
        from ase import units

        return float(sum(copies * np.exp(-above / (units.kB * temperature)) for above, copies in self.states))

    def log_weight(self, chemical_potentials: Mapping[str, float], at: CrystalConditions) -> float:
        """Logarithm of g exp(-G / k T): the share of its places over that of pristine ones."""
        from ase import units

        kt = units.kB * at.temperature
        return float(np.log(self.degeneracy(at.temperature)) - self.gibbs(chemical_potentials, at) / kt)


def binding_energy(complex_: DefectSpecies, known: Mapping[str, DefectSpecies]) -> float | None:
    """Energy that the parts of a complex gain together, eV, positive where it is bound; None where a part is unknown.

    The parts have the atoms of the complex between them, so that no chemical potential enters.
    """
    parts = [known.get(key) for key in complex_.parts]
    if not parts or any(part is None for part in parts):
        return None
    return sum(part.energy for part in parts if part is not None) - complex_.energy
