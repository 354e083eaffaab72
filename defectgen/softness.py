"""How soft the symmetric geometry of a defect is against breaking its symmetry, for each class of subgroups.

The Hessian of a geometry with the stabilizer G commutes with G, hence with the projector P_H onto what a subgroup H
leaves invariant. So one Krylov sequence from a random start, a force evaluation a step, serves every class at once:
projected by P_H - P_G its vectors span a Krylov space of what H allows and G does not, and the least Ritz value there
(Lanczos, J. Res. Natl. Bur. Stand. 45, 255 (1950); Parlett, The Symmetric Eigenvalue Problem (1998)) bounds the least
curvature from above. Where it is negative the geometry is a saddle point: atoms gain energy by going down to H.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from augment.cell import FloatArray
from defectgen.diffusion import Projector, State
from defectgen.subgroups import SubgroupClasses

EVALUATIONS = 8
"""Force evaluations; negative curvatures, at the end of the spectrum, are found first."""

AMPLITUDE = 0.02
"""Å; root-mean-square displacement of an atom in a finite difference."""

RIGID = 100.0
"""eV/Å²; of a class that lets nothing move beyond the stabilizer, or that no vector reached."""

_EXHAUSTED, _DEPENDENT = 1e-3, 1e-2
_STRAIN = np.zeros((3, 3))

Forces = Callable[[FloatArray], FloatArray]
"""Forces (n, 3), eV/Å, at displacements (n, 3), Å, from the symmetric geometry."""


def curvatures(forces: Forces, classes: SubgroupClasses) -> FloatArray:
    """Least curvature (c,), eV/Å², that each class of subgroups would let the atoms follow; 0 of the stabilizer.

    Args:
        forces: of a potential around a geometry that keeps the whole stabilizer.
        classes: of its subgroups.
    """
    projectors = [Projector(symmetry) for symmetry in classes.symmetries]

    def breaking(vector: FloatArray) -> FloatArray:
        whole = vector - vector.mean(axis=0)
        rest: FloatArray = whole - projectors[0](State(whole, _STRAIN)).displacements
        return rest

    vectors, images = _krylov(forces, breaking, classes.symmetry.permutations.shape[1])
    found = np.full(len(projectors), RIGID)
    found[0] = 0.0
    for k, projector in enumerate(projectors[1:], start=1):
        allowed, bent = (projector(State(x, _STRAIN)).displacements.reshape(len(x), -1) for x in (vectors, images))
        found[k] = _least_ritz_value(allowed, bent)
    return found


def _krylov(forces: Forces, breaking: Callable[[FloatArray], FloatArray], atoms: int) -> tuple[FloatArray, FloatArray]:
    """Orthonormal vectors (k, n, 3) and their images under the Hessian."""
    start = breaking(np.random.default_rng(0).standard_normal((atoms, 3)))
    vectors: list[FloatArray] = []
    images: list[FloatArray] = []
    size = float(np.linalg.norm(start))
    step = AMPLITUDE * np.sqrt(atoms)
    while len(vectors) < EVALUATIONS and size > _EXHAUSTED:
        vectors.append(start / size)
        # Forces that keep the symmetry, at rest or not, are projected out of the one-sided difference.
        images.append(-breaking(forces(step * vectors[-1])) / step)
        start = images[-1]
        for _ in range(2):  # once more against rounding
            start = start - sum(float((start * v).sum()) * v for v in vectors)
        size = float(np.linalg.norm(start))
    shape = (len(vectors), atoms, 3)
    return np.reshape(vectors, shape), np.reshape(images, shape)


def _least_ritz_value(vectors: FloatArray, images: FloatArray) -> float:
    """Least value of the Hessian in the span of vectors (k, 3n), which may depend on each other."""
    overlap, energy = vectors @ vectors.T, vectors @ images.T
    sizes, basis = np.linalg.eigh(overlap)
    kept = sizes > _DEPENDENT * max(sizes.max(initial=0.0), _EXHAUSTED)
    if not kept.any():
        return RIGID
    inward = basis[:, kept] / np.sqrt(sizes[kept])
    return float(np.linalg.eigvalsh(inward.T @ (0.5 * (energy + energy.T)) @ inward)[0])
