"""Stacking faults: a crystal cut along a plane and shifted, and every distinct way to shift it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from augment.cell import IntArray
from augment.errors import SupercellError
from augment.host import Host
from augment.planar.cells import crystal_cell, plane_name
from augment.planar.layered import PlanarHost, planar_host
from augment.planar.planes import Plane, close_to_integer

DEFAULT_FAULT_SEPARATION = 18.0
"""Å between a fault and its periodic image."""

_IN_PLANE = 1e-6
"""Miller indices times fault vector; decimals such as 0.166667 of a sixth miss zero by this much."""

_DIGITS = 12
"""Decimals of a grid's fault vectors."""

_MAX_DENOMINATOR = 48
"""A fault vector is printed in fractions no finer than this."""


@dataclass(frozen=True)
class FaultVector:
    """One orbit of fault vectors of a plane.

    Attributes:
        vector: (3,) in the conventional cell, as `stacking_fault` takes it.
        multiplicity: how many vectors of the grid give the same fault.
    """

    vector: tuple[float, float, float]
    multiplicity: int


def stacking_fault(
    host: Host,
    miller: Sequence[int],
    vector: Sequence[float],
    *,
    min_separation: float = DEFAULT_FAULT_SEPARATION,
    cut: int = 0,
) -> PlanarHost:
    """A crystal in which all that is above a plane is shifted, once in each period along the normal.

    Args:
        host: the bulk crystal.
        miller: (h, k, l), or (h, k, i, l), of its conventional cell.
        vector: (3,) shift of the upper part in the conventional cell; (1/6, 1/6, -1/3) on (1, 1, 1) is the
            intrinsic fault of fcc. Faults are on both sides of a period, so each shifts by the whole of it.
        min_separation: between the fault and its periodic image, Å.
        cut: which of the distinct gaps between atomic layers the fault is in, the widest first.

    Raises:
        SupercellError: no such plane or cut, a vector out of the plane, or one that leaves the crystal perfect.
        CifError: atoms overlap at the fault.
    """
    plane = Plane.of(host, miller)
    shift = np.array(vector, dtype=float)
    label = f"{host.formula} {plane_name(miller)} fault [{' '.join(_fraction(x) for x in shift)}]"
    bottom = plane.cut(cut)
    if shift.shape != (3,) or not np.isfinite(shift).all():
        raise SupercellError(f"{label}: a fault vector has three finite components in the conventional cell")
    if not 0 < min_separation < np.inf:
        raise SupercellError(f"{label}: faults {min_separation} Å apart; give a distance above 0")
    out = float(shift @ host.lattice @ plane.direction)
    if abs(out) > _IN_PLANE * plane.spacing:
        raise SupercellError(f"{label}: the vector leaves the plane by {out:.3f} Å; give one in the plane")
    layers = int(np.ceil(min_separation / plane.spacing - 1e-9))
    points, numbers = plane.between(bottom, bottom + layers)
    edges = plane.basis * np.array([1, 1, layers])[:, None] @ host.primitive
    edges[2] += shift @ host.lattice
    structure = crystal_cell(edges, points @ host.primitive, numbers, label)
    info = {"miller": [int(x) for x in miller], "vector": shift.tolist(), "cut": cut, "layers": layers}
    made = planar_host(structure, kind="stacking fault", label=label, planes=[bottom / layers], info=info)
    if not np.isclose(made.period, layers * plane.spacing):
        raise SupercellError(f"{label}: the shifted crystal is perfect; give a vector that is no lattice vector")
    return made


def fault_vectors(host: Host, miller: Sequence[int], divisions: int, *, cut: int = 0) -> tuple[FaultVector, ...]:
    """The symmetry-distinct vectors of a grid over the plane's cell: the points of a generalised fault surface.

    An operation that keeps the plane and the cut takes a fault vector f to R f, or to -R f where it exchanges the
    two sides; mirror images count as one. The perfect crystal comes first.

    Args:
        host: the bulk crystal.
        miller: (h, k, l), or (h, k, i, l), of its conventional cell.
        divisions: of each edge of the plane's primitive cell.
        cut: as for `stacking_fault`.

    Raises:
        SupercellError: no such plane or cut, or fewer than one division.
    """
    if divisions < 1:
        raise SupercellError(f"{divisions} divisions of the plane's cell; give at least 1")
    plane = Plane.of(host, miller)
    steps = np.stack(np.meshgrid(*[np.arange(divisions)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    moved = np.einsum("gab,nb->gna", _fault_operations(plane, plane.cut(cut)), steps) % divisions
    smallest = (moved @ [divisions, 1]).min(axis=0)
    first, counts = np.unique(smallest, return_counts=True)
    vectors = steps[first] / divisions @ plane.basis[:2] @ host.primitive @ np.linalg.inv(host.lattice)
    vectors = np.round(vectors, _DIGITS) + 0.0
    return tuple(FaultVector((x, y, z), int(n)) for (x, y, z), n in zip(vectors.tolist(), counts, strict=True))


def _fault_operations(plane: Plane, cut: float) -> IntArray:
    """Integer matrices (g, 2, 2) that act on fault vectors in the basis of the plane."""
    sign, shift, rotations = plane.operations
    keep = close_to_integer(sign * cut + shift - cut)
    to_plane = np.linalg.inv(plane.basis.T)
    inside = np.rint(to_plane @ rotations[keep] @ plane.basis.T).astype(np.int64)
    return np.asarray(sign[keep, None, None] * inside[:, :2, :2])


def _fraction(value: float) -> str:
    return str(Fraction(value).limit_denominator(_MAX_DENOMINATOR)) if np.isfinite(value) else str(value)
