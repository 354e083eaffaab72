"""What the network sees of a defect: atoms, vacated sites and voids as nodes of a periodic graph, with Wyckoff data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.errors import DataError
from augment.neighbours import neighbours
from augment.supercell import SiteTable

WYCKOFF_LETTERS = "abcdefghijklmnopqrstuvwxyzA"


class Marker(IntEnum):
    """What a node is to the defect."""

    HOST = 0
    SUBSTITUTED = 1
    INTERSTITIAL = 2
    VACANCY = 3
    VOID = 4
    UNKNOWN = 5


MAX_VOID_ORBITS = 3
"""Orbits of empty interstitial sites that become nodes, the widest first."""


@dataclass(frozen=True, eq=False)
class Template:
    """A defect before anything moves. Nodes: the n atoms of the defect cell, vacated lattice sites, empty voids.

    Attributes:
        key: canonical defect key.
        cell: (3, 3) ideal lattice vectors, Å.
        positions: (m, 3) ideal positions, Å.
        numbers: (m,) atomic numbers; 0 for a vacated site or an empty void.
        host_numbers: (m,) atomic numbers of the pristine host at the same site; 0 for a void.
        markers: (m,) `Marker` values.
        wyckoff: (m,) index of the Wyckoff letter (a = 0).
        site_order: (m,) order of the site-symmetry group of the site.
        multiplicity: (m,) multiplicity of the site's orbit in the conventional cell of the host.
        descent: (m, k, 2, 3) displacements and forces of some points on the way down from the ideal geometry, Å and
            eV/Å, zero at vacant nodes; None without a potential (see `defectgen.energy_surface.surface`).
    """

    key: str
    cell: FloatArray
    positions: FloatArray
    numbers: IntArray
    host_numbers: IntArray
    markers: IntArray
    wyckoff: IntArray
    site_order: IntArray
    multiplicity: IntArray
    descent: FloatArray | None = None

    def __post_init__(self) -> None:
        m = len(self.numbers)
        columns = (self.host_numbers, self.markers, self.wyckoff, self.site_order, self.multiplicity)
        fits = self.descent is None or (len(self.descent) == m and self.descent.shape[2:] == (2, 3))
        if not fits or self.positions.shape != (m, 3) or any(column.shape != (m,) for column in columns):
            raise DataError(f"template {self.key}: its columns do not fit {m} nodes")
        vacant = np.isin(self.markers, [Marker.VACANCY, Marker.VOID])
        if (vacant != (self.numbers == 0)).any() or (np.diff(vacant.astype(int)) < 0).any():
            raise DataError(f"template {self.key}: vacant sites must be the nodes without an atom, and come last")

    @classmethod
    def of(
        cls, cell: DefectCell, sites: SiteTable, *, voids: float = 0.0, descent: FloatArray | None = None
    ) -> Template:
        """Template of an ideal defect cell, given the site table of its supercell.

        Args:
            cell: the ideal defect cell.
            sites: all sites of its supercell.
            voids: empty voids of the widest orbits become nodes if they are within this distance of an edit, Å.
            descent: (n, k, 2, 3) points on the way down, of the atoms of the cell, if they are known.
        """
        vacated = np.setdiff1d(np.flatnonzero(~sites.void), cell.sites)
        empty = _empty_voids(cell, sites, vacated, voids) if voids > 0 else vacated[:0]
        index = np.concatenate([cell.sites, vacated, empty])
        numbers = np.concatenate([cell.numbers, np.zeros(len(vacated) + len(empty), dtype=np.int64)])
        host_numbers = sites.numbers[index]
        markers = np.where(numbers == host_numbers, int(Marker.HOST), int(Marker.SUBSTITUTED))
        markers[sites.void[index]] = Marker.INTERSTITIAL
        markers[numbers == 0] = Marker.VACANCY
        markers[sites.void[index] & (numbers == 0)] = Marker.VOID
        template = cls(
            key=cell.key,
            cell=cell.cell,
            positions=np.concatenate([cell.positions, sites.positions[index[len(cell.sites) :]]]),
            numbers=numbers,
            host_numbers=host_numbers,
            markers=markers,
            wyckoff=np.array([WYCKOFF_LETTERS.index(sites.wyckoff[k]) for k in index], dtype=np.int64),
            site_order=sites.site_symmetry_order[index],
            multiplicity=sites.multiplicity[index],
        )
        return template.with_descent(descent)

    def with_descent(self, descent: FloatArray | None) -> Template:
        """The template with points (n, k, 2, 3) on the way down; vacant nodes do not move."""
        if descent is None:
            return replace(self, descent=None)
        vacant = len(self.numbers) - len(descent)
        return replace(self, descent=np.pad(descent, [(0, vacant), (0, 0), (0, 0), (0, 0)]))

    def take(self, nodes: IntArray) -> Template:
        """The template with some of its nodes, in the order given; all atoms must be among them."""
        columns = ["positions", "numbers", "host_numbers", "markers", "wyckoff", "site_order", "multiplicity"]
        columns += [] if self.descent is None else ["descent"]
        return replace(self, **{name: getattr(self, name)[nodes] for name in columns})

    def with_voids(self, reach: float) -> Template:
        """The template without the empty voids beyond `reach` (Å) of an edit; with 0 it has none."""
        return self.take(np.flatnonzero((self.markers != Marker.VOID) | (self.defect_distance <= reach)))

    @property
    def n_atoms(self) -> int:
        """Number of real atoms; the other nodes are vacant."""
        return int((self.numbers > 0).sum())

    @property
    def concentration(self) -> float:
        """Edits per lattice site of the supercell."""
        edited = ~np.isin(self.markers, [Marker.HOST, Marker.VOID])
        return float(edited.sum() / max(1, (self.host_numbers > 0).sum()))

    @cached_property
    def defect_distance(self) -> FloatArray:
        """(m,) distance of each node to the nearest edited site, minimum image, Å; infinite in a pristine cell."""
        edited = self.positions[~np.isin(self.markers, [Marker.HOST, Marker.VOID])]
        if len(edited) == 0:
            return np.full(len(self.numbers), np.inf)
        return np.asarray(nearest_images(self.positions, edited, self.cell).min(axis=1))

    def edges(self, cutoff: float) -> Edges:
        """All pairs of nodes, images included, closer than `cutoff` (Å) in the ideal geometry."""
        receivers, senders, vectors = neighbours("ijD", self.cell, self.positions, cutoff)
        return Edges(senders.astype(np.int64), receivers.astype(np.int64), vectors)


@dataclass(frozen=True, eq=False)
class Edges:
    """Directed periodic edges of the ideal geometry.

    Attributes:
        senders: (e,) node j.
        receivers: (e,) node i.
        vectors: (e, 3) ideal vector from i to the image of j, Å; lattice shifts are contained in it.
    """

    senders: IntArray
    receivers: IntArray
    vectors: FloatArray


def nearest_images(points: FloatArray, others: FloatArray, cell: FloatArray) -> FloatArray:
    """(p, q) distances between points (p, 3) and the nearest images of others (q, 3), Å."""
    fractional = (points[:, None] - others[None]) @ np.linalg.inv(cell)
    wrapped = fractional - np.round(fractional)
    # The nearest image of a wrapped vector is among the 27 cells around it for any cell that is not very skewed.
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    vectors = (wrapped[:, :, None] + shifts) @ cell
    nearest: FloatArray = np.linalg.norm(vectors, axis=-1).min(axis=2)
    return nearest


def _empty_voids(cell: DefectCell, sites: SiteTable, vacated: IntArray, reach: float) -> IntArray:
    """Void sites of the widest orbits without an atom within `reach` (Å) of an edited site."""
    orbits = np.unique(sites.orbit[sites.void])[:MAX_VOID_ORBITS]
    empty = np.setdiff1d(np.flatnonzero(sites.void & np.isin(sites.orbit, orbits)), cell.sites)
    changed = cell.sites[sites.numbers[cell.sites] != cell.numbers]
    edited = sites.positions[np.concatenate([changed, vacated])]
    if len(edited) == 0 or len(empty) == 0:
        return empty[:0]
    return np.asarray(empty[nearest_images(sites.positions[empty], edited, cell.cell).min(axis=1) <= reach])
