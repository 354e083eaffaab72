"""Where the atoms of a proposed structure are relative to the ideal defect: order, origin and orientation undone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.errors import DataError
from augment.groups.distortion import Distortion

MAX_STRAIN = 0.3
"""Principal strain of the cell beyond which it is not a cell of the same lattice any more."""

_ROUNDING = 1e-9
"""Å, or Å² of sums of squares."""

_ROUNDS = 5
"""Times that the origin is moved to the mean of what was matched; two are enough unless atoms change sites."""


def structure_atoms(structure: Any) -> tuple[FloatArray, IntArray, FloatArray, int | None]:
    """Cell (3, 3), atomic numbers (n,), positions (n, 3) and charge (None where it says none) of a structure.

    Raises:
        DataError: it is no DefectCell, ASE Atoms or pymatgen Structure, or holds numbers that are not finite.
    """
    if isinstance(structure, DefectCell):
        return structure.cell, structure.numbers, structure.positions, structure.charge
    if hasattr(structure, "get_scaled_positions"):  # ASE
        said = structure.info.get("charge")
        parts = np.array(structure.cell), structure.numbers, structure.positions, None if said is None else int(said)
    elif hasattr(structure, "frac_coords"):  # pymatgen
        said = structure._charge  # noqa: SLF001  the property says 0, or a sum of oxidation states, where none is set
        numbers = np.array(structure.atomic_numbers)
        parts = structure.lattice.matrix, numbers, structure.cart_coords, None if said is None else round(said)
    else:
        raise DataError(f"a generator returned a {type(structure).__name__}; return DefectCell, Atoms or Structure")
    cell, numbers, positions, charge = parts
    if not (np.isfinite(cell).all() and np.isfinite(positions).all()):
        raise DataError("a structure has positions or a cell that are not finite")
    return np.asarray(cell, float), np.asarray(numbers, np.int64), np.asarray(positions, float), charge


def place(cell: FloatArray, numbers: IntArray, positions: FloatArray, ideal: DefectCell) -> Distortion:
    """Displacements (n, 3), Å, in the order and axes of the ideal cell, and strain (3, 3), of a structure.

    With lattice vectors and positions as rows, C = C_0 S Q with S = 1 + e symmetric and Q orthogonal; the displacements
    are u = x Q^T - X S - t. Atoms are assigned to ideal positions of their species so that the sum of squares is least
    (H. W. Kuhn, Nav. Res. Logist. Q. 2, 83 (1955)), and t makes their mean zero. Permuted, rigidly rotated and rigidly
    translated copies have the same result.

    Raises:
        DataError: the composition is another, or the lattice vectors are not those of the ideal cell strained.
    """
    if not np.array_equal(np.sort(numbers), np.sort(ideal.numbers)):
        raise DataError(f"{ideal.name}: the structure has another composition than was requested")
    strain, turn = stretch_and_turn(ideal.cell, cell, ideal.name)
    lattice, there = ideal.cell @ (np.eye(3) + strain), ideal.positions @ (np.eye(3) + strain)
    here = positions @ turn.T
    best, least = None, np.inf
    for origin in _origins(here, numbers, there, ideal.numbers):
        u = _settled(here - origin, numbers, there, ideal.numbers, lattice)
        if (u**2).sum() < least - _ROUNDING:  # of equal ones the first
            best, least = u, float((u**2).sum())
        if np.linalg.norm(u, axis=1).max() < _unmistakable(there, lattice):
            break
    assert best is not None  # noqa: S101  there is always the origin that was given
    return Distortion(best, strain)


def stretch_and_turn(before: FloatArray, after: FloatArray, name: str) -> tuple[FloatArray, FloatArray]:
    """Symmetric strain e and rotation Q with after = before (1 + e) Q, all (3, 3) with vectors as rows.

    Raises:
        DataError: the strain is too large, or the cell has changed its handedness.
    """
    gradient = np.linalg.solve(before, after)
    values, axes = np.linalg.eigh(gradient @ gradient.T)
    if np.linalg.det(gradient) <= 0 or abs(np.sqrt(np.maximum(values, 0)) - 1).max() > MAX_STRAIN:
        raise DataError(f"{name}: the lattice vectors are not those of the ideal cell; return them in the same order")
    stretch = (axes * np.sqrt(values)) @ axes.T
    return stretch - np.eye(3), np.linalg.solve(stretch, gradient)


def _origins(here: FloatArray, numbers: IntArray, there: FloatArray, kinds: IntArray) -> Iterator[FloatArray]:
    """Translations to try: none, then those that bring an atom of the rarest species onto a place of its own."""
    yield np.zeros(3)
    species, counts = np.unique(kinds, return_counts=True)
    rarest = species[counts.argmin()]
    first = here[np.flatnonzero(numbers == rarest)[0]]
    yield from first - there[kinds == rarest]


def _settled(
    here: FloatArray, numbers: IntArray, there: FloatArray, kinds: IntArray, lattice: FloatArray
) -> FloatArray:
    """Displacements of the best assignment near an origin, with zero mean."""
    origin = np.zeros(3)
    for _ in range(_ROUNDS):
        u = _assigned(here - origin, numbers, there, kinds, lattice)
        if abs(u.mean(axis=0)).max() < _ROUNDING:
            break
        origin = origin + u.mean(axis=0)
    settled: FloatArray = u - u.mean(axis=0)
    return settled


def _assigned(
    here: FloatArray, numbers: IntArray, there: FloatArray, kinds: IntArray, lattice: FloatArray
) -> FloatArray:
    """Displacements (n, 3) of the assignment within species that has the least sum of squares."""
    from scipy.optimize import linear_sum_assignment

    displacements = np.empty_like(there)
    inverse = np.linalg.inv(lattice)
    for kind in np.unique(kinds):
        mine, places = np.flatnonzero(numbers == kind), np.flatnonzero(kinds == kind)
        fractional = (here[mine][None] - there[places][:, None]) @ inverse
        vectors = (fractional - np.rint(fractional)) @ lattice
        rows, columns = linear_sum_assignment((vectors**2).sum(axis=-1))
        displacements[places[rows]] = vectors[rows, columns]
    return displacements


def _unmistakable(there: FloatArray, lattice: FloatArray) -> float:
    """Half of the smallest distance between ideal positions, Å; nearer than that an atom has no other place."""
    fractional = (there[:, None] - there[None]) @ np.linalg.inv(lattice)
    distance = np.linalg.norm((fractional - np.rint(fractional)) @ lattice, axis=-1)
    return float(distance[~np.eye(len(there), dtype=bool)].min(initial=np.inf)) / 2
