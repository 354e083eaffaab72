"""From a voxel grid back to the cell: peaks, their places between the voxels, and a check that the cell gives the grid.

Atoms are taken one by one where the density that is left is highest, as CLEAN does in radio astronomy (Hogbom, Astron.
Astrophys. Suppl. 15, 417 (1974)), so that no shape of the voxels hides a peak; then all are refined together by least
squares. How many there are follows from the sum over the channel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.elements import element_symbol
from augment.errors import DataError
from defectgen.images.voxels import MAX_ALIASING, VoxelGrid, aliasing, gaussians, patches

DECODED = "decoded"
"""Name of a cell that comes from a grid."""

WHOLE = 0.05
"""By how much the sum of a channel may miss a whole number of atoms."""

DEFAULT_MISFIT = 1e-3
"""Largest difference between a grid and that of the cell decoded from it, in heights of one atom."""

PEAK_CORE = 1.5
"""σ around a peak that place it first, less than half way to the next."""

REFINEMENTS = 100
"""Rounds of refinement at most; atoms apart need 4, those at the least separation about 20."""

SETTLED = 1e-7
"""Å; refinement ends when no atom moves further: what a float32 still holds."""


@dataclass(frozen=True, eq=False)
class _Channel:
    """One element of a grid in double precision."""

    grid: VoxelGrid
    density: FloatArray
    symbol: str

    def patches(self, fractions: FloatArray) -> list[tuple[IntArray, FloatArray, FloatArray]]:
        return patches(fractions, self.grid.cell, self.grid.shape, self.grid.sigma)

    def left(self, fractions: FloatArray) -> FloatArray:
        """Density less that of atoms at fractions (n, 3)."""
        return self.density - gaussians(fractions, self.grid.cell, self.grid.shape, self.grid.sigma)


def decode_voxels(grid: VoxelGrid, misfit: float = DEFAULT_MISFIT) -> DefectCell:
    """The cell that a grid was made of, atoms by element; positions are within the cell, sites are not known.

    Args:
        grid: the densities.
        misfit: largest difference between the grid and that of the decoded cell, in heights of one atom; more than the
            default for a grid with noise.

    Raises:
        DataError: the grid is too coarse, or is that of no cell.
    """
    if aliasing(grid.sigma, grid.wave) > MAX_ALIASING:
        raise DataError(
            f"a grid of {'×'.join(map(str, grid.shape))} voxels is too coarse for atoms of σ = {grid.sigma:g} Å: "
            f"planes {1 / grid.wave:.2f} Å apart; make it again with finer voxels"
        )
    numbers, points, worst = [], [], 0.0
    for number, density in zip(grid.numbers, grid.density, strict=True):
        channel = _Channel(grid, np.asarray(density, dtype=float), element_symbol(int(number)))
        fractions, left = _decoded(channel)
        if left > misfit:
            raise DataError(
                f"{channel.symbol}: the grid differs from that of the {len(fractions)} atoms in it by {left:.2g} "
                f"heights of an atom (at most {misfit:g}); it is damaged, noisy, or holds atoms closer than 2 σ"
            )
        numbers += [int(number)] * len(fractions)
        points.append(fractions)
        worst = max(worst, left)
    fractions = np.concatenate(points) if points else np.zeros((0, 3))
    positions = (fractions - np.floor(fractions)) @ grid.cell
    about = {"geometry": "decoded from voxels", "misfit": worst}
    species = np.array(numbers, dtype=np.int64)
    return DefectCell(DECODED, DECODED, grid.cell, species, positions, np.arange(len(numbers)), provenance=about)


def _decoded(channel: _Channel) -> tuple[FloatArray, float]:
    """Fractional coordinates (n, 3) of the atoms of a channel, and what they leave, in heights of one atom."""
    grid = channel.grid
    total = float(channel.density.sum() * grid.voxel_volume)
    count = round(total)
    if abs(total - count) > WHOLE or count < 0 or not np.isfinite(total):
        raise DataError(f"{channel.symbol}: the grid holds {total:.2f} atoms, no whole number; it is damaged or noisy")
    fractions = _peaks(channel, count)
    for _ in range(REFINEMENTS):
        moves = _moves(channel, fractions)
        fractions = fractions + moves @ np.linalg.inv(grid.cell)
        if np.linalg.norm(moves, axis=1).max(initial=0.0) < SETTLED:
            break
    height = (2 * np.pi * grid.sigma**2) ** -1.5
    return fractions, float(np.abs(channel.left(fractions)).max(initial=0.0) / height)


def _peaks(channel: _Channel, count: int) -> FloatArray:
    """First places (count, 3) of the atoms: the highest density, less what the atoms found so far explain."""
    left = channel.density.copy()
    found = np.zeros((count, 3))
    for atom in range(count):
        point = np.array(np.unravel_index(np.argmax(left), left.shape)) / channel.grid.shape
        for _ in range(3):
            [(places, vectors, values)] = channel.patches(point[None])
            core = np.linalg.norm(vectors, axis=1) < PEAK_CORE * channel.grid.sigma
            move = _least_squares(left.reshape(-1)[places[core]] - values[core], vectors[core], values[core])
            point = point + _bounded(move, channel.grid.sigma) @ np.linalg.inv(channel.grid.cell)
        [(places, _, values)] = channel.patches(point[None])
        np.subtract.at(left.reshape(-1), places, values)
        found[atom] = point
    return found


def _moves(channel: _Channel, fractions: FloatArray) -> FloatArray:
    """Steps (n, 3) of all atoms down the sum of squares, Å: each atom's own Gauss-Newton step."""
    left = channel.left(fractions).reshape(-1)
    moves = np.zeros(fractions.shape)
    for atom, (places, vectors, values) in enumerate(channel.patches(fractions)):
        moves[atom] = _bounded(_least_squares(left[places], vectors, values), channel.grid.sigma)
    return moves


def _least_squares(left: FloatArray, vectors: FloatArray, values: FloatArray) -> FloatArray:
    """Displacement (3,) of a Gaussian that explains best what is left around it, times σ² over its gradient's."""
    # The gradient of the density with the place of the atom is values * vectors / σ²; σ² is put in by the caller.
    gradient = values[:, None] * vectors
    normal = gradient.T @ gradient
    return np.asarray(np.linalg.lstsq(normal, gradient.T @ left, rcond=None)[0])


def _bounded(move: FloatArray, sigma: float) -> FloatArray:
    """A step in Å, half of σ at most, so that no atom jumps onto another."""
    step = move * sigma**2
    length = float(np.linalg.norm(step))
    return np.asarray(step * min(1.0, sigma / 2 / length) if length > 0 else step)
