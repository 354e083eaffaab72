"""The host crystal: standardised cell, space group, and its lattice and void sites as Wyckoff orbits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.cif import read_crystal_file
from augment.crystal.spacegroup import StandardGroup
from augment.crystal.standard import StandardCrystal, standardise
from augment.crystal.voids import VoidOrbit, find_voids
from augment.elements import element_symbol, reduced_formula
from augment.errors import SymmetryError
from augment.groups.symmetry import (
    GRID_SPACING,
    MATCH_TOLERANCE,
    SpaceGroup,
    point_group_symbol,
    rounded_to_grid,
    schoenflies,
    wrap,
)

if TYPE_CHECKING:
    from pymatgen.core import Structure


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
        axis: of a site at the end of a dumbbell, its direction in the conventional cell (`110`); else empty.
    """

    element: str
    wyckoff: str
    site_symmetry: str
    point_group: str
    multiplicity: int
    order: int
    members: tuple[int, ...]
    radius: float
    axis: str = ""

    @property
    def void(self) -> bool:
        """Whether the orbit is of sites without an atom: voids, and the ends of dumbbells."""
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
        normal: of a crystal with a planar defect, the integers h for which the plane is h·x = constant in the
            primitive cell; none in a bulk crystal.
        unrelaxed: of a crystal that was relaxed under a potential, the one that it was before, whose names and hash it
            keeps.
        notes: what was dropped or assumed in reading it from its file, one line each.
        oxidation: mean charge in e of the atoms of each element, for the elements whose charges the file gives.
    """

    lattice: FloatArray
    primitive: FloatArray
    group: SpaceGroup
    points: FloatArray
    numbers: IntArray
    orbits: tuple[SiteOrbit, ...]
    space_group_number: int
    space_group_symbol: str
    normal: tuple[int, int, int] | None = None
    unrelaxed: Host | None = None
    notes: tuple[str, ...] = ()
    oxidation: Mapping[str, float] = field(default_factory=dict)

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
        return tuple(element_symbol(z) for z in sorted({int(z) for z in self.numbers if z}))

    @cached_property
    def formula(self) -> str:
        """Reduced formula, as pymatgen writes it."""
        counts: dict[str, float] = {}
        for orbit in self.orbits:
            if not orbit.void:
                counts[orbit.element] = counts.get(orbit.element, 0) + orbit.multiplicity
        return reduced_formula(counts)

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
        """Twelve hexadecimal digits of the space group, the metric and the sites, on a grid of 1e-4.

        The void sites of a bulk crystal follow from its atoms; those of a crystal with a plane from the plane as
        well, so its normal and the sizes of its void orbits count. A relaxed crystal has that of the unrelaxed one.
        """
        if self.unrelaxed is not None:
            return self.unrelaxed.hash
        metric = rounded_to_grid((self.lattice @ self.lattice.T)[np.triu_indices(3)])
        sites = rounded_to_grid(self.points[: self.n_lattice]) % round(1 / GRID_SPACING)
        rows = np.concatenate([self.numbers[: self.n_lattice, None], sites], axis=1)
        content = [self.space_group_number, metric.tolist(), rows.tolist()]
        if self.normal is not None:
            content += [list(self.normal), [len(o.members) for o in self.orbits if o.void]]
        text = json.dumps(content)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def relaxed(self, primitive: FloatArray, points: FloatArray) -> Host:
        """The same crystal on another lattice: its sites keep their numbers, and defects in it their keys and names.

        Args:
            primitive: (3, 3) primitive lattice with this one's symmetry, rows, Å.
            points: (n_lattice, 3) fractional coordinates of the lattice sites; void sites keep theirs.

        Raises:
            SymmetryError: the sites do not have the symmetry of this crystal.
        """
        basis = np.rint(self.lattice @ np.linalg.inv(self.primitive))
        moved = replace(
            self,
            lattice=basis @ primitive,
            primitive=primitive,
            points=np.concatenate([points, self.points[self.n_lattice :]]),
            unrelaxed=self.unrelaxed or self,
        )
        if not np.array_equal(moved.site_maps[0], self.site_maps[0]):
            raise SymmetryError(f"{self.formula}: the relaxed sites do not have the symmetry of the crystal")
        return moved

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
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        orbits = ", ".join(f"{o.element}@{o.wyckoff}" for o in self.orbits if not o.void)
        voids = sum(o.void for o in self.orbits)
        return f"Host({self.formula}, {self.space_group_symbol}, {orbits}, {voids} void orbits, {self.hash})"

    def conventional_point(self, site: int) -> FloatArray:
        """Fractional coordinates (3,) of a primitive-cell site in the conventional cell."""
        return wrap(self.points[site] @ self.primitive @ np.linalg.inv(self.lattice))


def read_host(path: str | Path, block: str | None = None) -> Host:
    """Host of a CIF, standardised, with its void sites.

    Args:
        path: of the CIF.
        block: name of the data block, for a file with several crystals.

    Raises:
        CifError: the file holds no usable ideal crystal.
    """
    crystal = read_crystal_file(path, block)
    host = host_from_structure(crystal.structure, where=str(path))
    return replace(host, notes=crystal.notes, oxidation=crystal.oxidation_states)


def host_from_structure(structure: Structure, where: str = "structure") -> Host:
    """Host of an ordered pymatgen Structure in any cell and setting.

    Args:
        structure: the ideal crystal.
        where: what to call the source in errors.

    Raises:
        CifError: no space group can be found at a tolerance of 0.01 Å.
    """
    crystal = standardise(structure, where)
    voids = find_voids(crystal.standard.group, crystal.points, crystal.primitive)
    return assemble_host(crystal, voids)


def assemble_host(crystal: StandardCrystal, voids: list[VoidOrbit], normal: tuple[int, int, int] | None = None) -> Host:
    """Host of a standardised crystal and its void orbits; `normal` as in Host."""
    image, _ = crystal.standard.group.site_maps(crystal.points, crystal.numbers, crystal.primitive)
    radii = _nearest(crystal.points, crystal.primitive)
    smallest = image.min(axis=0)
    points, start = [crystal.points], len(crystal.points)
    orbits = [
        site_orbit(
            crystal.standard,
            crystal.primitive,
            np.flatnonzero(smallest == first),
            points[0],
            number=int(crystal.numbers[first]),
            radius=float(radii[first]),
        )
        for first in np.unique(smallest)
    ]
    for void in voids:
        members = np.arange(start, start + len(void.points))
        points.append(void.points)
        start += len(members)
        orbits.append(
            site_orbit(crystal.standard, crystal.primitive, members, np.concatenate(points), radius=void.radius)
        )
    return Host(
        lattice=crystal.lattice,
        primitive=crystal.primitive,
        group=crystal.standard.group,
        points=np.concatenate(points),
        numbers=np.concatenate([crystal.numbers, np.zeros(start - len(crystal.points), dtype=np.int64)]),
        orbits=tuple(orbits),
        space_group_number=crystal.standard.number,
        space_group_symbol=crystal.symbol,
        normal=normal,
    )


def site_orbit(
    standard: StandardGroup,
    primitive: FloatArray,
    members: IntArray,
    points: FloatArray,
    *,
    radius: float,
    number: int = 0,
    axis: str = "",
) -> SiteOrbit:
    """The orbit of some sites of the primitive cell, with its Wyckoff position and site symmetry.

    Args:
        standard: the space group.
        primitive: (3, 3) primitive lattice, rows, Å.
        members: indices of the orbit's sites.
        points: (n, 3) fractional coordinates of all sites.
        radius: distance to the nearest atom, Å.
        number: atomic number; 0 where there is no atom.
        axis: as in SiteOrbit.
    """
    first = points[members[0]]
    count = len(members) * standard.cells
    position = standard.position_of(first, count)
    offset = standard.group.images(first[None])[:, 0] - first
    fixing = np.linalg.norm((offset - np.rint(offset)) @ primitive, axis=1) < MATCH_TOLERANCE
    return SiteOrbit(
        element=element_symbol(number) if number else "",
        wyckoff=f"{count}{position.letter}",
        site_symmetry=position.site_symmetry,
        point_group=schoenflies(point_group_symbol(standard.group.rotations[fixing])),
        multiplicity=count,
        order=standard.group.order // len(members),
        members=tuple(members.tolist()),
        radius=radius,
        axis=axis,
    )


def _nearest(points: FloatArray, primitive: FloatArray) -> FloatArray:
    """Distance from each site to its nearest neighbour, Å."""
    from augment.neighbours import images_around

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
    return wrap(fractional[inside]), np.asarray(numbers, dtype=np.int64)
