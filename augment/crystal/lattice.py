"""Integer matrices and lattices: Hermite normal forms, diagonal forms, reduced bases."""

from __future__ import annotations

import numpy as np

from augment.cell import FloatArray, IntArray


def hermite_normal_form(matrix: IntArray) -> IntArray:
    """Upper-triangular Hermite normal form (3, 3) of an integer row basis: entries above a pivot lie in [0, pivot)."""
    form = np.array(matrix, dtype=np.int64)
    for axis in range(3):
        while True:
            below = np.flatnonzero(form[axis:, axis]) + axis
            if len(below) == 1:
                break
            pivot = below[np.argmin(np.abs(form[below, axis]))]
            for row in below[below != pivot]:
                form[row] -= form[row, axis] // form[pivot, axis] * form[pivot]
        form[[axis, below[0]]] = form[[below[0], axis]]
        if form[axis, axis] < 0:
            form[axis] *= -1
        for row in range(axis):
            form[row] -= form[row, axis] // form[axis, axis] * form[axis]
    return form


def invariant_forms(forms: IntArray, rotations: IntArray, index: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which superlattices (k, 3, 3) are mapped onto themselves by every rotation: H R^T adj(H) = 0 modulo det H."""
    keep = np.ones(len(forms), dtype=bool)
    a, b, c = forms[:, 0, 0], forms[:, 1, 1], forms[:, 2, 2]
    d, e, f = forms[:, 0, 1], forms[:, 0, 2], forms[:, 1, 2]
    adjugate = np.zeros_like(forms)
    adjugate[:, 0, 0], adjugate[:, 1, 1], adjugate[:, 2, 2] = b * c, a * c, a * b
    adjugate[:, 0, 1], adjugate[:, 0, 2], adjugate[:, 1, 2] = -d * c, d * f - e * b, -a * f
    for rotation in rotations:
        alive = np.flatnonzero(keep)
        moved = forms[alive] @ rotation.T @ adjugate[alive]
        keep[alive] = (moved % index == 0).all(axis=(1, 2))
    return keep


def _reduce(lattices: FloatArray) -> tuple[FloatArray, IntArray]:
    """Minkowski-like reduction of lattices (k, 3, 3): reduced bases and the integer change of basis (k, 3, 3)."""
    basis = np.array(lattices, dtype=float)
    change = np.broadcast_to(np.eye(3, dtype=np.int64), basis.shape).copy()
    for _ in range(100):
        order = np.argsort(np.round((basis**2).sum(axis=2), 9), axis=1, kind="stable")
        basis = np.take_along_axis(basis, order[..., None], axis=1)
        change = np.take_along_axis(change, order[..., None], axis=1)
        gram = basis @ basis.transpose(0, 2, 1)
        pair = np.rint(gram[:, 0, 1] / gram[:, 0, 0] - 1e-9)
        plane = np.linalg.solve(gram[:, :2, :2], gram[:, :2, 2, None])[..., 0]
        combos = np.floor(plane)[:, None] + np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        trial = basis[:, None, 2] - np.einsum("kqi,kix->kqx", combos, basis[:, :2])
        best = np.argmin(np.round((trial**2).sum(axis=2), 9), axis=1)
        gain = (basis[:, 2] ** 2).sum(axis=1) - np.take_along_axis((trial**2).sum(axis=2), best[:, None], 1)[:, 0]
        coefficients = np.where(
            (gain > 1e-9)[:, None],  # noqa: PLR2004  rounding
            np.take_along_axis(combos, best[:, None, None], axis=1)[:, 0],
            0,
        ).astype(np.int64)
        step = pair.astype(np.int64)
        if not step.any() and not coefficients.any():
            break
        basis[:, 2] -= np.einsum("ki,kix->kx", coefficients, basis[:, :2])
        change[:, 2] -= np.einsum("ki,kix->kx", coefficients, change[:, :2])
        # The pair step would undo the plane step's coefficients, so it waits where both are due.
        alone = np.where(coefficients.any(axis=1), 0, step)
        basis[:, 1] -= alone[:, None] * basis[:, 0]
        change[:, 1] -= alone[:, None] * change[:, 0]
    return basis, change


def shortest_vectors(lattices: FloatArray) -> FloatArray:
    """Length of the shortest non-zero vector of each lattice (k, 3, 3)."""
    basis, _ = _reduce(lattices)
    grid = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = grid[grid.any(axis=1)]
    shortest: FloatArray = np.linalg.norm(grid @ basis, axis=2).min(axis=1)
    return shortest


def successive_minima(lattices: FloatArray) -> FloatArray:
    """Lengths (k, 3) of the three shortest independent vectors of each lattice (k, 3, 3), shortest first."""
    basis, _ = _reduce(lattices)
    minima: FloatArray = np.sort(np.linalg.norm(basis, axis=2), axis=1)
    return minima


def shortest_basis_diagonal(lattice: FloatArray) -> float:
    """Length of the diagonal of the box whose edges are the vectors of a lattice's reduced basis, Å."""
    basis, _ = _reduce(lattice[None])
    return float(np.sqrt((basis**2).sum()))


def reduced_matrix(form: IntArray, primitive: FloatArray) -> IntArray:
    """Basis of the superlattice with short vectors and positive determinant."""
    _, change = _reduce((form @ primitive)[None])
    matrix = change[0] @ form
    # Prefer vectors along the axes' positive side, then restore the handedness.
    for row in range(3):
        if (matrix[row] @ primitive).sum() < -1e-9:  # noqa: PLR2004  rounding
            matrix[row] *= -1
    cells = matrix @ primitive
    order = np.lexsort(np.round(-np.abs(cells), 6).T[::-1])
    matrix = matrix[order]
    if np.linalg.det(matrix) < 0:
        matrix = matrix[[1, 0, 2]]
    return np.asarray(matrix, dtype=np.int64)


def diagonal_form(matrix: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Unimodular `left` (m, m) and `right` (n, n) that make `left @ matrix @ right` diagonal, as Smith's form does.

    Returns:
        diagonal (min(m, n),) of non-negative integers with the zeros last, left, right.
    """
    form = np.array(matrix, dtype=np.int64)
    left, right = np.eye(form.shape[0], dtype=np.int64), np.eye(form.shape[1], dtype=np.int64)
    for k in range(min(form.shape)):
        while True:
            rest = np.abs(form[k:, k:])
            if not rest.any():
                break
            least = np.where(rest > 0, rest, rest.max() + 1)
            row, column = np.unravel_index(np.argmin(least), rest.shape)
            rows, columns = np.array([k, k + row]), np.array([k, k + column])
            form[rows], left[rows] = form[rows[::-1]], left[rows[::-1]]
            form[:, columns], right[:, columns] = form[:, columns[::-1]], right[:, columns[::-1]]
            if form[k, k] < 0:
                form[k], left[k] = -form[k], -left[k]
            down = form[k + 1 :, k] // form[k, k]
            form[k + 1 :] -= down[:, None] * form[k]
            left[k + 1 :] -= down[:, None] * left[k]
            across = form[k, k + 1 :] // form[k, k]
            form[:, k + 1 :] -= form[:, [k]] * across
            right[:, k + 1 :] -= right[:, [k]] * across
            if not form[k + 1 :, k].any() and not form[k, k + 1 :].any():
                break
    return np.diag(form).copy(), left, right


def plane_basis(normal: IntArray, lattice: FloatArray) -> IntArray:
    """Basis (3, 3) of Z³, rows: two short vectors with normal · m = 0, then the most upright one across.

    Args:
        normal: (3,) integers; the last vector takes the least positive value of normal · c.
        lattice: (3, 3) rows, Å, which says what is short.
    """
    diagonal, left, right = diagonal_form(normal[None])
    across, first, second = right.T
    across = across * np.sign(left[0, 0] * diagonal[0])
    metric = lattice @ lattice.T
    while True:
        if first @ metric @ first > second @ metric @ second + 1e-9:
            first, second = second, first
        step = round(float(first @ metric @ second / (first @ metric @ first)) - 1e-9)
        if step == 0:
            break
        second = second - step * first
    inside = np.stack([first, second])
    gram = inside @ metric @ inside.T
    lean = np.rint(np.linalg.solve(gram, inside @ metric @ across) - 1e-9).astype(np.int64)
    basis = np.stack([first, second, across - lean @ inside])
    if np.linalg.det(basis) < 0:
        basis[1] *= -1
    return np.asarray(basis, dtype=np.int64)


def layered_matrix(form: IntArray, primitive: FloatArray, normal: IntArray) -> IntArray:
    """Basis of the superlattice with two short vectors in a plane, one across and positive determinant."""
    return np.asarray(plane_basis(form @ normal, form @ primitive) @ form, dtype=np.int64)
