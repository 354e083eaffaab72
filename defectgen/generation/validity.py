"""What no structure may be: atoms that overlap; and the seed that names a structure."""

from __future__ import annotations

import hashlib

import numpy as np

from augment import DefectCell
from augment.cell import FloatArray
from augment.groups.distortion import Distortion, apply_distortion
from augment.neighbours import pairs_within
from defectgen.representation.elements import covalent_radii

OVERLAP = 0.6
"""Of the sum of covalent radii; atoms closer than this are no structure that a potential can relax."""


MAX_BATCH_NODES = 1024
"""Nodes of the samples that go through the network together: half a GB at most, whatever the number of samples."""


_SHRINKS = 6


def sample_seed(seed: int, key: str, subgroup: str, index: int) -> int:
    """Seed of one structure, from what names it."""
    return int.from_bytes(hashlib.sha256(f"{seed}|{key}|{subgroup}|{index}".encode()).digest()[:8])


def without_overlap(ideal: DefectCell, state: Distortion) -> tuple[Distortion, float]:
    """The state with its displacements scaled down until no atoms overlap more than in the ideal cell, and the factor.

    Scaling keeps every symmetry. The factor is 1 where nothing had to be done.
    """
    limit = min(
        OVERLAP, _tightest(apply_distortion(ideal, Distortion(np.zeros_like(state.displacements), state.strain)))
    )
    for factor in [0.5**k for k in range(_SHRINKS)] + [0.0]:
        scaled = Distortion(factor * state.displacements, state.strain)
        if _tightest(apply_distortion(ideal, scaled)) >= limit:
            break
    return scaled, factor


def _tightest(cell: DefectCell) -> float:
    """Smallest distance in units of the sum of covalent radii; infinite where no pair is close."""
    radii: FloatArray = covalent_radii(cell.numbers)
    i, j, distance = pairs_within(cell.cell, cell.positions, radii)  # pairs closer than the sum of their radii
    return float((distance / (radii[i] + radii[j])).min(initial=np.inf))
