"""Void sites of a crystal: critical points of the distance to the nearest atom, as orbits of the space group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from augment.cell import FloatArray
from augment.crystal.lattice import shortest_basis_diagonal
from augment.groups.symmetry import SpaceGroup, point_group_symbol, rounded_to_grid, schoenflies, wrap
from augment.neighbours import images_around, inverse_heights

MIN_RADIUS = 1.0
"""Å; an interstitial closer to an atom than this overlaps it."""

SADDLE_FRACTION = 0.85
"""Saddle points (Voronoi faces and edges) count from this fraction of the largest void radius on, and only where
their site symmetry leaves no direction to move in: elsewhere an interstitial slides to the next maximum."""

MERGE_DISTANCE = 0.1
"""Å; images of one void this close to each other are one site on a special position."""

_SAME = 1e-3
"""Å; two constructions of one point differ by rounding only."""

_HALF = 0.5
"""Of a periodic box; neighbours farther away than this are not distinguished from their images."""

_FLAT = 0.01
"""Å; atoms this close to one plane are in it."""


@dataclass(frozen=True, eq=False)
class VoidOrbit:
    """One orbit of void sites.

    Attributes:
        points: (m, 3) fractional coordinates in the primitive cell.
        radius: distance to the nearest atom, Å.
        point_group: Schoenflies symbol of the site-symmetry group.
    """

    points: FloatArray
    radius: float
    point_group: str


def find_voids(
    group: SpaceGroup, points: FloatArray, lattice: FloatArray, max_radius: float = np.inf
) -> list[VoidOrbit]:
    """Void orbits of a crystal, largest first.

    Voronoi vertices are the local maxima of the distance to the nearest atom; Voronoi edges and faces hold its
    saddle points (the octahedral site of bcc is one). Points are merged within their own orbit only.

    Args:
        group: operations in the primitive basis.
        points: (n, 3) fractional coordinates of the atoms in the primitive cell.
        lattice: (3, 3) primitive lattice, rows, Å.
        max_radius: Å; wider voids are empty space, such as the vacuum above a surface.
    """
    atoms = _atoms_that_matter(points, lattice, max_radius)
    vertices, saddles = _critical_points(atoms, lattice)
    found = OrbitCollection(group, atoms, lattice)
    for point in _determined(_distinct(vertices, lattice), atoms, lattice):
        found.add(point, (MIN_RADIUS, max_radius))
    largest = max((v.radius for v in found.orbits), default=0.0)
    radii = (max(MIN_RADIUS, SADDLE_FRACTION * largest), max_radius)
    for point in _wide(_distinct(saddles, lattice), atoms, lattice, radii[0]):
        found.add(point, radii, pinned=True)
    return sorted(found.orbits, key=_by_size)


def _by_size(orbit: VoidOrbit) -> tuple[float | int, ...]:
    """Largest voids first, of equal ones those with the fewest sites."""
    return -int(rounded_to_grid(np.array(orbit.radius))), len(orbit.points), *rounded_to_grid(orbit.points[0]).tolist()


def _atoms_that_matter(points: FloatArray, lattice: FloatArray, max_radius: float) -> FloatArray:
    """Cartesian positions (m, 3) of every atom that can be the nearest, within a radius, to a point of the cell, Å.

    No point is farther from a lattice of points than half the diagonal of a box with the lattice's edges.
    """
    widest = min(shortest_basis_diagonal(lattice) / 2, max_radius) + 10 * _SAME
    images = images_around(points, lattice, widest)
    fractional, margin = images @ np.linalg.inv(lattice), widest * inverse_heights(lattice)
    return np.asarray(images[((fractional > -margin) & (fractional < 1 + margin)).all(axis=1)])


def _critical_points(atoms: FloatArray, lattice: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fractional Voronoi vertices, and saddle points on edges and faces, in and near the cell."""
    from scipy.spatial import KDTree, Voronoi

    diagram = Voronoi(atoms)
    inside = _in_cell(diagram.vertices, lattice)
    edges = _edge_saddles(diagram.vertices, diagram.ridge_vertices, atoms[diagram.ridge_points[:, 0]])
    pairs = atoms[diagram.ridge_points]
    faces = pairs.mean(axis=1)
    half = np.linalg.norm(pairs[:, 0] - pairs[:, 1], axis=1) / 2
    near = _in_cell(faces, lattice)
    faces, half = faces[near], half[near]
    distance, _ = KDTree(atoms).query(faces)
    faces = faces[distance > half - _SAME]
    saddles = np.concatenate([edges[_in_cell(edges, lattice)], faces])
    inverse = np.linalg.inv(lattice)
    return diagram.vertices[inside] @ inverse, saddles @ inverse


