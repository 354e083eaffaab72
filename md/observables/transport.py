"""Diffusion coefficients from unwrapped displacements, and their Arrhenius law."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray
from augment.errors import DataError
from md.estimators.fits import fit
from md.estimators.spectral_density import MIN_MODES, ZeroFrequency, at_zero, independent_squares
from md.estimators.statistics import MIN_BLOCKS, Mean

MIN_DIFFUSION_FRAMES = 2 * MIN_MODES + 1
"""Frames below which the slow half of the spectrum is too few modes for a fit."""

MIN_MEMORIES = 20
"""Memories of the vibrations that a run must cover: in less a slow vibration and diffusion look alike."""

DETECTED = 3.0
"""Errors above zero from which on diffusion counts as seen: by chance once in 700 runs of a crystal."""

BOUND_ERRORS = 2.0
"""Errors above the coefficient, or above zero, at which the upper bound lies: 98 % of a Gaussian."""

ATOMS_AT_ONCE = 64
"""Atoms that are transformed together, which bounds the memory that it takes."""

CM2_PER_S = 1e-4
"""cm²/s in 1 Å²/ps."""


@dataclass(frozen=True)
class Diffusion:
    """A self-diffusion coefficient.

    Attributes:
        coefficient: Å²/ps (times 1e-4: cm²/s), with its error, statistical and systematic; the value comes out on
            either side of zero where nothing diffuses.
        statistical: standard error from the scatter of modes, atoms and stretches of the run, Å²/ps.
        systematic: from the choice of the frequencies and of the form that were fitted, Å²/ps.
        shortest_period: of the motion in the likeliest fit, ps; faster motion was left out.
    """

    coefficient: Mean
    statistical: float
    systematic: float
    shortest_period: float

    @property
    def detected(self) -> bool:
        """Whether the coefficient is three errors above zero; if not, its upper bound is all that is known."""
        return self.coefficient.value > DETECTED * self.coefficient.error

    @property
    def upper_bound(self) -> float:
        """Å²/ps; two errors above the coefficient or above zero."""
        return max(self.coefficient.value, 0.0) + BOUND_ERRORS * self.coefficient.error


def diffusion_coefficient(moved: FloatArray, spacing: float, memory: float = 0.0) -> Diffusion:
    """Self-diffusion coefficient D of some atoms, Å²/ps: half the spectral density of their velocity at frequency 0.

    The steps between frames are taken apart into sine modes of the run, which are independent for a random walk of
    mean square 6 D t and in which a bound atom has a power that vanishes with the square of the frequency, however
    long its vibration remembers itself (Vestergaard, Blainey and Flyvbjerg, Phys. Rev. E 89, 022726 (2014)): unlike
    the slope of the mean square displacement the value depends on no first lag, and it is right for crystals, hops,
    liquids and flights that turn into walks. A fit takes it to frequency zero (`spectral_density.at_zero`).

    The statistical error is the largest of three: by the scatter between modes, which knows of atoms that move
    together; between atoms, which knows how few have hopped; and between eighths of the run, which knows of both
    where the run is long beside the periods that are fitted. What comes out below zero, where no coefficient can be, is
    error to its whole size. No run shows motion that is slower than itself.

    Args:
        moved: (k, n, 3) unwrapped displacements of the atoms, centre of mass at rest, Å (`displacements`).
        spacing: time between frames, fs.
        memory: how long a vibration may remember itself, fs; the run must be 20 times as long.

    Raises:
        DataError: no atoms, too few frames, too short a run, or atoms that never move.
    """
    k, n = moved.shape[:2]
    needed = max(MIN_DIFFUSION_FRAMES, int(np.ceil(MIN_MEMORIES * memory / spacing)) + 1)
    if n == 0 or k < needed:
        raise DataError(
            f"{k} frames of {n} atoms are too few for a diffusion coefficient, which needs {needed} frames "
            f"{spacing:g} fs apart; run longer"
        )
    powers = np.concatenate([(_modes(moved[:, some]) ** 2).mean(axis=2) for some in _parts(n)], axis=1)
    periodogram = powers.mean(axis=1)
    if not (periodogram > 0).all():
        raise DataError("atoms that do not move have no diffusion coefficient; give frames of a trajectory")
    freedom = independent_squares(periodogram, 3.0 * n)
    zero = at_zero(periodogram, freedom)
    per_step = 1 / (2 * spacing / 1000.0)
    statistical = (
        per_step
        * zero.misfit
        * max(
            float(np.sqrt(2 / freedom) * np.linalg.norm(zero.weights * zero.density)),
            _scatter(zero.weights @ powers),
            _scatter(_stretches(moved, zero)),
        )
    )
    systematic = per_step * float(np.hypot(zero.systematic, min(zero.value, 0.0)))
    error = float(np.hypot(statistical, systematic))
    period = 2 * k * spacing / 1000.0 / zero.modes
    return Diffusion(Mean(per_step * zero.value, error), statistical, systematic, period)


def _parts(n: int) -> list[slice]:
    return [slice(first, first + ATOMS_AT_ONCE) for first in range(0, n, ATOMS_AT_ONCE)]


def _modes(moved: FloatArray) -> FloatArray:
    """Amplitudes (k - 1, n, 3) of the steps in orthonormal sine modes, which vanish at both ends of the run."""
    from scipy.fft import dst

    return np.asarray(dst(np.diff(moved, axis=0), type=1, axis=0, norm="ortho"), dtype=float)


def _scatter(values: FloatArray) -> float:
    """Standard error of the mean of independent values; 0 of a single one."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def _stretches(moved: FloatArray, zero: ZeroFrequency) -> FloatArray:
    """Spectral density at frequency zero in each eighth of the run: squares of the velocity of the fitted modes."""
    from scipy.fft import dst

    m, n = len(moved) - 1, moved.shape[1]
    half = np.sqrt(np.abs(zero.weights))[:, None, None]
    signed = half * np.sign(zero.weights)[:, None, None]
    squares = np.zeros(m)
    for some in _parts(n):
        modes = _modes(moved[:, some])
        one, other = (dst(weight * modes, type=1, axis=0, norm="ortho") for weight in (half, signed))
        squares += (one * other).sum(axis=(1, 2))
    length = m // MIN_BLOCKS
    return np.asarray(squares[: length * MIN_BLOCKS].reshape(MIN_BLOCKS, length).mean(axis=1) * m / (3 * n))


