"""Velocity autocorrelation and the phonon density of states of a trajectory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray
from augment.errors import DataError

MIN_SPECTRUM_FRAMES = 32
"""Frames below which a spectrum has no more than a handful of points."""

TAIL, TAIL_WEIGHT = 0.9, 0.02
"""A spectrum with more than this weight above this share of the highest frequency is folded back from above it: a
flat one would hold 0.1, and every phonon spectrum ends."""


@dataclass(frozen=True, eq=False)
class PhononSpectrum:
    """Phonon density of states.

    Attributes:
        frequencies: (f,) THz.
        density: (f,) states per THz, normalised to an integral of 1.
        resolution: width of a sharp line, THz.
    """

    frequencies: FloatArray
    density: FloatArray
    resolution: float

    @property
    def mean(self) -> float:
        """Mean frequency, THz."""
        return float(np.trapezoid(self.frequencies * self.density, self.frequencies))


def midpoint_velocities(moved: FloatArray, spacing: float) -> FloatArray:
    """Velocities (k - 1, n, 3) in Å/fs halfway between frames, from unwrapped displacements (k, n, 3), `spacing` fs."""
    return np.asarray(np.diff(moved, axis=0) / spacing, dtype=float)


def velocity_autocorrelation(velocities: FloatArray, masses: FloatArray) -> FloatArray:
    """Mass-weighted velocity autocorrelation (k,), 1 at lag 0, of velocities (k, n, 3) and masses (n,).

    Each lag averages over all origins that it has, so its last values are noise.

    Raises:
        DataError: fewer than 32 frames, or nothing moves.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    k = len(velocities)
    if k < MIN_SPECTRUM_FRAMES:
        raise DataError(
            f"{k} velocities are too few for an autocorrelation (at least {MIN_SPECTRUM_FRAMES}); run longer"
        )
    length = next_fast_len(2 * k)
    power = np.abs(rfft(velocities, length, axis=0)) ** 2
    sums = irfft(np.einsum("fna,n->f", power, masses), length)[:k] / np.arange(k, 0, -1)
    if not sums[0] > 0:
        raise DataError("nothing moves; there is no velocity autocorrelation")
    return np.asarray(sums / sums[0], dtype=float)


def phonon_spectrum(
    moved: FloatArray, masses: FloatArray, spacing: float, resolution: float | None = None
) -> PhononSpectrum:
    """Phonon density of states from unwrapped displacements (k, n, 3) in Å, frames `spacing` fs apart.

    The cosine transform of the mass-weighted velocity autocorrelation under a Hann window (Dickey and Paskin, Phys.
    Rev. 188, 1407 (1969)). Velocities are differences of positions, whose damping (2 sin(w t / 2) / (w t))² is
    divided out. Equipartition makes it the true density for a classical harmonic crystal only.

    Args:
        moved: displacements, centre of mass at rest (`displacements`).
        masses: (n,) amu.
        spacing: time between frames, fs.
        resolution: width of a line, THz; as fine as a quarter of the run allows without it.

    Raises:
        DataError: fewer than 33 frames, nothing moves, frames too far apart for the fastest vibration, or a run too
            short for the resolution.
    """
    correlation = velocity_autocorrelation(midpoint_velocities(moved, spacing), masses)
    longest = len(correlation) // 4
    lags = longest if resolution is None else int(np.ceil(2000.0 / (resolution * spacing)))
    if lags > len(correlation):
        raise DataError(f"a resolution of {resolution} THz takes {lags} frames, the run has {len(moved)}; run longer")
    window = 0.5 * (1 + np.cos(np.pi * np.arange(lags) / lags))
    transform = np.fft.hfft((window * correlation[:lags]).astype(complex), 2 * lags - 2)[:lags]
    frequencies = np.linspace(0, 500.0 / spacing, lags)
    damping = np.sinc(frequencies * spacing / 1000.0) ** 2
    density = np.maximum(transform, 0) / damping
    density /= np.trapezoid(density, frequencies)
    tail = frequencies >= TAIL * frequencies[-1]
    if np.trapezoid(density[tail], frequencies[tail]) > TAIL_WEIGHT:
        raise DataError(
            f"frames {spacing:g} fs apart are too far apart for the vibrations (highest frequency that they show "
            f"{frequencies[-1]:.1f} THz); keep frames more often"
        )
    return PhononSpectrum(frequencies, np.asarray(density, dtype=float), 2000.0 / (lags * spacing))
