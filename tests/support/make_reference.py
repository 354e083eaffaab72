"""Write the facts about nine hosts that the builder must reproduce: python -m tests.support.make_reference.

An oracle: nothing of the packages under test is imported. The crystals come from the published Wyckoff parameters,
the symmetry from spglib, the voids from scipy's Voronoi vertices, the supercells from every Hermite normal form.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import spglib
from numpy.typing import NDArray
from scipy.spatial import KDTree, Voronoi

from examples.make_hosts import RECIPES, HostRecipe
from tests.support.reference import NAMES, REFERENCE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SAME = 1e-3
"""Å; atoms and Voronoi vertices closer together are one."""

MERGED = 0.1
"""Å; images of a void nearer to each other than this are one site, at their mean."""

ROOM = 1.0
"""Å; a void with an atom nearer than this holds nothing."""

MIN_ATOMS, MIN_DISTANCE, MAX_DISTANCE = 50, 10.0, 16.0
"""Atoms of a supercell, and the distance of its images in Å: from, and certainly not above."""


@dataclass(frozen=True)
class Crystal:
    """A primitive cell with its space group, and the conventional cell as published.

    Attributes:
        lattice: (3, 3) rows, Å.
        points: (n, 3) fractional coordinates.
        elements: n symbols.
        orbits: (n,) index of the first atom of each atom's orbit.
        rotations: (g, 3, 3) of the space group's operations, on fractional columns.
        translations: (g, 3).
        conventional: lattice, fractional coordinates and kinds of the conventional cell, as spglib takes them.
    """

    lattice: Floats
    points: Floats
    elements: tuple[str, ...]
    orbits: Ints
    rotations: Ints
    translations: Floats
    conventional: tuple[Floats, Floats, list[int]]

    def images(self, point: Floats) -> Floats:
        """(g, 3) images of a point under the operations, fractional and not wrapped."""
        moved: Floats = self.rotations @ point + self.translations
        return moved

    def distances(self, points: Floats, point: Floats) -> Floats:
        """Distance of each point to a point modulo the lattice, Å, right for those that are near."""
        gaps = points - point
        lengths: Floats = np.linalg.norm((gaps - np.rint(gaps)) @ self.lattice, axis=-1)
        return lengths

    def site_group(self, point: Floats) -> Ints:
        """Rotations of the operations that leave a point where it is, modulo the lattice."""
        return self.rotations[self.distances(self.images(point), point) < SAME]


def crystal_of(recipe: HostRecipe) -> Crystal:
    """The crystal of a recipe: its asymmetric unit under the operations of spglib's table."""
    elements = sorted({element for element, _ in recipe.sites})
    hall = next(h for h in range(1, 531) if spglib.get_spacegroup_type(h).number == recipe.space_group)
    table = spglib.get_symmetry_from_database(hall)
    lattice = lattice_of(*recipe.lattice)
    orbits = [distinct(table["rotations"] @ np.array(p) + table["translations"], lattice) for _, p in recipe.sites]
    kinds = [elements.index(e) + 1 for (e, _), orbit in zip(recipe.sites, orbits, strict=True) for _ in orbit]
    conventional = (lattice, np.concatenate(orbits), kinds)
    primitive = spglib.standardize_cell(conventional, to_primitive=True, no_idealize=True, symprec=SAME)
    found = spglib.get_symmetry_dataset(primitive, symprec=SAME)
    if found.number != recipe.space_group:
        raise AssertionError(f"{recipe.name}: space group {found.number} instead of {recipe.space_group}")
    return Crystal(
        *primitive[:2],
        tuple(elements[kind - 1] for kind in primitive[2]),
        np.asarray(found.crystallographic_orbits, dtype=np.int64),
        np.asarray(found.rotations, dtype=np.int64),
        np.asarray(found.translations),
        conventional,
    )


def lattice_of(a: float, b: float, c: float, alpha: float, beta: float, gamma: float) -> Floats:
    """Lattice rows in Å from lengths in Å and angles in degrees; a along x, b in the xy plane."""
    cos_a, cos_b, cos_g = np.cos(np.radians([alpha, beta, gamma]))
    sin_g = np.sin(np.radians(gamma))
    across = (cos_a - cos_b * cos_g) / sin_g
    up = np.sqrt(1 - cos_b**2 - across**2)
    return np.array([[a, 0, 0], [b * cos_g, b * sin_g, 0], [c * cos_b, c * across, c * up]])


