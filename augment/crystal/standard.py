"""Standardisation of a crystal: one description, the same whatever cell, origin, setting and atom order it came in."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.normalizer import anchor_shifts, least_cells, origin_shifts
from augment.crystal.spacegroup import StandardGroup, standard_group
from augment.errors import CifError, SymmetryError
from augment.groups.symmetry import GRID_SPACING, MATCH_TOLERANCE, rounded_to_grid, wrap

if TYPE_CHECKING:
    from pymatgen.core import Structure

SYMPREC = 0.01
"""Å; atoms this close to their symmetric places count as being there."""

_DIGITS = 7
"""Decimals of fractional coordinates and of the metric (Å²), so that rounding errors leave no trace."""


@dataclass(frozen=True, eq=False)
class StandardCrystal:
    """A crystal in the canonical description: of all those in its group's standard setting, the least.

    Attributes:
        standard: its space group.
        symbol: short Hermann-Mauguin symbol.
        lattice: (3, 3) conventional lattice, rows, Å; a along x, b in the xy plane.
        points: (n, 3) fractional coordinates in the primitive cell, by atomic number and coordinates.
        numbers: (n,) atomic numbers.
        linear: (3, 3) integers: a point x of the given cell is `linear @ x + shift` in the primitive one.
        shift: (3,) fractions.
    """

    standard: StandardGroup
    symbol: str
    lattice: FloatArray
    points: FloatArray
    numbers: IntArray
    linear: IntArray
    shift: FloatArray

    @property
    def primitive(self) -> FloatArray:
        """(3, 3) primitive lattice, rows, Å."""
        return self.standard.basis @ self.lattice


def standardise(structure: Structure, where: str) -> StandardCrystal:
    """Canonical description of an ordered pymatgen Structure in any cell and setting.

    Raises:
        CifError: no space group can be found at a tolerance of 0.01 Å, or it does not hold.
    """
    axes = [0, 1, 2] if np.linalg.det(structure.lattice.matrix) > 0 else [1, 0, 2]
    structure = _with_axes(structure, axes)
    dataset = _dataset(structure, where)
    standard = standard_group(int(dataset.number))
    to_primitive = np.linalg.inv(standard.basis.T)
    try:
        lattice, points, numbers = _primitive_sites(structure, dataset, standard)
        lattice = _rounded_lattice(standard, lattice)
        points = _symmetrised(standard, points, numbers, standard.basis @ lattice)
        lattice, points, linear, shift = _least_description(standard, lattice, points, numbers)
        lattice = _rounded_lattice(standard, lattice)
        points = _symmetrised(standard, np.round(points, _DIGITS), numbers, standard.basis @ lattice)
    except SymmetryError as error:
        raise CifError(f"{where}: its space group {dataset.international} does not hold ({error})") from None
    order = _site_order(numbers, points)
    shift = linear @ to_primitive @ np.asarray(dataset.origin_shift) + shift
    linear = np.rint(linear @ to_primitive @ dataset.transformation_matrix).astype(np.int64)
    shift = _refined_shift(structure.frac_coords @ linear.T + shift, points, standard.basis @ lattice) + shift
    crystal = (lattice, points[order], numbers[order])
    return StandardCrystal(standard, str(dataset.international), *crystal, linear[:, axes], shift)


def primitive_atoms(structure: Structure, where: str) -> int:
    """Atoms in the primitive cell of an ordered structure, without its standard description.

    Raises:
        CifError: no space group can be found at a tolerance of 0.01 Å.
    """
    return len(np.unique(_dataset(structure, where).mapping_to_primitive))


def _refined_shift(given: FloatArray, points: FloatArray, primitive: FloatArray) -> FloatArray:
    """Mean offset (3,) from the given atoms to their places: spglib's origin is off by up to its tolerance."""
    offset = points[:, None] - given
    offset -= np.rint(offset)
    nearest = np.linalg.norm(offset @ primitive, axis=-1).argmin(axis=0)
    mean: FloatArray = offset[nearest, np.arange(len(nearest))].mean(axis=0)
    return mean


def _with_axes(structure: Structure, axes: list[int]) -> Structure:
    """The same crystal with its axes in another order: right-handed, as spglib expects."""
    return type(structure)(structure.lattice.matrix[axes], structure.species, structure.frac_coords[:, axes])


