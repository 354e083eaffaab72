"""The sites of a host in its primitive cell, those of its atoms and its voids, by Wyckoff orbit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.spacegroup import StandardGroup
from augment.crystal.standard import StandardCrystal
from augment.crystal.voids import VoidOrbit
from augment.elements import element_symbol
from augment.groups.symmetry import MATCH_TOLERANCE, SpaceGroup, point_group_symbol, schoenflies
from augment.neighbours import pairs_within

_FIRST_REACH = 3.0
"""Å; atoms of most crystals have a neighbour within it."""


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
class HostSites:
    """Sites of the primitive cell of a host.

    Attributes:
        points: (n, 3) fractional coordinates.
        numbers: (n,) atomic numbers, 0 for a void.
        orbits: Wyckoff orbits; their members count all sites of the host.
    """

    points: FloatArray
    numbers: IntArray
    orbits: tuple[SiteOrbit, ...]

    def __len__(self) -> int:
        return len(self.points)

    def __add__(self, other: HostSites) -> HostSites:
        return HostSites(
            np.concatenate([self.points, other.points]),
            np.concatenate([self.numbers, other.numbers]),
            self.orbits + other.orbits,
        )

    @cached_property
    def orbit(self) -> IntArray:
        """(n,) index into `orbits` of each site, where these are all sites up to the last one."""
        index = np.zeros(len(self.points), dtype=np.int64)
        for k, orbit in enumerate(self.orbits):
            index[list(orbit.members)] = k
        return index

    def maps(self, group: SpaceGroup, primitive: FloatArray) -> tuple[IntArray, IntArray]:
        """Image (g, n) and lattice offset (g, n, 3) of each site under each operation of a group.

        Args:
            group: operations in the primitive basis.
            primitive: (3, 3) primitive lattice, rows, Å.
        """
        kinds = np.where(self.numbers > 0, self.numbers, -1 - self.orbit)
        return group.site_maps(self.points, kinds, primitive)


def lattice_sites(crystal: StandardCrystal) -> HostSites:
    """The sites of the atoms of a crystal."""
    image, _ = crystal.standard.group.site_maps(crystal.points, crystal.numbers, crystal.primitive)
    radii = _nearest(crystal.points, crystal.primitive)
    smallest = image.min(axis=0)
    order = np.argsort(smallest, kind="stable")
    first, start = np.unique(smallest[order], return_index=True)
    orbits = [
        site_orbit(
            crystal.standard,
            crystal.primitive,
            members,
            crystal.points,
            number=int(crystal.numbers[site]),
            radius=float(radii[site]),
        )
        for site, members in zip(first, np.split(order, start[1:]), strict=True)
    ]
    return HostSites(crystal.points, crystal.numbers, tuple(orbits))


def void_sites(crystal: StandardCrystal, voids: Sequence[VoidOrbit]) -> HostSites:
    """The sites of void orbits, which come after those of the atoms of a crystal."""
    points = np.concatenate([np.zeros((0, 3)), *(void.points for void in voids)])
    every = np.concatenate([crystal.points, points])
    orbits, start = [], len(crystal.points)
    for void in voids:
        members = np.arange(start, start + len(void.points))
        start += len(members)
        orbits.append(site_orbit(crystal.standard, crystal.primitive, members, every, radius=void.radius))
    return HostSites(points, np.zeros(len(points), dtype=np.int64), tuple(orbits))


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
    reach, nearest = _FIRST_REACH, np.full(len(points), np.inf)
    while np.isinf(nearest).any():
        site, _, distance = pairs_within(primitive, points @ primitive, reach)
        np.minimum.at(nearest, site, distance)
        reach *= 2
    return nearest
