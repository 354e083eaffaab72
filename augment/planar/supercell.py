"""Supercells of a planar host that repeat it in its plane only, by exhaustive search."""

from __future__ import annotations

import itertools

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.lattice import hermite_normal_form, invariant_forms, plane_basis, shortest_vectors
from augment.errors import SupercellError
from augment.host import Host
from augment.supercell import Supercell
from augment.supercells.search import DEFAULT_MAX_ATOMS

DEFAULT_IN_PLANE_DISTANCE = 8.0
"""Å between a defect and its nearest image in the plane."""


def find_layer_supercell(
    host: Host,
    *,
    min_image_distance: float = DEFAULT_IN_PLANE_DISTANCE,
    max_atoms: int = DEFAULT_MAX_ATOMS,
    keep_layer_group: bool = True,
) -> Supercell:
    """Smallest supercell with one period across the plane whose images in the plane are far enough apart.

    Every superlattice of each index that keeps the period is tried; of the smallest index that reaches the
    distance, the one with the largest distance in the plane is taken, then the largest in space.

    Args:
        host: of a `PlanarHost`.
        min_image_distance: between a site and its nearest image in the plane, Å.
        max_atoms: most atoms.
        keep_layer_group: only superlattices invariant under the point group of the layer group.

    Raises:
        SupercellError: the host has no plane, or none fits.
    """
    if host.normal is None:
        raise SupercellError(f"{host.formula} is a bulk crystal; make a planar host of it first, or use find_supercell")
    if not (0 < min_image_distance < np.inf and max_atoms >= 1):
        raise SupercellError(f"image distance {min_image_distance} Å and {max_atoms} atoms: both must be positive")
    basis = plane_basis(np.array(host.normal), host.primitive)
    edges = basis[:2] @ host.primitive
    area = float(np.linalg.norm(np.cross(*edges)))
    smallest = int(np.ceil(np.sqrt(3) / 2 * min_image_distance**2 / area - 1e-9))
    best = 0.0
    for index in range(max(1, smallest), max_atoms // host.n_lattice + 1):
        flat = _plane_forms(index)
        distances = np.round(_shortest_in_plane(flat @ edges), 6)
        for distance in np.unique(distances)[::-1]:
            forms = _with_period(flat[distances == distance], basis)
            if keep_layer_group:
                forms = forms[invariant_forms(forms, host.group.rotations, index)]
            if len(forms) == 0:
                continue
            best = max(best, float(distance))
            if distance >= min_image_distance - 1e-6:
                widest = int(np.argmax(np.round(shortest_vectors(forms @ host.primitive), 6)))
                return Supercell.from_normal_form(host, forms[widest])
            break
    raise SupercellError(
        f"{host.formula}: no supercell of at most {max_atoms} atoms ({host.n_lattice} to a cell) has images "
        f"{min_image_distance:g} Å apart in the plane (the best reaches {best:.2f} Å); "
        "allow more atoms, a smaller distance or a thinner host"
    )


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


def _with_period(flat: IntArray, basis: IntArray) -> IntArray:
    """Superlattices (k, 3, 3) with these lattices in the plane and every offset of the period, in Hermite form."""
    forms = [
        np.array([[a, b, 0], [0, d, 0], [p, q, 1]])
        for (a, b), (_, d) in flat.tolist()
        for p, q in itertools.product(range(a), range(d))
    ]
    return np.stack([hermite_normal_form(form @ basis) for form in forms])
