"""Supercells of a host: exhaustive search over Hermite normal forms, and the space group's action on the sites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.errors import SupercellError
from augment.host import Host
from augment.symmetry import FiniteGroup

DEFAULT_IMAGE_DISTANCE = 8.0
"""Å between a defect and its nearest image: enough for a first look with a machine-learned potential."""

DEFAULT_MAX_ATOMS = 400


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
    def from_normal_form(cls, host: Host, form: IntArray) -> Supercell:
        """The superlattice of a Hermite normal form, in its basis of short vectors.

        Raises:
            SupercellError: the form has a zero on its diagonal.
        """
        if (np.diag(form) < 1).any():
            raise SupercellError(f"{form.tolist()} is no Hermite normal form")
        return cls(host, _reduced_matrix(form, host.primitive))

    @property
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

    @cached_property
    def image_distance(self) -> float:
        """Distance between a site and its nearest periodic image, Å."""
        return float(_shortest(self.cell[None])[0])

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
        host = self.host
        points = (host.points[:, None] + self.cells[None]).reshape(-1, 3)
        fractional = points @ np.linalg.inv(self.matrix)
        fractional -= np.floor(fractional + 1e-6)
        basis = np.repeat(np.arange(len(host.points)), self.index)
        orbit = host.site_orbit[basis]
        chosen = [host.orbits[k] for k in orbit]
        return SiteTable(
            numbers=host.numbers[basis],
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
        """The whole space group modulo the superlattice, |G| permutations of the sites."""
        image, offset = self.host.site_maps
        kept = self.point_operations
        rotations = self.host.group.rotations[kept]
        turned = np.einsum("gab,cb->gca", rotations, self.cells)
        # (operation, basis site, cell, 3): where each site lands before any lattice translation.
        landing = turned[:, None] + offset[kept][:, :, None]
        translated = landing[:, None] + self.cells[None, :, None, None]
        target = self.cell_index(translated) + image[kept][:, None, :, None] * self.index
        permutations = target.reshape(len(kept) * self.index, -1)
        return FiniteGroup(np.repeat(rotations, self.index, axis=0), permutations)

    @cached_property
    def cartesian_of(self) -> tuple[FloatArray, FloatArray]:
        """Matrices A, B so that a rotation R of the primitive basis is A R B in Cartesian axes."""
        columns = self.host.primitive.T
        return columns, np.asarray(np.linalg.inv(columns), dtype=float)

    def bulk_cell(self) -> DefectCell:
        """The pristine supercell."""
        from augment.defect import Defect

        return Defect(self, ()).cell()

    def describe(self) -> dict[str, object]:
        """JSON values: matrix on the primitive and on the conventional lattice, size, and what symmetry it keeps."""
        conventional = self.matrix @ self.host.primitive @ np.linalg.inv(self.host.lattice)
        return {
            "matrix": self.matrix.tolist(),
            "matrix_conventional": (np.round(conventional, 6) + 0.0).tolist(),
            "atoms": self.n_atoms,
            "image_distance": round(self.image_distance, 4),
            "point_group_order": len(self.point_operations),
            "host_point_group_order": self.host.group.order,
        }


def find_supercell(
    host: Host,
    *,
    min_image_distance: float = DEFAULT_IMAGE_DISTANCE,
    min_atoms: int = 1,
    max_atoms: int = DEFAULT_MAX_ATOMS,
    keep_point_group: bool = True,
) -> Supercell:
    """Smallest supercell whose periodic images are far enough apart, by exhaustive search.

    Every superlattice of each index is tried (Hermite normal forms); of the smallest index that reaches the
    distance, the one with the largest distance is taken.

    Args:
        host: the pristine crystal.
        min_image_distance: between a site and its nearest image, Å.
        min_atoms: fewest atoms.
        max_atoms: most atoms.
        keep_point_group: only superlattices invariant under the host's point group.

    Raises:
        SupercellError: none fits.
    """
    if not (min_image_distance > 0 and 1 <= min_atoms <= max_atoms):
        raise SupercellError(
            f"image distance {min_image_distance} Å and {min_atoms} to {max_atoms} atoms: all must be positive and ordered"
        )
    volume = abs(float(np.linalg.det(host.primitive)))
    densest = int(np.ceil(min_image_distance**3 / np.sqrt(2) / volume - 1e-9))
    best = 0.0
    for index in range(max(1, densest, -(-min_atoms // host.n_lattice)), max_atoms // host.n_lattice + 1):
        forms = hermite_normal_forms(index)
        if keep_point_group:
            forms = forms[_invariant(forms, host.group.rotations, index)]
        if len(forms) == 0:
            continue
        distance = _shortest(forms @ host.primitive)
        best = max(best, float(distance.max()))
        if distance.max() >= min_image_distance - 1e-6:
            form = forms[int(np.argmax(np.round(distance, 6)))]
            return Supercell.from_normal_form(host, form)
    raise SupercellError(
        f"{host.formula}: no supercell of {min_atoms} to {max_atoms} atoms has images {min_image_distance:g} Å apart "
        f"(the best reaches {best:.2f} Å); allow more atoms or a smaller distance"
    )


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


def hermite_normal_forms(index: int) -> IntArray:
    """All sublattices of Z³ of an index, (k, 3, 3) upper-triangular row bases (Santoro and Mighell 1972)."""
    rows = [
        np.stack(np.meshgrid(np.arange(b), np.arange(c), np.arange(c), indexing="ij"), -1).reshape(-1, 3)
        for _, b, c in _factorisations(index)
    ]
    diagonals = [np.broadcast_to(np.array(d), (len(r), 3)) for d, r in zip(_factorisations(index), rows, strict=True)]
    diagonal, upper = np.concatenate(diagonals), np.concatenate(rows)
    forms = np.zeros((len(diagonal), 3, 3), dtype=np.int64)
    forms[:, [0, 1, 2], [0, 1, 2]] = diagonal
    forms[:, [0, 0, 1], [1, 2, 2]] = upper
    return forms


def _factorisations(index: int) -> Iterator[tuple[int, int, int]]:
    for a in range(1, index + 1):
        if index % a == 0:
            for b in range(1, index // a + 1):
                if (index // a) % b == 0:
                    yield a, b, index // a // b


def hermite_normal_form(matrix: IntArray) -> IntArray:
    """Upper-triangular Hermite normal form (3, 3) of an integer row basis: entries above a pivot lie in [0, pivot)."""
    form = np.array(matrix, dtype=np.int64)
    for axis in range(3):
        while True:
            below = np.flatnonzero(form[axis:, axis]) + axis
            if len(below) == 1:
                break
            pivot = below[np.argmin(np.abs(form[below, axis]))]
            for row in below[below != pivot]:
                form[row] -= form[row, axis] // form[pivot, axis] * form[pivot]
        form[[axis, below[0]]] = form[[below[0], axis]]
        if form[axis, axis] < 0:
            form[axis] *= -1
        for row in range(axis):
            form[row] -= form[row, axis] // form[axis, axis] * form[axis]
    return form


def _invariant(forms: IntArray, rotations: IntArray, index: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which superlattices (k, 3, 3) are mapped onto themselves by every rotation: H R^T adj(H) = 0 modulo det H."""
    keep = np.ones(len(forms), dtype=bool)
    a, b, c = forms[:, 0, 0], forms[:, 1, 1], forms[:, 2, 2]
    d, e, f = forms[:, 0, 1], forms[:, 0, 2], forms[:, 1, 2]
    adjugate = np.zeros_like(forms)
    adjugate[:, 0, 0], adjugate[:, 1, 1], adjugate[:, 2, 2] = b * c, a * c, a * b
    adjugate[:, 0, 1], adjugate[:, 0, 2], adjugate[:, 1, 2] = -d * c, d * f - e * b, -a * f
    for rotation in rotations:
        alive = np.flatnonzero(keep)
        moved = forms[alive] @ rotation.T @ adjugate[alive]
        keep[alive] = (moved % index == 0).all(axis=(1, 2))
    return keep


