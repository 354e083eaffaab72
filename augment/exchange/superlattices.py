"""Which superlattice of a host a lattice is, however it is turned and strained a little."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.lattice import hermite_normal_form, reduced_matrix
from augment.errors import DefectError
from augment.host import Host

MAX_LATTICE_STRAIN = 0.08
"""Principal strain of a lattice against the host's: more than heat, pressure and the functional change it."""

STRAIN_MARGIN = 0.02
"""Strain by which a superlattice may fit worse than the best one and still be looked at."""

MAX_SUPERLATTICES = 12
"""Superlattices that are looked at; they differ by a rotation that the lattice has and the crystal has not."""


@dataclass(frozen=True, eq=False)
class FittedLattice:
    """A superlattice of the host that a lattice C is, sign C = (matrix P) (1 + strain) rotation, vectors as rows.

    Attributes:
        matrix: (3, 3) integers on the host's primitive lattice P.
        sign: 1, or -1 where a mirror of the crystal is used: then fractions of C change their sign as well.
        strain: (3, 3) symmetric, in the host's axes.
        rotation: (3, 3) orthogonal; turns row vectors in the host's axes into those of C.
    """

    matrix: IntArray
    sign: int
    strain: FloatArray
    rotation: FloatArray

    @property
    def misfit(self) -> float:
        """What does not fit: the largest shear, and a third of the change of size, which heat and functionals make."""
        size = float(np.trace(self.strain)) / 3
        return float(np.abs(np.linalg.eigvalsh(self.strain - size * np.eye(3))).max()) + abs(size) / 3


def fitted_lattices(host: Host, lattice: FloatArray, preferred: Sequence[IntArray] = ()) -> list[FittedLattice]:
    """The superlattices of a host that a right-handed lattice (3, 3), Å, can be, the best first.

    Of those that an operation of the crystal takes into one another there is one: that with a normal form of
    `preferred` where there is such a one, else with the least.

    Args:
        host: the crystal.
        lattice: vectors as rows, in any orientation and basis.
        preferred: Hermite normal forms.

    Raises:
        DefectError: it is none.
    """
    short = reduced_matrix(np.eye(3, dtype=np.int64), lattice)
    back = np.rint(np.linalg.inv(short)).astype(np.int64)
    proper = host.group.rotations[np.linalg.det(host.group.rotations) > 0]
    found = [_fitted(host, back @ m, lattice) for m in _matrices(host.primitive, short @ lattice, proper)]
    found = [f for f in found if np.abs(np.linalg.eigvalsh(f.strain)).max() < MAX_LATTICE_STRAIN]
    if not found:
        lengths = ", ".join(f"{x:.2f}" for x in np.linalg.norm(lattice, axis=1))
        raise DefectError(
            f"a cell with axes of {lengths} Å is no supercell of {host.formula} within {MAX_LATTICE_STRAIN:.0%}; "
            "give the host that it was made of"
        )
    found.sort(key=lambda fitted: fitted.misfit)
    wanted = {form.tobytes() for form in preferred}
    best: dict[bytes, FittedLattice] = {}
    signs = [1 if np.linalg.det(rotation) > 0 else -1 for rotation in host.group.rotations]
    for fitted in (f for f in found if f.misfit < found[0].misfit + STRAIN_MARGIN):
        equal = [(sign * fitted.matrix @ r.T, sign) for r, sign in zip(host.group.rotations, signs, strict=True)]
        name = min(matrix.tobytes() + bytes([sign + 1]) for matrix, sign in equal)
        if name not in best:
            forms = [hermite_normal_form(matrix).tobytes() for matrix, _ in equal]
            first = min(range(len(equal)), key=lambda k: (forms[k] not in wanted, forms[k]))
            best[name] = _fitted(host, equal[first][0], lattice, equal[first][1])
        if len(best) == MAX_SUPERLATTICES:
            break
    return list(best.values())


def _fitted(host: Host, matrix: IntArray, lattice: FloatArray, sign: int = 1) -> FittedLattice:
    ideal = matrix @ host.primitive
    gradient = np.linalg.solve(ideal, sign * lattice)
    left, stretch, right = np.linalg.svd(gradient)
    return FittedLattice(matrix, sign, (left * stretch) @ left.T - np.eye(3), left @ right)


def _matrices(primitive: FloatArray, lattice: FloatArray, rotations: IntArray) -> Iterator[IntArray]:
    """Integer matrices whose vectors have the lengths and angles of a reduced lattice, up to proper rotations."""
    lengths = np.linalg.norm(lattice, axis=1)
    points = _lattice_points(primitive, lengths.max() * (1 + MAX_LATTICE_STRAIN))
    vectors = points @ primitive
    size = np.linalg.norm(vectors, axis=1)
    metric = lattice @ lattice.T
    fits = [np.flatnonzero(np.abs(size / length - 1) < MAX_LATTICE_STRAIN) for length in lengths]
    for a in _distinct(fits[0], points, rotations):
        for b in _at_angle(vectors, a, fits[1], metric[0, 1]):
            chosen = np.intersect1d(
                _at_angle(vectors, a, fits[2], metric[0, 2]), _at_angle(vectors, b, fits[2], metric[1, 2])
            )
            for c in chosen:
                matrix = points[[a, b, c]]
                if np.linalg.det(matrix) > 1 / 2:
                    yield matrix


def _at_angle(vectors: FloatArray, first: int, candidates: IntArray, product: float) -> IntArray:
    """Those of some vectors that have about a scalar product with one of them."""
    scale = np.linalg.norm(vectors[first]) * np.linalg.norm(vectors[candidates], axis=1)
    off = np.abs(vectors[candidates] @ vectors[first] - product) / np.maximum(scale, 1e-9)
    return np.asarray(candidates[off < 2 * MAX_LATTICE_STRAIN])


def _distinct(candidates: IntArray, points: IntArray, rotations: IntArray) -> list[int]:
    """One of each set of lattice points that the rotations take into one another."""
    images = np.einsum("gij,kj->kgi", rotations, points[candidates])
    names = [min(map(bytes, row)) for row in images.astype(">i8")]
    return [int(candidates[k]) for k in {name: k for k, name in reversed(list(enumerate(names)))}.values()]


def _lattice_points(primitive: FloatArray, radius: float) -> IntArray:
    """Integer points (k, 3) of a lattice within a radius, Å, the origin left out."""
    reach = np.ceil(radius * np.linalg.norm(np.linalg.inv(primitive), axis=0)).astype(int)
    grid = np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij")
    points = np.stack(grid, axis=-1).reshape(-1, 3)
    size = np.linalg.norm(points @ primitive, axis=1)
    return np.asarray(points[(size <= radius) & (size > 0)], dtype=np.int64)
