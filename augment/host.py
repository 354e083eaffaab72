"""The host crystal: standardised cell, space group, and its lattice and void sites as Wyckoff orbits."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.cif import read_structure
from augment.errors import CifError
from augment.symmetry import MATCH_TOLERANCE, SpaceGroup, point_group_symbol, schoenflies
from augment.voids import VoidOrbit, find_voids

if TYPE_CHECKING:
    from pymatgen.core import Structure

SYMPREC = 0.01
"""Å; atoms this close to their symmetric places count as being there."""

_HASH_DECIMALS = 4
_MARKER_ATOMIC_NUMBER = 200
"""Stands for a void site when spglib is asked for its Wyckoff letter; no element has it."""


@dataclass(frozen=True)
class SiteOrbit:
    """One Wyckoff orbit of lattice or void sites.

    Attributes:
        element: symbol of the host atom there; empty for a void.
        wyckoff: multiplicity in the conventional cell and letter (`4a`); letters hold up to the affine normaliser.
        site_symmetry: oriented site-symmetry symbol (`4/mm.m`).
        point_group: Schoenflies symbol of the site-symmetry group (`D4h`).
        multiplicity: sites in the conventional cell.
        order: order of the site-symmetry group.
        members: indices of its sites in the primitive cell (lattice sites first, then voids).
        radius: distance to the nearest atom, Å.
    """

    element: str
    wyckoff: str
    site_symmetry: str
    point_group: str
    multiplicity: int
    order: int
    members: tuple[int, ...]
    radius: float

    @property
    def void(self) -> bool:
        """Whether the orbit is of interstitial sites."""
        return not self.element


@dataclass(frozen=True, eq=False)
class Host:
    """A pristine crystal in the standard setting of its space group.

    Attributes:
        lattice: (3, 3) conventional standard lattice, rows, Å.
        primitive: (3, 3) primitive lattice, rows, Å.
        group: space-group operations in the primitive basis.
        points: (n, 3) fractional coordinates in the primitive cell of lattice sites, then void sites.
        numbers: (n,) atomic numbers, 0 for a void.
        orbits: Wyckoff orbits, lattice orbits first, voids by falling radius.
        space_group_number: 1 to 230.
        space_group_symbol: short Hermann-Mauguin symbol.
    """

    lattice: FloatArray
    primitive: FloatArray
    group: SpaceGroup
    points: FloatArray
    numbers: IntArray
    orbits: tuple[SiteOrbit, ...]
    space_group_number: int
    space_group_symbol: str

    @property
    def n_lattice(self) -> int:
        """Number of atoms in the primitive cell."""
        return int((self.numbers > 0).sum())

    @property
    def n_conventional(self) -> int:
        """Number of atoms in the conventional cell."""
        return sum(o.multiplicity for o in self.orbits if not o.void)

    @property
    def elements(self) -> tuple[str, ...]:
        """Element symbols by atomic number."""
        from ase.data import chemical_symbols

        return tuple(chemical_symbols[z] for z in sorted({int(z) for z in self.numbers if z}))

    @cached_property
    def formula(self) -> str:
        """Reduced formula, as pymatgen writes it."""
        from pymatgen.core import Composition

        counts: dict[str, float] = {}
        for orbit in self.orbits:
            if not orbit.void:
                counts[orbit.element] = counts.get(orbit.element, 0) + orbit.multiplicity
        return str(Composition(counts).reduced_formula)

    @cached_property
    def site_orbit(self) -> IntArray:
        """(n,) index into `orbits` of each site of the primitive cell."""
        index = np.zeros(len(self.points), dtype=np.int64)
        for k, orbit in enumerate(self.orbits):
            index[list(orbit.members)] = k
        return index

    @cached_property
    def site_maps(self) -> tuple[IntArray, IntArray]:
        """Image (g, n) and lattice offset (g, n, 3) of each site under each operation."""
        kinds = np.where(self.numbers > 0, self.numbers, -1 - self.site_orbit)
        return self.group.site_maps(self.points, kinds, self.primitive)

    @cached_property
    def hash(self) -> str:
        """Twelve hexadecimal digits of the space group, lattice and sites, rounded to 1e-4."""
        rows = [str(self.space_group_number)]
        rows += [f"{x:.{_HASH_DECIMALS}f}" for x in (self.lattice @ self.lattice.T)[np.triu_indices(3)]]
        rows += [
            f"{z}:" + ",".join(f"{x:.{_HASH_DECIMALS}f}" for x in _wrap(p))
            for z, p in zip(self.numbers, self.points, strict=True)
            if z
        ]
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:12]

    def to_pymatgen(self) -> Structure:
        """Conventional standard cell as a pymatgen Structure."""
        from pymatgen.core import Element, Lattice, Structure

        points, numbers = _conventional(self)
        return Structure(Lattice(self.lattice), [Element.from_Z(int(z)) for z in numbers], points)

    def to_dict(self) -> dict[str, Any]:
        """JSON values: formula, hash, space group, lattice and the Wyckoff table."""
        return {
            "formula": self.formula,
            "hash": self.hash,
            "space_group_number": self.space_group_number,
            "space_group_symbol": self.space_group_symbol,
            "lattice": self.lattice.tolist(),
            "atoms_conventional": self.n_conventional,
            "atoms_primitive": self.n_lattice,
            "sites": [
                {
                    "element": orbit.element or "void",
                    "wyckoff": orbit.wyckoff,
                    "site_symmetry": orbit.site_symmetry,
                    "point_group": orbit.point_group,
                    "multiplicity": orbit.multiplicity,
                    "radius": round(orbit.radius, 4),
                    "fractional": np.round(self.conventional_point(orbit.members[0]), 6).tolist(),
                }
                for orbit in self.orbits
            ],
        }

    def conventional_point(self, site: int) -> FloatArray:
        """Fractional coordinates (3,) of a primitive-cell site in the conventional cell."""
        return _wrap(self.points[site] @ self.primitive @ np.linalg.inv(self.lattice))


def read_host(path: str | Path) -> Host:
    """Host of a CIF, standardised, with its void sites.

    Raises:
        CifError: the file holds no usable ideal crystal.
    """
    return host_from_structure(read_structure(path), where=str(path))


def host_from_structure(structure: Structure, where: str = "structure") -> Host:
    """Host of an ordered pymatgen Structure in any cell and setting.

    Args:
        structure: the ideal crystal.
        where: what to call the source in errors.

    Raises:
        CifError: no space group can be found at a tolerance of 0.01 Å.
    """
    cell = (structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers))
    dataset = _dataset(cell, where)
    conventional = np.asarray(dataset.std_lattice)
    group, basis = _primitive_group(int(dataset.hall_number))
    primitive = basis @ conventional
    points, numbers = _primitive_sites(dataset, basis)
    points = _symmetrised(group, points, numbers, primitive)
    voids = find_voids(group, points, primitive)
    return _assemble(conventional, primitive, group, points, numbers, voids, dataset)


def _dataset(cell: tuple[Any, Any, Any], where: str, hall_number: int = 0) -> Any:
    import spglib

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = spglib.get_symmetry_dataset(cell, symprec=SYMPREC, hall_number=hall_number)
        except Exception:  # noqa: BLE001  spglib raises its own errors or returns None, by version
            dataset = None
    if dataset is None:
        raise CifError(f"{where}: no space group found at {SYMPREC} Å; check the coordinates for overlaps")
    return dataset


def _primitive_group(hall_number: int) -> tuple[SpaceGroup, FloatArray]:
    """Operations of a space group in its primitive basis, and that basis (3, 3) in conventional axes."""
    import spglib

    database = spglib.get_symmetry_from_database(hall_number)
    rotations, translations = database["rotations"], database["translations"]
    identity = (rotations == np.eye(3, dtype=int)).all(axis=(1, 2))
    basis = _centring_basis(translations[identity])
    # Column vectors of coordinates change as x_primitive = to_primitive x_conventional.
    to_primitive, to_conventional = np.linalg.inv(basis.T), basis.T
    _, first = np.unique(rotations.reshape(-1, 9), axis=0, return_index=True)
    first.sort()
    turned = np.rint(to_primitive @ rotations[first] @ to_conventional).astype(np.int64)
    shifted = translations[first] @ to_primitive.T
    return SpaceGroup(turned, _wrap(np.round(shifted * 24) / 24)), basis


_CENTRINGS = {
    1: np.eye(3),
    "A": np.array([[1, 0, 0], [0, 0.5, -0.5], [0, 0.5, 0.5]]),
    "C": np.array([[0.5, -0.5, 0], [0.5, 0.5, 0], [0, 0, 1]]),
    "B": np.array([[0.5, 0, -0.5], [0, 1, 0], [0.5, 0, 0.5]]),
    "I": np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]]),
    3: np.array([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]]) / 3,
    4: np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]),
}


def _centring_basis(vectors: FloatArray) -> FloatArray:
    """Primitive basis (3, 3), rows in conventional axes, of the lattice with these centring vectors."""
    if len(vectors) != 2:  # noqa: PLR2004  two centring vectors mean A, B, C or I
        return _CENTRINGS[len(vectors)]
    halves = _wrap(vectors[np.abs(_wrap(vectors)).sum(axis=1) > 0.1][0])  # noqa: PLR2004  not the zero vector
    letter = {"011": "A", "101": "B", "110": "C", "111": "I"}["".join(str(round(2 * h)) for h in halves)]
    return _CENTRINGS[letter]


def _primitive_sites(dataset: Any, basis: FloatArray) -> tuple[FloatArray, IntArray]:
    """Sites of the primitive cell in a canonical order: element, then coordinates."""
    points = _wrap(np.asarray(dataset.std_positions) @ np.linalg.inv(basis))
    numbers = np.asarray(dataset.std_types, dtype=np.int64)
    difference = points[:, None] - points[None]
    difference -= np.rint(difference)
    distance = np.linalg.norm(difference @ basis @ np.asarray(dataset.std_lattice), axis=-1)
    same = distance < MATCH_TOLERANCE
    keep = np.flatnonzero(same.argmax(axis=1) == np.arange(len(points)))
    points, numbers = points[keep], numbers[keep]
    order = np.lexsort((*np.round(points, 4).T[::-1], numbers))
    return points[order], numbers[order]


def _symmetrised(group: SpaceGroup, points: FloatArray, numbers: IntArray, primitive: FloatArray) -> FloatArray:
    """Move each site onto the mean of its images, so that the operations hold to rounding."""
    image, offset = group.site_maps(points, numbers, primitive)
    moved = group.images(points) - offset
    mean = np.zeros_like(points)
    np.add.at(mean, image.ravel(), moved.reshape(-1, 3))
    return _wrap(mean / group.order)


def _assemble(
    conventional: FloatArray,
    primitive: FloatArray,
    group: SpaceGroup,
    points: FloatArray,
    numbers: IntArray,
    voids: list[VoidOrbit],
    dataset: Any,
) -> Host:
    from ase.data import chemical_symbols

    cells = round(float(np.linalg.det(conventional) / np.linalg.det(primitive)))
    image, _ = group.site_maps(points, numbers, primitive)
    radii = _nearest(points, primitive)
    hall = int(dataset.hall_number)
    letters = _letters(primitive, points, numbers, hall)
    found = []
    for first in np.unique(image.min(axis=0)):
        members = tuple(np.flatnonzero(image.min(axis=0) == first).tolist())
        letter, symbol = letters[int(first)]
        order = group.order // len(members)
        stabilizer = group.rotations[image[:, first] == first]
        count = len(members) * cells
        element = chemical_symbols[int(numbers[first])]
        name = schoenflies(point_group_symbol(stabilizer))
        found.append(SiteOrbit(element, f"{count}{letter}", symbol, name, count, order, members, radii[first]))
    start = len(points)
    for void in voids:
        members = tuple(range(start, start + len(void.points)))
        letter, symbol = _void_letter(primitive, points, numbers, void.points, hall)
        order = group.order // len(members)
        count = len(members) * cells
        found.append(SiteOrbit("", f"{count}{letter}", symbol, void.point_group, count, order, members, void.radius))
        start += len(members)
    return Host(
        lattice=conventional,
        primitive=primitive,
        group=group,
        points=np.concatenate([points, *(v.points for v in voids)]),
        numbers=np.concatenate([numbers, np.zeros(start - len(points), dtype=np.int64)]),
        orbits=tuple(found),
        space_group_number=int(dataset.number),
        space_group_symbol=str(dataset.international),
    )


def _letters(primitive: FloatArray, points: FloatArray, numbers: IntArray, hall: int) -> list[tuple[str, str]]:
    dataset = _dataset((primitive, points, numbers), "standardised host", hall)
    return list(zip(dataset.wyckoffs, dataset.site_symmetry_symbols, strict=True))


def _void_letter(
    primitive: FloatArray, points: FloatArray, numbers: IntArray, void: FloatArray, hall: int
) -> tuple[str, str]:
    """Wyckoff letter and site symmetry of a void orbit, found by putting marker atoms there."""
    every = np.concatenate([points, void])
    kinds = np.concatenate([numbers, np.full(len(void), _MARKER_ATOMIC_NUMBER)])
    return _letters(primitive, every, kinds, hall)[-1]


def _nearest(points: FloatArray, primitive: FloatArray) -> FloatArray:
    """Distance from each site to its nearest neighbour, Å."""
    from augment.voids import images_around

    atoms = images_around(points, primitive)
    distance = np.linalg.norm(atoms[None] - (points @ primitive)[:, None], axis=-1)
    distance[distance < MATCH_TOLERANCE] = np.inf
    nearest: FloatArray = distance.min(axis=1)
    return nearest


def _conventional(host: Host) -> tuple[FloatArray, IntArray]:
    """Fractional coordinates and atomic numbers of all atoms of the conventional cell."""
    basis = np.rint(host.lattice @ np.linalg.inv(host.primitive)).astype(np.int64)
    reach = int(np.abs(basis).sum(axis=0).max())
    grid = np.arange(-reach, reach + 1)
    shifts = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), axis=-1).reshape(-1, 3)
    lattice_sites = host.numbers > 0
    every = host.points[lattice_sites][:, None] + shifts[None]
    fractional = every @ np.linalg.inv(basis)
    inside = ((fractional > -1e-6) & (fractional < 1 - 1e-6)).all(axis=-1)  # noqa: PLR2004  rounding at the faces
    numbers = np.broadcast_to(host.numbers[lattice_sites][:, None], inside.shape)[inside]
    return _wrap(fractional[inside]), np.asarray(numbers, dtype=np.int64)


def _wrap(points: FloatArray) -> FloatArray:
    """Fractional coordinates in [0, 1), with numbers a rounding error below 1 taken as 0."""
    wrapped = points - np.floor(points)
    wrapped[wrapped > 1 - 1e-6] = 0.0
    return wrapped
