"""Voxel grids of a cell: one channel an element, a normalised Gaussian an atom.

The voxels are parallelepipeds along the lattice vectors, so that the grid is periodic with the cell, of any shape.
Sampled finely enough, a grid holds all of the cell: the sum of a channel is its number of atoms, to the aliasing error
2 exp(-2π²σ²g²), where g is the shortest wave vector of the grid. That decides which grids are too coarse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from augment.cell import DefectCell, FloatArray, IntArray
from augment.crystal.lattice import shortest_vectors
from augment.elements import element_symbol
from augment.errors import ConditionError, DataError
from augment.neighbours import neighbours

MAX_ALIASING = 1e-3
"""Of the number of atoms of a channel: decoding finds positions to about a thousandth of σ then."""

MIN_SEPARATION = 2.2
"""Distance of two atoms of one element, in σ, below which their sum has one maximum (2 σ) or nearly so."""

MAX_VOXELS = 200_000_000
"""Voxels of all channels: 0.8 GB."""

GAUSSIAN_REACH = 5.5
"""σ at which a Gaussian is cut: it is 3e-7 of its maximum there, as a float32 is rounded."""


@dataclass(frozen=True)
class VoxelSettings:
    """How a cell becomes a grid.

    Attributes:
        resolution: longest distance between the planes of the grid, Å.
        sigma: standard deviation of an atom, Å.

    Raises:
        ConditionError: the grid is too coarse for the atoms.
    """

    resolution: float = 0.3
    sigma: float = 0.3

    def __post_init__(self) -> None:
        if not (0.01 <= self.resolution <= 5.0 and 0.01 <= self.sigma <= 5.0):  # noqa: PLR2004  Å
            raise ConditionError(
                f"voxels of {self.resolution:g} Å and atoms of {self.sigma:g} Å; give 0.01 to 5 Å for both"
            )
        if aliasing(self.sigma, 1 / self.resolution) > MAX_ALIASING:
            coarsest = self.sigma / np.sqrt(np.log(2 / MAX_ALIASING) / (2 * np.pi**2))
            raise ConditionError(
                f"voxels of {self.resolution:g} Å are too coarse for atoms of σ = {self.sigma:g} Å, which no decoder "
                f"could place; give voxels of at most {np.floor(coarsest * 1000) / 1000:g} Å or wider atoms"
            )


def aliasing(sigma: float, wave: float) -> float:
    """Largest relative error of the sum over the voxels of a Gaussian.

    Args:
        sigma: standard deviation, Å.
        wave: length of the shortest wave vector of the grid, 1/Å.
    """
    return float(2 * np.exp(-2 * (np.pi * sigma * wave) ** 2))


@dataclass(frozen=True, eq=False)
class VoxelGrid:
    """A cell as densities.

    Attributes:
        cell: (3, 3) lattice vectors, rows, Å.
        numbers: (e,) atomic number of each channel, rising.
        density: (e, a, b, c) float32, atoms per Å³; voxel (i, j, k) is at (i/a, j/b, k/c) of the lattice vectors.
        sigma: standard deviation of an atom, Å.
    """

    cell: FloatArray
    numbers: IntArray
    density: NDArray[np.float32]
    sigma: float

    def __post_init__(self) -> None:
        if self.density.ndim != 4 or len(self.density) != len(self.numbers) or self.cell.shape != (3, 3):  # noqa: PLR2004  channels and axes
            raise DataError(f"a grid of shape {self.density.shape} does not fit {len(self.numbers)} elements")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along each lattice vector."""
        a, b, c = self.density.shape[1:]
        return a, b, c

    @property
    def steps(self) -> FloatArray:
        """(3, 3) vectors from a voxel to the next, rows, Å."""
        return np.asarray(self.cell / np.array(self.shape)[:, None])

    @property
    def voxel_volume(self) -> float:
        """Å³."""
        return float(abs(np.linalg.det(self.steps)))

    @property
    def wave(self) -> float:
        """Length of the shortest wave vector of the grid, 1/Å."""
        return shortest_wave(self.cell, self.shape)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Columns for an archive; the inverse of `voxels_from_arrays`."""
        sigma = np.array(self.sigma)
        return {"cell": self.cell, "numbers": self.numbers, "density": self.density, "sigma": sigma}


def voxels_from_arrays(arrays: dict[str, NDArray[np.generic]], where: str) -> VoxelGrid:
    """Inverse of `VoxelGrid.to_arrays`; `where` names the source in errors.

    Raises:
        DataError: a column is missing.
    """
    try:
        columns = [arrays[name] for name in ("cell", "numbers", "density")]
        return VoxelGrid(columns[0], columns[1], columns[2], float(arrays["sigma"]))  # type: ignore[arg-type]
    except KeyError as error:
        raise DataError(f"{where}: not a voxel grid (no {error})") from None


def shortest_wave(cell: FloatArray, shape: tuple[int, int, int]) -> float:
    """Length of the shortest non-zero wave vector of a grid in a cell (3, 3), Å; 1/Å."""
    reciprocal = np.linalg.inv(cell).T * np.array(shape)[:, None]
    return float(shortest_vectors(reciprocal[None])[0])


def grid_shape(cell: FloatArray, resolution: float) -> tuple[int, int, int]:
    """Voxels along each lattice vector, so that no planes of the grid are further apart than the resolution.

    In a skewed cell also planes across the diagonals of the voxels count, so that it takes more of them.
    """
    shape = np.ceil(np.linalg.norm(cell, axis=1) / resolution - 1e-9).astype(int)
    while shortest_wave(cell, (int(shape[0]), int(shape[1]), int(shape[2]))) < (1 - 1e-9) / resolution:
        shape = shape + np.maximum(1, shape // 20)
    return int(shape[0]), int(shape[1]), int(shape[2])


def encode_voxels(cell: DefectCell, settings: VoxelSettings | None = None) -> VoxelGrid:
    """The voxel grid of a cell.

    Raises:
        ConditionError: the grid is too large, or two atoms of an element are too close for their width.
    """
    asked = settings or VoxelSettings()
    numbers = np.unique(cell.numbers)
    shape = grid_shape(cell.cell, asked.resolution)
    if len(numbers) * np.prod(shape, dtype=float) > MAX_VOXELS:
        raise ConditionError(f"{cell.name}: {len(numbers)} grids of {'×'.join(map(str, shape))}; give coarser voxels")
    _check_separated(cell, asked.sigma)
    fractions = cell.positions @ np.linalg.inv(cell.cell)
    density = [gaussians(fractions[cell.numbers == z], cell.cell, shape, asked.sigma) for z in numbers]
    return VoxelGrid(cell.cell, numbers.astype(np.int64), np.asarray(density, dtype=np.float32), asked.sigma)


def _check_separated(cell: DefectCell, sigma: float) -> None:
    first, second, distance = neighbours("ijd", cell.cell, cell.positions, MIN_SEPARATION * sigma)
    alike = np.flatnonzero(cell.numbers[first] == cell.numbers[second])
    if len(alike):
        worst = alike[np.argmin(distance[alike])]
        raise ConditionError(
            f"{cell.name}: two {element_symbol(int(cell.numbers[first[worst]]))} atoms {distance[worst]:.2f} Å apart "
            f"are one peak at σ = {sigma:g} Å; give a σ below {distance[worst] / MIN_SEPARATION:.3f} Å"
        )


def gaussians(fractions: FloatArray, cell: FloatArray, shape: tuple[int, int, int], sigma: float) -> FloatArray:
    """Sum (a, b, c) of normalised Gaussians at fractional coordinates (n, 3), periodic, 1/Å³."""
    density = np.zeros(shape)
    for place, _, values in patches(fractions, cell, shape, sigma):
        np.add.at(density.reshape(-1), place, values)
    return density


def patches(
    fractions: FloatArray, cell: FloatArray, shape: tuple[int, int, int], sigma: float
) -> list[tuple[IntArray, FloatArray, FloatArray]]:
    """For each atom (n, 3) the voxels near it: their flat places, vectors from the atom to them, Å, and its density."""
    sizes = np.array(shape)
    steps = cell / sizes[:, None]
    reach = GAUSSIAN_REACH * sigma
    spans = np.ceil(reach * np.linalg.norm(np.linalg.inv(steps), axis=0)).astype(int)
    grid = np.stack(np.meshgrid(*[np.arange(-s, s + 1) for s in spans], indexing="ij"), axis=-1).reshape(-1, 3)
    # Of the box around an atom only what lies in the sphere, and half a voxel more.
    grid = grid[np.linalg.norm(grid @ steps, axis=1) <= reach + np.linalg.norm(steps, axis=1).sum() / 2]
    norm = (2 * np.pi * sigma**2) ** -1.5
    found = []
    for point in fractions:
        nearest = np.rint(point * sizes)
        vectors = (grid + (nearest - point * sizes)) @ steps
        voxels = (grid + nearest.astype(int)) % sizes
        values = norm * np.exp(-(vectors**2).sum(axis=1) / (2 * sigma**2))
        found.append((np.asarray(np.ravel_multi_index(tuple(voxels.T), shape)), vectors, values))
    return found
