"""Fragments of a disordered crystal: atoms of one disorder group, which are in a crystal together or not at all.

The CIF dictionary: `_atom_site_disorder_assembly` names a cluster of atoms that are disordered together, and
`_atom_site_disorder_group` the sites within it that are occupied at the same time. A symmetry operation makes of the
cluster another one, which is free to choose its group anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.operations import Operations
from augment.crystal.reading.sites import ListedSite, points_of

NO_GROUP = ("", ".", "?", "0")
"""Disorder groups of atoms that are always there."""

SAME_PLACE = 0.1
"""Å; species of one group this close share one place."""

MAX_OCCUPANCY_DIFFERENCE = 5e-3
"""Between atoms that are there together: what refinements leave."""

_BONDED = 1.3
"""Of the sum of covalent radii, below which two atoms belong to one cluster, or are alternatives within it."""


@dataclass(frozen=True, eq=False)
class CifFragment:
    """Atoms of a disorder group that one symmetry operation makes of those listed.

    Attributes:
        cluster: number of the cluster of atoms that are disordered together.
        group: code of the disorder group; negative about a special position, whose images are alternatives.
        operation: index of the symmetry operation; groups of one cluster and operation exclude each other.
        points: (n, 3) fractional coordinates, not wrapped into the cell, so that neighbours are near.
        numbers: atomic numbers that each may have.
        occupancy: fraction of the cells in which they are there.
    """

    cluster: int
    group: str
    operation: int
    points: FloatArray
    numbers: tuple[frozenset[int], ...]
    occupancy: float

    @property
    def about_special_position(self) -> bool:
        """Whether its images under the site symmetry of a special position are its alternatives."""
        return self.group.startswith("-")


@dataclass(frozen=True)
class _Place:
    """A place of one group: where, what may be there, and how often something is."""

    group: str
    point: tuple[float, float, float]
    numbers: frozenset[int]
    occupancy: float
    label: str


def fragments_of(
    sites: Sequence[ListedSite], operations: Operations, lattice: FloatArray
) -> tuple[tuple[CifFragment, ...], tuple[str, ...]]:
    """Fragments of a block, and what its disorder groups leave undone.

    Args:
        sites: listed, with their disorder assemblies and groups.
        operations: of the space group.
        lattice: (3, 3) rows, Å.
    """
    fragments: list[CifFragment] = []
    notes: list[str] = []
    cluster = 0
    for places in _assemblies(sites, lattice):
        for part in _clusters(places, lattice):
            together, differing = _alike(part)
            if differing:
                notes.append(
                    f"atoms {', '.join(differing)} of one disorder group have different occupancies: "
                    "nothing keeps them together"
                )
            fragments += _images(cluster, together, operations, lattice)
            cluster += 1
    return tuple(fragments), tuple(notes)


def _assemblies(sites: Sequence[ListedSite], lattice: FloatArray) -> Iterator[list[_Place]]:
    """The places of each disorder assembly."""
    disordered = [site for site in sites if site.group not in NO_GROUP and not site.is_full]
    for assembly in dict.fromkeys(site.assembly for site in disordered):
        yield _places([site for site in disordered if site.assembly == assembly], lattice)


def _places(sites: list[ListedSite], lattice: FloatArray) -> list[_Place]:
    """Sites of an assembly, those of one group at one place together."""
    group = np.array([site.group for site in sites])
    same = (_distances(points_of(sites), lattice) < SAME_PLACE) & (group[:, None] == group)
    places = []
    for first in np.flatnonzero(same.argmax(axis=1) == np.arange(len(sites))):
        here = [sites[k] for k in np.flatnonzero(same[first])]
        occupants = [(occupant.number, site.occupancy * occupant.share) for site in here for occupant in site.occupants]
        numbers, occupancy = frozenset(z for z, _ in occupants), sum(share for _, share in occupants)
        places.append(_Place(here[0].group, here[0].point, numbers, occupancy, here[0].label))
    return places


def _distances(points: FloatArray, lattice: FloatArray) -> FloatArray:
    """(n, n) between nearest images in fractional coordinates, Å."""
    gap = points[:, None] - points
    distances: FloatArray = np.linalg.norm((gap - np.rint(gap)) @ lattice, axis=-1)
    return distances


def _clusters(places: list[_Place], lattice: FloatArray) -> list[list[_Place]]:
    """One cluster where each group has one occupancy, and they fill the place once at most; else those that are bonded.

    A program that writes no assemblies leaves clusters to be distinguished by their occupancies.
    """
    if _consistent(places):
        return [places]
    from ase.data import covalent_radii
    from scipy.sparse.csgraph import connected_components

    radius = np.array([covalent_radii[max(place.numbers)] for place in places])
    points = np.array([place.point for place in places])
    near = _distances(points, lattice) < _BONDED * (radius[:, None] + radius)
    count, label = connected_components(near, directed=False)
    return [[place for place, k in zip(places, label, strict=True) if k == part] for part in range(count)]


def _consistent(places: list[_Place]) -> bool:
    occupancies = {group: [p.occupancy for p in places if p.group == group] for group in {p.group for p in places}}
    alike = all(max(values) - min(values) <= MAX_OCCUPANCY_DIFFERENCE for values in occupancies.values())
    total = sum(max(v) for group, v in occupancies.items() if not group.startswith("-"))
    return alike and total <= 1 + MAX_OCCUPANCY_DIFFERENCE * len(occupancies)


def _alike(places: list[_Place]) -> tuple[list[_Place], list[str]]:
    """The places of the groups whose atoms are there equally often, and the labels of the others."""
    together: list[_Place] = []
    differing: list[str] = []
    for group in dict.fromkeys(place.group for place in places):
        mine = [place for place in places if place.group == group]
        values = [place.occupancy for place in mine]
        if max(values) - min(values) <= MAX_OCCUPANCY_DIFFERENCE:
            together += mine
        else:
            differing += [place.label for place in mine]
    return together, differing


def _images(cluster: int, places: list[_Place], operations: Operations, lattice: FloatArray) -> Iterator[CifFragment]:
    """The fragments that each operation makes of the groups of a cluster."""
    if not places:
        return
    points = gathered(np.array([place.point for place in places]), lattice)
    for k, (rotation, translation) in enumerate(zip(operations.rotations, operations.translations, strict=True)):
        images = points @ rotation.T + translation
        for group in dict.fromkeys(place.group for place in places):
            mine = [i for i, place in enumerate(places) if place.group == group]
            numbers = tuple(places[i].numbers for i in mine)
            yield CifFragment(cluster, group, k, images[mine], numbers, places[mine[0]].occupancy)


def gathered(points: FloatArray, lattice: FloatArray) -> FloatArray:
    """Lattice translations of points (n, 3) that are near each other: each next to one that was placed before."""
    placed = np.array(points, dtype=float)
    waiting = np.arange(1, len(points))
    nearest: IntArray = np.zeros(len(points), dtype=np.int64)
    shortest = np.full(len(points), np.inf)
    newest = 0
    while len(waiting):
        gap = placed[waiting] - placed[newest]
        gap -= np.rint(gap)
        length = np.linalg.norm(gap @ lattice, axis=1)
        closer = length < shortest[waiting]
        shortest[waiting[closer]], nearest[waiting[closer]] = length[closer], newest
        newest = int(waiting[shortest[waiting].argmin()])
        placed[newest] -= np.rint(placed[newest] - placed[nearest[newest]])
        waiting = waiting[waiting != newest]
    return placed
