"""Lattice, thermal expansion, bulk modulus and heat capacity from the series of trajectories."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from augment.cell import FloatArray
from augment.errors import ConditionError, DataError
from augment.supercell import Supercell
from md.conditions.breathing import BREATHING_MEMORY
from md.conditions.environment import IN_PLANE
from md.conditions.in_plane_load import EV_PER_SQUARE_ANGSTROM, area_of, plane_of
from md.conditions.targets import THERMOSTAT_TIME
from md.dynamics.response import Response
from md.estimators.equilibration import variance
from md.estimators.fits import fit
from md.estimators.statistics import Mean, block_average
from md.observables.structure import strains

POINTS_FOR_CURVATURE = 4
"""Points from which on a response is fitted with a curvature: a parabola through three has nothing left to judge it."""

BATH_TIMES = 10
"""Of the slower bath, thermostat or barostat, that fluctuations are measured over: a variance of ten independent
samples is good to a half, and in less the samples do not show yet how far they are correlated."""

LATTICE_PARAMETERS = ("a", "b", "c", "alpha", "beta", "gamma")


def conventional_cells(cells: FloatArray, supercell: Supercell) -> FloatArray:
    """The conventional cells (s, 3, 3) of the host that supercell cells (s, 3, 3) consist of, rows, Å.

    Raises:
        DataError: the cells are not those of the supercell: their volume is less than half or more than twice its.
    """
    ratio = float(np.abs(np.linalg.det(cells)).mean() / abs(np.linalg.det(supercell.cell)))
    if not 0.5 < ratio < 2.0:  # noqa: PLR2004  no crystal changes its volume by more
        raise DataError(f"the cells have {ratio:.2f} times the volume of the supercell; give the supercell they are of")
    to_conventional = supercell.host.lattice @ np.linalg.inv(supercell.cell)
    return np.asarray(to_conventional @ cells, dtype=float)


def lattice_parameters(cells: FloatArray) -> dict[str, Mean]:
    """Mean lengths a, b, c (Å) and angles alpha, beta, gamma (degrees) of cells (s, 3, 3), with standard errors."""
    lengths = np.linalg.norm(cells, axis=2)
    unit = cells / lengths[:, :, None]
    cosines = np.stack([(unit[:, i] * unit[:, j]).sum(axis=1) for i, j in ((1, 2), (0, 2), (0, 1))], axis=1)
    columns = np.concatenate([lengths, np.degrees(np.arccos(np.clip(cosines, -1, 1)))], axis=1)
    return {name: block_average(column) for name, column in zip(LATTICE_PARAMETERS, columns.T, strict=True)}


def strain_tensor(start: FloatArray, cells: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean Biot strain (3, 3) of cells (s, 3, 3) relative to `start` (3, 3), and the standard error of each entry.

    With the cell of the host's supercell as `start` it is the strain of the defective crystal against the host.

    Raises:
        DataError: there are fewer than two cells.
    """
    if len(cells) < 2:  # noqa: PLR2004  an error needs two
        raise DataError(f"{len(cells)} cells are too few for a strain with an error; run longer")
    means = [block_average(column) for column in strains(start, cells).reshape(-1, 9).T]
    return np.array([m.value for m in means]).reshape(3, 3), np.array([m.error for m in means]).reshape(3, 3)


def thermal_expansion(temperatures: Sequence[float], sizes: Sequence[Mean], at: float | None = None) -> Mean:
    """Thermal expansion d ln(size) / dT, 1/K, at a temperature: of a length the linear, of a volume the volumetric.

    A weighted line through ln(size), from four temperatures on a parabola; `at` is their mean without it.

    Raises:
        DataError: fewer than two temperatures, or a size without an error.
    """
    return _log_slope(temperatures, sizes, at)


