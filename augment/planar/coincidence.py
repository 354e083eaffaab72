"""Coincidence-site lattices: the rotations of a crystal that bring a fraction of its lattice back onto itself."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.lattice import diagonal_form, plane_basis
from augment.errors import SupercellError
from augment.host import Host

MAX_SIGMA = 99
"""Larger coincidence cells exceed the atoms that a host may have, or are of no use."""

_CUBIC = 195
_HEXAGONAL = 143
_TETRAGONAL = 75
"""First space groups of the crystal systems that have exact coincidence rotations for any lattice constants."""

_ENTRIES = 36
"""Rotations are whole in the conventional basis over their norm; centring divides by 2 or 3, twice."""


@dataclass(frozen=True, eq=False)
class Coincidence:
    """A rotation of a crystal about an axis through a lattice point, and the lattice that both crystals share.

    Attributes:
        numerator: (3, 3) integers: a point y of the rotated crystal is at numerator / denominator @ y in the basis
            of the primitive cell of the other.
        denominator: coprime to the numerator's entries.
        angle: degrees.
    """

    numerator: IntArray
    denominator: int
    angle: float

    @property
    def rotation(self) -> FloatArray:
        """(3, 3) the rotation in the primitive basis."""
        return np.asarray(self.numerator / self.denominator, dtype=float)

    @cached_property
    def lattice(self) -> IntArray:
        """(3, 3) basis, rows, of the coincidence-site lattice in the primitive basis: R^-1 x is whole for these x."""
        inverse = np.linalg.inv(self.rotation)
        whole = np.rint(inverse * self.denominator).astype(np.int64)
        diagonal, _, right = diagonal_form(whole)
        return np.asarray((right * (self.denominator // np.gcd(diagonal, self.denominator))).T)

    @property
    def sigma(self) -> int:
        """Index of the coincidence-site lattice in the crystal's lattice."""
        return abs(round(float(np.linalg.det(self.lattice))))

    def other_plane(self, normal: IntArray) -> tuple[IntArray, float]:
        """Coprime normal (3,) of a plane in the rotated crystal's basis, and its spacings in those of the given one."""
        along = normal @ self.numerator
        divisor = int(np.gcd.reduce(along))
        return along // divisor, divisor / self.denominator

    def plane_cell(self, normal: IntArray, lattice: FloatArray) -> IntArray:
        """Basis (3, 3), rows, of the coincidence-site lattice: two short vectors in a plane, one across."""
        return np.asarray(plane_basis(self.lattice @ normal, self.lattice @ lattice) @ self.lattice)


def coincidences(host: Host, axis: Sequence[int]) -> list[Coincidence]:
    """All coincidence rotations about an axis with sigma from 2 to `MAX_SIGMA`.

    A rotation of a cubic crystal is that of a quaternion (m, n axis) with whole m and n (Ranganathan 1966); one
    about the axis c of a hexagonal or tetragonal crystal is w / w* with a whole complex number w of its plane.

    Args:
        host: the crystal.
        axis: (3,) direction [u v w] in the conventional cell.

    Raises:
        SupercellError: no axis, or one that has no coincidence rotation for any ratio of lattice constants.
    """
    direction = np.array(axis)
    if direction.shape != (3,) or direction.dtype.kind not in "iu" or not direction.any():
        raise SupercellError(f"{tuple(axis)} is no axis; give three integers [u v w], not all zero")
    direction = direction // np.gcd.reduce(direction)
    if host.space_group_number >= _CUBIC:
        step, scale = _quaternion_rotation, int(direction @ direction)
    elif host.space_group_number >= _TETRAGONAL and not direction[:2].any():
        step, scale = (_hexagonal_rotation if host.space_group_number >= _HEXAGONAL else _square_rotation), 1
    else:
        raise SupercellError(
            f"{host.formula} ({host.space_group_symbol}) has no exact coincidence rotation about {direction.tolist()}; "
            "give a cubic crystal, or the axis 0 0 1 of a tetragonal, trigonal or hexagonal one"
        )
    reach = int(np.ceil(2 * np.sqrt(MAX_SIGMA)))
    by_rotation: dict[bytes, Coincidence] = {}
    for m, n in itertools.product(range(reach + 1), range(-reach, reach + 1)):
        if np.gcd(m, n) == 1 and m * m + scale * n * n <= 4 * MAX_SIGMA:
            turn, norm = step(m, n, direction)
            made = _in_primitive(host, turn, norm)
            by_rotation.setdefault(made.rotation.round(9).tobytes(), made)
    return [c for c in by_rotation.values() if 1 < c.sigma <= MAX_SIGMA]


def _quaternion_rotation(m: int, n: int, axis: IntArray) -> tuple[IntArray, int]:
    """Norm times the rotation of the quaternion (m, n axis), whole."""
    square = n * n * int(axis @ axis)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turn = (m * m - square) * np.eye(3, dtype=np.int64) + 2 * n * n * np.outer(axis, axis) + 2 * m * n * cross
    return turn, m * m + square


def _square_rotation(m: int, n: int, axis: IntArray) -> tuple[IntArray, int]:
    """As for the quaternion, by the square of the Gaussian integer m + n i."""
    del axis
    norm = m * m + n * n
    return np.array([[m * m - n * n, -2 * m * n, 0], [2 * m * n, m * m - n * n, 0], [0, 0, norm]]), norm


def _hexagonal_rotation(m: int, n: int, axis: IntArray) -> tuple[IntArray, int]:
    """As for the quaternion, by the square of the Eisenstein integer m + n w with w a third of a turn."""
    del axis
    once = np.array([[m, -n, 0], [n, m - n, 0], [0, 0, 0]])
    norm = m * m - m * n + n * n
    return once @ once + np.diag([0, 0, norm]), norm


def _in_primitive(host: Host, turn: IntArray, norm: int) -> Coincidence:
    to_primitive = np.linalg.inv(host.primitive @ np.linalg.inv(host.lattice)).T
    whole = np.rint(to_primitive @ turn @ np.linalg.inv(to_primitive) * _ENTRIES).astype(np.int64)
    divisor = int(np.gcd(np.gcd.reduce(whole, axis=None), norm * _ENTRIES))
    cosine = (np.trace(turn) / norm - 1) / 2
    angle = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    return Coincidence(whole // divisor, norm * _ENTRIES // divisor, angle)
