"""What is measured on a trajectory: averages with errors, response functions, structure, transport and spectra."""

from md.dynamics.settling import EQUILIBRATION
from md.estimators.equilibration import (
    Equilibration,
    autocorrelation,
    equilibrated_mean,
    equilibration,
    statistical_inefficiency,
    variance,
)
from md.estimators.fits import Fit, fit
from md.estimators.statistics import Mean, block_average
from md.observables.curves import curves
from md.observables.local import Coordination, coordination, defect_radial_distribution
from md.observables.mean_structure import MeanSymmetry, Shell, mean_symmetry, shells
from md.observables.measures import defect_measures, measures
from md.observables.sites import defect_of, site_displacements
from md.observables.spectra import PhononSpectrum, phonon_spectrum, velocity_autocorrelation
from md.observables.structure import (
    displacements,
    mean_square_displacement,
    mean_strain,
    radial_distribution,
    strains,
)
from md.observables.summary import energy_drift, summary
from md.observables.survival import DefectState, Hop, Survival, survival
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
    "Coordination",
    "DefectState",
    "Diffusion",
    "Equilibration",
    "Fit",
    "Hop",
    "Mean",
    "MeanSymmetry",
    "PhononSpectrum",
    "Shell",
    "Survival",
    "arrhenius",
    "autocorrelation",
    "block_average",
    "bulk_modulus_from_fluctuations",
    "bulk_modulus_from_pressures",
    "conventional_cells",
    "coordination",
    "curves",
    "defect_measures",
    "defect_of",
    "defect_radial_distribution",
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
    "mean_symmetry",
    "measures",
    "phonon_spectrum",
    "radial_distribution",
    "shells",
    "site_displacements",
    "statistical_inefficiency",
    "strain_tensor",
    "strains",
    "summary",
    "survival",
    "thermal_expansion",
    "variance",
    "velocity_autocorrelation",
]
