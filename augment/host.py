"""The host crystal: standardised cell, space group, and its lattice and void sites as Wyckoff orbits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.standard import StandardCrystal, standardise
from augment.crystal.vacuum import MIN_VACUUM, widest_gap
from augment.crystal.voids import VoidOrbit, find_voids
from augment.elements import element_symbol, reduced_formula
from augment.errors import SymmetryError
from augment.groups.symmetry import GRID_SPACING, SpaceGroup, rounded_to_grid, wrap
from augment.host_sites import HostSites, SiteOrbit, lattice_sites, void_sites
from augment.prototype import prototype_label

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True, eq=False)
class Host:
    """A pristine crystal in the standard setting of its space group.

    Attributes:
        lattice: (3, 3) conventional standard lattice, rows, Å.
        primitive: (3, 3) primitive lattice, rows, Å.
        group: space-group operations in the primitive basis.
        atoms: the lattice sites.
        find_empty: returns the sites without an atom, voids by falling radius; called once, when they are first needed,
            as the search for voids is the most costly part of a host.
        space_group_number: 1 to 230.
        space_group_symbol: short Hermann-Mauguin symbol.
        normal: of a layer or a crystal with a planar defect, the integers h for which the plane is h·x = constant in
            the primitive cell; none in a bulk crystal.
        unrelaxed: of a crystal that was relaxed under a potential, the one that it was before, whose names and hash it
            keeps.
        notes: what was assumed or dropped when it was read, one line each.
        oxidation: oxidation states that its file states, by element.
    """

    lattice: FloatArray
    primitive: FloatArray
    group: SpaceGroup
    atoms: HostSites
    find_empty: Callable[[], HostSites]
    space_group_number: int
    space_group_symbol: str
    normal: tuple[int, int, int] | None = None
    unrelaxed: Host | None = None
    notes: tuple[str, ...] = ()
    oxidation: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def empty(self) -> HostSites:
        """The sites without an atom: voids, and the ends of dumbbells."""
        return self.find_empty()

    @cached_property
    def sites(self) -> HostSites:
        """All sites, lattice sites first."""
        return self.atoms + self.empty

    @property
    def points(self) -> FloatArray:
        """(n, 3) fractional coordinates in the primitive cell of lattice sites, then void sites."""
        return self.sites.points

    @property
    def numbers(self) -> IntArray:
        """(n,) atomic numbers, 0 for a void."""
        return self.sites.numbers

    @property
    def orbits(self) -> tuple[SiteOrbit, ...]:
        """Wyckoff orbits, lattice orbits first."""
        return self.sites.orbits

    def orbit(self, index: int) -> SiteOrbit:
        """One of `orbits`; voids are not searched for where it is of atoms."""
        orbits = self.atoms.orbits if 0 <= index < len(self.atoms.orbits) else self.orbits
        return orbits[index]

    @property
    def n_lattice(self) -> int:
        """Number of atoms in the primitive cell."""
        return len(self.atoms)

    @property
    def n_conventional(self) -> int:
        """Number of atoms in the conventional cell."""
        return sum(o.multiplicity for o in self.atoms.orbits)

    @property
    def elements(self) -> tuple[str, ...]:
        """Element symbols by atomic number."""
        return tuple(element_symbol(int(z)) for z in np.unique(self.atoms.numbers))

    @cached_property
    def has_vacuum(self) -> bool:
        """Whether it is a layer or a slab with a vacuum, which no barostat and no relaxation may close."""
        if self.normal is None:
            return False
        spacing = 1 / np.linalg.norm(np.linalg.solve(self.primitive, np.array(self.normal, dtype=float)))
        return bool(widest_gap(self.points[: self.n_lattice] @ np.array(self.normal))[1] * spacing >= MIN_VACUUM)

    @cached_property
    def formula(self) -> str:
        """Reduced formula, as pymatgen writes it."""
        counts: dict[str, float] = {}
        for orbit in self.atoms.orbits:
            counts[orbit.element] = counts.get(orbit.element, 0) + orbit.multiplicity
        return reduced_formula(counts)

    @cached_property
    def prototype(self) -> str:
        """Structure type: anonymised formula, space group, and the Wyckoff positions of each element."""
        return prototype_label(self.space_group_number, self.atoms.orbits)

    @property
    def site_orbit(self) -> IntArray:
        """(n,) index into `orbits` of each site of the primitive cell."""
        return self.sites.orbit

    @cached_property
    def site_maps(self) -> tuple[IntArray, IntArray]:
        """Image (g, n) and lattice offset (g, n, 3) of each site under each operation."""
        return self.sites.maps(self.group, self.primitive)

    @cached_property
    def atom_maps(self) -> tuple[IntArray, IntArray]:
        """Image (g, n_lattice) and lattice offset of each lattice site under each operation."""
        return self.atoms.maps(self.group, self.primitive)

    @cached_property
    def hash(self) -> str:
        """Twelve hexadecimal digits of the space group, the metric and the sites, on a grid of 1e-4.

        The void sites of a bulk crystal follow from its atoms; those of a crystal with a plane from the plane as
        well, so its normal and the sizes of its void orbits count. A relaxed crystal has that of the unrelaxed one.
        """
        if self.unrelaxed is not None:
            return self.unrelaxed.hash
        metric = rounded_to_grid((self.lattice @ self.lattice.T)[np.triu_indices(3)])
        sites = rounded_to_grid(self.atoms.points) % round(1 / GRID_SPACING)
        rows = np.concatenate([self.atoms.numbers[:, None], sites], axis=1)
        content = [self.space_group_number, metric.tolist(), rows.tolist()]
        if self.normal is not None:
            content += [list(self.normal), [len(o.members) for o in self.empty.orbits if not o.axis]]
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
            atoms=replace(self.atoms, points=points),
            find_empty=partial(_empty_sites, self),
            unrelaxed=self.unrelaxed or self,
        )
        if not np.array_equal(moved.atom_maps[0], self.atom_maps[0]):
            raise SymmetryError(f"{self.formula}: the relaxed sites do not have the symmetry of the crystal")
        return moved

    def to_pymatgen(self) -> Structure:
        """Conventional standard cell as a pymatgen Structure."""
        from pymatgen.core import Element, Lattice, Structure

        points, numbers = _conventional(self)
        return Structure(Lattice(self.lattice), [Element.from_Z(int(z)) for z in numbers], points)

    def to_dict(self) -> dict[str, Any]:
        """JSON values: formula, hash, space group, lattice, the Wyckoff table, and what its file says besides."""
        stated = {"notes": list(self.notes), "oxidation": dict(self.oxidation)}
        return {
            "formula": self.formula,
            "prototype": self.prototype,
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
            **{key: value for key, value in stated.items() if value},
        }

    def __repr__(self) -> str:
        orbits = ", ".join(f"{o.element}@{o.wyckoff}" for o in self.atoms.orbits)
        return f"Host({self.formula}, {self.space_group_symbol}, {orbits}, {self.hash})"

    def conventional_point(self, site: int) -> FloatArray:
        """Fractional coordinates (3,) of a primitive-cell site in the conventional cell."""
        return wrap(self.points[site] @ self.primitive @ np.linalg.inv(self.lattice))


def host_from_structure(structure: Structure, where: str = "structure") -> Host:
    """Bulk host of an ordered pymatgen Structure in any cell and setting; see `host_or_layer` for layers with vacuum.

    Args:
        structure: the ideal crystal.
        where: what to call the source in errors.

    Raises:
        CifError: no space group can be found at a tolerance of 0.01 Å.
    """
    crystal = standardise(structure, where)
    return assemble_host(crystal, partial(find_voids, crystal.standard.group, crystal.points, crystal.primitive))


def assemble_host(
    crystal: StandardCrystal,
    voids: Callable[[], Sequence[VoidOrbit]],
    normal: tuple[int, int, int] | None = None,
) -> Host:
    """Host of a standardised crystal and of void orbits that are searched when needed; `normal` as in Host."""
    return Host(
        lattice=crystal.lattice,
        primitive=crystal.primitive,
        group=crystal.standard.group,
        atoms=lattice_sites(crystal),
        find_empty=partial(_searched_sites, crystal, voids),
        space_group_number=crystal.standard.number,
        space_group_symbol=crystal.symbol,
        normal=normal,
    )


def _searched_sites(crystal: StandardCrystal, voids: Callable[[], Sequence[VoidOrbit]]) -> HostSites:
    return void_sites(crystal, voids())


def _empty_sites(host: Host) -> HostSites:
    """The sites of another host that hold no atom."""
    return host.empty


def _conventional(host: Host) -> tuple[FloatArray, IntArray]:
    """Fractional coordinates and atomic numbers of all atoms of the conventional cell."""
    basis = np.rint(host.lattice @ np.linalg.inv(host.primitive)).astype(np.int64)
    reach = int(np.abs(basis).sum(axis=0).max())
    grid = np.arange(-reach, reach + 1)
    shifts = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), axis=-1).reshape(-1, 3)
    every = host.atoms.points[:, None] + shifts[None]
    fractional = every @ np.linalg.inv(basis)
    inside = ((fractional > -1e-6) & (fractional < 1 - 1e-6)).all(axis=-1)  # noqa: PLR2004  rounding at the faces
    numbers = np.broadcast_to(host.atoms.numbers[:, None], inside.shape)[inside]
    return wrap(fractional[inside]), np.asarray(numbers, dtype=np.int64)
