"""Adatom sites above a surface: where a probe that rolls over the atoms is highest, on a saddle, or at rest."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.lattice import plane_basis
from augment.crystal.standard import StandardCrystal
from augment.crystal.voids import OrbitCollection, VoidOrbit
from augment.groups.symmetry import BoolArray
from augment.neighbours import images_around

_TOUCH = 1e-3
"""Å; distances of a probe to the atoms that it touches are equal up to rounding."""

_WEIGHT = 1e-6
"""A contact of less weight bears nothing: the probe rests on the others."""

_CONTACTS = 3
"""A probe that rests on more atoms rests on some three, or two, of them."""

GROWTH = math.sqrt(2)
"""Of the probe where it falls through a ring of atoms, as one of a bond's length does in graphene, whose ring has just
this radius: the next one stands as high above such a ring as it is wide."""

MAX_PROBE = 3.5
"""Å; a larger probe, which rests up to 0.7 of its size above its ring, would touch the image across 6 Å of vacuum."""

_SHALLOW = 0.1
"""Height of a probe above the atoms that it rests on, in its radius, below which it is taken to fall through."""

_DEPTH = 0.9
"""Drop from a probe to the one before it, in the radius of the latter, that is a fall: of a ring that both rest on it
is less, except where the smaller one is as good as in the plane of the ring."""

_LOOK, _DROP = 0.15, 0.6
"""Å between the points where holes are looked for, and the drop of a probe close to where it falls."""


def adatom_sites(crystal: StandardCrystal, normal: IntArray, lowest: float, taken: list[VoidOrbit]) -> list[VoidOrbit]:
    """Orbits of ontop, bridge and hollow sites of a slab, in this order.

    A probe stays at the crystal's shortest bond length from the atoms. Its height is critical where the normal is
    a sum, with positive weights, of the directions from the atoms that it touches to it (Karush, Kuhn and Tucker):
    one atom below it (ontop), two (bridge), or three and more (hollow). Where the probe falls through a ring of atoms,
    a larger one finds the hollow above the ring.

    Args:
        crystal: the slab.
        normal: (3,) integers, the plane in the primitive basis.
        lowest: height of its lowest plane.
        taken: orbits that are sites already; none of them is found again.
    """
    from scipy.spatial import KDTree

    group, lattice = crystal.standard.group, crystal.primitive
    image, _ = group.site_maps(crystal.points, crystal.numbers, lattice)
    slab_atoms, slab = _slab(crystal.points, lattice, normal, lowest)
    tree, edges = KDTree(slab), plane_basis(normal, lattice)[:2] @ lattice
    bond = float(np.asarray(tree.query(slab_atoms, k=2)[0])[:, 1].min())
    across = np.linalg.solve(lattice, normal.astype(float))
    sides = (across / np.linalg.norm(across), -across / np.linalg.norm(across))
    around = images_around(crystal.points, lattice, 2 * max(bond, MAX_PROBE))
    found = OrbitCollection(group, around, lattice, taken)
    atoms = slab_atoms[np.unique(image.min(axis=0))]

    def add(probes: FloatArray, radius: float) -> None:
        for probe in np.linalg.solve(lattice.T, probes.T).T:
            found.add(probe, (radius - _TOUCH, np.inf))

    for count, up, first in itertools.product(range(1, _CONTACTS + 1), sides, atoms):
        add(_critical_probes(first, tree, count, bond, up), bond)
    smaller = bond
    while (radius := GROWTH * smaller) <= MAX_PROBE:
        for up in sides:
            if _has_holes(slab, edges, smaller, radius, up):
                for first, count in itertools.product(atoms, range(2, _CONTACTS + 1)):
                    probes = _critical_probes(first, tree, count, radius, up)
                    add(_over_holes(probes, tree, smaller, radius, up), radius)
        smaller = radius
    return found.orbits[len(taken) :]


def _rest(points: FloatArray, slab: FloatArray, radius: float, up: FloatArray) -> FloatArray:
    """Heights (k,) along `up` at which a probe coming down over points (k, 3) rests; -inf where it falls through."""
    offset = slab - points[:, None]
    aside = (offset**2).sum(axis=2) - (offset @ up) ** 2
    height = (slab @ up) + np.sqrt(np.maximum(radius**2 - aside, 0))
    return np.asarray(np.where(aside < (1 - _SHALLOW**2) * radius**2, height, -np.inf).max(axis=1))


def _has_holes(slab: FloatArray, edges: FloatArray, smaller: float, radius: float, up: FloatArray) -> bool:
    """Whether a probe comes down much deeper somewhere than the next larger one, on a grid over the cell."""
    steps = [np.arange(0, 1, _LOOK / np.linalg.norm(edge)) for edge in edges]
    top = slab[(slab @ up) > (slab @ up).max() - 4 * radius]
    rows = (np.stack([np.full(len(steps[1]), x), steps[1]], axis=1) @ edges for x in steps[0])
    return any(bool(_falls(row, top, smaller, radius, up, _DROP).any()) for row in rows)


def _over_holes(probes: FloatArray, tree: Any, smaller: float, radius: float, up: FloatArray) -> FloatArray:
    """Those probes (k, 3) that rest on three atoms or more, where the next smaller one falls through."""
    touched = np.array([len(tree.query_ball_point(probe, radius + _TOUCH)) for probe in probes], dtype=np.int64)
    probes = probes[touched >= _CONTACTS]
    return probes[_falls(probes, np.asarray(tree.data), smaller, radius, up, _DEPTH)]


def _falls(
    points: FloatArray, slab: FloatArray, smaller: float, radius: float, up: FloatArray, drop: float
) -> BoolArray:
    """Whether the smaller of two probes over points (k, 3) rests deeper than the larger by so many of its radii."""
    higher, lower = (_rest(points, slab, size, up) for size in (radius, smaller))
    return np.asarray(np.isfinite(higher) & (lower < higher - drop * smaller))


def _slab(points: FloatArray, lattice: FloatArray, normal: IntArray, lowest: float) -> tuple[FloatArray, FloatArray]:
    """Cartesian atoms (n, 3) of one slab in one piece, and all of the slab around them (m, 3), Å."""
    basis = plane_basis(normal, lattice)
    inside = points @ np.linalg.inv(basis)
    inside -= np.floor(inside - [0, 0, lowest - _WEIGHT])
    atoms = inside @ basis @ lattice
    edges = basis[:2] @ lattice
    width = np.linalg.norm(np.cross(*edges)) / np.linalg.norm(edges, axis=1).max()
    distance = np.linalg.norm(edges, axis=1).max()  # no bond is longer
    reach = int(np.ceil(2 * distance / width)) + 2
    shifts = np.array(list(itertools.product(range(-reach, reach + 1), repeat=2))) @ edges
    return atoms, (atoms + shifts[:, None]).reshape(-1, 3)


def _critical_probes(first: FloatArray, tree: Any, count: int, bond: float, up: FloatArray) -> FloatArray:
    """Probes (k, 3) that touch `count` atoms of which one is the first, with no atom in the way from above."""
    slab = np.asarray(tree.data)
    near = slab[tree.query_ball_point(first, 2 * bond)]
    near = near[np.linalg.norm(near - first, axis=1) > _TOUCH]
    chosen = list(itertools.combinations(range(len(near)), count - 1))
    others = near[np.array(chosen, dtype=np.int64).reshape(len(chosen), count - 1)]
    contacts = np.concatenate([np.broadcast_to(first, (len(others), 1, 3)), others], axis=1)
    probes, contacts = _resting(contacts, bond, up)
    weights = np.linalg.pinv((probes[:, None] - contacts).transpose(0, 2, 1)) @ up
    probes = probes[(weights > _WEIGHT).all(axis=1) & (tree.query(probes)[0] > bond - _TOUCH)]
    return np.array([probe for probe in probes if _open(probe, slab, bond, up)]).reshape(-1, 3)


def _resting(contacts: FloatArray, bond: float, up: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The highest points at a bond's length from sets of atoms (m, k, 3), where there are any, and those sets."""
    spans = contacts[:, 1:] - contacts[:, :1]
    gram = spans @ spans.transpose(0, 2, 1)
    spread = np.linalg.det(gram) > _TOUCH
    contacts, spans, gram = contacts[spread], spans[spread], gram[spread]
    squares = np.diagonal(gram, axis1=1, axis2=2)
    centre = (np.linalg.solve(gram, squares[..., None] / 2) * spans).sum(axis=1)
    upright = up - (np.linalg.solve(gram, (spans @ up)[..., None]) * spans).sum(axis=1)
    steep, left = np.linalg.norm(upright, axis=1), bond**2 - (centre**2).sum(axis=1)
    able = (steep > _TOUCH) & (left > (_SHALLOW * bond) ** 2)
    rise = upright[able] * (np.sqrt(left[able]) / steep[able])[:, None]
    return contacts[able, 0] + centre[able] + rise, contacts[able]


def _open(probe: FloatArray, slab: FloatArray, bond: float, up: FloatArray) -> bool:
    """Whether no atom is nearer to the probe than a bond, here or anywhere on its way up."""
    offset = slab - probe
    height = offset @ up
    aside = np.linalg.norm(offset - np.maximum(height, 0)[:, None] * up, axis=1)
    return bool((aside > bond - _TOUCH).all())
