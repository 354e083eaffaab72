"""Grain boundaries: two grains of a crystal that share a coincidence-site lattice, joined at a plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.cif import MAX_ATOMS
from augment.errors import SupercellError
from augment.host import Host
from augment.planar.cells import crystal_cell, plane_name
from augment.planar.coincidence import MAX_SIGMA, Coincidence, coincidences
from augment.planar.layered import PlanarHost, planar_host
from augment.planar.planes import Plane

DEFAULT_BOUNDARY_SEPARATION = 10.0
"""Å from one boundary of a cell to the next."""

DEFAULT_MERGE = 0.7
"""Fraction of the bond length of the crystal; like atoms of two grains nearer than this become one."""


def grain_boundary(
    host: Host,
    sigma: int,
    axis: Sequence[int],
    miller: Sequence[int],
    *,
    min_separation: float = DEFAULT_BOUNDARY_SEPARATION,
    shift: Sequence[float] = (0.0, 0.0),
    merge: float = DEFAULT_MERGE,
) -> PlanarHost:
    """A periodic bicrystal with two boundaries, each through a point of the coincidence-site lattice.

    Of all rotations about the axis with this sigma, the one whose boundary has the smallest cell is taken: the
    symmetric tilt or the twist boundary where the plane has one. Pairs of like atoms, one of each grain, that are too
    close are replaced by one atom midway, which keeps the symmetry between the grains.

    Args:
        host: the bulk crystal: cubic, or with the axis c for tetragonal, trigonal and hexagonal ones.
        sigma: index of the coincidence-site lattice.
        axis: (3,) rotation axis [u v w] in its conventional cell.
        miller: (h, k, l) of the boundary plane in the conventional cell of the first grain.
        min_separation: from one boundary to the next, Å.
        shift: (2,) rigid shift of the second grain, as fractions of the edges of the boundary's cell.
        merge: fraction of the crystal's shortest bond.

    Raises:
        SupercellError: no such rotation or plane, atoms of different elements too close, or too many atoms.
    """
    plane = Plane.of(host, miller)
    label = f"{host.formula} Σ{sigma} {plane_name(miller)} [{' '.join(map(str, axis))}]"
    if not (0 < min_separation < np.inf and 0 <= merge < 1 and np.shape(shift) == (2,) and np.isfinite(shift).all()):
        raise SupercellError(
            f"{label}: separation {min_separation} Å, merge {merge}, shift {shift}; "
            "give a distance above 0, a fraction from 0 to 1 and two finite fractions"
        )
    size = merge * min(orbit.radius for orbit in host.atoms.orbits)
    turns = _rotations(host, plane, sigma, axis, label)
    bicrystals = [_bicrystal(plane, turn, min_separation, np.array(shift, dtype=float), size, label) for turn in turns]
    best = min(bicrystals, key=lambda b: (b.unlike, b.merged, b.turn.angle))
    if best.unlike:
        raise SupercellError(
            f"{label}: atoms of different elements are nearer than {size:.2f} Å at the boundary; "
            "shift the second grain, or choose another plane"
        )
    info = {
        "sigma": sigma,
        "axis": [int(x) for x in axis],
        "angle": round(best.turn.angle, 4),
        "miller": [int(x) for x in miller],
        "miller_of_second_grain": _miller(host, best.turn.other_plane(plane.normal)[0]),
        "shift": [float(x) for x in shift],
        "separation": round(best.separation, 4),
        "merged_atoms": best.merged,
    }
    structure = crystal_cell(best.edges, best.positions, best.numbers, label)
    return planar_host(structure, kind="grain boundary", label=label, planes=[0.0, 0.5], info=info)


@dataclass(frozen=True, eq=False)
class _Bicrystal:
    """Two grains in a cell (3, 3), rows, Å, with the atoms that were too close merged; `unlike` pairs remain."""

    turn: Coincidence
    edges: FloatArray
    positions: FloatArray
    numbers: IntArray
    separation: float
    merged: int
    unlike: int


def _rotations(host: Host, plane: Plane, sigma: int, axis: Sequence[int], label: str) -> list[Coincidence]:
    """The rotations with the smallest boundary cell, and of these with the most alike planes in both grains."""
    every = coincidences(host, axis)
    fitting = [c for c in every if c.sigma == sigma]
    if not fitting:
        known = ", ".join(map(str, sorted({c.sigma for c in every})))
        raise SupercellError(
            f"{label}: no rotation about this axis has sigma {sigma}; those to {MAX_SIGMA} are {known}"
        )
    sizes = []
    for turn in fitting:
        cell = turn.plane_cell(plane.normal, host.primitive) @ host.primitive
        area = float(np.linalg.norm(np.cross(cell[0], cell[1])))
        sizes.append((round(area, 6), round(abs(turn.other_plane(plane.normal)[1] - 1), 6)))
    return [turn for turn, size in zip(fitting, sizes, strict=True) if size == min(sizes)]


def _bicrystal(
    plane: Plane, turn: Coincidence, min_separation: float, shift: FloatArray, size: float, label: str
) -> _Bicrystal:
    """Half a cell of each grain, both boundaries through points of the coincidence-site lattice."""
    primitive = plane.host.primitive
    cell = turn.plane_cell(plane.normal, primitive)
    rise = int(cell[2] @ plane.normal)
    repeats = int(np.ceil(min_separation / (rise * plane.spacing) - 1e-9))
    height = repeats * rise
    other, ratio = turn.other_plane(plane.normal)
    turned_edges = np.rint(cell[:2] @ np.linalg.inv(turn.rotation).T).astype(np.int64)
    lower, lower_numbers = plane.between(0, height, cell[:2])
    upper, upper_numbers = Plane(plane.host, other).between(height / ratio, 2 * height / ratio, turned_edges)
    edges = cell * np.array([1, 1, 2 * repeats])[:, None] @ primitive
    positions = np.concatenate([lower @ primitive, upper @ turn.rotation.T @ primitive + shift @ edges[:2]])
    numbers = np.concatenate([lower_numbers, upper_numbers])
    if len(numbers) > MAX_ATOMS:
        raise SupercellError(f"{label}: {len(numbers)} atoms, more than {MAX_ATOMS}; take a smaller sigma or distance")
    positions, atoms, unlike = _merged(positions, numbers, edges, size)
    merged = len(numbers) - len(atoms)
    return _Bicrystal(turn, edges, positions, numbers[atoms], height * plane.spacing, merged, unlike)


def _miller(host: Host, normal: IntArray) -> list[int]:
    """Miller indices of a plane of the primitive lattice in the conventional cell."""
    indices = np.rint(host.lattice @ np.linalg.inv(host.primitive) @ normal).astype(np.int64)
    return [int(x) for x in indices // np.gcd.reduce(indices)]


def _merged(
    positions: FloatArray, numbers: IntArray, edges: FloatArray, size: float
) -> tuple[FloatArray, IntArray, int]:
    """Means (k, 3) of the groups of atoms nearer than `size`, one atom of each, and how many pairs are unlike."""
    from scipy.sparse.csgraph import connected_components

    offset = (positions[None] - positions[:, None]) @ np.linalg.inv(edges)
    offset = (offset - np.rint(offset)) @ edges
    close = (offset**2).sum(axis=-1) < size**2
    _, group = connected_components(close, directed=False)
    _, first, count = np.unique(group, return_index=True, return_counts=True)
    total = np.zeros((len(first), 3))
    np.add.at(total, group, offset[first[group], np.arange(len(group))])
    unlike = int((close & (numbers[:, None] != numbers)).sum()) // 2
    return positions[first] + total / count[:, None], first, unlike
