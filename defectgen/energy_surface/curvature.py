"""How soft the symmetric geometry of a defect is against breaking its symmetry, for each class of subgroups.

The Hessian of a geometry with the stabilizer G commutes with G, hence with the projector P_H onto what a subgroup H
leaves invariant. So one Krylov sequence from a random start, a force evaluation a step, serves every class at once:
projected by P_H - P_G its vectors span a Krylov space of what H allows and G does not, and the least Ritz value there
(Lanczos, J. Res. Natl. Bur. Stand. 45, 255 (1950); Parlett, The Symmetric Eigenvalue Problem (1998)) bounds the least
curvature from above. Where it is negative the geometry is a saddle point: atoms gain energy by going down to H.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from augment import CellSymmetry
from augment.cell import FloatArray
from augment.groups.distortion import Distortion, project
from augment.groups.subgroups import SubgroupClasses

KRYLOV_EVALUATIONS = 8
"""Force evaluations; negative curvatures, at the end of the spectrum, are found first."""

AMPLITUDE = 0.02
"""Å; root-mean-square displacement of an atom in a finite difference."""

RIGID_CURVATURE = 100.0
"""eV/Å²; of a class that lets nothing move beyond the stabilizer, or that no vector reached."""

SPREAD = 2.0
"""eV/Å²; how much stiffer than the softest a direction is that is taken half as far."""

_EXHAUSTED, _DEPENDENT = 1e-3, 1e-2
_STRAIN = np.zeros((3, 3))

DisplacementForces = Callable[[FloatArray], FloatArray]
"""Forces (n, 3), eV/Å, at displacements (n, 3), Å, from the symmetric geometry."""


@dataclass(frozen=True, eq=False)
class Krylov:
    """A Krylov sequence of what breaks a symmetry.

    Attributes:
        symmetry: the whole stabilizer G.
        vectors: (k, n, 3) orthonormal.
        images: (k, n, 3) under the Hessian, eV/Å².
    """

    symmetry: CellSymmetry
    vectors: FloatArray
    images: FloatArray

    @classmethod
    def around(cls, forces: DisplacementForces, symmetry: CellSymmetry) -> Krylov:
        """The sequence of `KRYLOV_EVALUATIONS` steps from a random start.

        Args:
            forces: of a potential around a geometry that keeps the whole stabilizer.
            symmetry: the stabilizer.
        """

        def breaking(vector: FloatArray) -> FloatArray:
            still = vector - vector.mean(axis=0)
            rest: FloatArray = still - project(Distortion(still, _STRAIN), symmetry).displacements
            return rest

        atoms = symmetry.permutations.shape[1]
        return cls(symmetry, *_krylov(forces, breaking, np.random.default_rng(0).standard_normal((atoms, 3))))

    @classmethod
    def anywhere(cls, forces: DisplacementForces, start: FloatArray) -> Krylov:
        """The sequence of `KRYLOV_EVALUATIONS` steps in all displacements.

        Args:
            forces: of a potential around any geometry at rest, zero there.
            start: displacements (n, 3), of any length, best where the crystal may be soft.
        """
        vectors, images = _krylov(forces, lambda vector: vector - vector.mean(axis=0), start)
        return cls(CellSymmetry.trivial(len(start)), vectors, images)

    def softest(self) -> tuple[float, FloatArray]:
        """The least curvature, eV/Å², and its unit displacement (n, 3), of all that the sequence spans."""
        values, vectors = self._ritz(self.symmetry)
        return float(values[0]), vectors[0]

    def curvatures(self, classes: SubgroupClasses) -> FloatArray:
        """Least curvature (c,), eV/Å², that each class of subgroups would let the atoms follow; 0 of the stabilizer."""
        least = [self._ritz(symmetry)[0].min(initial=RIGID_CURVATURE) for symmetry in classes.symmetries[1:]]
        return np.array([0.0, *least])

    def direction(self, subgroup: CellSymmetry, rng: np.random.Generator) -> FloatArray | None:
        """A unit displacement (n, 3) drawn from the Ritz vectors that a subgroup allows; None where there are none.

        Weights are normal, and fall to a half where a vector is `SPREAD` stiffer than the softest.
        """
        values, vectors = self._ritz(subgroup)
        if len(values) == 0:
            return None
        weights = rng.standard_normal(len(values)) / (1.0 + (values - values.min()) / SPREAD)
        drawn = np.tensordot(weights, vectors, axes=1)
        return np.asarray(drawn / np.linalg.norm(drawn))

    def _ritz(self, subgroup: CellSymmetry) -> tuple[FloatArray, FloatArray]:
        """Ritz values (r,), eV/Å², and orthonormal vectors (r, n, 3) in what a subgroup allows beyond G."""
        basis, bent = (
            project(Distortion(x, _STRAIN), subgroup).displacements.reshape(len(x), -1)
            for x in (self.vectors, self.images)
        )
        values, inward = _ritz_pairs(basis, bent)
        return values, (inward.T @ basis).reshape(-1, *self.vectors.shape[1:])


def _krylov(
    forces: DisplacementForces, breaking: Callable[[FloatArray], FloatArray], start: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Orthonormal vectors (k, n, 3) and their images under the Hessian."""
    atoms, start = len(start), breaking(start)
    vectors: list[FloatArray] = []
    images: list[FloatArray] = []
    size = float(np.linalg.norm(start))
    step = AMPLITUDE * np.sqrt(atoms)
    while len(vectors) < KRYLOV_EVALUATIONS and size > _EXHAUSTED:
        vectors.append(start / size)
        # Forces that keep the symmetry, at rest or not, are projected out of the one-sided difference.
        images.append(-breaking(forces(step * vectors[-1])) / step)
        start = images[-1]
        for _ in range(2):  # once more against rounding
            start = start - sum(float((start * v).sum()) * v for v in vectors)
        size = float(np.linalg.norm(start))
    shape = (len(vectors), atoms, 3)
    return np.reshape(vectors, shape), np.reshape(images, shape)


def _ritz_pairs(vectors: FloatArray, images: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Values (r,) of the Hessian in the span of vectors (k, 3n), which may depend on each other, and weights (k, r)."""
    overlap, energy = vectors @ vectors.T, vectors @ images.T
    sizes, basis = np.linalg.eigh(overlap)
    independent = sizes > _DEPENDENT * max(sizes.max(initial=0.0), _EXHAUSTED)
    inward = basis[:, independent] / np.sqrt(sizes[independent])
    values, turned = np.linalg.eigh(inward.T @ (0.5 * (energy + energy.T)) @ inward)
    return values, inward @ turned
