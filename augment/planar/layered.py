"""A crystal with a planar defect as a host: its layer group, its sites by orbit, and how deep each lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.cif import MAX_ATOMS, check_overlap
from augment.crystal.standard import StandardCrystal, standardise
from augment.crystal.vacuum import MIN_VACUUM, widest_gap
from augment.crystal.voids import VoidOrbit, find_voids
from augment.defect import Defect
from augment.errors import CifError, SupercellError
from augment.host import Host, assemble_host
from augment.planar.adatoms import adatom_sites
from augment.planar.planes import LAYER_GAP, Plane, close_to_integer

if TYPE_CHECKING:
    from pymatgen.core import Structure

SLABS = ("surface", "layer")
"""Kinds of planar host with a vacuum above them: cut from a crystal, or given as they are."""

MAX_VOID_RADIUS = 4.0
"""Å; an interstitial farther than this from every atom is bound to nothing."""


_MARGIN = 1e-5
"""Fraction of the period; an atom of the lowest plane may lie this much below it by rounding."""


@dataclass(frozen=True, eq=False)
class PlanarHost:
    """A slab, a crystal with a stacking fault or a bicrystal as a host, with where its planes are.

    Attributes:
        host: periodic in three directions; its space group is the layer group with the period across the plane.
        kind: `surface`, `layer`, `stacking fault` or `grain boundary`.
        label: what it is, for a person (`MgO (1 0 0)`).
        planes: (p,) heights of the surfaces, faults or boundaries, as fractions of the period; a slab's are its
            lowest and its highest atomic plane.
        info: how it was made, as JSON values.
    """

    host: Host
    kind: str
    label: str
    planes: FloatArray
    info: Mapping[str, Any]

    @cached_property
    def plane(self) -> Plane:
        """The planes parallel to the defect; the unit of heights is the period."""
        return Plane(self.host, np.array(self.host.normal, dtype=np.int64))

    @property
    def period(self) -> float:
        """Distance between the periodic images of the plane along its normal, Å."""
        return self.plane.spacing

    @property
    def area(self) -> float:
        """Area of the primitive cell of the plane, Å²."""
        return abs(float(np.linalg.det(self.host.primitive))) / self.period

    @cached_property
    def heights(self) -> FloatArray:
        """(n,) heights of the host's sites, in [0, 1) of the period; a slab's are above its lowest plane."""
        lowest = self.planes[0] if self.kind in SLABS else 0.0
        return np.asarray(np.mod(self.host.points @ self.plane.normal - lowest + _MARGIN, 1) - _MARGIN + lowest)

    @cached_property
    def depth(self) -> FloatArray:
        """(n,) distance of each site of the primitive cell to the nearest plane, Å; above a surface, negative."""
        away = self.heights[:, None] - self.planes
        away = np.abs(away - np.rint(away))
        outside = self.kind in SLABS and self.heights > self.planes.max() + _MARGIN
        return np.asarray(away.min(axis=1) * np.where(outside, -1, 1) * self.period)

    @cached_property
    def nearest_plane(self) -> IntArray:
        """(n,) index into `planes` of the plane nearest to each site of the primitive cell."""
        away = self.heights[:, None] - self.planes
        return np.asarray(np.round(np.abs(away - np.rint(away)), 5).argmin(axis=1))

    @cached_property
    def layer(self) -> IntArray:
        """(n,) number of atomic layers up to each atom, counted from its plane, from 1; 0 for a void site."""
        number = np.zeros(len(self.host.points), dtype=np.int64)
        atoms = self.host.numbers > 0
        for plane in range(len(self.planes)):
            sites = np.flatnonzero(atoms & (self.nearest_plane == plane))
            order = sites[np.argsort(self.depth[sites], kind="stable")]
            steps = np.diff(self.depth[order], prepend=-np.inf) > LAYER_GAP
            number[order] = np.cumsum(steps)
        return number

    @cached_property
    def plane_orbits(self) -> tuple[int, ...]:
        """For each plane, the first one that the symmetry takes it to: one number for equivalent planes."""
        sign, shift, _ = self.plane.operations
        images = sign[:, None] * self.planes + shift[:, None]
        same = close_to_integer(images[:, :, None] - self.planes).any(axis=0)
        return tuple(int(k) for k in same.argmax(axis=1))

    def depths(self, defect: Defect) -> FloatArray:
        """(k,) distance of each edited site of a defect to the nearest plane, Å; above a surface, negative."""
        basis = defect.supercell.sites.basis
        return np.asarray(self.depth[[basis[e.site] for e in defect.edits]])

    def sites(self) -> list[dict[str, Any]]:
        """One row of JSON values for each orbit: what it is, how deep, in which layer, how many per primitive cell."""
        rows = []
        for orbit in self.host.orbits:
            first = orbit.members[0]
            rows.append(
                {
                    "element": orbit.element or "void",
                    "depth": round(float(self.depth[first]), 4),
                    "layer": int(self.layer[first]),
                    "plane": self.plane_orbits[self.nearest_plane[first]],
                    "site_symmetry": orbit.site_symmetry,
                    "point_group": orbit.point_group,
                    "per_cell": len(orbit.members),
                    "radius": round(orbit.radius, 4),
                }
            )
        return rows

    def to_dict(self) -> dict[str, Any]:
        """JSON values: what it is, its geometry, its symmetry and its sites."""
        return {
            "kind": self.kind,
            "label": self.label,
            **self.info,
            "hash": self.host.hash,
            "atoms": self.host.n_lattice,
            "area": round(self.area, 4),
            "period": round(self.period, 4),
            "space_group": self.host.space_group_symbol,
            "group_order": self.host.group.order,
            "equivalent_planes": len(set(self.plane_orbits)) < len(self.planes),
            "sites": self.sites(),
        }


def planar_host(
    structure: Structure,
    *,
    kind: str = "surface",
    label: str = "",
    normal: Sequence[int] = (0, 0, 1),
    planes: Sequence[float] = (),
    info: Mapping[str, Any] | None = None,
) -> PlanarHost:
    """Host of any periodic structure with a slab, a stacking fault or grain boundaries in it.

    Args:
        structure: ordered, in any setting; every plane of one kind in the cell.
        kind: `surface`, `layer`, `stacking fault` or `grain boundary`.
        label: what to call it.
        normal: (3,) integers h: the plane is h · x = constant in the fractional coordinates of the structure.
        planes: heights h · x of the faults or boundaries; not for a slab, whose atoms define them.
        info: JSON values to keep.

    Raises:
        SupercellError: too many atoms, no vacuum, or symmetry that does not keep the plane.
        CifError: atoms overlap, or no space group can be found.
    """
    label = label or kind
    if len(structure) > MAX_ATOMS:
        raise SupercellError(f"{label}: {len(structure)} atoms, more than {MAX_ATOMS}; make it thinner or smaller")
    structure = type(structure)(structure.lattice, structure.species, structure.frac_coords, to_unit_cell=True)
    check_overlap(structure, label)
    host, heights = planar_parts(standardise(structure, label), kind=kind, label=label, normal=normal, planes=planes)
    return PlanarHost(host, kind, label, heights, info or {})


def planar_parts(
    crystal: StandardCrystal,
    *,
    kind: str,
    label: str,
    normal: Sequence[int] = (0, 0, 1),
    planes: Sequence[float] = (),
) -> tuple[Host, FloatArray]:
    """The host of a standardised crystal with planes in it, and their heights; arguments as for `planar_host`.

    Raises:
        SupercellError: no vacuum, or symmetry that does not keep the plane.
        CifError: several layers with vacuum between them.
    """
    primitive_normal, scale = _normal(crystal, np.array(normal, dtype=np.int64))
    turned = primitive_normal @ crystal.standard.group.rotations
    if not ((turned == primitive_normal).all(axis=1) | (turned == -primitive_normal).all(axis=1)).all():
        raise SupercellError(f"{label}: symmetric beyond its plane, so it has none; make it thicker or shift it")
    if kind in SLABS:
        heights = _slab_heights(crystal, primitive_normal, label)
    else:
        heights = np.unique(np.round(np.mod(np.array(planes) * scale + primitive_normal @ crystal.shift, 1), 6))
    host = assemble_host(
        crystal,
        partial(_voids, crystal, primitive_normal, heights, kind),
        (int(primitive_normal[0]), int(primitive_normal[1]), int(primitive_normal[2])),
    )
    return host, heights


def _normal(crystal: StandardCrystal, given: IntArray) -> tuple[IntArray, float]:
    """Coprime normal in the primitive basis, first entry positive, and the primitive height per given height."""
    linear = crystal.linear
    whole = np.rint(np.linalg.solve(linear.T, given) * round(abs(float(np.linalg.det(linear))))).astype(np.int64)
    if not whole.any():
        raise SupercellError(f"{given.tolist()} is no normal; give three integers, not all zero")
    primitive_normal = whole // np.gcd.reduce(whole) * np.sign(whole[np.flatnonzero(whole)[0]])
    along = primitive_normal @ linear
    return np.asarray(primitive_normal), float(along @ given / (given @ given))


def _slab_heights(crystal: StandardCrystal, normal: IntArray, label: str) -> FloatArray:
    """Heights (2,) of the lowest and the highest atomic plane of a slab, the second above the first."""
    heights = np.sort(np.mod(crystal.points @ normal, 1))
    lowest, gap = widest_gap(heights)
    period = float(1 / np.linalg.norm(np.linalg.solve(crystal.primitive, normal.astype(float))))
    if gap * period < MIN_VACUUM:
        raise SupercellError(
            f"{label}: the widest gap between its layers is {gap * period:.2f} Å; "
            f"a slab needs a vacuum of {MIN_VACUUM:g} Å or more"
        )
    if np.count_nonzero(np.diff(heights, append=heights[0] + 1) * period >= MIN_VACUUM) > 1:
        raise CifError(
            f"{label}: several layers with {MIN_VACUUM:g} Å of vacuum or more between them; give one of them, or one "
            "stack of them (--bulk treats it as a bulk crystal)"
        )
    return np.array([lowest, lowest + 1 - gap])


def _voids(crystal: StandardCrystal, normal: IntArray, planes: FloatArray, kind: str) -> list[VoidOrbit]:
    """Interstitial sites between the atoms, then, on a slab, adatom sites."""
    group = crystal.standard.group
    voids = find_voids(group, crystal.points, crystal.primitive, MAX_VOID_RADIUS)
    if kind not in SLABS:
        return voids
    above = [np.mod(float(v.points[0] @ normal) - planes[0], 1) for v in voids]
    inside = [v for v, height in zip(voids, above, strict=True) if height < planes[1] - planes[0]]
    return inside + adatom_sites(crystal, normal, float(planes[0]), inside)