def distinct(points: Floats, lattice: Floats) -> Floats:
    """Fractional points modulo the lattice, each once."""
    kept: list[Floats] = []
    for point in points - np.floor(points):
        gaps = np.array(kept).reshape(-1, 3) - point
        if np.linalg.norm((gaps - np.rint(gaps)) @ lattice, axis=1).min(initial=np.inf) > SAME:
            kept.append(point)
    return np.array(kept).reshape(-1, 3)


@cache
def _schoenflies_symbols() -> dict[str, str]:
    types = [spglib.get_spacegroup_type(hall) for hall in range(1, 531)]
    return {t.pointgroup_international: t.pointgroup_schoenflies for t in types}


def point_group(rotations: Ints) -> str:
    """Schoenflies symbol of a point group."""
    return _schoenflies_symbols()[spglib.get_pointgroup(rotations)[0].strip()]


def site(crystal: Crystal, point: Floats) -> dict[str, Any]:
    """Multiplicity in the primitive cell, Wyckoff letter and site symmetry of a point, with its nearest neighbour."""
    group = crystal.site_group(point)
    gaps = (crystal.points[:, None] + shifts(2) - point) @ crystal.lattice
    lengths = np.linalg.norm(gaps, axis=-1)
    lengths[lengths < SAME] = np.inf
    nearest = int(lengths.min(axis=1).argmin())
    return {
        "multiplicity": len(distinct(crystal.images(point), crystal.lattice)),
        "wyckoff": wyckoff(crystal, point),
        "point_group": point_group(group),
        "order": len(group),
        "neighbour": f"{crystal.elements[nearest]}{lengths.min():.2f}",
        "distance": round(float(lengths.min()), 4),
    }


def wyckoff(crystal: Crystal, point: Floats) -> str:
    """Multiplicity and Wyckoff letter of a point in the conventional cell as published, with atoms put at a void."""
    lattice, points, kinds = crystal.conventional
    images = (crystal.images(point)[:, None] + shifts(1)).reshape(-1, 3) @ crystal.lattice @ np.linalg.inv(lattice)
    orbit = distinct(images, lattice)
    gaps = np.linalg.norm((points - orbit[0] - np.rint(points - orbit[0])) @ lattice, axis=1)
    atom = int(gaps.argmin())
    if gaps[atom] > SAME:
        atom, points, kinds = len(points), np.concatenate([points, orbit]), [*kinds, *[100] * len(orbit)]
    found = spglib.get_symmetry_dataset((lattice, points, kinds), symprec=SAME)
    return f"{len(orbit)}{found.wyckoffs[atom]}"


def shifts(reach: int) -> Ints:
    """Lattice translations with coefficients up to a reach."""
    return np.array(list(itertools.product(range(-reach, reach + 1), repeat=3)))


def lattice_sites(crystal: Crystal) -> list[dict[str, Any]]:
    """The orbits of the atoms."""
    return [{"element": crystal.elements[k], **site(crystal, crystal.points[k])} for k in np.unique(crystal.orbits)]


def void_sites(crystal: Crystal) -> list[dict[str, Any]]:
    """The orbits of the Voronoi vertices with room for an atom, the largest first."""
    found: list[dict[str, Any]] = []
    known = np.zeros((0, 3))
    for vertex in voronoi_vertices(crystal):
        gaps = crystal.images(vertex) - vertex
        gaps -= np.rint(gaps)
        point = vertex + gaps[np.linalg.norm(gaps @ crystal.lattice, axis=1) < MERGED].mean(axis=0)
        if crystal.distances(known, point).min(initial=np.inf) > SAME:
            known = np.concatenate([known, crystal.images(point)])
            found.append(site(crystal, point))
    return sorted(found, key=lambda s: (-s["distance"], s["multiplicity"]))


