"""What is measured on a trajectory: averages with errors, strain, radial distribution, displacement."""

from md.observables.statistics import Mean, block_average
from md.observables.structure import (
    mean_square_displacement,
    mean_strain,
    radial_distribution,
    strains,
)
from md.observables.summary import EQUILIBRATION, energy_drift, summary

__all__ = [
    "EQUILIBRATION",
    "Mean",
    "block_average",
    "energy_drift",
    "mean_square_displacement",
    "mean_strain",
    "radial_distribution",
    "strains",
    "summary",
]
