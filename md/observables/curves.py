"""What is drawn of a trajectory, as JSON values of few digits: courses in time, displacements, spectra, neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.elements import element_symbol
from augment.host import Host
from md.dynamics.response import Response
from md.lammps.commands import FS_PER_PS
from md.observables.attempt import attempt, first_frame
from md.observables.local import defect_radial_distribution
from md.observables.sites import defect_of
from md.observables.spectra import midpoint_velocities, phonon_spectrum, velocity_autocorrelation
from md.observables.structure import displacements, squared_displacements

MAX_CURVE_POINTS = 120
"""Of a curve over time; longer runs are averaged in blocks."""

DIGITS = 5
"""Significant ones; a screen has some 1,000 pixels."""

CURVE_LAGS = 40
"""Lags of the mean square displacement, in geometric steps up to half of the run."""


MAX_MEMORY = 2.0
"""ps of the velocity autocorrelation that are kept: a dozen periods of a slow phonon."""

SPECTRUM_POINTS = 600

WEIGHT_DRAWN, BEYOND = 0.99, 1.2
"""A spectrum is drawn up to this multiple of the frequency below which this share of its states lies."""


def curves(response: Response, host: Host | None = None) -> dict[str, Any]:
    """Curves of a trajectory as JSON values; None where it is too short for one, and `not_measurable` says why.

    `course`: `t` (ps), `volume` (Å³ per atom), `temperature` (K) and `pressure` (GPa), means of blocks of steps.
    `msd`: `lag` (ps) and for each element the mean square displacement (Å²) after that time, averaged over origins.
    `vacf`: `t` (ps) and the velocity autocorrelation `c`. `phonons`: `f` (THz) and states per THz `g`.
    `defect_rdf`: `r` (Å) and `g`, the radial distribution of atoms around the place of the defect; with a host only.

    Raises:
        DefectError: the trajectory is of another host.
        DataError: its cell has the atoms or axes of no supercell of the host.
    """
    first = first_frame(response)
    quantities: dict[str, Callable[[], Any]] = {
        "msd": lambda: _displacements(response, first),
        "vacf": lambda: _memory(response, first),
        "phonons": lambda: _phonons(response, first),
    }
    if host is not None:
        defect = defect_of(response.frames.start, host)
        quantities["defect_rdf"] = lambda: _named("rg", *defect_radial_distribution(response.frames, defect, first))
    return {"id": response.point.id, "course": _course(response), **attempt(quantities)}


def block_means(values: FloatArray, block: int) -> FloatArray:
    """Means (ceil(n / block),) of consecutive blocks of values (n,); the last may be shorter."""
    starts = np.arange(0, len(values), block)
    return np.asarray(np.add.reduceat(values, starts) / np.diff([*starts, len(values)])) if len(values) else values


def rounded(values: FloatArray) -> list[float]:
    """Values (n,) with 5 significant digits."""
    return [float(f"{value:.{DIGITS}g}") for value in values]


def _named(names: str, *columns: FloatArray) -> dict[str, list[float]]:
    return {name: rounded(column) for name, column in zip(names, columns, strict=True)}


def _course(response: Response) -> dict[str, list[float]]:
    series, atoms = response.series, len(response.frames.start)
    block = -(-len(series) // MAX_CURVE_POINTS) or 1
    columns = {
        "t": response.times / FS_PER_PS,
        "volume": series.volumes / atoms,
        "temperature": series.temperatures,
        "pressure": series.pressures,
    }
    return {name: rounded(block_means(column, block)) for name, column in columns.items()}


def _spacing(response: Response) -> float:
    return response.point.interval * response.point.timestep


def _displacements(response: Response, first: int) -> dict[str, list[float]]:
    moved = displacements(response.frames, first)
    lags = lags_of(len(moved))
    numbers = response.frames.start.numbers
    columns = {"lag": rounded(np.asarray(lags * _spacing(response) / FS_PER_PS, dtype=float))}
    for z in np.unique(numbers):
        chosen = moved[:, numbers == z]
        means = [squared_displacements(chosen, int(lag)).mean() for lag in lags]
        columns[element_symbol(z)] = rounded(np.array(means))
    return columns


def lags_of(frames: int) -> IntArray:
    """Lags in frames, in geometric steps up to half of the run, so that each averages over as many origins.

    Raises:
        DataError: there are fewer than four frames.
    """
    from augment.errors import DataError

    if frames < 4:  # noqa: PLR2004  two lags, each twice
        raise DataError(f"{frames} frames are too few for a displacement against time (at least 4); run longer")
    return np.unique(np.rint(np.geomspace(1, frames // 2, CURVE_LAGS)).astype(np.int64))


def _masses(response: Response) -> FloatArray:
    from ase.data import atomic_masses

    return np.asarray(atomic_masses[response.frames.start.numbers], dtype=float)


def _memory(response: Response, first: int) -> dict[str, list[float]]:
    spacing = _spacing(response)
    velocities = midpoint_velocities(displacements(response.frames, first), spacing)
    correlation = velocity_autocorrelation(velocities, _masses(response))
    shown = correlation[: max(2, min(len(correlation) // 2, int(MAX_MEMORY * FS_PER_PS / spacing) + 1))]
    return _named("tc", np.arange(len(shown), dtype=float) * (spacing / FS_PER_PS), shown)


def _phonons(response: Response, first: int) -> dict[str, list[float]]:
    """The phonon density of states; of a long run no finer than a screen shows."""
    spacing = _spacing(response)
    moved = displacements(response.frames, first)
    finest = 4 * FS_PER_PS / spacing / (2 * SPECTRUM_POINTS)
    resolution = finest if len(moved) > 4 * SPECTRUM_POINTS else None
    spectrum = phonon_spectrum(moved, _masses(response), spacing, resolution)
    weight = np.cumsum(spectrum.density) / spectrum.density.sum()
    highest = spectrum.frequencies[min(int(np.searchsorted(weight, WEIGHT_DRAWN)), len(weight) - 1)]
    shown = spectrum.frequencies <= BEYOND * highest
    return _named("fg", spectrum.frequencies[shown], spectrum.density[shown])
