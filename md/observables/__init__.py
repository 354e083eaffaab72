"""What is measured on a trajectory: averages with errors, response functions, structure, transport and spectra."""

from md.observables.equilibration import (
    Equilibration,
    autocorrelation,
    equilibrated_mean,
    equilibration,
    statistical_inefficiency,
    variance,
)
from md.observables.fits import Fit, fit
from md.observables.spectra import PhononSpectrum, phonon_spectrum, velocity_autocorrelation
from md.observables.statistics import Mean, block_average
from md.observables.structure import (
    displacements,
    mean_square_displacement,
    mean_strain,
    radial_distribution,
    strains,
)
from md.observables.summary import EQUILIBRATION, energy_drift, summary
from md.observables.thermodynamics import (
    bulk_modulus_from_fluctuations,
    bulk_modulus_from_pressures,
    conventional_cells,
    heat_capacity,
    lattice_parameters,
    strain_tensor,
    thermal_expansion,
)
from md.observables.transport import Arrhenius, Diffusion, arrhenius, diffusion_coefficient

__all__ = [
    "EQUILIBRATION",
    "Arrhenius",
    "Diffusion",
    "Equilibration",
    "Fit",
    "Mean",
    "PhononSpectrum",
    "arrhenius",
    "autocorrelation",
    "block_average",
    "bulk_modulus_from_fluctuations",
    "bulk_modulus_from_pressures",
    "conventional_cells",
    "diffusion_coefficient",
    "displacements",
    "energy_drift",
    "equilibrated_mean",
    "equilibration",
    "fit",
    "heat_capacity",
    "lattice_parameters",
    "mean_square_displacement",
    "mean_strain",
    "phonon_spectrum",
    "radial_distribution",
    "statistical_inefficiency",
    "strain_tensor",
    "strains",
    "summary",
    "thermal_expansion",
    "variance",
    "velocity_autocorrelation",
]
