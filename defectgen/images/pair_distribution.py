"""The pair distribution function G(r) of a defect cell, averaged over frames.

G(r) = 4πr [ρ(r) - ρ0] = Σ_ij b_i b_j δ(r - r_ij) / (N <b>² r) - 4πr ρ0, with weights b: Egami and Billinge, Underneath
the Bragg Peaks (2012), eq. 3.6. The weights are atomic numbers, as for X-rays at Q = 0, or 1 for the bare atoms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.errors import ConditionError
from augment.neighbours import pairs_within
from defectgen.images.detection import FWHM_PER_SIGMA
from defectgen.images.mean_cell import MeanCellFrames

Weighting = Literal["x-ray", "atoms"]

MAX_PAIRS = 50_000_000
"""Pairs of one frame that fit into a few gigabytes."""

FINE_BINS = 4
"""Bins of the histogram in a standard deviation of a peak, at least: its shape is then right to 0.3 %."""

PEAK_REACH = 5.0
"""Standard deviations of a peak that are drawn."""


@dataclass(frozen=True)
class PairSettings:
    """How G(r) is made.

    Attributes:
        reach: largest r, Å. Beyond half of the cell, distances are those of the periodic images too.
        step: of r, Å.
        width: full width at half maximum of the peaks, Å, added to that of thermal motion.
        weighting: `x-ray` (atomic numbers) or `atoms` (1).

    Raises:
        ConditionError: a value is not possible.
    """

    reach: float = 12.0
    step: float = 0.01
    width: float = 0.1
    weighting: Weighting = "x-ray"

    def __post_init__(self) -> None:
        if not 0 < self.step <= self.width / 2:
            raise ConditionError(
                f"steps of {self.step:g} Å for peaks {self.width:g} Å wide; give at most half the width"
            )
        if not self.width < self.reach:
            raise ConditionError(f"G(r) up to {self.reach:g} Å; give more than the width of its peaks")
        if self.weighting not in get_args(Weighting):
            raise ConditionError(f"weights {self.weighting!r}; use one of {', '.join(get_args(Weighting))}")


@dataclass(frozen=True, eq=False)
class PairDistribution:
    """A pair distribution function.

    Attributes:
        distances: (s,) r, Å; the first is one step.
        values: (s,) G(r), 1/Å².
        density: atoms per Å³, ρ0.
    """

    distances: FloatArray
    values: FloatArray
    density: float

    @property
    def radial(self) -> FloatArray:
        """(s,) R(r) = r G(r) + 4πr²ρ0, 1/Å: its area is the number of neighbours."""
        return self.distances * self.values + 4 * np.pi * self.distances**2 * self.density

    def to_csv(self) -> str:
        """Table of r and G(r), with a line of names."""
        rows = (f"{x:.4f},{y:.6f}" for x, y in zip(self.distances, self.values, strict=True))
        return "\n".join(["r_angstrom,G_per_angstrom2", *rows]) + "\n"


def pair_distribution(frames: MeanCellFrames | DefectCell, settings: PairSettings | None = None) -> PairDistribution:
    """G(r) of a cell, or the mean of those of its frames.

    Args:
        frames: one geometry, or several in their mean cell.
        settings: how.

    Raises:
        ConditionError: there are too many pairs.
    """
    asked = settings or PairSettings()
    given = MeanCellFrames.of_cell(frames) if isinstance(frames, DefectCell) else frames
    density = len(given.cell) / given.cell.volume
    pairs = len(given.cell) * density * 4 / 3 * np.pi * asked.reach**3
    if pairs > MAX_PAIRS:
        raise ConditionError(f"{pairs:.1e} pairs within {asked.reach:g} Å; give a smaller reach")
    r = np.asarray(asked.step * np.arange(1, round(asked.reach / asked.step) + 1), dtype=float)
    total = np.zeros(len(r))
    for cell in given.cells():
        total += _radial(cell, asked)
    return PairDistribution(r, total / len(given) / r - 4 * np.pi * r * density, density)


def _radial(cell: DefectCell, asked: PairSettings) -> FloatArray:
    """R(r) (s,) of one geometry, 1/Å."""
    from scipy.ndimage import gaussian_filter1d

    sigma = asked.width / FWHM_PER_SIGMA
    weights = cell.numbers.astype(float) if asked.weighting == "x-ray" else np.ones(len(cell))
    beyond = asked.reach + PEAK_REACH * sigma
    first, second, distance = pairs_within(cell.cell, cell.positions, beyond)
    fine = max(1, int(np.ceil(FINE_BINS * asked.step / sigma)))
    bin_width = asked.step / fine
    # Bins are centred at whole multiples of their width, so that every step of r is the centre of one.
    places = np.rint(distance / bin_width).astype(int)
    size = int(np.ceil(beyond / bin_width)) + 1
    counts = np.bincount(places, weights[first] * weights[second], minlength=size)[:size]
    smooth = gaussian_filter1d(counts, sigma / bin_width, mode="constant", truncate=PEAK_REACH)
    chosen = fine * np.arange(1, round(asked.reach / asked.step) + 1)
    return np.asarray(smooth[chosen] / (bin_width * len(cell) * weights.mean() ** 2))
