"""Symmetry operations as a CIF lists them, and the atoms of the cell that they make of the asymmetric unit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from augment.cell import FloatArray, IntArray
from augment.errors import CifError

SPECIAL_DISTANCE = 0.03
"""Å; images of one site this close are one atom on a special position, written with rounded coordinates."""

MAX_METRIC_STRAIN = 0.02
"""Of the cell by one of its own operations; cells measured without their symmetry miss it by tenths of a percent."""

MAX_OPERATIONS = 1000
"""More than any space group has in a cell of reasonable size (192 in a conventional one)."""

_TERM = re.compile(r"([+-]?)(?:(\d+(?:\.\d*)?|\.\d+)(?:/(\d+))?)?\*?([xyz]?)")
_ROUNDING = 2e-3
"""Translations this close to a simple fraction are meant to be it."""

_MAX_DENOMINATOR = 24


@dataclass(frozen=True, eq=False)
class Operations:
    """Operations of a space group in the cell of a CIF.

    Attributes:
        rotations: (g, 3, 3) integers acting on columns of fractional coordinates.
        translations: (g, 3) fractions.
    """

    rotations: IntArray
    translations: FloatArray


def parse_operations(texts: Sequence[str]) -> Operations:
    """Operations of texts such as `-x+1/2, y, z-x`.

    Raises:
        CifError: a text is no operation, or they form no group.
    """
    if len(texts) > MAX_OPERATIONS:
        raise CifError(f"{len(texts)} symmetry operations; give a smaller cell")
    parsed = [_parse(text) for text in texts]
    return group_of([rotation for rotation, _ in parsed], [translation for _, translation in parsed])


def group_of(rotations: ArrayLike, translations: ArrayLike) -> Operations:
    """The group of these operations, each taken once.

    Raises:
        CifError: they form none, or are too many.
    """
    rotations, translations = np.array(rotations, dtype=np.int64), np.array(translations, dtype=float)
    if len(rotations) > MAX_OPERATIONS:
        raise CifError(f"{len(rotations)} symmetry operations; give a smaller cell")
    first = {code: k for k, code in reversed(list(enumerate(_codes(rotations, translations))))}
    kept = sorted(first.values())
    rotations, translations = rotations[kept], translations[kept]
    _check_group(rotations, translations)
    return Operations(rotations, translations)


def same_operations(first: Operations, second: Operations) -> bool:
    """Whether two groups have the same operations modulo lattice translations."""
    return set(_codes(first.rotations, first.translations)) == set(_codes(second.rotations, second.translations))


def contains_operations(group: Operations, part: Operations) -> bool:
    """Whether every operation of a part is one of the group."""
    return set(_codes(group.rotations, group.translations)) >= set(_codes(part.rotations, part.translations))


def differ_in_origin_only(first: Operations, second: Operations) -> bool:
    """Whether two groups of one space-group type have one Hermann-Mauguin symbol: the same axes, centrings and glides.

    The intrinsic translation of an operation {R|t} of order n, the mean of R^k t over k < n, does not depend on the
    origin (ITA 1.2.2.4). Groups of one type that agree in it for every rotation differ in their origin at most.
    """
    if len(first.rotations) != len(second.rotations):
        return False
    return _covers(first, second) and _covers(second, first)


def _covers(first: Operations, second: Operations) -> bool:
    """Whether each operation of the first has one of the same rotation and intrinsic translation in the second."""
    steps = np.arange(-2, 3)
    lattice = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    for rotation, translation in zip(first.rotations, first.translations, strict=True):
        alike = second.translations[(second.rotations == rotation).all(axis=(1, 2))]
        powers = [np.eye(3, dtype=np.int64)]
        while not np.array_equal(power := rotation @ powers[-1], powers[0]):
            powers.append(power)
        mean = np.mean(powers, axis=0)
        offset = (translation - alike)[:, None] + lattice
        if not len(alike) or np.abs(offset @ mean.T).max(axis=-1).min() > _ROUNDING:
            return False
    return True


def space_group_type(operations: Operations) -> int | None:
    """Number of the space-group type of operations in any cell, 1 to 230; None where spglib finds none."""
    import spglib

    rotations = operations.rotations.astype(np.intc)
    try:
        found = spglib.get_spacegroup_type_from_symmetry(rotations, operations.translations)
    except spglib.SpglibError:
        return None
    return int(found.number) if found is not None else None


def strain_of(operations: Operations, lattice: FloatArray) -> float:
    """The largest strain that one of the operations puts on the lattice (3, 3), rows."""
    cartesian = lattice.T @ operations.rotations @ np.linalg.inv(lattice.T)
    return float(np.abs(cartesian.transpose(0, 2, 1) @ cartesian - np.eye(3)).max() / 2)


def _parse(text: str) -> tuple[list[list[int]], list[float]]:
    components = text.lower().replace(" ", "").strip("'\"").split(",")
    if len(components) != 3:  # noqa: PLR2004  x, y and z
        raise CifError(f"{text!r} is not a symmetry operation; write it as 'x,y,z'")
    rows, shift = [], []
    for component in components:
        row, constant, end = [0, 0, 0], 0.0, 0
        for match in _TERM.finditer(component):
            sign, size, divisor, variable = match.groups()
            if match[0] == "" or match.start() != end or not (size or variable) or (end and not sign):
                break
            value = float(size or 1) / float(divisor or 1) * (-1 if sign == "-" else 1) if divisor != "0" else np.nan
            if variable:
                row["xyz".index(variable)] += round(value) if abs(value) == round(abs(value)) else 99
            else:
                constant += value
            end = match.end()
        if end != len(component) or not component or not np.isfinite(constant):
            raise CifError(f"{text!r} is not a symmetry operation; write it as 'x,y,z'")
        rows.append(row)
        shift.append(_simple(constant))
    return rows, shift


def _simple(value: float) -> float:
    """The simple fraction that a rounded decimal stands for."""
    fraction = float(Fraction(value).limit_denominator(_MAX_DENOMINATOR))
    return fraction if abs(fraction - value) < _ROUNDING else value


def _check_group(rotations: IntArray, translations: FloatArray) -> None:
    """Refuse operations of which one is missing or wrong: with each pair, their product must be listed as well."""
    if (np.abs(np.rint(np.linalg.det(rotations))) != 1).any() or np.abs(rotations).max() > 2:  # noqa: PLR2004  no lattice basis in use needs more
        raise CifError("a symmetry operation does not keep the lattice; correct the list of operations")
    listed = set(_codes(rotations, translations))
    for rotation, translation in zip(rotations, translations, strict=True):
        products = _codes(rotation @ rotations, translations @ rotation.T + translation)
        if not listed.issuperset(products):
            raise CifError(
                f"its {len(rotations)} symmetry operations form no group: one is missing or wrong; correct the list"
            )


def check_metric(operations: Operations, lattice: FloatArray) -> None:
    """Refuse operations that would strain the lattice: they belong to another cell or setting.

    Args:
        operations: of the space group.
        lattice: (3, 3) rows, Å.

    Raises:
        CifError: lengths or angles change by more than rounding and measurement allow.
    """
    strain = strain_of(operations, lattice)
    if strain > MAX_METRIC_STRAIN:
        raise CifError(
            f"its symmetry operations strain its cell by {strain:.0%}: they are of another space group or setting; "
            "correct the cell or the operations"
        )


def _codes(rotations: IntArray, translations: FloatArray) -> list[tuple[int, ...]]:
    """Hashable integers of each operation, its translation modulo the lattice in steps of 1/1000."""
    steps = np.rint(translations * 1000).astype(np.int64) % 1000
    return [tuple(row) for row in np.concatenate([rotations.reshape(-1, 9), steps], axis=1).tolist()]


def expand(points: FloatArray, operations: Operations, lattice: FloatArray) -> tuple[FloatArray, IntArray]:
    """Atoms of the cell: fractional coordinates (m, 3) and the site of the asymmetric unit that each comes from (m,).

    Args:
        points: (n, 3) fractional coordinates of the asymmetric unit.
        operations: of the space group.
        lattice: (3, 3) rows, Å.
    """
    coordinates, owner = [], []
    for site, point in enumerate(points):
        images = operations.rotations @ point + operations.translations
        images -= np.floor(images)
        difference = images[None] - images[:, None]
        difference -= np.rint(difference)
        same = np.linalg.norm(difference @ lattice, axis=-1) < SPECIAL_DISTANCE
        atoms = np.flatnonzero(same.argmax(axis=1) == np.arange(len(images)))
        centred = images + (difference * same[..., None]).sum(axis=1) / same.sum(axis=1, keepdims=True)
        coordinates.append(centred[atoms])
        owner.append(np.full(len(atoms), site, dtype=np.int64))
    return np.concatenate(coordinates), np.concatenate(owner)
