"""Supercells of a layer or another host with a plane that repeat it in its plane only, by exhaustive search."""

from __future__ import annotations

import itertools

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.lattice import hermite_normal_form, invariant_forms, plane_basis, shortest_vectors
from augment.errors import SupercellError
from augment.host import Host
from augment.supercell import Supercell

_SAME = 1e-6
"""Å; distances this close are equal."""

DEFAULT_IN_PLANE_DISTANCE = 8.0
"""Å between a defect and its nearest image in the plane."""

DEFAULT_LAYER_ATOMS = 400
"""Most atoms of a supercell of a layer."""


def find_layer_supercell(
    host: Host,
    *,
    min_image_distance: float = DEFAULT_IN_PLANE_DISTANCE,
    min_atoms: int = 1,
    max_atoms: int = DEFAULT_LAYER_ATOMS,
    keep_layer_group: bool = True,
) -> Supercell:
    """Smallest supercell with one period across the plane whose images in the plane are far enough apart.

    Every superlattice of each index that keeps the period is tried; of the smallest index that reaches the
    distance, the one with the largest distance in the plane is taken, then the largest in space.

    Args:
        host: of a layer, or of a `PlanarHost`.
        min_image_distance: between a site and its nearest image in the plane, Å.
        min_atoms: fewest atoms.
        max_atoms: most atoms.
        keep_layer_group: only superlattices invariant under the point group of the layer group.

    Raises:
        SupercellError: the host has no plane, or none fits.
    """
    if host.normal is None:
        raise SupercellError(f"{host.formula} is a bulk crystal; make a planar host of it first, or use find_supercell")
    if not (0 < min_image_distance < np.inf and 1 <= min_atoms <= max_atoms):
        raise SupercellError(
            f"image distance {min_image_distance} Å and {min_atoms} to {max_atoms} atoms: all must be positive, "
            "and the most no fewer than the least"
        )
    area = float(np.linalg.norm(np.cross(*_edges(host))))
    wide = int(np.ceil(np.sqrt(3) / 2 * min_image_distance**2 / area - 1e-9))
    best = 0.0
    for index in range(max(1, wide, -(-min_atoms // host.n_lattice)), max_atoms // host.n_lattice + 1):
        distance, supercell = widest_in_plane(host, index, keep_layer_group=keep_layer_group)
        if supercell is not None and distance >= min_image_distance - _SAME:
            return supercell
        best = max(best, distance)
    raise SupercellError(
        f"{host.formula}: no supercell of at most {max_atoms} atoms ({host.n_lattice} to a cell) has images "
        f"{min_image_distance:g} Å apart in the plane (the best reaches {best:.2f} Å); "
        "allow more atoms, a smaller distance or a thinner host"
    )


def widest_in_plane(host: Host, index: int, *, keep_layer_group: bool) -> tuple[float, Supercell | None]:
    """Of the supercells of so many primitive cells in the plane, the widest and the distance of its images, Å.

    None, and no distance, where none keeps the layer group.
    """
    basis, edges = _plane_basis(host), _edges(host)
    flat = _plane_forms(index)
    if keep_layer_group:
        flat = flat[_invariant_in_plane(flat, host, basis, index)]
    if len(flat) == 0:
        return 0.0, None
    distances = np.round(_shortest_in_plane(flat @ edges), 6)
    for distance in np.unique(distances)[::-1]:
        # Across a vacuum the images do not see each other: they are shifted only where the symmetry requires it.
        for shifted in (False, True) if host.has_vacuum else (True,):
            forms = _with_period(flat[distances == distance], basis, shifted=shifted)
            if keep_layer_group:
                forms = forms[invariant_forms(forms, host.group.rotations, index)]
            if len(forms):
                widest = int(np.argmax(np.round(shortest_vectors(forms @ host.primitive), 6)))
                return float(distance), Supercell.from_normal_form(host, forms[widest])
    return 0.0, None


def _invariant_in_plane(
    flat: IntArray, host: Host, basis: IntArray, index: int
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which plane lattices (k, 2, 2) the layer group keeps; none on another is kept, however shifted."""
    turned = np.rint(basis @ host.group.rotations.transpose(0, 2, 1) @ np.linalg.inv(basis)).astype(np.int64)
    turned[:, 2, :2] = 0
    forms = np.zeros((len(flat), 3, 3), dtype=np.int64)
    forms[:, :2, :2], forms[:, 2, 2] = flat, 1
    return invariant_forms(forms, turned.transpose(0, 2, 1), index)


def _plane_basis(host: Host) -> IntArray:
    """(3, 3) basis of the primitive lattice: two vectors in the plane, one across."""
    return plane_basis(np.array(host.normal), host.primitive)


def _edges(host: Host) -> FloatArray:
    """(2, 3) edges of the primitive cell of the plane, Å."""
    return np.asarray(_plane_basis(host)[:2] @ host.primitive)


def _plane_forms(index: int) -> IntArray:
    """All sublattices (k, 2, 2) of Z² of an index, as upper-triangular row bases."""
    widths = [a for a in range(1, index + 1) if index % a == 0]
    return np.array([[[a, b], [0, index // a]] for a in widths for b in range(index // a)], dtype=np.int64)


def _shortest_in_plane(edges: FloatArray) -> FloatArray:
    """Length (k,) of the shortest vector of each plane lattice of two edges (k, 2, 3), Å."""
    across = np.cross(edges[:, 0], edges[:, 1])
    longest = np.linalg.norm(edges, axis=2).max()
    out = across / np.linalg.norm(across, axis=1, keepdims=True) * longest  # never the shortest
    return shortest_vectors(np.concatenate([edges, out[:, None]], axis=1))


def _with_period(flat: IntArray, basis: IntArray, *, shifted: bool) -> IntArray:
    """Superlattices (k, 3, 3) with these lattices in the plane and every shift along it of the period, or none."""
    forms = [
        np.array([[a, b, 0], [0, d, 0], [p, q, 1]])
        for (a, b), (_, d) in flat.tolist()
        for p, q in (itertools.product(range(a), range(d)) if shifted else [(0, 0)])
    ]
    return np.stack([hermite_normal_form(form @ basis) for form in forms])
