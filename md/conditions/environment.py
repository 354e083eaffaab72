"""The environment a defect cell is put in: temperature, pressure and ensemble, constant or changing in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, get_args

import numpy as np

from augment.errors import ConditionError
from md.conditions.in_plane_load import MAX_TENSION
from md.conditions.schedule import TENSOR, Profile, ScheduleValue, as_profile

Ensemble = Literal["nve", "nvt", "npt", "npt-aniso", "npt-full", "npt-plane"]
"""What is fixed: energy and cell; temperature and cell; temperature and pressure, where the cell breathes
isotropically, along its three axes (which must be orthogonal), or in all six strains; temperature and the tension of a
layer, which breathes in its three strains in the plane, while the axis across the vacuum keeps its length."""

IN_PLANE: Ensemble = "npt-plane"

Axis = Literal["a", "b", "c"]

MAX_BATH_TEMPERATURE = 20_000.0
"""K; above it no crystal is left, and the time steps of this package are too long."""

MAX_BATH_PRESSURE = 1_000.0
"""GPa; three times that of the centre of the Earth."""

MIN_PRESSURE = -100.0
"""GPa; no solid bears such a tension."""

_MAX_SHOWN = 4
"""Values of a schedule that a label spells out."""

MAX_STRAIN_RATE = 1.0
"""1/ps; sound crosses a cell in about a picosecond, and no solid follows a faster strain."""


def check_pressure(pressure: float) -> None:
    """Check a pressure in GPa, positive under compression.

    Raises:
        ConditionError: it is not finite or beyond what a solid can bear.
    """
    if not MIN_PRESSURE <= pressure <= MAX_BATH_PRESSURE:
        raise ConditionError(
            f"a pressure of {pressure} GPa is outside {MIN_PRESSURE:g} to {MAX_BATH_PRESSURE:g} GPa; give it in GPa"
        )


def check_temperature(temperature: float, *, at_rest: bool = False) -> None:
    """Check a temperature in K.

    Args:
        temperature: K.
        at_rest: 0 is possible too, and means atoms at rest.

    Raises:
        ConditionError: it is not finite, too low, or beyond what a crystal can bear.
    """
    if not (0 < temperature <= MAX_BATH_TEMPERATURE or (at_rest and temperature == 0)):
        raise ConditionError(
            f"a temperature of {temperature} K is not between 0 and {MAX_BATH_TEMPERATURE:g} K; "
            f"give it in kelvin{'' if at_rest else ', above 0'}"
        )


@dataclass(frozen=True)
class Strain:
    """A cell axis that is stretched at a constant rate while the others keep their lengths or their pressure.

    Attributes:
        axis: `a`, `b` or `c`; it must be orthogonal to the others.
        rate: engineering strain rate, 1/ps: the axis grows by this share of its first length every picosecond.

    Raises:
        ConditionError: a value is not possible.
    """

    axis: Axis
    rate: float

    def __post_init__(self) -> None:
        if self.axis not in get_args(Axis):
            raise ConditionError(f"no axis is called {self.axis!r}; use one of {', '.join(get_args(Axis))}")
        if not 0 < abs(self.rate) <= MAX_STRAIN_RATE:
            raise ConditionError(f"a strain rate of {self.rate} per ps; give up to {MAX_STRAIN_RATE:g}, and not 0")

    @property
    def index(self) -> int:
        """Row of the axis in the cell."""
        return get_args(Axis).index(self.axis)


@dataclass(frozen=True)
class Environment:
    """Temperature and pressure, constant or over time, and the ensemble that samples them.

    Attributes:
        temperature: K, a number or a profile; in `nve` that of the start, of which a harmonic crystal keeps half.
        pressure: GPa, positive under compression: a number, the six components xx, yy, zz, yz, xz, xy of a stress
            (in `npt-aniso` those along the axes a, b, c, without shear), or a profile of either; acts in the `npt`
            ensembles only.
        ensemble: see `Ensemble`.
        strain: a rate at which one axis is stretched; goes with `nve`, `nvt` and `npt-aniso`.
        tension: N/m, of a layer, positive where it is pulled; a number or a profile; acts in `npt-plane`, in place of
            a pressure.

    Raises:
        ConditionError: a value is not possible.
    """

    temperature: float | Profile
    pressure: ScheduleValue | Profile = 0.0
    ensemble: Ensemble = "npt"
    strain: Strain | None = None
    tension: float | Profile = 0.0

    def __post_init__(self) -> None:
        if self.ensemble not in get_args(Ensemble):
            known = ", ".join(get_args(Ensemble))
            raise ConditionError(f"no ensemble is called {self.ensemble!r}; use one of {known}")
        for name in ("temperature", "pressure", "tension"):
            object.__setattr__(self, name, _plain(getattr(self, name)))
        for temperature in self.temperatures.array.ravel():
            check_temperature(float(temperature))
        for pressure in self.pressures.array.ravel():
            check_pressure(float(pressure))
        self._check_pressures()
        self._check_tension()
        if self.temperatures.array.shape[1] != 1:
            raise ConditionError("a temperature is one number, not six")
        if self.ensemble == "nve" and not self.temperatures.is_constant:
            raise ConditionError("in nve nothing holds a temperature; use nvt or npt for a schedule")
        if self.strain is not None and self.ensemble in {"npt", "npt-full", IN_PLANE}:
            raise ConditionError(
                f"in {self.ensemble} the barostat moves the strained axis; use npt-aniso or nvt with a strain rate"
            )

    def _check_tension(self) -> None:
        values = self.tensions.array
        if values.shape[1] != 1 or not (np.abs(values) <= MAX_TENSION).all():
            raise ConditionError(f"a tension is one number from {-MAX_TENSION:g} to {MAX_TENSION:g} N/m")
        if self.tensions.quenches:
            raise ConditionError("a tension cannot be quenched: the layer follows a jump in its own time; use step")
        if values.any() and self.ensemble != IN_PLANE:
            raise ConditionError(f"a tension has no effect in {self.ensemble}; use {IN_PLANE}, or leave it at 0")

    def _check_pressures(self) -> None:
        values = self.pressures.array
        if values.any() and self.ensemble == IN_PLANE:
            raise ConditionError(
                f"a pressure in {IN_PLANE} means another load on the layer for every vacuum; give a tension in N/m "
                "(--tension, md.tensions), negative to compress"
            )
        if values.any() and not self.has_barostat:
            shown = self.pressure if isinstance(self.pressure, float | int) else "given"
            raise ConditionError(
                f"a pressure of {shown} GPa has no effect in {self.ensemble}; use npt, or leave it at 0"
            )
        if self.pressures.quenches:
            raise ConditionError("a pressure cannot be quenched: the cell follows a jump in its own time; use step")
        if values.shape[1] == TENSOR and self.ensemble in {"npt", "npt-aniso"}:
            shear = bool(values[:, 3:].any())
            if self.ensemble == "npt" or shear:
                raise ConditionError(f"the stress cannot be held in {self.ensemble}; use npt-full")

    @property
    def has_barostat(self) -> bool:
        """Whether the pressure is held."""
        return self.ensemble.startswith("npt")

    @property
    def breathes_freely(self) -> bool:
        """Whether a barostat holds a pressure on a bulk crystal that no strain rate deforms."""
        return self.has_barostat and self.ensemble != IN_PLANE and self.strain is None

    @property
    def needs_orthogonal_axes(self) -> bool:
        """Whether the axes of the cell must be orthogonal."""
        return self.ensemble == "npt-aniso" or self.strain is not None

    @property
    def temperatures(self) -> Profile:
        """Temperature over time, K."""
        return as_profile(self.temperature)

    @property
    def pressures(self) -> Profile:
        """Pressure over time, GPa; one component or six."""
        return as_profile(self.pressure)

    @property
    def tensions(self) -> Profile:
        """Tension over time, N/m."""
        return as_profile(self.tension)

    @property
    def loads(self) -> Profile:
        """What the barostat holds over time: pressures in GPa or, in the plane of a layer, tensions in N/m."""
        return self.tensions if self.ensemble == IN_PLANE else self.pressures

    @property
    def is_constant(self) -> bool:
        """Whether temperature and a hydrostatic pressure never change and no axis is strained."""
        hydrostatic = self.pressures.array.shape[1] == 1
        return self.temperatures.is_constant and self.loads.is_constant and hydrostatic and self.strain is None

    @property
    def json(self) -> dict[str, Any]:
        """The environment as JSON values: the last temperature and hydrostatic pressure, and what changes if any."""
        values: dict[str, Any] = {
            "ensemble": self.ensemble,
            "temperature": float(self.temperatures.array[-1, 0]),
            "pressure": float(self.pressures.array[-1, :3].mean()),
        }
        if self.ensemble == IN_PLANE:
            values["tension"] = float(self.tensions.array[-1, 0])
        if not self.is_constant:
            strain = None if self.strain is None else [self.strain.axis, float(self.strain.rate)]
            values["schedule"] = [self.temperatures.json, self.loads.json, strain]
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Environment:
        """Inverse of `json`."""
        ensemble = values["ensemble"]
        if "schedule" not in values:
            return cls(values["temperature"], values["pressure"], ensemble, tension=values.get("tension", 0.0))
        temperature, load, strain = values["schedule"]
        kelvin, held = Profile.from_json(temperature), Profile.from_json(load)
        if ensemble == IN_PLANE:
            return cls(kelvin, ensemble=ensemble, tension=held)
        return cls(kelvin, held, ensemble, None if strain is None else Strain(*strain))

    @property
    def label(self) -> str:
        """Short text for names and plots: `300K_0GPa`, `300-900K_0GPa`, `300K_0GPa_a0.01`, `300K_2N_per_m`."""
        if self.ensemble == IN_PLANE:
            return f"{_span(self.temperatures)}K_{_span(self.tensions)}N_per_m"
        strain = "" if self.strain is None else f"_{self.strain.axis}{self.strain.rate:g}"
        return f"{_span(self.temperatures)}K_{_span(self.pressures)}GPa{strain}"


def _plain(value: ScheduleValue | Profile) -> ScheduleValue | Profile:
    """A profile that never changes as its value, so that equal environments are equal objects."""
    profile = as_profile(value)
    return profile.values[0] if profile.is_constant else profile


def _span(profile: Profile) -> str:
    """The values that a few knots pass, `300-900-300`, or the range of many; of a tensor the mean normal ones."""
    passed = [value for value, _ in groupby(f"{value:g}" for value in profile.array[:, :3].mean(axis=1))]
    if len(passed) <= _MAX_SHOWN:
        return "-".join(passed)
    return f"{profile.array.min():g}..{profile.array.max():g}"
