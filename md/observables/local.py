"""Radial distribution around a defect, and coordination numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray
from augment.defect import Defect
from augment.errors import DataError
from augment.neighbours import neighbours
from md.labels.frames import Frames
from md.observables.sites import centre_fraction, check_cell
from md.observables.structure import BIN_WIDTH, MAX_RDF_DISTANCE, radial_distribution, shortest_translation

SMOOTHING = 3
"""Bins that a radial distribution is averaged over before its minimum is looked for."""


@dataclass(frozen=True, eq=False)
class Coordination:
    """Neighbours within a distance.

    Attributes:
        numbers: (n,) mean number of neighbours of each atom.
        cutoff: Å.
    """

    numbers: FloatArray
    cutoff: float


def defect_radial_distribution(
    frames: Frames, defect: Defect, first: int = 0, number: int | None = None
) -> tuple[FloatArray, FloatArray]:
    """Radial distribution of atoms around the place of a defect: (bins,) centres in Å and (bins,) values.

    The place moves with the cell and with the drift of the crystal. It counts atoms of one atomic `number`, or all;
    an interstitial at the place itself is one of them. It tends to 1 and reaches as far as `radial_distribution`.

    Raises:
        DataError: the trajectory is of another defect or of none, or there are no frames or atoms to count.
    """
    from ase.geometry import find_mic

    check_cell(frames.start, defect)
    chosen = np.ones(len(frames.start), dtype=bool) if number is None else frames.start.numbers == number
    cells = frames.cells[first:]
    if len(cells) == 0 or not chosen.any():
        raise DataError(f"{frames.start.name}: {len(cells)} frames with {int(chosen.sum())} atoms to count; run longer")
    supercell = defect.supercell
    points = frames.positions[first:] @ np.linalg.inv(cells)
    offset = points - supercell.sites.positions[frames.start.sites] @ np.linalg.inv(supercell.cell)
    drift = np.median(offset - np.rint(offset), axis=1, keepdims=True)
    away = points[:, chosen] - drift - centre_fraction(defect)
    reach = min(MAX_RDF_DISTANCE, shortest_translation(cells) / 2)
    edges = np.arange(0.0, reach + 1e-9, BIN_WIDTH)
    counts = np.zeros(len(edges) - 1)
    for vectors, cell in zip(away @ cells, cells, strict=True):
        counts += np.histogram(find_mic(vectors, cell)[1], edges)[0]
    ideal = (chosen.sum() / frames.volumes[first:]).sum() * 4 / 3 * np.pi * np.diff(edges**3)
    return (edges[1:] + edges[:-1]) / 2, np.asarray(counts / ideal, dtype=float)


def first_minimum(r: FloatArray, g: FloatArray) -> float:
    """Distance of the first minimum of a radial distribution after its first peak, Å.

    The middle of the lowest stretch between the first peak and the next rise above 1.

    Raises:
        DataError: there is no peak above 1, or no second one within reach.
    """
    smooth = np.convolve(g, np.ones(SMOOTHING) / SMOOTHING, mode="same")
    above = smooth > 1
    rises = np.flatnonzero(above[1:] & ~above[:-1]) + 1
    falls = np.flatnonzero(~above[1:] & above[:-1]) + 1
    if len(falls) == 0 or len(rises[rises > falls[0]]) == 0:
        raise DataError("the radial distribution shows no second shell; give a cutoff or a larger cell")
    between = slice(int(falls[0]), int(rises[rises > falls[0]][0]))
    lowest = np.flatnonzero(smooth[between] <= smooth[between].min()) + between.start
    return float(r[lowest].mean())


def coordination(frames: Frames, first: int = 0, cutoff: float | None = None) -> Coordination:
    """Mean coordination number of each atom over the frames from `first` on, all species counted.

    Args:
        frames: the trajectory.
        first: first frame to count.
        cutoff: Å; the first minimum of the radial distribution without it.

    Raises:
        DataError: there are no frames, or no cutoff is given and none can be found.
    """
    if len(frames) <= first:
        raise DataError(f"{frames.start.name}: no frames from number {first} on; run longer")
    reach = first_minimum(*radial_distribution(frames, first)) if cutoff is None else cutoff
    counts = np.zeros(len(frames.start))
    for positions, cell in zip(frames.positions[first:], frames.cells[first:], strict=True):
        centre = neighbours("i", cell, positions, reach)
        counts += np.bincount(centre, minlength=len(counts))
    return Coordination(counts / (len(frames) - first), reach)
