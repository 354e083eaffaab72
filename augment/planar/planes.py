"""Lattice planes of a crystal as integer algebra: Miller indices, in-plane bases, heights, cuts and what keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.cif import MAX_ATOMS
from augment.crystal.lattice import plane_basis
from augment.errors import SupercellError
from augment.host import Host
from augment.supercell import Supercell

LAYER_GAP = 0.3
"""Å; atomic planes closer than this are one rumpled layer."""

_DENOMINATOR = 6
"""Miller indices of a centred cell are multiples of 1/2 or 1/3 in the primitive basis."""

_SAME_HEIGHT = 1e-5
"""Fraction of a period; heights of symmetric points agree to rounding."""


@dataclass(frozen=True, eq=False)
class Plane:
    """A family of parallel lattice planes of a host.

    Attributes:
        host: the crystal.
        normal: (3,) coprime integers h: the planes are h · x = constant in the primitive basis.
    """

    host: Host
    normal: IntArray

    @classmethod
    def of(cls, host: Host, miller: Sequence[int]) -> Plane:
        """The planes of Miller indices (h, k, l), or (h, k, i, l) of hexagonal axes, of the conventional cell.

        Raises:
            SupercellError: the indices name no plane, or the host is a layer or has a plane in it already.
        """
        if host.normal is not None:
            raise SupercellError(
                f"{host.formula}: a layer, or a crystal with a plane in it already; give a bulk crystal"
            )
        indices = [int(x) for x in miller if float(x).is_integer()]
        four = len(indices) == 4 and sum(indices[:3]) == 0  # noqa: PLR2004  Bravais-Miller indices
        indices = [*indices[:2], indices[3]] if four else indices
        if len(indices) != len(miller) - four or len(indices) != 3 or not any(indices):  # noqa: PLR2004
            raise SupercellError(f"{tuple(miller)} are no Miller indices; give three integers, not all zero")
        direction = host.primitive @ np.linalg.inv(host.lattice) @ np.array(indices)
        whole = np.rint(_DENOMINATOR * direction).astype(np.int64)
        return cls(host, whole // np.gcd.reduce(whole))

    @cached_property
    def basis(self) -> IntArray:
        """(3, 3) basis of the primitive lattice: two vectors in the plane, one to the next plane."""
        return plane_basis(self.normal, self.host.primitive)

    @cached_property
    def direction(self) -> FloatArray:
        """(3,) unit normal, Cartesian."""
        across = np.linalg.solve(self.host.primitive, self.normal.astype(float))
        return np.asarray(across / np.linalg.norm(across), dtype=float)

    @cached_property
    def spacing(self) -> float:
        """Distance between lattice planes, Å: the unit of heights."""
        return float(1 / np.linalg.norm(np.linalg.solve(self.host.primitive, self.normal.astype(float))))

    @cached_property
    def operations(self) -> tuple[IntArray, FloatArray, IntArray]:
        """Operations of the host that keep the planes: sign and shift (k,) of the height, and rotations (k, 3, 3)."""
        turned = self.normal @ self.host.group.rotations
        sign = (turned == self.normal).all(axis=1).astype(np.int64) - (turned == -self.normal).all(axis=1)
        keeping = sign != 0
        shifts = self.host.group.translations[keeping] @ self.normal
        return sign[keeping], shifts, self.host.group.rotations[keeping]

    @cached_property
    def gaps(self) -> tuple[FloatArray, FloatArray]:
        """Heights in [0, 1) midway between atomic layers, and the widths of the gaps there, Å (k,), widest first."""
        heights = np.sort(np.mod(self.host.atoms.points @ self.normal, 1))
        width = np.diff(heights, append=heights[0] + 1)
        wide = width * self.spacing > min(LAYER_GAP, width.max() * self.spacing / 2)
        middle, width = np.mod(heights + width / 2, 1)[wide], width[wide] * self.spacing
        order = np.lexsort((np.round(middle, 5), -np.round(width, 5)))
        return middle[order], width[order]

    @cached_property
    def cuts(self) -> FloatArray:
        """(k,) heights of the symmetry-distinct gaps between atomic layers, widest gap first."""
        return self._distinct(np.array([1, -1]))

    @cached_property
    def bottoms(self) -> FloatArray:
        """(k,) as `cuts`, but distinct for a crystal above the cut: its other side is another surface."""
        return self._distinct(np.array([1]))

    def _distinct(self, signs: IntArray) -> FloatArray:
        middle, _ = self.gaps
        sign, shift, _ = self.operations
        used = np.isin(sign, signs)
        images = sign[used, None] * middle + shift[used, None]
        same = close_to_integer(images[:, :, None] - middle).any(axis=0)
        return np.asarray(middle[same.argmax(axis=1) == np.arange(len(middle))])

    def cut(self, number: int) -> float:
        """Height of one of the distinct cuts.

        Raises:
            SupercellError: there are fewer.
        """
        if not 0 <= number < len(self.cuts):
            raise SupercellError(f"cut {number} of {len(self.cuts)} between the layers; give 0 to {len(self.cuts) - 1}")
        return float(self.cuts[number])

    def between(self, bottom: float, top: float, inside: IntArray | None = None) -> tuple[FloatArray, IntArray]:
        """Atoms with heights in [bottom, top), as primitive coordinates (m, 3), and their atomic numbers (m,).

        Args:
            bottom: height, in spacings.
            top: height, in spacings.
            inside: (2, 3) in-plane vectors whose cell is filled; those of `basis` by default.

        Raises:
            SupercellError: more atoms than a host may have.
        """
        thick = max(1, int(np.ceil(top - bottom - _SAME_HEIGHT)))
        edges = self.basis[:2] if inside is None else inside
        matrix = np.stack([*edges, thick * self.basis[2]])
        atoms = round(abs(float(np.linalg.det(matrix)))) * self.host.n_lattice
        if atoms > MAX_ATOMS:
            raise SupercellError(
                f"{self.host.formula}: {atoms} atoms between two planes, a host has at most {MAX_ATOMS}; "
                "make it thinner or take smaller indices"
            )
        cells = Supercell(self.host, matrix if np.linalg.det(matrix) > 0 else matrix[[1, 0, 2]]).cells
        points = (self.host.atoms.points[:, None] + cells).reshape(-1, 3)
        numbers = np.repeat(self.host.atoms.numbers, len(cells))
        turns = np.floor((points @ self.normal - bottom) / thick + _SAME_HEIGHT)
        points = points - turns[:, None] * thick * self.basis[2]
        chosen = points @ self.normal < top - _SAME_HEIGHT
        return points[chosen], numbers[chosen]


def close_to_integer(values: FloatArray) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Whether heights are the same modulo the period, up to rounding."""
    return np.asarray(np.abs(values - np.rint(values)) < _SAME_HEIGHT)