@dataclass(frozen=True)
class Arrhenius:
    """D = D0 exp(-E / k T): `energy` E in eV and `prefactor` D0 in Å²/ps, each with its standard error."""

    energy: Mean
    prefactor: Mean

    def at(self, temperature: float) -> float:
        """Coefficient at a temperature in K, Å²/ps."""
        from ase import units

        return float(self.prefactor.value * np.exp(-self.energy.value / (units.kB * temperature)))


def arrhenius(temperatures: Sequence[float], coefficients: Sequence[Mean]) -> Arrhenius:
    """Arrhenius law through diffusion coefficients or rates at several temperatures (K), weighted by their errors.

    Raises:
        DataError: fewer than two temperatures, or a coefficient that is not three errors above zero.
    """
    from ase import units

    for temperature, mean in zip(temperatures, coefficients, strict=True):
        if not mean.value > DETECTED * mean.error:
            raise DataError(
                f"no diffusion is seen at {temperature:g} K ({mean.value:.2g} ± {mean.error:.2g}); "
                "run longer or leave that temperature out"
            )
    beta = [1 / (units.kB * t) for t in temperatures]
    line = fit(beta, [Mean(float(np.log(m.value)), m.error / m.value) for m in coefficients])
    slope, constant = line.slope(0.0), line.at(0.0)
    prefactor = float(np.exp(constant.value))
    return Arrhenius(Mean(-slope.value, slope.error), Mean(prefactor, prefactor * constant.error))