def _reduce(lattices: FloatArray) -> tuple[FloatArray, IntArray]:
    """Minkowski-like reduction of lattices (k, 3, 3): reduced bases and the integer change of basis (k, 3, 3)."""
    basis = np.array(lattices, dtype=float)
    change = np.broadcast_to(np.eye(3, dtype=np.int64), basis.shape).copy()
    for _ in range(100):
        order = np.argsort(np.round((basis**2).sum(axis=2), 9), axis=1, kind="stable")
        basis = np.take_along_axis(basis, order[..., None], axis=1)
        change = np.take_along_axis(change, order[..., None], axis=1)
        gram = basis @ basis.transpose(0, 2, 1)
        pair = np.rint(gram[:, 0, 1] / gram[:, 0, 0] - 1e-9)
        plane = np.linalg.solve(gram[:, :2, :2], gram[:, :2, 2, None])[..., 0]
        combos = np.floor(plane)[:, None] + np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        trial = basis[:, None, 2] - np.einsum("kqi,kix->kqx", combos, basis[:, :2])
        best = np.argmin(np.round((trial**2).sum(axis=2), 9), axis=1)
        gain = (basis[:, 2] ** 2).sum(axis=1) - np.take_along_axis((trial**2).sum(axis=2), best[:, None], 1)[:, 0]
        coefficients = np.where(
            (gain > 1e-9)[:, None],  # noqa: PLR2004  rounding
            np.take_along_axis(combos, best[:, None, None], axis=1)[:, 0],
            0,
        ).astype(np.int64)
        step = pair.astype(np.int64)
        if not step.any() and not coefficients.any():
            break
        basis[:, 2] -= np.einsum("ki,kix->kx", coefficients, basis[:, :2])
        change[:, 2] -= np.einsum("ki,kix->kx", coefficients, change[:, :2])
        # The pair step would undo the plane step's coefficients, so it waits where both are due.
        alone = np.where(coefficients.any(axis=1), 0, step)
        basis[:, 1] -= alone[:, None] * basis[:, 0]
        change[:, 1] -= alone[:, None] * change[:, 0]
    return basis, change


def _shortest(lattices: FloatArray) -> FloatArray:
    """Length of the shortest non-zero vector of each lattice (k, 3, 3)."""
    basis, _ = _reduce(lattices)
    grid = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = grid[grid.any(axis=1)]
    shortest: FloatArray = np.linalg.norm(grid @ basis, axis=2).min(axis=1)
    return shortest


def _reduced_matrix(form: IntArray, primitive: FloatArray) -> IntArray:
    """Basis of the superlattice with short vectors and positive determinant."""
    _, change = _reduce((form @ primitive)[None])
    matrix = change[0] @ form
    # Prefer vectors along the axes' positive side, then restore the handedness.
    for row in range(3):
        if (matrix[row] @ primitive).sum() < -1e-9:  # noqa: PLR2004  rounding
            matrix[row] *= -1
    cells = matrix @ primitive
    order = np.lexsort(np.round(-np.abs(cells), 6).T[::-1])
    matrix = matrix[order]
    if np.linalg.det(matrix) < 0:
        matrix = matrix[[1, 0, 2]]
    return np.asarray(matrix, dtype=np.int64)
