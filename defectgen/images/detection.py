"""What a microscope adds to an ideal image: the size of its source, and the noise of a finite dose."""

from __future__ import annotations

import numpy as np

from augment.cell import FloatArray

FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
"""Full width at half maximum of a Gaussian, in standard deviations."""


def blurred(image: FloatArray, width: float, pixel: float) -> FloatArray:
    """An image (rows, columns) convolved with a Gaussian source.

    Args:
        image: any intensity.
        width: full width at half maximum, Å; 0 for a point.
        pixel: Å.
    """
    from scipy.ndimage import gaussian_filter

    if width == 0:
        return image
    return np.asarray(gaussian_filter(image, width / FWHM_PER_SIGMA / pixel, mode="nearest"))


def counted(image: FloatArray, dose: float, pixel: float, rng: np.random.Generator) -> FloatArray:
    """An image of which so many electrons are counted: Poisson noise, and still the detected fraction of the beam.

    Args:
        image: (rows, columns) fraction of the beam that the detector receives.
        dose: electrons per Å².
        pixel: Å.
        rng: draws the counts.
    """
    electrons = dose * pixel**2
    return np.asarray(rng.poisson(np.maximum(image, 0.0) * electrons) / electrons)
