"""What defects cost: formation, strain, vibration and migration under a potential."""

from md.energetics.band import Band, relaxed_band
from md.energetics.barrier import Barrier, migration_barrier, path_ends, symmetric_saddle
from md.energetics.dipole import ElasticDipole, elastic_dipole, elastic_dipole_from_strain, relaxation_volume
from md.energetics.elastic import ElasticConstants, Moduli, elastic_constants
from md.energetics.formation import (
    FormationEnergy,
    Population,
    elemental_chemical_potential,
    formation_energy,
    population,
)
from md.energetics.harmonic import (
    NormalModes,
    attempt_frequency,
    constant_pressure_entropy,
    formation_entropy,
    formation_free_energy,
    hessian,
    normal_modes,
)
from md.energetics.integration import AnharmonicFreeEnergy, anharmonic_free_energy
from md.energetics.jumps import Jump, jumps
from md.energetics.minimum import minimum
from md.energetics.survey import DefectEnergies, defect_energies, migration_barriers

__all__ = [
    "AnharmonicFreeEnergy",
    "Band",
    "Barrier",
    "DefectEnergies",
    "ElasticConstants",
    "ElasticDipole",
    "FormationEnergy",
    "Jump",
    "Moduli",
    "NormalModes",
    "Population",
    "anharmonic_free_energy",
    "attempt_frequency",
    "constant_pressure_entropy",
    "defect_energies",
    "elastic_constants",
    "elastic_dipole",
    "elastic_dipole_from_strain",
    "elemental_chemical_potential",
    "formation_energy",
    "formation_entropy",
    "formation_free_energy",
    "hessian",
    "jumps",
    "migration_barrier",
    "migration_barriers",
    "minimum",
    "normal_modes",
    "path_ends",
    "population",
    "relaxation_volume",
    "relaxed_band",
    "symmetric_saddle",
]
