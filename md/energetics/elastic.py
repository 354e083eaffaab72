"""Elastic constants of a crystal under a potential, with the crystal's symmetry, and the averages of a polycrystal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.distort.single import strained
from augment.errors import ConditionError, DataError
from augment.groups.cell_symmetry import CellSymmetry
from md.energetics.minimum import minimum
from md.potentials import Potential

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""Index pairs xx, yy, zz, yz, xz, xy."""

ELASTIC_STRAIN = 0.003
"""Of the finite strains: third-order constants cancel between plus and minus, fourth-order ones leave 1e-4."""

MAX_ELASTIC_STRAIN = 0.05

TIGHT_FORCE = 1e-3
"""eV/Å left on the atoms of a strained cell; its work on a strain of 0.003 is far below 0.1 GPa."""

FULL_RANK = 1e-8
"""Smallest singular value of an orthonormal set of tensors that counts as another dimension."""


def to_voigt(tensor: FloatArray, *, engineering: bool = False) -> FloatArray:
    """Voigt vector (6,) xx, yy, zz, yz, xz, xy of a symmetric (3, 3); an engineering strain has its shears doubled."""
    vector = np.array([tensor[i, j] for i, j in VOIGT], dtype=float)
    return vector * np.array([1, 1, 1, 2, 2, 2]) if engineering else vector


def from_voigt(vector: FloatArray, *, engineering: bool = False) -> FloatArray:
    """Inverse of `to_voigt`."""
    tensor = np.empty((3, 3))
    for value, (i, j) in zip(vector, VOIGT, strict=True):
        tensor[i, j] = tensor[j, i] = value / 2 if engineering and i != j else value
    return tensor


def invariant_stiffnesses(rotations: FloatArray) -> FloatArray:
    """Basis (c, 6, 6) of the stiffness matrices in Voigt form that Cartesian rotations (h, 3, 3) leave as they are.

    c is the number of independent elastic constants: 3 in a cubic crystal, 21 in a triclinic one.
    """
    upper = np.triu_indices(6)
    basis = []
    for i, j in zip(*upper, strict=True):
        matrix = np.zeros((6, 6))
        matrix[i, j] = matrix[j, i] = 1.0
        mean = np.mean([_rotated(matrix, r) for r in _distinct(rotations)], axis=0)
        basis.append(mean[upper])
    _, values, rows = np.linalg.svd(np.array(basis))
    chosen = rows[: int((values > FULL_RANK).sum())]
    stiffnesses = np.zeros((len(chosen), 6, 6))
    stiffnesses[:, upper[0], upper[1]] = chosen
    stiffnesses[:, upper[1], upper[0]] = chosen
    return stiffnesses


def _distinct(rotations: FloatArray) -> FloatArray:
    """Rotations without repeats, as they come in the group of a supercell."""
    _, first = np.unique(np.round(rotations, 6).reshape(len(rotations), 9) + 0.0, axis=0, return_index=True)
    return np.asarray(rotations[np.sort(first)], dtype=float)


def _rotated(stiffness: FloatArray, rotation: FloatArray) -> FloatArray:
    """A Voigt stiffness (6, 6) in axes turned by a rotation: M C M^T with the Bond matrix M of stresses."""
    bond = np.array([to_voigt(rotation @ from_voigt(unit) @ rotation.T) for unit in np.eye(6)]).T
    return np.asarray(bond @ stiffness @ bond.T, dtype=float)


@dataclass(frozen=True)
class Moduli:
    """Bulk and shear modulus of an isotropic solid, GPa."""

    bulk: float
    shear: float

    @property
    def young(self) -> float:
        """Young's modulus, GPa."""
        return 9 * self.bulk * self.shear / (3 * self.bulk + self.shear)

    @property
    def poisson(self) -> float:
        """Poisson's ratio."""
        return (3 * self.bulk - 2 * self.shear) / (2 * (3 * self.bulk + self.shear))