def _determined(vertices: FloatArray, atoms: FloatArray, lattice: FloatArray) -> FloatArray:
    """The vertices (fractional) whose nearest atoms are not all in one plane.

    Four atoms on a circle are equally far from every point of its axis, so rounding errors put a vertex anywhere.
    """
    from scipy.spatial import KDTree

    tree, centres, keep = KDTree(atoms), vertices @ lattice, []
    for near in tree.query_ball_point(centres, tree.query(centres)[0] + _SAME) if len(centres) else ():
        touching = atoms[near]
        spread = np.linalg.svd(touching - touching.mean(axis=0), compute_uv=False)
        keep.append(len(spread) == 3 and spread[-1] > _FLAT)  # noqa: PLR2004  dimensions
    return np.asarray(vertices[np.array(keep, dtype=bool)])


def _in_cell(positions: FloatArray, lattice: FloatArray) -> NDArray[np.bool_]:
    fractional = positions @ np.linalg.inv(lattice)
    inside = (fractional > -0.01) & (fractional < 1.01)  # noqa: PLR2004  a margin for the cell faces
    return np.asarray(inside.all(axis=1))


def _edge_saddles(vertices: FloatArray, ridges: list[list[int]], owners: FloatArray) -> FloatArray:
    """Points of Voronoi edges nearest to the atoms around them, where they lie within the edge."""
    lengths = np.array([len(ridge) for ridge in ridges], dtype=np.int64)
    flat = np.fromiter(chain.from_iterable(ridges), dtype=np.int64, count=int(lengths.sum()))
    following = np.arange(len(flat)) + 1
    ends = np.cumsum(lengths)
    following[ends - 1] = ends - lengths  # each ridge closes on its first vertex
    bounded = np.repeat(np.minimum.reduceat(flat, ends - lengths) >= 0, lengths)
    start, atom = vertices[flat[bounded]], np.repeat(owners, lengths, axis=0)[bounded]
    along = vertices[flat[following[bounded]]] - start
    length2 = (along**2).sum(axis=1)
    long = length2 > _SAME**2
    start, along, atom, length2 = start[long], along[long], atom[long], length2[long]
    fraction = ((atom - start) * along).sum(axis=1) / length2
    within = (fraction > 0) & (fraction < 1)
    saddles: FloatArray = (start + fraction[:, None] * along)[within]
    return saddles


def _wide(points: FloatArray, atoms: FloatArray, lattice: FloatArray, radius: float) -> FloatArray:
    """The points (fractional) that, moved by no more than the merging distance, are so far (Å) from every atom."""
    from scipy.spatial import KDTree

    return points[KDTree(atoms).query(points @ lattice)[0] > radius - 2 * MERGE_DISTANCE] if len(points) else points


def _distinct(points: FloatArray, lattice: FloatArray) -> FloatArray:
    """Points modulo the lattice without repetitions, in a reproducible order."""
    from scipy.spatial import KDTree

    wrapped = wrap(points)
    wrapped = wrapped[np.lexsort(rounded_to_grid(wrapped).T[::-1])]
    # No two points that are this close in Å are farther apart than that as fractions of a box of length 1.
    reach = 2 * _SAME * float(np.linalg.norm(np.linalg.inv(lattice), ord=2))
    if len(wrapped) == 0 or reach >= _HALF:
        return _distinct_one_by_one(wrapped, lattice)
    first, second = KDTree(wrapped, boxsize=1.0).query_pairs(reach, output_type="ndarray").T
    same = _separation(wrapped[first], wrapped[second], lattice) <= _SAME
    earlier: dict[int, list[int]] = {}
    for one, other in zip(first[same].tolist(), second[same].tolist(), strict=True):
        earlier.setdefault(max(one, other), []).append(min(one, other))
    keep = np.ones(len(wrapped), dtype=bool)
    for point in sorted(earlier):
        keep[point] = not keep[earlier[point]].any()
    return np.asarray(wrapped[keep])


