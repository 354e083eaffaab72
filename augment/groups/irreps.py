"""Irreducible representations of a site group over the reals: characters, projectors, and what each lets survive.

The characters come from the class algebra (Burnside, Dixon): the sums of a class and its inverse class commute, act on
each other symmetrically, and their common eigenvectors are the characters of the physically irreducible
representations. For a crystallographic point group these are integers, so that what the eigenvectors give is rounded
and then checked. Reference: J. D. Dixon, Numer. Math. 10, 446 (1967); H. T. Stokes, D. M. Hatch, Isotropy Subgroups of
the 230 Crystallographic Space Groups (1988).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.errors import SymmetryError
from augment.groups.cell_symmetry import CellSymmetry
from augment.groups.mulliken import mulliken_labels
from augment.groups.symmetry import FiniteGroup

_EXACT = 1e-6
"""Rounding errors of characters, which are of order 1, stay far below this."""


@dataclass(frozen=True, eq=False)
class Irrep:
    """A physically irreducible representation Γ of a finite group, over the reals.

    Attributes:
        label: Mulliken symbol (`A1g`, `T1u`, `E''`).
        dimension: over the reals; a pair of complex conjugate representations counts as one.
        norm: <χ, χ>: 1 for a real representation, 2 for a conjugate pair, 4 for a doubled pseudo-real one.
        characters: (h,) χ of each operation, in the order of the group.
    """

    label: str
    dimension: int
    norm: int
    characters: FloatArray

    @property
    def trivial(self) -> bool:
        """Whether every operation acts as the identity."""
        return bool((self.characters == 1).all())

    @property
    def kernel(self) -> IntArray:
        """Indices of the operations that act as the identity: the symmetry that every distortion along Γ keeps."""
        return np.flatnonzero(self.characters == self.dimension)

    @property
    def weights(self) -> FloatArray:
        """(h,) weights of the projector P = Σ w(h) D(h), w(h) = d χ(h) / (<χ, χ> |H|), in a real representation D."""
        return self.dimension / (self.norm * len(self.characters)) * self.characters

    def project_displacements(self, action: CellSymmetry, displacements: FloatArray) -> FloatArray:
        """Part of displacements (..., n, 3), Å, that transforms as Γ."""
        flat = np.reshape(displacements, (-1, 3 * action.permutations.shape[1]))
        projected = (action.displacement_operator(self.weights) @ flat.T).T
        return np.asarray(projected).reshape(np.shape(displacements))

    def project_strain(self, action: CellSymmetry, strain: FloatArray) -> FloatArray:
        """Part of strains (..., 3, 3) that transforms as Γ."""
        return action.strain_operator(self.weights, strain)

    def copies_in(self, characters: FloatArray) -> int:
        """How often Γ occurs in a real representation of these characters (h,)."""
        return round(float(self.characters @ characters) / (self.norm * len(characters)))


@dataclass(frozen=True, eq=False)
class IsotropySubgroup:
    """The symmetry H' = {h: D(h) u = u} that a generic u in some fixed space of a representation keeps.

    Attributes:
        members: indices of the operations of H' in the group.
        symbol: Hermann-Mauguin symbol of H'.
        multiplicity: |H| / |H'|, the number of equivalent copies of u.
        dimension: of the space of all u that H' fixes, in the representation.
    """

    members: IntArray
    symbol: str
    multiplicity: int
    dimension: int


def irreps(group: FiniteGroup, action: CellSymmetry) -> tuple[Irrep, ...]:
    """All physically irreducible representations of a site group, the trivial one first.

    Args:
        group: the operations.
        action: the same operations in the same order in Cartesian axes; they give the labels.

    Raises:
        SymmetryError: the operations are no group.
    """
    classes = _real_classes(group.table)
    sums = _class_sums(group.table, classes)
    rng = np.random.default_rng(0)
    _, vectors = np.linalg.eigh(np.tensordot(rng.normal(size=len(sums)), sums, axes=1))
    turned = np.einsum("si,rst,tj->rij", vectors, sums, vectors)
    off = np.abs(turned - np.einsum("rii->ri", turned)[:, :, None] * np.eye(len(sums))).max()
    if off > _EXACT * group.order:
        raise SymmetryError(f"the class sums of a group of {group.order} do not come apart (off by {off:.1e})")
    characters = [_real_character(column / np.sqrt(np.bincount(classes)), classes, group.table) for column in vectors.T]
    _check_orthogonality(characters, group.order)
    labels = mulliken_labels(action.rotations, [(d, chi) for d, _, chi in characters])
    table = [Irrep(label, *values) for label, values in zip(labels, characters, strict=True)]
    return tuple(sorted(table, key=lambda x: (not x.trivial, x.dimension, x.label)))


def conjugacy_classes(table: IntArray) -> IntArray:
    """Class of each element (g,) of a group with this multiplication table, numbered by their first elements."""
    inverse = _inverse(table)
    conjugates = table[table, inverse[:, None]]  # [a, b] = a b a^-1
    return _numbered(conjugates.min(axis=0))


def isotropy_subgroups(group: FiniteGroup, characters: FloatArray) -> tuple[IsotropySubgroup, ...]:
    """Symmetries that vectors of a real representation can keep, one per conjugacy class, largest first.

    A finite group leaves a generic vector of Fix(K) with exactly the operations that fix the whole of Fix(K). Of an
    operation h they are identified by characters alone: the trace of h on Fix(K), the mean of χ(h k) over K, is
    dim Fix(K). The last is the kernel of the representation.

    Args:
        group: the operations.
        characters: (h,) of the representation.
    """
    subgroups = []
    for members in group.subgroup_classes:
        dimension = float(characters[members].mean())
        traces = characters[group.table[:, members]].mean(axis=1)
        fixing = np.flatnonzero(traces > dimension - _EXACT)
        if dimension > _EXACT and len(fixing) == len(members):
            symbol = group.subset(members).symbol
            subgroups.append(IsotropySubgroup(members, symbol, group.order // len(members), round(dimension)))
    return tuple(subgroups)


def subgroup_weights(group: FiniteGroup, irrep: Irrep, members: IntArray) -> FloatArray:
    """(h,) weights of the projector onto what a subgroup fixes within an irrep: P_Γ P_K as one sum over the group."""
    inverse = _inverse(group.table)[members]
    return np.asarray(irrep.weights[group.table[:, inverse]].mean(axis=1))


def displacement_characters(action: CellSymmetry) -> FloatArray:
    """(h,) characters of the displacements of the atoms without rigid translations: (fixed atoms - 1) tr R."""
    fixed = (action.permutations == np.arange(action.permutations.shape[1])).sum(axis=1)
    traces = np.rint(np.trace(action.rotations, axis1=1, axis2=2))
    return np.asarray((fixed - 1) * traces)


def strain_characters(action: CellSymmetry) -> FloatArray:
    """(h,) characters of symmetric strains: ((tr R)² + tr R²) / 2."""
    traces = np.trace(action.rotations, axis1=1, axis2=2)
    squares = np.trace(action.rotations @ action.rotations, axis1=1, axis2=2)
    return np.asarray(np.rint((traces**2 + squares) / 2))


def _inverse(table: IntArray) -> IntArray:
    return np.asarray(np.argmax(table == _identity(table), axis=1))


def _identity(table: IntArray) -> int:
    return int(np.flatnonzero((table == np.arange(len(table))).all(axis=1))[0])


def _real_classes(table: IntArray) -> IntArray:
    """Class of each element, with the class of its inverse taken as the same one."""
    classes = conjugacy_classes(table)
    return _numbered(np.minimum(classes, classes[_inverse(table)]))


def _numbered(values: IntArray) -> IntArray:
    """Each value as its place among the distinct ones."""
    return np.asarray(np.searchsorted(np.unique(values), values))


def _class_sums(table: IntArray, classes: IntArray) -> FloatArray:
    """(k, k, k) symmetric matrices of the class sums acting on each other, each sum divided by √|C|.

    Entry [r, s, t] counts the ways to write an element of class t as one of class r after one of class s.
    """
    size = np.bincount(classes)
    counts = np.zeros((len(size),) * 3)
    np.add.at(counts, (classes[:, None], classes[None], classes[table]), 1.0)
    return np.asarray(counts / np.sqrt(size[:, None] * size))


def _real_character(values: FloatArray, classes: IntArray, table: IntArray) -> tuple[int, int, FloatArray]:
    """Dimension, norm and characters (g,) of the irrep whose χ/d on the classes is a multiple of `values` (k,).

    <χ/d, χ/d> is 1/d², 2/d² or 4/d², and the mean of χ(h²)/d (Frobenius, Schur) decides which: positive for a real
    representation, 0 for a conjugate pair, negative for a doubled pseudo-real one.
    """
    ratio = (values / values[classes[_identity(table)]])[classes]
    kind = float(ratio[np.diagonal(table)].mean())
    norm = 2 if abs(kind) < _EXACT else 1 if kind > 0 else 4
    dimension = round(float(np.sqrt(norm / (ratio**2).mean())))
    characters = dimension * ratio
    whole = np.rint(characters)
    return dimension, norm, whole if np.abs(characters - whole).max() < _EXACT else characters


def _check_orthogonality(table: list[tuple[int, int, FloatArray]], order: int) -> None:
    characters = np.array([chi for _, _, chi in table])
    norms = np.diag([norm for _, norm, _ in table])
    regular = sum(dimension**2 // norm for dimension, norm, _ in table)
    if np.abs(characters @ characters.T / order - norms).max() > _EXACT or regular != order:
        raise SymmetryError(f"the characters found for a group of {order} operations are not orthogonal")
