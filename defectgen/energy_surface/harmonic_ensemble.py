"""Frames of a thermal ensemble: a geometry at rest, and the classical harmonic fluctuations about it.

At a temperature T displacements about a minimum of the energy with the Hessian K are normal with the covariance
k T K^-1, which is what molecular dynamics samples where forces are linear (Maradudin, Montroll, Weiss and Ipatova,
Theory of Lattice Dynamics in the Harmonic Approximation (1971)). K comes from forces of a potential at displacements
that the symmetry reduces, a hundredth of the evaluations of a run, and serves as many frames as are wanted. Where
the energy is flat or curves downwards it says nothing of how far the atoms go: no mode is taken for softer than
`MIN_FORCE_CONSTANT`. All frames have one cell, that of the thermal mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment import CellSymmetry
from augment.cell import FloatArray
from augment.groups.distortion import Distortion, project
from defectgen.energy_surface.surface import EnergySurface
from md.energetics.harmonic import difference_evaluations, hessian_of
from md.labels.evaluator import Divergence

MIN_FORCE_CONSTANT = 0.5
"""eV/Å². Of 0.2 to 2 it gives the median mean-square displacement of dynamics on hosts held out for validation."""

DESCENT_STEPS = 12
"""Steps down the energy to the geometry at rest, an evaluation each."""

MAX_EVALUATIONS = 400
"""For one Hessian; enough for 66 atoms without any symmetry."""


@dataclass(frozen=True, eq=False)
class HarmonicEnsemble:
    """Harmonic fluctuations about a geometry.

    Attributes:
        rest: the geometry.
        amplitudes: (n, 3, m) displacement of each of m modes, Å, at k T = 1 eV.
    """

    rest: Distortion
    amplitudes: FloatArray

    @classmethod
    def around(cls, surface: EnergySurface, start: Distortion, symmetry: CellSymmetry) -> HarmonicEnsemble | None:
        """The ensemble about the minimum below a geometry, in its cell.

        Args:
            surface: energy surface of the defect.
            start: where the way down begins.
            symmetry: what `start` has; the geometry at rest keeps it.

        Returns:
            None where the potential can say nothing.
        """
        rest, _ = surface.lowered(start, symmetry, np.zeros((len(surface.ideal), 0, 2, 3)), DESCENT_STEPS)
        try:
            return cls(rest, _amplitudes(hessian_of(surface.around(rest), rest.displacements, symmetry)))
        except Divergence:
            return None

    def mean_square_displacement(self, temperature: float) -> FloatArray:
        """(n,) <u^2> of each atom about its place at rest, Å²; temperature in K."""
        return np.asarray(_thermal_energy(temperature) * (self.amplitudes**2).sum(axis=(1, 2)))

    def frame(
        self, temperature: float, symmetry: CellSymmetry, rng: np.random.Generator, spread: float = 1.0
    ) -> Distortion:
        """One frame at a temperature, K, that keeps a symmetry; `spread` scales its fluctuation."""
        size = spread * np.sqrt(_thermal_energy(temperature))
        moved = size * (self.amplitudes @ rng.standard_normal(self.amplitudes.shape[2]))
        return self.rest + project(Distortion(moved, np.zeros((3, 3))), symmetry)


def affordable(symmetry: CellSymmetry) -> bool:
    """Whether the Hessian of a geometry with that symmetry takes no more than `MAX_EVALUATIONS`."""
    return difference_evaluations(symmetry) <= MAX_EVALUATIONS


def _thermal_energy(temperature: float) -> float:
    from ase import units

    return float(units.kB * temperature)


def _amplitudes(hessian: FloatArray) -> FloatArray:
    """Modes (n, 3, m) without translations, each as long as the inverse root of its stiffness."""
    from scipy.linalg import null_space

    atoms = len(hessian) // 3
    inner = null_space(np.tile(np.eye(3), (1, atoms)))
    curvatures, modes = np.linalg.eigh(inner.T @ hessian @ inner)
    lengths = 1.0 / np.sqrt(np.maximum(np.abs(curvatures), MIN_FORCE_CONSTANT))
    return np.asarray((inner @ modes * lengths).reshape(atoms, 3, -1))
