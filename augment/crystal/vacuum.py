"""Empty space between atoms: whether a periodic structure is a crystal or a layer, and the layer set upright."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.lattice import plane_basis, reduced_matrix
from augment.errors import CifError

MIN_VACUUM = 6.0
"""Å between atomic planes; wider is a vacuum, as no layered crystal has such gaps between its layers (the metals with
the widest atomic planes, caesium, and the layered crystals with the widest gaps stay below 4.5)."""

MAX_NORMALS = 5000
"""Families of lattice planes looked at; more than there are in a cell of 200,000 Å³, whose atoms are a gas or fewer
than a host may have, and those with the widest planes come first."""

_WORDS = {2: "a wire (vacuum in two directions)", 3: "a molecule in a box (vacuum in three directions)"}


@dataclass(frozen=True, eq=False)
class Vacuum:
    """The empty space on both sides of a layer.

    Attributes:
        normal: (3,) coprime integers h: the layer is parallel to h · x = constant in the lattice it was found in.
        width: distance between the atomic planes on both sides of the empty space, Å.
    """

    normal: IntArray
    width: float

    @property
    def direction(self) -> str:
        """The direction across the layer in words: `along c`, or `across the planes (1 0 -1)`."""
        if np.count_nonzero(self.normal) == 1:
            return f"along {'abc'[int(np.flatnonzero(self.normal)[0])]}"
        return f"across the planes ({' '.join(map(str, self.normal.tolist()))})"


@dataclass(frozen=True, eq=False)
class LayerPlane:
    """Where a layer lies in its cell: what may be strained there, and what is vacuum.

    Attributes:
        normal: (3,) coprime integers h: the layer is parallel to h · x = constant in its lattice.
        direction: (3,) Cartesian unit vector across the layer.
        period: distance of the layer to its image across the vacuum, Å.
        thickness: distance between its outermost atomic planes, Å.
    """

    normal: IntArray
    direction: FloatArray
    period: float
    thickness: float

    @classmethod
    def of(cls, lattice: FloatArray, points: FloatArray, normal: IntArray) -> LayerPlane:
        """The plane of a normal; other arguments as for `find_vacuum`."""
        across = np.linalg.solve(lattice, normal.astype(float))
        period = float(1 / np.linalg.norm(across))
        return cls(normal, across * period, period, period * (1 - widest_gap(points @ normal)[1]))

    @property
    def projector(self) -> FloatArray:
        """(3, 3) matrix that takes a vector to its part in the plane."""
        return np.asarray(np.eye(3) - np.outer(self.direction, self.direction))

    def within(self, tensor: FloatArray) -> FloatArray:
        """The part in the plane of a symmetric tensor (3, 3), such as a strain or a stress."""
        return np.asarray(self.projector @ tensor @ self.projector)


def find_plane(lattice: FloatArray, points: FloatArray) -> LayerPlane | None:
    """The plane of a layer; none where atoms fill the cell. Arguments and errors as for `find_vacuum`."""
    vacuum = find_vacuum(lattice, points)
    return None if vacuum is None else LayerPlane.of(lattice, points, vacuum.normal)


def find_vacuum(lattice: FloatArray, points: FloatArray) -> Vacuum | None:
    """The vacuum of a layer; none where atoms fill the cell, as they do in a crystal.

    A gap between atomic planes is no wider than the distance of the lattice planes, so only families of planes at least
    `MIN_VACUUM` apart can have a vacuum between them, and these are finite in number. Every one is looked at, so that
    it does not matter in which basis the cell is given.

    Args:
        lattice: (3, 3) rows, Å.
        points: (n, 3) fractional coordinates.

    Raises:
        CifError: there is vacuum in more directions than one: a wire, or molecules in a box.
    """
    normals, widths = empty_planes(lattice, points)
    directions = int(np.linalg.matrix_rank(normals)) if len(normals) else 0
    if directions > 1:
        raise CifError(
            f"{_WORDS[directions]} and no crystal: between its atoms are {widths.max():.1f} Å of empty space; "
            "a host repeats in two or three directions (--bulk treats it as a crystal all the same)"
        )
    return Vacuum(normals[0], float(widths[0])) if directions else None


def empty_planes(lattice: FloatArray, points: FloatArray) -> tuple[IntArray, FloatArray]:
    """Normals (k, 3) of the families of lattice planes with a vacuum between atoms, and its widths (k,), Å."""
    normals = _wide_planes(lattice)
    gaps = np.array([widest_gap(points @ normal)[1] for normal in normals])
    widths = gaps / np.linalg.norm(normals @ np.linalg.inv(lattice).T, axis=1)
    return normals[widths >= MIN_VACUUM], widths[widths >= MIN_VACUUM]


def has_vacuum(lattice: FloatArray, points: FloatArray) -> bool:
    """Whether there is a vacuum in a cell, in whatever number of directions; arguments as for `find_vacuum`."""
    return len(empty_planes(lattice, points)[0]) > 0


def widest_gap(heights: FloatArray) -> tuple[float, float]:
    """Of heights (n,) with a period of 1, where the widest gap without any ends, in [0, 1), and how wide it is."""
    ordered = np.sort(np.mod(heights, 1))
    gaps = np.diff(ordered, append=ordered[0] + 1)
    widest = int(np.argmax(gaps))
    return float(ordered[(widest + 1) % len(ordered)]), float(gaps[widest])


def upright(lattice: FloatArray, points: FloatArray, normal: IntArray) -> tuple[FloatArray, FloatArray]:
    """The same layer with its period along its normal, as lattice (3, 3), Å, and fractional coordinates (n, 3).

    How far the image of a layer beyond the vacuum is shifted along the layer is an accident of the cell that it was
    given in; where it is not shifted, the space group has all of the layer group.
    """
    basis = plane_basis(normal, lattice)
    inside = points @ np.linalg.inv(basis)
    lowest, _ = widest_gap(inside[:, 2])
    inside[:, 2] = np.mod(inside[:, 2] - lowest + _MARGIN, 1) - _MARGIN
    first, second, across = basis @ lattice
    outward = np.cross(first, second)
    outward *= (across @ outward) / (outward @ outward)
    straight = np.stack([first, second, outward])
    return straight, inside @ basis @ lattice @ np.linalg.inv(straight)


_MARGIN = 1e-6
"""Fraction of the period; atoms of the lowest plane differ in height by rounding."""


def _wide_planes(lattice: FloatArray) -> IntArray:
    """Coprime normals (k, 3), one of each sign, of the lattice planes at least `MIN_VACUUM` apart."""
    reciprocal = np.linalg.inv(lattice).T
    scale = abs(float(np.linalg.det(lattice))) ** (2 / 3)  # lengths like those of a lattice in Å, for the reduction
    reduced = reduced_matrix(np.eye(3, dtype=np.int64), reciprocal * scale)
    lengths, longest = np.linalg.norm(np.linalg.inv(reduced @ reciprocal), axis=0), 1 / MIN_VACUUM
    while np.prod(2 * np.floor(lengths * longest) + 1) > 2 * MAX_NORMALS:
        longest *= 0.9
    ranges = [np.arange(-reach, reach + 1) for reach in np.floor(lengths * longest).astype(np.int64)]
    grid = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = grid[len(grid) // 2 + 1 :]  # the second half holds each vector's opposite
    normals = grid[np.gcd.reduce(grid, axis=1) == 1] @ reduced
    wide = np.linalg.norm(normals @ reciprocal, axis=1) <= longest
    normals = normals[wide]
    sign = np.array([np.sign(normal[np.flatnonzero(normal)[0]]) for normal in normals], dtype=np.int64)
    return np.asarray(normals * sign[:, None], dtype=np.int64).reshape(-1, 3)