def voronoi_vertices(crystal: Crystal) -> Floats:
    """Fractional Voronoi vertices with room for an atom, equally far from atoms that are not all in one plane."""
    atoms = ((crystal.points + shifts(3)[:, None]) @ crystal.lattice).reshape(-1, 3)
    vertices = Voronoi(atoms).vertices
    fractional = vertices @ np.linalg.inv(crystal.lattice)
    vertices = vertices[((fractional > -SAME) & (fractional < 1)).all(axis=1)]
    tree = KDTree(atoms)
    kept = []
    for vertex, radius in zip(vertices, tree.query(vertices)[0], strict=True):
        touching = atoms[tree.query_ball_point(vertex, radius + SAME)]
        if radius > ROOM and np.linalg.matrix_rank(touching - touching[0], tol=0.01) == 3:
            kept.append(vertex)
    return distinct(np.array(kept) @ np.linalg.inv(crystal.lattice), crystal.lattice)


def smallest_supercell(crystal: Crystal, *, keep_point_group: bool) -> tuple[int, float]:
    """Atoms of the smallest supercell that is large enough with images far enough apart, and its largest distance."""
    size = len(crystal.points)
    for index in itertools.count(-(-MIN_ATOMS // size)):
        forms = hermite_normal_forms(index)
        if keep_point_group:
            forms = invariant(forms, np.unique(crystal.rotations, axis=0))
        widest = image_distances(forms, crystal.lattice).max(initial=0.0)
        if widest >= MIN_DISTANCE - 1e-6:
            return index * size, round(float(widest), 4)
    raise AssertionError


def hermite_normal_forms(index: int) -> Ints:
    """Every sublattice of an index, (k, 3, 3) lower-triangular rows; each diagonal entry bounds those below it."""
    diagonals = [(a, b, index // a // b) for a in _divisors(index) for b in _divisors(index // a)]
    forms = [
        [[a, 0, 0], [d, b, 0], [e, f, c]]
        for a, b, c in diagonals
        for d, e, f in itertools.product(range(a), range(a), range(b))
    ]
    return np.array(forms, dtype=np.int64)


def _divisors(number: int) -> list[int]:
    return [d for d in range(1, number + 1) if number % d == 0]


def _adjugates(forms: Ints) -> Ints:
    """Integer matrices with which a row times H⁻¹ is integer where the product is 0 modulo the index."""
    determinant = np.linalg.det(forms)[:, None, None]
    return np.rint(np.linalg.inv(forms) * determinant).astype(np.int64)


def invariant(forms: Ints, rotations: Ints) -> Ints:
    """The sublattices that every rotation (on columns of fractional coordinates) maps onto themselves."""
    for rotation in rotations:
        index = np.rint(np.linalg.det(forms)).astype(np.int64)[:, None, None]
        forms = forms[((forms @ rotation.T @ _adjugates(forms)) % index == 0).all(axis=(1, 2))]
    return forms


def image_distances(forms: Ints, lattice: Floats) -> Floats:
    """Length of the shortest vector of each sublattice, Å: lattice vectors by length, the first that belongs."""
    reach = np.ceil(MAX_DISTANCE * np.linalg.norm(np.linalg.inv(lattice), axis=0)).astype(int)
    grid = np.array(list(itertools.product(*(range(-r, r + 1) for r in reach))))
    lengths = np.linalg.norm(grid @ lattice, axis=1)
    order = np.argsort(lengths)[1 : (lengths < MAX_DISTANCE).sum()]
    shortest, left = np.full(len(forms), np.inf), np.arange(len(forms))
    if not len(forms):
        return shortest
    adjugates, index = _adjugates(forms), round(np.linalg.det(forms[0]))
    for vector, length in zip(grid[order], lengths[order], strict=True):
        belongs = ((vector @ adjugates[left]) % index == 0).all(axis=1)
        shortest[left[belongs]] = length
        left = left[~belongs]
    return shortest


def facts(recipe: HostRecipe) -> dict[str, Any]:
    """What the tests compare with, of one host."""
    crystal = crystal_of(recipe)
    atoms = lattice_sites(crystal)
    return {
        "point_group_order": len(np.unique(crystal.rotations, axis=0)),
        "lattice_sites": atoms,
        "void_sites": void_sites(crystal),
        "antisites": len(atoms) * (len(set(crystal.elements)) - 1),
        "supercells": {
            "any": smallest_supercell(crystal, keep_point_group=False),
            "sym": smallest_supercell(crystal, keep_point_group=True),
        },
    }


def main() -> None:
    """Write the file."""
    recipes = {recipe.name: recipe for recipe in RECIPES}
    content = {name: facts(recipes[name]) for name in NAMES}
    REFERENCE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
