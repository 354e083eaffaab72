"""Errors of proposed displacements against a reference, up to the symmetry of the defect.

A geometry that breaks the stabilizer is as good in any of its equivalent orientations, so every measure is the best
over the images D(h) u of the reference under the operations h of the stabilizer (all one for a symmetric reference).
"""

from __future__ import annotations

import numpy as np

from augment import CellSymmetry
from augment.cell import FloatArray
from augment.groups.symmetry import BoolArray

NEAR_DISTANCES = (3.0, 5.0)
"""Å; distances from the nearest edited site within which errors are averaged."""

MATCH = 0.025
"""Root-mean-square displacement error in units of (V/N)^(1/3) below which a proposal matches a reference.

About 0.05 Å. StructureMatcher's default, 0.3, matches any defect with its ideal cell and does not discriminate here.
"""

NO_DIRECTION = 1e-4
"""Å²; product of lengths below which a cosine has no meaning."""


def symmetry_images(displacements: FloatArray, symmetry: CellSymmetry) -> FloatArray:
    """Images D(h) u (h, n, 3) of displacements (n, 3), Å: atom i's, rotated, at the place of atom h(i)."""
    images = np.empty((symmetry.order, *displacements.shape))
    rotated = np.einsum("hab,nb->hna", symmetry.rotations, displacements)
    np.put_along_axis(images, symmetry.permutations[:, :, None], rotated, axis=1)
    return images


def displacement_error(proposed: FloatArray, true: FloatArray, near: BoolArray, symmetry: CellSymmetry) -> float:
    """Mean length of the displacement error over some atoms, Å: min over h of mean_i |u_i - (D(h) v)_i|.

    Args:
        proposed: (n, 3) proposed displacements u, Å, without rigid translation.
        true: (n, 3) reference v.
        near: (n,) atoms to average over, a set that the stabilizer keeps; NaN where there are none.
        symmetry: the whole stabilizer.
    """
    if not near.any():
        return float("nan")
    errors = np.linalg.norm(proposed - symmetry_images(true, symmetry), axis=-1)[:, near]
    return float(errors.mean(axis=1).min())


def displacement_cosine(proposed: FloatArray, true: FloatArray, near: BoolArray, symmetry: CellSymmetry) -> float:
    """Cosine between proposed and true displacements of some atoms: max over h of u·D(h)v / (|u| |v|).

    0 where the reference moves and the proposal does not; NaN where the reference does not move.
    """
    u, images = proposed[near], symmetry_images(true, symmetry)[:, near]
    size = float(np.linalg.norm(true[near]))
    if size**2 < NO_DIRECTION:
        return float("nan")
    length = float(np.linalg.norm(u))
    return float((images * u).sum(axis=(1, 2)).max() / (length * size)) if length * size > NO_DIRECTION else 0.0


def normalised_rmsd(
    proposed: FloatArray, true: FloatArray, near: BoolArray, symmetry: CellSymmetry, volume_per_atom: float
) -> float:
    """Root-mean-square displacement error of some atoms in units of (V/N)^(1/3), as StructureMatcher normalises it."""
    if not near.any():
        return float("nan")
    squares = ((proposed - symmetry_images(true, symmetry)) ** 2).sum(axis=-1)[:, near]
    return float(np.sqrt(squares.mean(axis=1).min()) / volume_per_atom ** (1 / 3))


def match_everyone(rmsds: FloatArray, tolerance: float = MATCH) -> tuple[float, float]:
    """METRe and cRMSE of the references of one task.

    METRe is the share of references that at least one proposal matches; cRMSE the mean over references of the smallest
    error, with the tolerance for a reference that nothing matches:

        METRe = 1/R sum_r [min_g d_rg <= s],    cRMSE = 1/R sum_r min(min_g d_rg, s).

    After M. M. Martirossyan et al., "All that structure matches does not glitter", arXiv:2509.12178 (2025), where d
    comes from StructureMatcher; here from the atoms' known places, so that no match is lost or found by chance. The
    sums are those of `metre_rmsds` in the authors' package OMatG.

    Args:
        rmsds: (references, proposals) errors d; infinite where a proposal could not be placed.
        tolerance: s.
    """
    best = rmsds.min(axis=1, initial=np.inf)
    return float((best <= tolerance).mean()), float(np.minimum(best, tolerance).mean())