def _dataset(structure: Structure, where: str) -> Any:
    import spglib

    cell = (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = spglib.get_symmetry_dataset(cell, symprec=SYMPREC)
        except Exception:  # noqa: BLE001  spglib raises its own errors or returns None, by version
            dataset = None
    if dataset is None:
        raise CifError(f"{where}: no space group found at {SYMPREC} Å; check the coordinates for overlaps")
    return dataset


def _primitive_sites(
    structure: Structure, dataset: Any, standard: StandardGroup
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Conventional lattice, and fractional coordinates and atomic numbers of the sites of the primitive cell.

    The structure is only turned and shifted as spglib says: its own idealised positions carry errors of its tolerance.
    """
    transformation = np.asarray(dataset.transformation_matrix)
    lattice = np.linalg.inv(transformation).T @ structure.lattice.matrix
    conventional = structure.frac_coords @ transformation.T + np.asarray(dataset.origin_shift)
    points = conventional @ np.linalg.inv(standard.basis)
    numbers = np.array(structure.atomic_numbers, dtype=np.int64)
    difference = points[None] - points[:, None]
    difference -= np.rint(difference)
    distance = np.linalg.norm(difference @ standard.basis @ lattice, axis=-1)
    same = (distance < MATCH_TOLERANCE) & (numbers[:, None] == numbers)
    keep = np.flatnonzero(same.argmax(axis=1) == np.arange(len(points)))
    offset = (difference * same[..., None]).sum(axis=1) / same.sum(axis=1, keepdims=True)
    return lattice, wrap(points + offset)[keep], numbers[keep]


def _symmetrised(standard: StandardGroup, points: FloatArray, numbers: IntArray, primitive: FloatArray) -> FloatArray:
    """Move each site onto the mean of its images, so that the operations hold to rounding."""
    image, offset = standard.group.site_maps(points, numbers, primitive)
    moved = standard.group.images(points) - offset
    mean = np.zeros_like(points)
    np.add.at(mean, image.ravel(), moved.reshape(-1, 3))
    return wrap(mean / standard.group.order)


def _rounded_lattice(standard: StandardGroup, lattice: FloatArray) -> FloatArray:
    """The lattice with a metric that is rounded, exactly invariant, and oriented with a along x and b in xy."""
    to_conventional, to_primitive = standard.basis.T, np.linalg.inv(standard.basis.T)
    rotations = to_conventional @ standard.group.rotations @ to_primitive
    metric = lattice @ lattice.T
    for _ in range(2):
        metric = (rotations.transpose(0, 2, 1) @ np.round(metric, _DIGITS) @ rotations).mean(axis=0)
    return np.asarray(np.linalg.cholesky(metric), dtype=float)


def _least_description(
    standard: StandardGroup, lattice: FloatArray, points: FloatArray, numbers: IntArray
) -> tuple[FloatArray, FloatArray, IntArray, FloatArray]:
    """Lattice and points of the least description: first by cell, then by Wyckoff letters, then by coordinates.

    Letters and coordinates are compared element by element, from the most electropositive on, so that in MgO
    magnesium is on `a` and oxygen on `b`. The linear part and the shift that lead to it are the last two.
    """
    least, linear = least_cells(standard.number, lattice)
    rank = _electronegativity_rank(numbers)
    image, _ = standard.group.site_maps(points, numbers, standard.basis @ lattice)
    first, count = np.unique(image.min(axis=0), return_counts=True)
    candidates = [(u, tau) for u in linear for tau in origin_shifts(standard.number, u)]
    described = [points @ u.T + tau for u, tau in candidates]
    letters = [_letters(standard, p[first], count, rank[first]) for p in described]
    best = min(letters)
    anchors = _rarest(rank)
    finalists = [
        (wrap(p + shift), u, tau + shift)
        for p, description, (u, tau) in zip(described, letters, candidates, strict=True)
        if description == best
        for shift in anchor_shifts(standard.number, p[anchors])
    ]
    return least, *min(finalists, key=lambda finalist: _coordinates(finalist[0], rank))


def _letters(standard: StandardGroup, points: FloatArray, counts: IntArray, rank: IntArray) -> list[tuple[int, int]]:
    """Rank of the element and index of the Wyckoff position of each orbit, sorted."""
    ranks = []
    for point, count, element in zip(points, counts, rank, strict=True):
        position = standard.position_of(point, int(count) * standard.cells)
        ranks.append((int(element), standard.positions.index(position)))
    return sorted(ranks)


def _coordinates(points: FloatArray, rank: IntArray) -> bytes:
    """Coordinates on the comparison grid, sorted by rank and then by themselves, as bytes of the same order."""
    steps = round(1 / GRID_SPACING)
    x, y, z = (rounded_to_grid(points) % steps).T
    return np.sort(((rank * steps + x) * steps + y) * steps + z).astype(">i8").tobytes()


def _electronegativity_rank(numbers: IntArray) -> IntArray:
    """(n,) place of each atom's element in IUPAC's order, cations first."""
    from pymatgen.core import Element

    rank = {int(z): int(Element.from_Z(int(z)).iupac_ordering) for z in np.unique(numbers)}
    return np.array([rank[int(z)] for z in numbers], dtype=np.int64)


def _rarest(rank: IntArray) -> IntArray:
    """Indices of the atoms of the element with the fewest atoms: what fixes the origin of a polar group."""
    kinds, counts = np.unique(rank, return_counts=True)
    return np.flatnonzero(rank == kinds[np.argmin(counts)])


def _site_order(numbers: IntArray, points: FloatArray) -> IntArray:
    rounded = rounded_to_grid(points) % round(1 / GRID_SPACING)
    return np.asarray(np.lexsort((*rounded.T[::-1], numbers)))
