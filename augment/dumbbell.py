"""What a dumbbell is: two atoms on one lattice site, the ends that they may take, and the host that has them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np

from augment.cell import FloatArray
from augment.crystal.spacegroup import standard_group
from augment.crystal.voids import MIN_RADIUS
from augment.elements import element_symbol
from augment.groups.symmetry import GRID_SPACING, wrap
from augment.host import Host
from augment.host_sites import HostSites, SiteOrbit, site_orbit
from augment.neighbours import images_around
from augment.supercell import Edit

SEPARATION = 0.75
"""Length of a dumbbell over the distance from its site to the nearest atom: 1.9 Å in iron, 1.8 Å in silicon."""


DUMBBELL_AXES = tuple(
    axis for axis in itertools.product((1, 0, -1), repeat=3) if any(axis) and next(filter(None, axis)) > 0
)  # fmt: skip
"""The thirteen directions of the conventional cell up to [111], without a sense."""


@lru_cache(maxsize=16)
def with_dumbbells(host: Host) -> Host:
    """The host with the ends of its possible dumbbells as additional sites, after the voids; its hash is the same."""
    if host.unrelaxed is not None:
        return with_dumbbells(host.unrelaxed).relaxed(host.primitive, host.atoms.points)
    return replace(host, find_empty=partial(_with_ends, host))


def _with_ends(host: Host) -> HostSites:
    """The voids of a host, then the ends of its possible dumbbells."""
    standard = standard_group(host.space_group_number)
    points, orbits = list(host.points), list(host.empty.orbits)
    for orbit in host.atoms.orbits:
        for axis in distinct_axes(host, orbit):
            for ends in _end_orbits(host, orbit, axis):
                members = np.arange(len(points), len(points) + len(ends))
                points.extend(ends)
                text = "".join(map(str, axis))
                description = (standard, host.primitive, members, np.array(points))
                orbits.append(site_orbit(*description, radius=_room(host, orbit, ends[0]), axis=text))
    added = np.array(points[host.n_lattice :]).reshape(-1, 3)
    return HostSites(added, np.zeros(len(added), dtype=np.int64), tuple(orbits))


@dataclass(frozen=True)
class Dumbbell:
    """What a split interstitial is.

    Attributes:
        site: orbit of the lattice site that two atoms share.
        inserted: element of the atom that is there besides the site's own.
        axis: direction in the conventional cell.
    """

    site: SiteOrbit
    inserted: str
    axis: str


def dumbbell_of(edits: Sequence[Edit], orbits: Sequence[SiteOrbit]) -> Dumbbell | None:
    """The split interstitial that edits on sites of these orbits make; None where they make something else."""
    removed = [o for e, o in zip(edits, orbits, strict=True) if e.number == 0]
    ends = [(element_symbol(e.number), o.axis) for e, o in zip(edits, orbits, strict=True) if o.axis]
    if len(removed) != 1 or len(ends) != 2 or len(edits) != 3:  # noqa: PLR2004  a dumbbell has two ends
        return None
    elements = [element for element, _ in ends]
    if removed[0].element not in elements:
        return None
    elements.remove(removed[0].element)
    return Dumbbell(removed[0], elements[0], ends[0][1])


def distinct_axes(host: Host, orbit: SiteOrbit) -> list[tuple[int, ...]]:
    """One axis of each orbit of axes under the site's symmetry that leaves room for a dumbbell."""
    image, _ = host.atom_maps
    first = orbit.members[0]
    rotations = host.group.rotations[image[:, first] == first]
    to_primitive = np.rint(host.lattice @ np.linalg.inv(host.primitive)).astype(np.int64)
    axes: list[tuple[int, ...]] = []
    seen: set[tuple[int, ...]] = set()
    for axis in DUMBBELL_AXES:
        vector = np.array(axis) @ to_primitive
        if tuple(vector.tolist()) not in seen:
            turned = rotations @ vector
            seen.update(map(tuple, np.concatenate([turned, -turned]).tolist()))
            if min(_room(host, orbit, end) for end in dumbbell_ends(host, orbit, axis)) >= MIN_RADIUS:
                axes.append(axis)
    return axes


def dumbbell_ends(host: Host, orbit: SiteOrbit, axis: tuple[int, ...]) -> FloatArray:
    """Fractional coordinates (2, 3) in the primitive cell of the ends of a dumbbell at the orbit's first site."""
    direction = np.array(axis) @ host.lattice
    half = SEPARATION * orbit.radius / 2 * direction / np.linalg.norm(direction) @ np.linalg.inv(host.primitive)
    return np.asarray(host.atoms.points[orbit.members[0]] + np.stack([half, -half]))


def _end_orbits(host: Host, orbit: SiteOrbit, axis: tuple[int, ...]) -> list[FloatArray]:
    """Orbits (one or two) of the ends of a dumbbell, each as fractional coordinates (m, 3)."""
    orbits: list[FloatArray] = []
    for end in dumbbell_ends(host, orbit, axis):
        if not orbits or dumbbell_gaps(host, orbits[0], end).min() > GRID_SPACING:
            images = wrap(host.group.images(end[None])[:, 0])
            same = np.array([dumbbell_gaps(host, images, image) < GRID_SPACING for image in images])
            orbits.append(images[np.flatnonzero(same.argmax(axis=1) == np.arange(len(images)))])
    return orbits


def dumbbell_gaps(host: Host, points: FloatArray, point: FloatArray) -> FloatArray:
    """Distances (m,) in Å from points (m, 3) to the nearest image of a point (3,), all fractional."""
    difference = points - point
    gaps: FloatArray = np.linalg.norm((difference - np.rint(difference)) @ host.primitive, axis=-1)
    return gaps


def _room(host: Host, orbit: SiteOrbit, end: FloatArray) -> float:
    """Distance from an end of a dumbbell at the orbit's first site to the nearest atom that stays, Å."""
    atoms = images_around(host.atoms.points, host.primitive)
    distance = np.linalg.norm(atoms - wrap(end) @ host.primitive, axis=1)
    half_length = SEPARATION * orbit.radius / 2
    return float(distance[np.abs(distance - half_length) > GRID_SPACING].min(initial=np.inf))