def bulk_modulus_from_pressures(pressures: Sequence[float], volumes: Sequence[Mean], at: float | None = None) -> Mean:
    """Isothermal bulk modulus -dP / d ln V, GPa, at a pressure from mean volumes at several pressures (GPa).

    A weighted line through ln V, from four pressures on a parabola; `at` is their mean without it.

    Raises:
        DataError: fewer than two pressures, a volume without an error, or a volume that grows under pressure.
    """
    slope = _log_slope(pressures, volumes, at)
    if slope.value >= 0:
        raise DataError(f"the volume grows with pressure ({slope.value:.2e} ± {slope.error:.1e} per GPa): run longer")
    return Mean(-1 / slope.value, slope.error / slope.value**2)


def _log_slope(x: Sequence[float], sizes: Sequence[Mean], at: float | None) -> Mean:
    if any(not m.value > 0 for m in sizes):
        raise DataError("a mean size is not positive; leave that point out")
    logs = [Mean(float(np.log(m.value)), m.error / m.value) for m in sizes]
    curve = fit(x, logs, 2 if len(set(x)) >= POINTS_FOR_CURVATURE else 1)
    return curve.slope(float(np.mean(x)) if at is None else at)


def bulk_modulus_from_fluctuations(volumes: FloatArray, temperature: float) -> Mean:
    """Isothermal bulk modulus k T <V> / var(V), GPa, from volumes (s,) in Å³ at constant pressure; temperature in K.

    Allen and Tildesley, Computer Simulation of Liquids, 2nd ed., eq. 2.92; needs a barostat that samples the
    ensemble in all its volume (isotropic, or full in a cubic crystal).

    Raises:
        DataError: the volume never changes, or there are fewer than 8 independent samples.
    """
    from ase import units

    if len(volumes) and np.ptp(volumes) == 0:
        raise DataError("the volume never changes; its fluctuations need one of the npt ensembles")
    spread = variance(volumes)
    modulus = units.kB * temperature * float(np.mean(volumes)) / spread.value / units.GPa
    return Mean(modulus, modulus * spread.error / spread.value)


def require_fluctuations(response: Response, first: int = 0) -> None:
    """Check that the steps after `first` determine how energy and volume fluctuate.

    Raises:
        ConditionError: the ensemble fixes the energy, or the environment changes in time.
        DataError: they are fewer than ten times the time of the thermostat, with a barostat of the breathing.
    """
    environment = response.point.environment
    if environment.ensemble == "nve" or not environment.is_constant:
        raise ConditionError("fluctuations need a constant temperature and pressure with a bath")
    bath = BREATHING_MEMORY if environment.has_barostat else THERMOSTAT_TIME
    covered = (len(response.series) - first) * response.point.timestep
    if covered < BATH_TIMES * bath:
        raise DataError(
            f"{covered / 1000:.2g} ps in equilibrium are too short for fluctuations, which follow the bath within "
            f"{bath / 1000:g} ps: run {BATH_TIMES * bath / 1000:g} ps or longer"
        )


def heat_capacity(response: Response, first: int = 0) -> Mean:
    """Classical heat capacity in k_B per atom from the steps after `first`: C_V in nvt, C_p in the npt ensembles.

    From the fluctuations of the total energy, or of the enthalpy E + P V with the pressure of the environment (of a
    layer E minus tension times area): var / (k T)². A harmonic crystal has 3.

    Raises:
        ConditionError: the ensemble fixes the energy, or the environment changes in time.
        DataError: the run is short beside the time of the bath, or has fewer than 8 independent samples.
    """
    from ase import units

    require_fluctuations(response, first)
    environment, series = response.point.environment, response.series
    enthalpy = series.totals
    if environment.ensemble == IN_PLANE:
        areas = area_of(series.cells, plane_of(response.frames.start))
        enthalpy = enthalpy - float(environment.tensions.array[0, 0]) / EV_PER_SQUARE_ANGSTROM * areas
    elif environment.has_barostat:
        enthalpy = enthalpy + float(environment.pressures.array[0, 0]) * units.GPa * series.volumes
    temperature = float(environment.temperatures.array[0, 0])
    scale = 1 / (units.kB * temperature) ** 2 / len(response.frames.start)
    spread = variance(enthalpy[first:])
    return Mean(scale * spread.value, scale * spread.error)
