"""The electrostatic potential of a specimen in slices across the beam, exact between the points of its grid.

The projection of each atom is put in by its phase in reciprocal space. Atoms that are spread over the nearest points,
as is often done, scatter to high angles by where they lie between the points: equivalent columns of MgO then differed
by a tenth in a dark-field image.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment.cell import FloatArray, IntArray
from augment.elements import element_symbol

BAND_LIMIT = 2 / 3
"""Of the highest frequency of the grid: what lies above would come back at wrong angles when waves are multiplied
(Kirkland, Advanced Computing in Electron Microscopy (2010), section 6.8)."""


def projected_slices(
    parametrization: Any, numbers: IntArray, positions: FloatArray, box: FloatArray, points: int, slices: int
) -> NDArray[np.float32]:
    """Projected potential (slices, points, points), V Å, of independent atoms; each belongs to the slice it lies in.

    Args:
        parametrization: of the atoms, from abTEM (Lobato and Van Dyck, Acta Cryst. A 70, 636 (2014)).
        numbers: (n,) atomic numbers.
        positions: (n, 3), Å; periodic across the beam.
        box: (3,) edges, Å.
        points: of the grid, along x and y.
        slices: along the beam.
    """
    kx, ky = (np.fft.fftfreq(points, edge / points) for edge in box[:2])
    squared = kx[:, None] ** 2 + ky[None] ** 2
    kinds = [int(z) for z in np.unique(numbers)]
    passed = squared <= (BAND_LIMIT / 2 * min(points / edge for edge in box[:2])) ** 2
    factors = [passed * parametrization.projected_scattering_factor(element_symbol(z))(squared) for z in kinds]
    waves_x, waves_y = (np.exp(-2j * np.pi * np.outer(k, x)) for k, x in ((kx, positions[:, 0]), (ky, positions[:, 1])))
    layer = np.clip((positions[:, 2] * (slices / box[2])).astype(int), 0, slices - 1)
    found = np.zeros((slices, points, points), dtype=np.float32)
    for index in range(slices):
        total = np.zeros((points, points), dtype=complex)
        for z, factor in zip(kinds, factors, strict=True):
            atoms = np.flatnonzero((layer == index) & (numbers == z))
            total += factor * (waves_x[:, atoms] @ waves_y[:, atoms].T)
        found[index] = np.fft.ifft2(total).real * points**2 / (box[0] * box[1])
    return found
