"""The 230 space groups in their standard settings: operations, primitive bases and Wyckoff positions."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from importlib import resources

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.lattice import diagonal_form
from augment.errors import SymmetryError
from augment.groups.symmetry import SpaceGroup, wrap

FRACTIONS = 24
"""Translations of operations are multiples of 1/24 in the standard settings."""

_ON_POSITION = 1e-3
"""Fractional; a symmetrised point is on its Wyckoff position to rounding, and far from the others of that size."""

_CENTRINGS = {
    "P": np.eye(3),
    "A": np.array([[1, 0, 0], [0, 0.5, -0.5], [0, 0.5, 0.5]]),
    "C": np.array([[0.5, -0.5, 0], [0.5, 0.5, 0], [0, 0, 1]]),
    "I": np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]]),
    "R": np.array([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]]) / 3,
    "F": np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]),
}


@dataclass(frozen=True, eq=False)
class WyckoffPosition:
    """One Wyckoff position of a space group in its standard setting.

    Attributes:
        letter: `a` to `z`, then `A` (alpha) for the general position of Pmmm.
        multiplicity: points in the conventional cell.
        site_symmetry: oriented symbol (`4/mm.m`).
        normal: (r, 3) integers: a point x of the primitive cell is on the position's first element where
            `normal @ x = offset` modulo 1; r is 3 less the number of free coordinates.
        offset: (r,) fractions.
    """

    letter: str
    multiplicity: int
    site_symmetry: str
    normal: IntArray
    offset: FloatArray


@dataclass(frozen=True, eq=False)
class StandardGroup:
    """A space group in spglib's default setting (unique axis b, cell choice 1, origin choice 1, hexagonal axes).

    Attributes:
        number: 1 to 230.
        hall_number: spglib's number of the setting, 1 to 530.
        group: operations in the primitive basis.
        basis: (3, 3) primitive vectors, rows, in the conventional axes.
        positions: Wyckoff positions, `a` first.
    """

    number: int
    hall_number: int
    group: SpaceGroup
    basis: FloatArray
    positions: tuple[WyckoffPosition, ...]

    @cached_property
    def cells(self) -> int:
        """Primitive cells in the conventional cell."""
        return round(1 / abs(float(np.linalg.det(self.basis))))

    def position_of(self, point: FloatArray, multiplicity: int) -> WyckoffPosition:
        """Wyckoff position of a point (3,) of the primitive cell with `multiplicity` images in the conventional one.

        Raises:
            SymmetryError: the group has none there.
        """
        fitting = [p for p in self.positions if p.multiplicity == multiplicity]
        if len(fitting) == 1:
            return fitting[0]
        images = self.group.images(point[None])[:, 0]
        misses = [_miss(p, images) for p in fitting]
        if not fitting or min(misses) > _ON_POSITION:
            raise SymmetryError(f"space group {self.number}: no Wyckoff position of {multiplicity} sites at {point}")
        return fitting[int(np.argmin(misses))]


def _miss(position: WyckoffPosition, images: FloatArray) -> float:
    """How far the nearest of the images (g, 3) of a point is from a position's first element, fractional."""
    rest = images @ position.normal.T - position.offset
    return float(np.abs(rest - np.rint(rest)).max(axis=1, initial=0.0).min())


@lru_cache(maxsize=230)
def standard_group(number: int) -> StandardGroup:
    """The standard setting of a space group, 1 to 230."""
    import spglib

    hall_number = _hall_numbers()[number]
    database = spglib.get_symmetry_from_database(hall_number)
    rotations, translations = database["rotations"], database["translations"]
    basis = _CENTRINGS[spglib.get_spacegroup_type(hall_number).international_short[0]]
    to_primitive = np.rint(np.linalg.inv(basis.T)).astype(np.int64)  # x_primitive = to_primitive x_conventional
    _, first = np.unique(rotations.reshape(-1, 9), axis=0, return_index=True)
    first.sort()
    turned = np.rint(to_primitive @ rotations[first] @ basis.T).astype(np.int64)
    shifted = translations[first] @ to_primitive.T
    group = SpaceGroup(turned, wrap(np.round(shifted * FRACTIONS) / FRACTIONS))
    positions = tuple(_position(*row, to_primitive) for row in _table()[str(number)])
    return StandardGroup(number, hall_number, group, basis, positions)


@lru_cache(maxsize=1)
def _hall_numbers() -> dict[int, int]:
    """First Hall number of each space group, the setting that spglib standardises to."""
    import spglib

    first: dict[int, int] = {}
    for hall_number in range(1, 531):
        first.setdefault(int(spglib.get_spacegroup_type(hall_number).number), hall_number)
    return first


@lru_cache(maxsize=1)
def _table() -> dict[str, list[tuple[str, int, str, str]]]:
    text = resources.files("augment.crystal").joinpath("data", "wyckoff.json").read_text(encoding="ascii")
    table: dict[str, list[tuple[str, int, str, str]]] = json.loads(text)
    return table


def _position(
    letter: str, multiplicity: int, site_symmetry: str, coordinates: str, to_primitive: IntArray
) -> WyckoffPosition:
    directions, constant = _parse(coordinates)
    diagonal, left, _ = diagonal_form(to_primitive @ directions)
    normal = left[np.count_nonzero(diagonal) :]
    return WyckoffPosition(letter, multiplicity, site_symmetry, normal, normal @ to_primitive @ constant)


def _parse(coordinates: str) -> tuple[IntArray, FloatArray]:
    """Directions (3, 3), one column a variable, and constant (3,) of coordinates such as `x,2x,z+1/4`."""
    directions, constant = np.zeros((3, 3), dtype=np.int64), np.zeros(3)
    for row, component in enumerate(coordinates.split(",")):
        for sign, size, variable in re.findall(r"([+-]?)([\d/]*)([xyz]?)", component.replace(" ", "")):
            if not size and not variable:
                continue
            value = Fraction(size or "1") * (-1 if sign == "-" else 1)
            if variable:
                directions[row, "xyz".index(variable)] += int(value)
            else:
                constant[row] += float(value)
    return directions, constant
