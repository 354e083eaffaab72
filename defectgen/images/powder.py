"""Powder X-ray diffraction of a defect cell, averaged over frames.

Intensities are those of pymatgen's kinematic calculator for every reciprocal point of the cell, summed over the frames
before they are scaled: thermal motion takes from the lines and puts between them, as a real crystal does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.errors import ConditionError
from augment.storage.missing import did_you_mean
from defectgen.images.detection import FWHM_PER_SIGMA
from defectgen.images.mean_cell import MeanCellFrames

LINE_REACH = 5.0
"""Standard deviations of a line that are drawn."""


@dataclass(frozen=True)
class PowderSettings:
    """How a powder pattern is made.

    Attributes:
        radiation: a line of pymatgen (`CuKa`, `MoKa`, ...), or the wavelength in Å.
        start, end: range of 2θ, degrees.
        step: of 2θ, degrees.
        width: full width at half maximum of a line, degrees.

    Raises:
        ConditionError: a value is not possible.
    """

    radiation: str | float = "CuKa"
    start: float = 10.0
    end: float = 90.0
    step: float = 0.02
    width: float = 0.15

    def __post_init__(self) -> None:
        if not 0 < self.start < self.end < 180:  # noqa: PLR2004  degrees of 2θ
            raise ConditionError(f"2θ from {self.start:g} to {self.end:g} degrees; give a range within 0 and 180")
        if not 0 < self.step <= self.width / 2:
            raise ConditionError(
                f"steps of {self.step:g} degrees for lines {self.width:g} wide; give steps of half the width at most"
            )
        if self.wavelength <= 0:
            raise ConditionError(f"a wavelength of {self.wavelength:g} Å; give above 0, or a line such as CuKa")

    @property
    def wavelength(self) -> float:
        """Å.

        Raises:
            ConditionError: there is no such line.
        """
        from pymatgen.analysis.diffraction.xrd import WAVELENGTHS

        if isinstance(self.radiation, str) and self.radiation in WAVELENGTHS:
            return float(WAVELENGTHS[self.radiation])
        try:
            return float(self.radiation)
        except ValueError:
            raise ConditionError(
                f"radiation {self.radiation!r}; {did_you_mean(str(self.radiation), WAVELENGTHS)}give a wavelength in Å "
                f"or one of {', '.join(WAVELENGTHS)}"
            ) from None

    @property
    def angles(self) -> FloatArray:
        """2θ of the pattern, degrees."""
        return np.asarray(
            self.start + self.step * np.arange(round((self.end - self.start) / self.step) + 1), dtype=float
        )


@dataclass(frozen=True, eq=False)
class PowderPattern:
    """A powder pattern.

    Attributes:
        angles: (s,) 2θ, degrees.
        intensities: (s,) per atom, in electrons² per degree with the Lorentz and polarisation factors.
    """

    angles: FloatArray
    intensities: FloatArray

    @property
    def scaled(self) -> FloatArray:
        """(s,) intensities with 100 for the highest."""
        return np.asarray(100 * self.intensities / self.intensities.max())

    def to_csv(self) -> str:
        """Table of 2θ and scaled intensity, with a line of names."""
        rows = (f"{x:.4f},{y:.6f}" for x, y in zip(self.angles, self.scaled, strict=True))
        return "\n".join(["two_theta_degrees,intensity", *rows]) + "\n"


def powder_pattern(frames: MeanCellFrames | DefectCell, settings: PowderSettings | None = None) -> PowderPattern:
    """The powder pattern of a cell, or the mean of those of its frames.

    Args:
        frames: one geometry, or several in their mean cell.
        settings: how.

    Raises:
        ConditionError: no line lies in the range.
    """
    asked = settings or PowderSettings()
    given = MeanCellFrames.of_cell(frames) if isinstance(frames, DefectCell) else frames
    angles, total = asked.angles, np.zeros(len(asked.angles))
    for cell in given.cells():
        total += _pattern(cell, asked, angles)
    return PowderPattern(angles, total / len(given))


def _pattern(cell: DefectCell, asked: PowderSettings, angles: FloatArray) -> FloatArray:
    """Intensities (s,) of one geometry, lines drawn as Gaussians."""
    from pymatgen.analysis.diffraction.xrd import XRDCalculator

    sigma = asked.width / FWHM_PER_SIGMA
    reach = LINE_REACH * sigma
    window = (max(asked.start - reach, asked.step), min(asked.end + reach, 180.0 - asked.step))
    try:
        lines = XRDCalculator(asked.wavelength).get_pattern(cell.to_pymatgen(), scaled=False, two_theta_range=window)
    except ValueError as error:
        raise ConditionError(
            f"{cell.name}: no line between {asked.start:g} and {asked.end:g} degrees ({error}); widen the range"
        ) from None
    intensities = np.zeros(len(angles))
    for centre, weight in zip(lines.x, lines.y, strict=True):
        first, last = np.searchsorted(angles, (centre - reach, centre + reach))
        near = angles[first:last]
        intensities[first:last] += weight * np.exp(-((near - centre) ** 2) / (2 * sigma**2))
    return np.asarray(intensities / (sigma * np.sqrt(2 * np.pi) * len(cell)))
