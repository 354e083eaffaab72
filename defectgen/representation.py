"""What the network sees of a defect: atoms and vacated sites as nodes of a periodic graph, with Wyckoff data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import ClassVar

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.errors import DataError
from augment.supercell import SiteTable

WYCKOFF_LETTERS = "abcdefghijklmnopqrstuvwxyzA"


class Marker(IntEnum):
    """What a node is to the defect."""

    HOST = 0
    SUBSTITUTED = 1
    INTERSTITIAL = 2
    VACANCY = 3


@dataclass(frozen=True, eq=False)
class Template:
    """A defect before anything moves. Nodes are the n atoms of the defect cell, then the vacated lattice sites.

    Attributes:
        key: canonical defect key.
        cell: (3, 3) ideal lattice vectors, Å.
        positions: (m, 3) ideal positions, Å.
        numbers: (m,) atomic numbers; 0 for a vacated site.
        host_numbers: (m,) atomic numbers of the pristine host at the same site; 0 for a void.
        markers: (m,) `Marker` values.
        wyckoff: (m,) index of the Wyckoff letter (a = 0).
        site_order: (m,) order of the site-symmetry group of the site.
        multiplicity: (m,) multiplicity of the site's orbit in the conventional cell of the host.
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

    def __post_init__(self) -> None:
        m = len(self.numbers)
        columns = (self.host_numbers, self.markers, self.wyckoff, self.site_order, self.multiplicity)
        if self.positions.shape != (m, 3) or any(column.shape != (m,) for column in columns):
            raise DataError(f"template {self.key}: its columns do not fit {m} nodes")
        vacated = self.markers == Marker.VACANCY
        if (vacated != (self.numbers == 0)).any() or (np.diff(vacated.astype(int)) < 0).any():
            raise DataError(f"template {self.key}: vacated sites must be the nodes without an atom, and come last")

    @classmethod
    def of(cls, cell: DefectCell, sites: SiteTable) -> Template:
        """Template of an ideal defect cell, given the site table of its supercell."""
        vacated = np.setdiff1d(np.flatnonzero(~sites.void), cell.sites)
        index = np.concatenate([cell.sites, vacated])
        numbers = np.concatenate([cell.numbers, np.zeros(len(vacated), dtype=np.int64)])
        host_numbers = sites.numbers[index]
        markers = np.where(numbers == host_numbers, int(Marker.HOST), int(Marker.SUBSTITUTED))
        markers[sites.void[index]] = Marker.INTERSTITIAL
        markers[numbers == 0] = Marker.VACANCY
        return cls(
            key=cell.key,
            cell=cell.cell,
            positions=np.concatenate([cell.positions, sites.positions[vacated]]),
            numbers=numbers,
            host_numbers=host_numbers,
            markers=markers,
            wyckoff=np.array([WYCKOFF_LETTERS.index(sites.wyckoff[k]) for k in index], dtype=np.int64),
            site_order=sites.site_symmetry_order[index],
            multiplicity=sites.multiplicity[index],
        )

    @property
    def n_atoms(self) -> int:
        """Number of real atoms; the other nodes are vacated sites."""
        return int((self.markers != Marker.VACANCY).sum())

    @cached_property
    def defect_distance(self) -> FloatArray:
        """(m,) distance of each node to the nearest edited site, minimum image, Å; infinite in a pristine cell."""
        edited = self.positions[self.markers != Marker.HOST]
        if len(edited) == 0:
            return np.full(len(self.numbers), np.inf)
        fractional = (self.positions[:, None] - edited[None]) @ np.linalg.inv(self.cell)
        wrapped = fractional - np.round(fractional)
        # The nearest image of a wrapped vector is among the 27 cells around it for any cell that is not very skewed.
        shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
        vectors = (wrapped[:, :, None] + shifts) @ self.cell
        nearest: FloatArray = np.linalg.norm(vectors, axis=-1).min(axis=(1, 2))
        return nearest

    def edges(self, cutoff: float) -> Edges:
        """All pairs of nodes, images included, closer than `cutoff` (Å) in the ideal geometry."""
        from ase.neighborlist import primitive_neighbor_list

        receivers, senders, vectors = primitive_neighbor_list(
            "ijD", pbc=(True, True, True), cell=self.cell, positions=self.positions, cutoff=cutoff
        )
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


@dataclass(frozen=True)
class Conditions:
    """What a geometry is asked for.

    Attributes:
        temperature: K; 0 for a relaxed structure.
        pressure: GPa.
        subgroup_order: |H|.
        stabilizer_order: order of the full stabilizer of the defect, of which H is a subgroup.
        snapshot: an instantaneous frame instead of the relaxed (or thermal-mean) structure.
        hidden: names among temperature, pressure and subgroup that the network is not told (guidance dropout).
        anonymous: atomic numbers of which the network is told the descriptors only, as of elements that it has never
            seen.
    """

    temperature: float = 0.0
    pressure: float = 0.0
    subgroup_order: int = 1
    stabilizer_order: int = 1
    snapshot: bool = False
    hidden: frozenset[str] = frozenset()
    anonymous: frozenset[int] = frozenset()

    WIDTH: ClassVar[int] = 12

    @property
    def strain_scale(self) -> float:
        """Size of the strain to expect; exactly 0 at 0 K and 0 GPa, where the cell is the reference by definition."""
        return abs(self.pressure) / 10.0 + self.temperature / 1000.0

    def vector(self) -> FloatArray:
        """(WIDTH,) features of order one; a hidden or unknown quantity is zero with its flag down."""
        order, full = float(self.subgroup_order), float(self.stabilizer_order)
        values = {
            "temperature": [self.temperature / 1000.0, float(self.temperature > 0)],
            "pressure": [self.pressure / 10.0],
            "subgroup": [np.log(order) / 4.0, np.log(order / full) / 4.0, float(order > 1)],
        }
        features: list[float] = []
        for name, numbers in values.items():
            known = name not in self.hidden
            features += [*(numbers if known else [0.0] * len(numbers)), float(known)]
        # The labels know no charge: its value and its flag stay down until some do.
        charge, charge_known = 0.0, 0.0
        return np.array([*features, float(self.snapshot), charge, charge_known])
