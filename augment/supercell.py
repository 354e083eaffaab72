"""Supercells of a host, and the space group's action on their sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from augment.cell import BULK, DefectCell, FloatArray, IntArray
from augment.crystal.lattice import hermite_normal_form, layered_matrix, reduced_matrix, successive_minima
from augment.elements import element_symbol
from augment.errors import SupercellError
from augment.groups.symmetry import FiniteGroup
from augment.host import Host
from augment.host_sites import HostSites
from augment.naming import VACANCY


@dataclass(frozen=True, eq=False)
class SiteTable:
    """All sites of a supercell, lattice sites first and voids after, as columns.

    Attributes:
        numbers: (m,) host atomic numbers, 0 for a void.
        positions: (m, 3) ideal Cartesian positions, Å.
        basis: (m,) the site of the primitive cell that each is a copy of.
        orbit: (m,) index into the host's orbits.
        wyckoff: (m,) Wyckoff letters.
        site_symmetry: (m,) oriented site-symmetry symbols.
        site_symmetry_order: (m,) orders of the site-symmetry groups in the host.
        multiplicity: (m,) multiplicities in the conventional cell.
    """

    numbers: IntArray
    positions: FloatArray
    basis: IntArray
    orbit: IntArray
    wyckoff: tuple[str, ...]
    site_symmetry: tuple[str, ...]
    site_symmetry_order: IntArray
    multiplicity: IntArray

    @property
    def void(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """(m,) whether each site is an interstitial one."""
        return np.asarray(self.numbers == 0)


@dataclass(frozen=True, eq=False)
class Supercell:
    """A superlattice of the host, with the exact action of the host's symmetry on its sites.

    Attributes:
        host: the pristine crystal.
        matrix: (3, 3) integers, rows in the basis of the host's primitive lattice, determinant positive.
    """

    host: Host
    matrix: IntArray

    def __post_init__(self) -> None:
        if self.matrix.shape != (3, 3) or round(float(np.linalg.det(self.matrix))) < 1:
            raise SupercellError(f"supercell matrix {self.matrix.tolist()} needs a positive determinant")

    @classmethod
    def primitive(cls, host: Host) -> Supercell:
        """The primitive cell itself."""
        return cls(host, np.eye(3, dtype=np.int64))

    @classmethod
    def from_normal_form(cls, host: Host, form: IntArray) -> Supercell:
        """The superlattice of a Hermite normal form, in its basis of short vectors; two lie in the host's plane.

        Raises:
            SupercellError: the form has a zero on its diagonal.
        """
        if (np.diag(form) < 1).any():
            raise SupercellError(f"{form.tolist()} is no Hermite normal form")
        lattice = (host.unrelaxed or host).primitive
        if host.normal is not None:
            return cls(host, layered_matrix(form, lattice, np.array(host.normal)))
        return cls(host, reduced_matrix(form, lattice))

    @cached_property
    def index(self) -> int:
        """Number of primitive cells in the supercell."""
        return round(float(np.linalg.det(self.matrix)))

    @property
    def n_atoms(self) -> int:
        """Number of atoms in the pristine supercell."""
        return self.index * self.host.n_lattice

    @property
    def cell(self) -> FloatArray:
        """(3, 3) lattice vectors of the supercell, rows, Å."""
        return self.matrix @ self.host.primitive

    @property
    def image_distance(self) -> float:
        """Distance between a site and its nearest periodic image, Å."""
        return float(self._minima[0])

    @property
    def aspect(self) -> float:
        """Longest over shortest vector of the reduced basis; 1 for the most isotropic cells."""
        return float(self._minima[2] / self._minima[0])

    @cached_property
    def _minima(self) -> FloatArray:
        """Lengths (3,) of the reduced basis, shortest first, Å."""
        lengths: FloatArray = successive_minima(self.cell[None])[0]
        return lengths

    @cached_property
    def hermite_normal_form(self) -> IntArray:
        """(3, 3) upper-triangular Hermite normal form of the matrix, the same for every basis of the superlattice."""
        return hermite_normal_form(self.matrix)

    @cached_property
    def point_operations(self) -> IntArray:
        """Indices of the host's operations whose rotation keeps the superlattice."""
        inverse = np.linalg.inv(self.matrix)
        turned = self.matrix @ self.host.group.rotations.transpose(0, 2, 1) @ inverse
        whole = np.abs(turned - np.rint(turned)).max(axis=(1, 2)) < 1e-6  # noqa: PLR2004  integers up to rounding
        return np.flatnonzero(whole)

    @property
    def point_group_index(self) -> int:
        """Index of the kept point group in the host's: 1 when the supercell keeps all of it."""
        return self.host.group.order // len(self.point_operations)

    @property
    def group_order(self) -> int:
        """Order of the supercell's space group modulo the superlattice, |G|."""
        return len(self.point_operations) * self.index

    @cached_property
    def cells(self) -> IntArray:
        """(index, 3) integer coordinates of the primitive cells in the supercell, in the order of the sites."""
        a, b, c = np.diag(self.hermite_normal_form)
        grid = np.meshgrid(np.arange(a), np.arange(b), np.arange(c), indexing="ij")
        return np.stack(grid, axis=-1).reshape(-1, 3)

    def cell_index(self, coordinates: IntArray) -> IntArray:
        """Index into `cells` of integer lattice points (..., 3), modulo the superlattice."""
        form = self.hermite_normal_form
        rest = np.array(coordinates, dtype=np.int64)
        for axis in range(3):
            rest -= (rest[..., axis] // form[axis, axis])[..., None] * form[axis]
        return np.asarray((rest[..., 0] * form[1, 1] + rest[..., 1]) * form[2, 2] + rest[..., 2])

    @cached_property
    def sites(self) -> SiteTable:
        """Table of all sites: site s is copy s % index of primitive-cell site s // index."""
        return self._table(self.host.sites)

    @cached_property
    def lattice_sites(self) -> SiteTable:
        """Table of the lattice sites alone, which come first among all sites."""
        return self._table(self.host.atoms)

    def holds_atoms(self, sites: Sequence[int] | IntArray) -> bool:
        """Whether all of some sites are lattice sites, so that voids need not be known."""
        return int(np.max(sites, initial=-1)) < self.n_atoms

    def table_with(self, sites: Sequence[int] | IntArray) -> SiteTable:
        """The table of the lattice sites where all of some sites are such, else that of all sites."""
        return self.lattice_sites if self.holds_atoms(sites) else self.sites

    def _table(self, sites: HostSites) -> SiteTable:
        points = (sites.points[:, None] + self.cells[None]).reshape(-1, 3)
        fractional = points @ np.linalg.inv(self.matrix)
        fractional -= np.floor(fractional + 1e-6)
        basis = np.repeat(np.arange(len(sites)), self.index)
        orbit = sites.orbit[basis]
        chosen = [sites.orbits[k] for k in orbit]
        return SiteTable(
            numbers=sites.numbers[basis],
            positions=fractional @ self.cell,
            basis=basis,
            orbit=orbit,
            wyckoff=tuple(o.wyckoff[-1] for o in chosen),
            site_symmetry=tuple(o.site_symmetry for o in chosen),
            site_symmetry_order=np.array([o.order for o in chosen], dtype=np.int64),
            multiplicity=np.array([o.multiplicity for o in chosen], dtype=np.int64),
        )

    @cached_property
    def group(self) -> FiniteGroup:
        """The whole space group modulo the superlattice, |G| permutations of the sites.

        It is large; the images of a few sites, and a stabilizer, come cheaper from `images` and `operations`.
        """
        return self.operations(np.arange(self.group_order))

    def images(self, sites: IntArray) -> IntArray:
        """Images (|G|, k) of some sites (k,) under every operation, in the order of `group`."""
        landings = self._atom_landings if self.holds_atoms(sites) else self._landings
        image, landing = (column[:, sites] for column in landings)
        target = image[:, None] * self.index + self._sums.T[:, landing].transpose(1, 0, 2)
        return target.reshape(self.group_order, -1)

    def operations(self, elements: IntArray, *, lattice_only: bool = False) -> FiniteGroup:
        """Some elements of the group, given by their indices in its order, acting on all sites.

        Args:
            elements: of the group.
            lattice_only: act on the lattice sites alone.
        """
        point, translation = np.divmod(elements, self.index)
        landings = self._atom_landings if lattice_only else self._landings
        image, landing = (column[point] for column in landings)
        permutations = image * self.index + self._sums[landing, translation[:, None]]
        return FiniteGroup(self.host.group.rotations[self.point_operations[point]], permutations)

    @cached_property
    def _landings(self) -> tuple[IntArray, IntArray]:
        return self._landings_of(*self.host.site_maps)

    @cached_property
    def _atom_landings(self) -> tuple[IntArray, IntArray]:
        return self._landings_of(*self.host.atom_maps)

    def _landings_of(self, image: IntArray, offset: IntArray) -> tuple[IntArray, IntArray]:
        """Where the kept operations take sites before any lattice translation: primitive-cell site, cell (g, n)."""
        image, offset = image[self.point_operations], offset[self.point_operations]
        basis, cell = np.divmod(np.arange(image.shape[1] * self.index), self.index)
        turned = self.cells @ self.host.group.rotations[self.point_operations].transpose(0, 2, 1)
        return image[:, basis], self.cell_index(turned[:, cell] + offset[:, basis])

    @cached_property
    def _sums(self) -> IntArray:
        """(index, index) index of the sum of two cells."""
        return self.cell_index(self.cells[:, None] + self.cells[None])

    def distances(self, sites: IntArray) -> FloatArray:
        """Distances (k, k) between sites (k,) and their nearest images, Å, alike for equivalent pairs to rounding."""
        reduced = reduced_matrix(self.matrix, self.host.primitive)
        images = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
        basis, cell = np.divmod(sites, self.index)
        between = self.cell_index(self.cells[cell] - self.cells[cell][:, None])
        points = (self.host.atoms if self.holds_atoms(sites) else self.host.sites).points
        distances = np.empty((len(sites), len(sites)))
        for first in np.unique(basis):
            rows = basis == first
            kinds, kind = np.unique(basis, return_inverse=True)
            offsets = (points[kinds] - points[first])[:, None] + self.cells
            fractional = offsets @ np.linalg.inv(reduced)
            fractional -= np.rint(fractional)
            vectors = (fractional[:, :, None] + images) @ (reduced @ self.host.primitive)
            nearest = np.linalg.norm(vectors, axis=-1).min(axis=-1)
            distances[rows] = nearest[kind, between[rows]]
        return distances

    @cached_property
    def cartesian_of(self) -> tuple[FloatArray, FloatArray]:
        """Matrices A, B so that a rotation R of the primitive basis is A R B in Cartesian axes."""
        columns = self.host.primitive.T
        return columns, np.asarray(np.linalg.inv(columns), dtype=float)

    def key_of(self, edits: Sequence[Edit], charge: int = 0) -> str:
        """Text of canonical edits: host hash, superlattice, edits, charge (e); the key of a defect."""
        form = self.hermite_normal_form[np.triu_indices(3)]
        text = "+".join(f"{element_symbol(e.number) or VACANCY}{e.site}" for e in edits) or BULK
        return f"{self.host.hash}/{'.'.join(map(str, form))}/{text}/q{charge:+d}"

    def edited_cell(self, edits: Sequence[Edit], name: str, kind: str, charge: int = 0) -> DefectCell:
        """Ideal geometry of canonical edits, atoms on the host's sites and interstitials on void sites.

        Args:
            edits: canonical, at different sites.
            name: of the defect.
            kind: type of the defect.
            charge: e.
        """
        table = self.table_with([edit.site for edit in edits])
        numbers = table.numbers.copy()
        for edit in edits:
            numbers[edit.site] = edit.number
        sites = np.flatnonzero(numbers)
        info = {
            "host": self.host.hash,
            "formula": self.host.formula,
            "prototype": self.host.prototype,
            "supercell": self.matrix.tolist(),
            "type": kind,
            "geometry": "ideal",
        }
        geometry = (self.cell, numbers[sites], table.positions[sites], sites)
        return DefectCell(name, self.key_of(edits, charge), *geometry, charge, info)

    def __repr__(self) -> str:
        kept = "" if self.point_group_index == 1 else f", point group lost by {self.point_group_index}"
        return f"Supercell({self.host.formula}, {self.n_atoms} atoms, images {self.image_distance:.2f} Å apart{kept})"

    def bulk_cell(self) -> DefectCell:
        """The pristine supercell."""
        return self.edited_cell((), BULK, BULK)

    def describe(self) -> dict[str, object]:
        """JSON values: matrix on the primitive and on the conventional lattice, size, and what symmetry it keeps."""
        conventional = self.matrix @ self.host.primitive @ np.linalg.inv(self.host.lattice)
        return {
            "matrix": self.matrix.tolist(),
            "matrix_conventional": (np.round(conventional, 6) + 0.0).tolist(),
            "atoms": self.n_atoms,
            "image_distance": round(self.image_distance, 4),
            "aspect": round(self.aspect, 4),
            "point_group_order": len(self.point_operations),
            "host_point_group_order": self.host.group.order,
            "point_group_index": self.point_group_index,
        }


def conventional_supercell(host: Host, matrix: IntArray) -> Supercell:
    """Supercell given by integers (3, 3), rows, on the conventional standard cell.

    Raises:
        SupercellError: the matrix is singular.
    """
    if round(float(np.linalg.det(matrix))) == 0:
        raise SupercellError(f"supercell matrix {np.asarray(matrix).tolist()} is singular")
    primitive = np.rint(matrix @ host.lattice @ np.linalg.inv(host.primitive)).astype(np.int64)
    if np.linalg.det(primitive) < 0:
        primitive = -primitive
    return Supercell(host, primitive)


@dataclass(frozen=True, order=True)
class Edit:
    """One change at one site of a supercell.

    Attributes:
        site: index of the site; lattice sites first, then voids.
        number: atomic number put there; 0 removes the atom.
    """

    site: int
    number: int
