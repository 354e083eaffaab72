"""Strain, radial distribution and displacement of a trajectory."""

from __future__ import annotations

from itertools import product

import numpy as np

from augment.cell import FloatArray
from augment.neighbours import pairs_within
from md.labels.frames import Frames

MAX_RDF_DISTANCE = 6.0
"""Å; how far a radial distribution reaches where the cell is large enough."""

BIN_WIDTH = 0.05
"""Å."""


def strains(start: FloatArray, cells: FloatArray) -> FloatArray:
    """Biot strains (s, 3, 3) of cells (s, 3, 3) relative to the cell `start` (3, 3): symmetric and free of rotation.

    The rows of a cell deform as a = a0 F^T; the strain is U - 1 with F = R U, so U = (F^T F)^(1/2).
    """
    gradients = np.swapaxes(np.linalg.inv(start) @ cells, 1, 2)
    squares, axes = np.linalg.eigh(np.swapaxes(gradients, 1, 2) @ gradients)
    stretches = (axes * np.sqrt(squares)[:, None, :]) @ np.swapaxes(axes, 1, 2)
    return np.asarray(stretches - np.eye(3), dtype=float)


def mean_strain(start: FloatArray, cells: FloatArray) -> FloatArray:
    """Mean Biot strain (3, 3) of cells (s, 3, 3) relative to `start` (3, 3)."""
    return np.asarray(strains(start, cells).mean(axis=0), dtype=float)


def displacements(frames: Frames, first: int = 0) -> FloatArray:
    """Displacements (k - first, n, 3) of the atoms since frame `first`, Å; those of its first frame are 0.

    The drift of the centre of mass is removed. Displacements are taken between fractional positions, in the mean
    cell, so that a breathing cell does not count as motion; they are not wrapped, so that a jump stays one.
    """
    from ase.data import atomic_masses

    cells = frames.cells[first:]
    if len(cells) == 0:
        return np.zeros((0, len(frames.start), 3))
    fractional = frames.positions[first:] @ np.linalg.inv(cells)
    moved = (fractional - fractional[0]) @ cells.mean(axis=0)
    masses = atomic_masses[frames.start.numbers]
    moved -= np.einsum("n,kna->ka", masses / masses.sum(), moved)[:, None, :]
    return np.asarray(moved, dtype=float)


def mean_square_displacement(frames: Frames, first: int = 0) -> FloatArray:
    """Mean square displacement (k - first,) of all atoms from frame `first` on, Å²; its first value is 0.

    In a crystal without diffusion it levels off at twice the mean square vibration.
    """
    return np.asarray((displacements(frames, first) ** 2).sum(axis=2).mean(axis=1), dtype=float)


def squared_displacements(moved: FloatArray, lag: int) -> FloatArray:
    """Mean over the atoms of |x(t + lag) - x(t)|², Å², from every frame t: (k - lag,), for displacements (k, n, 3)."""
    step = moved[lag:] - moved[: len(moved) - lag]
    return np.asarray(np.einsum("kna,kna->k", step, step) / moved.shape[1], dtype=float)


def shortest_translation(cells: FloatArray) -> float:
    """Shortest distance between an atom and its nearest periodic image, Å, in cells (s, 3, 3) of one trajectory.

    The mean cell is reduced once; in a basis so near to a reduced one the shortest vector has coefficients of 0 and
    1 up to sign.
    """
    from ase.geometry import minkowski_reduce

    _, change = minkowski_reduce(cells.mean(axis=0))
    steps = np.array(list(product((-1, 0, 1), repeat=3)))
    vectors = steps[steps.any(axis=1)] @ change @ cells
    return float(np.linalg.norm(vectors, axis=2).min())


def radial_distribution(
    frames: Frames, first: int = 0, pair: tuple[int, int] | None = None
) -> tuple[FloatArray, FloatArray]:
    """Radial distribution g(r) averaged over the frames from `first` on: (bins,) centres in Å and (bins,) values.

    It reaches to 6 Å, or to half the distance to the nearest periodic image where that is shorter, and tends to 1.

    Args:
        frames: the trajectory.
        first: first frame to count.
        pair: atomic numbers of the two species; all pairs without it.
    """
    cells = frames.cells[first:]
    if len(cells) == 0:
        return np.zeros(0), np.zeros(0)
    reach = min(MAX_RDF_DISTANCE, shortest_translation(cells) / 2)
    edges = np.arange(0.0, reach + 1e-9, BIN_WIDTH)
    counts = np.zeros(len(edges) - 1)
    ideal = 0.0
    for positions, cell in zip(frames.positions[first:], cells, strict=True):
        counts += np.histogram(_distances(frames, positions, cell, edges[-1], pair), edges)[0]
        ideal += _pairs_per_volume(frames, cell, pair)
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    return (edges[1:] + edges[:-1]) / 2, counts / (ideal * shells)


def _distances(
    frames: Frames, positions: FloatArray, cell: FloatArray, reach: float, pair: tuple[int, int] | None
) -> FloatArray:
    """Lengths of all ordered pairs up to `reach`, those between periodic images included."""
    first, second, lengths = pairs_within(cell, positions, reach)
    if pair is None:
        return np.asarray(lengths, dtype=float)
    numbers = frames.start.numbers
    chosen = (numbers[first] == pair[0]) & (numbers[second] == pair[1])
    return np.asarray(lengths[chosen], dtype=float)


def _pairs_per_volume(frames: Frames, cell: FloatArray, pair: tuple[int, int] | None) -> float:
    """Ordered pairs per volume that an ideal gas of the same density has, 1/Å³."""
    numbers = frames.start.numbers
    one, other = (numbers, numbers) if pair is None else (numbers[numbers == z] for z in pair)
    return len(one) * len(other) / float(abs(np.linalg.det(cell)))
