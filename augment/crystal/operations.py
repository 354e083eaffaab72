"""Symmetry operations as a CIF lists them, and the atoms of the cell that they make of the asymmetric unit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

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
    every = [_parse(text) for text in texts]
    parsed = [operation for k, operation in enumerate(every) if operation not in every[:k]]
    rotations = np.array([r for r, _ in parsed], dtype=np.int64)
    translations = np.array([t for _, t in parsed], dtype=float)
    _check_group(rotations, translations)
    return Operations(rotations, translations)


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
    cartesian = lattice.T @ operations.rotations @ np.linalg.inv(lattice.T)
    strain = np.abs(cartesian.transpose(0, 2, 1) @ cartesian - np.eye(3)).max() / 2
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
