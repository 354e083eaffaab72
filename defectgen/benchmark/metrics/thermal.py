"""Proposed frames of a thermal ensemble against frames of molecular dynamics.

Displacements are from the ideal positions of the relaxed host, without rigid translation, so that nothing is fitted to
the few frames at hand.
"""

from __future__ import annotations

import numpy as np

from augment.cell import FloatArray
from augment.neighbours import pairs_within

RDF_RANGE = 6.0
"""Å; radial distribution functions are compared up to here."""

RDF_BIN = 0.1
"""Å; narrower bins compare noise."""


def thermal_displacement(displacements: FloatArray) -> float:
    """<|u|^2> of frames (f, n, 3), Å²."""
    return float((displacements**2).sum(axis=-1).mean())


def msd_error(proposed: FloatArray, true: FloatArray) -> float:
    """|<u^2> / <u^2>_MD - 1| of frames (f, n, 3) and (g, n, 3): relative error of the mean-square displacement."""
    return abs(thermal_displacement(proposed) / thermal_displacement(true) - 1.0)


def displacement_distance(proposed: FloatArray, true: FloatArray) -> float:
    """Wasserstein-1 distance between the distributions of |u| over atoms and frames, Å."""
    from scipy.stats import wasserstein_distance

    lengths = (np.linalg.norm(u, axis=-1).ravel() for u in (proposed, true))
    return float(wasserstein_distance(*lengths))


def volume_error(proposed: FloatArray, true: FloatArray) -> float:
    """Relative error of the volume, |det(1 + e) / det(1 + e_MD) - 1|, of mean strains of frames (f, 3, 3)."""
    volumes = [np.linalg.det(np.eye(3) + np.mean(strain, axis=0)) for strain in (proposed, true)]
    return float(abs(volumes[0] / volumes[1] - 1.0))


def pair_histogram(cell: FloatArray, positions: FloatArray) -> FloatArray:
    """Pairs per bin of distance up to `RDF_RANGE`, images included: the radial distribution before normalisation."""
    _, _, distance = pairs_within(cell, positions, RDF_RANGE)
    bins = round(RDF_RANGE / RDF_BIN)
    return np.histogram(distance, bins=bins, range=(0.0, RDF_RANGE))[0].astype(float)


def rdf_distance(proposed: FloatArray, true: FloatArray) -> float:
    """Distance of mean pair histograms (b,), from 0 (alike) to 1 (disjoint): sum |h - h'| / sum (h + h')."""
    return float(abs(proposed - true).sum() / (proposed + true).sum())