@dataclass(frozen=True, eq=False)
class ElasticConstants:
    """Second-order elastic constants at zero temperature.

    Attributes:
        stiffness: (6, 6) Voigt matrix in the Cartesian axes of the cell, GPa.
        independent: number of independent constants under the crystal's point group.
        residual: largest stress over strain that no stiffness of this symmetry explains, GPa.
        stress: largest component of the stress of the unstrained cell, GPa; the constants are those of a free
            crystal where it is small, else stress-strain coefficients under that stress.
    """

    stiffness: FloatArray
    independent: int
    residual: float
    stress: float

    @property
    def compliance(self) -> FloatArray:
        """(6, 6) inverse of the stiffness for engineering strains, 1/GPa."""
        return np.asarray(np.linalg.inv(self.stiffness), dtype=float)

    @property
    def stable(self) -> bool:
        """Whether every strain costs energy (Born: all eigenvalues positive)."""
        return bool(np.linalg.eigvalsh(self.stiffness).min() > 0)

    @property
    def voigt(self) -> Moduli:
        """Moduli of a polycrystal of uniform strain: upper bounds."""
        c = self.stiffness
        normal, mixed, shear = c[:3, :3].trace(), c[0, 1] + c[0, 2] + c[1, 2], c[3:, 3:].trace()
        return Moduli(float(normal + 2 * mixed) / 9, float(normal - mixed + 3 * shear) / 15)

    @property
    def reuss(self) -> Moduli:
        """Moduli of a polycrystal of uniform stress: lower bounds. Its bulk modulus is that of the single crystal."""
        s = self.compliance
        normal, mixed, shear = s[:3, :3].trace(), s[0, 1] + s[0, 2] + s[1, 2], s[3:, 3:].trace()
        return Moduli(float(1 / (normal + 2 * mixed)), float(15 / (4 * normal - 4 * mixed + 3 * shear)))

    @property
    def hill(self) -> Moduli:
        """Mean of both bounds: Hill, Proc. Phys. Soc. A 65, 349 (1952)."""
        return Moduli((self.voigt.bulk + self.reuss.bulk) / 2, (self.voigt.shear + self.reuss.shear) / 2)

    @property
    def anisotropy(self) -> float:
        """Universal anisotropy 5 G_V/G_R + K_V/K_R - 6, 0 if isotropic: Ranganathan, PRL 101, 055504 (2008)."""
        return 5 * self.voigt.shear / self.reuss.shear + self.voigt.bulk / self.reuss.bulk - 6


def elastic_constants(
    cell: DefectCell, potential: Potential, symmetry: CellSymmetry | None = None, strain: float = ELASTIC_STRAIN
) -> ElasticConstants:
    """Elastic constants from the stresses of finite strains, atoms relaxed in each.

    Only as many strains are made as the point group leaves independent constants to be found (two in a cubic
    crystal, six in a triclinic one), each with both signs; the constants follow by least squares.

    Args:
        cell: a relaxed cell, best the primitive one.
        potential: what evaluates it.
        symmetry: the group of the cell (`Defect.symmetry`); none of it is used without it.
        strain: size of the strains.

    Raises:
        ConditionError: the strain is not between 0 and 0.05.
        DataError: a strained cell does not relax.
        PotentialError: an element is not covered, or the potential fails.
    """
    from ase import units

    if not 0 < strain <= MAX_ELASTIC_STRAIN:
        raise ConditionError(
            f"a finite strain of {strain}; give above 0 and at most {MAX_ELASTIC_STRAIN} (0.003 is usual)"
        )
    basis = invariant_stiffnesses(np.eye(3)[None] if symmetry is None else symmetry.rotations)
    rest = minimum(cell, potential, TIGHT_FORCE)
    design, stresses = [], []
    for voigt in _needed_strains(basis):
        ends = [strained(rest.cell, sign * strain * from_voigt(voigt, engineering=True)) for sign in (1, -1)]
        plus, minus = (minimum(end, potential, TIGHT_FORCE).stress for end in ends)
        stresses.append((plus - minus) / (2 * strain) / units.GPa)
        design.append((basis @ voigt).T)
    matrix, target = np.concatenate(design), np.concatenate(stresses)
    parameters = np.linalg.lstsq(matrix, target, rcond=None)[0]
    residual = float(np.abs(matrix @ parameters - target).max())
    stiffness = np.tensordot(parameters, basis, axes=1)
    return ElasticConstants(stiffness, len(basis), residual, float(np.abs(rest.stress).max() / units.GPa))


def _needed_strains(basis: FloatArray) -> list[FloatArray]:
    """Fewest of the six Voigt strains whose stresses decide every stiffness of a basis, the most informative first."""
    chosen: list[FloatArray] = []
    rank = 0
    while rank < len(basis):
        ranks = [_rank([*chosen, unit], basis) for unit in np.eye(6)]
        best = int(np.argmax(ranks))
        if ranks[best] == rank:
            raise DataError("the strains do not decide the elastic constants")
        rank = ranks[best]
        chosen.append(np.eye(6)[best])
    return chosen


def _rank(strains: list[FloatArray], basis: FloatArray) -> int:
    return int(np.linalg.matrix_rank(np.concatenate([(basis @ s).T for s in strains]), tol=FULL_RANK))