def _distinct_one_by_one(points: FloatArray, lattice: FloatArray) -> FloatArray:
    """The same of few points, or in a cell so small that they are near their own images."""
    distinct: list[FloatArray] = []
    for point in points:
        if not distinct or _separation(np.array(distinct), point, lattice).min() > _SAME:
            distinct.append(point)
    return np.array(distinct).reshape(-1, 3)


def _separation(points: FloatArray, point: FloatArray, lattice: FloatArray) -> FloatArray:
    difference = points - point
    difference -= np.rint(difference)
    separation: FloatArray = np.linalg.norm(difference @ lattice, axis=-1)
    return separation


class OrbitCollection:
    """Void orbits of a crystal that are found one after another, each once."""

    def __init__(
        self, group: SpaceGroup, atoms: FloatArray, lattice: FloatArray, orbits: Sequence[VoidOrbit] = ()
    ) -> None:
        """Start with some orbits.

        Args:
            group: operations in the primitive basis.
            atoms: (m, 3) positions of all atoms that can be the nearest to a point of the cell, Å.
            lattice: (3, 3) primitive lattice, rows, Å.
            orbits: that are known already; none of them is found again.
        """
        from scipy.spatial import KDTree

        self.orbits = list(orbits)
        self._group, self._lattice = group, lattice
        self._tree = KDTree(atoms)
        self._known = np.concatenate([np.zeros((0, 3)), *(orbit.points for orbit in orbits)])
        self._count = len(self._known)

    def add(self, point: FloatArray, radii: tuple[float, float], *, pinned: bool = False) -> None:
        """Close a point under the group; keep its orbit if new and of a radius between two.

        Args:
            point: (3,) fractional coordinates.
            radii: least and largest distance to the nearest atom, Å.
            pinned: keep it only where its site symmetry leaves no direction to move in.
        """
        known = self._known[: self._count]
        if _separation(known, point, self._lattice).min(initial=np.inf) < _SAME:
            return
        centre = _snapped(self._group, point, self._lattice)
        radius = float(self._tree.query(centre @ self._lattice)[0])
        if not radii[0] <= radius <= radii[1]:
            return
        if _separation(known, centre, self._lattice).min(initial=np.inf) < 10 * _SAME:
            return
        rotations = self._group.rotations[_moved(self._group, centre, self._lattice)[1] < _SAME]
        free = np.trace(rotations, axis1=1, axis2=2).sum()  # |H| x dimension of the invariant vectors
        if pinned and free > 0:
            return
        orbit = _distinct(self._group.images(centre[None])[:, 0], self._lattice)
        if len(orbit) * len(rotations) == self._group.order:
            self._keep(VoidOrbit(orbit, radius, schoenflies(point_group_symbol(rotations))))

    def _keep(self, orbit: VoidOrbit) -> None:
        """Remember an orbit; the room for points doubles when it is full."""
        self.orbits.append(orbit)
        end = self._count + len(orbit.points)
        if end > len(self._known):
            self._known = np.concatenate([self._known, np.zeros((end, 3))])
        self._known[self._count : end] = orbit.points
        self._count = end


def _snapped(group: SpaceGroup, point: FloatArray, lattice: FloatArray) -> FloatArray:
    """The point, moved onto the special position nearest to it if that is within the merging distance."""
    if group.order == 1:
        return wrap(point)
    tolerance = MERGE_DISTANCE
    while tolerance > _SAME:
        images, distance = _moved(group, point, lattice)
        near = distance < tolerance
        centre: FloatArray = images[near].mean(axis=0)
        if (_moved(group, centre, lattice)[1][near] < _SAME / 10).all():
            return wrap(centre)
        tolerance /= 2  # between two special positions; try the nearer alone
    return wrap(point)


def _moved(group: SpaceGroup, point: FloatArray, lattice: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Images (g, 3) of a point, each in the cell nearest to it, and how far they are from it (g,), Å."""
    offsets = group.images(point[None])[:, 0] - point
    offsets -= np.rint(offsets)
    return point + offsets, np.linalg.norm(offsets @ lattice, axis=1)
