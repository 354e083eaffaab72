"""The environment a defect cell is put in: temperature, pressure and ensemble."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from augment.errors import ConditionError

Ensemble = Literal["nve", "nvt", "npt"]

HIGHEST_TEMPERATURE = 20_000.0
"""K; above it no crystal is left, and the time steps of this package are too long."""

HIGHEST_PRESSURE = 1_000.0
"""GPa; three times that of the centre of the Earth. Under tension no solid bears a tenth of it."""


def check_pressure(pressure: float) -> None:
    """Check a pressure in GPa, positive under compression.

    Raises:
        ConditionError: it is not finite or beyond what a solid can bear.
    """
    if not -HIGHEST_PRESSURE / 10 <= pressure <= HIGHEST_PRESSURE:
        raise ConditionError(
            f"a pressure of {pressure} GPa is outside {-HIGHEST_PRESSURE / 10:g} to {HIGHEST_PRESSURE:g} GPa; "
            "give it in GPa"
        )


@dataclass(frozen=True)
class Environment:
    """A constant temperature and pressure and the ensemble that samples them.

    Attributes:
        temperature: K; in `nve` that of the start, of which a harmonic crystal keeps half.
        pressure: GPa, positive under compression; acts in `npt` only.
        ensemble: `nve` (energy and cell fixed), `nvt` (temperature and cell fixed) or `npt` (temperature and
            pressure fixed, the cell breathing isotropically).

    Raises:
        ConditionError: a value is not possible.
    """

    temperature: float
    pressure: float = 0.0
    ensemble: Ensemble = "npt"

    def __post_init__(self) -> None:
        if self.ensemble not in get_args(Ensemble):
            known = ", ".join(get_args(Ensemble))
            raise ConditionError(f"no ensemble is called {self.ensemble!r}; use one of {known}")
        if not (math.isfinite(self.temperature) and 0 < self.temperature <= HIGHEST_TEMPERATURE):
            raise ConditionError(
                f"a temperature of {self.temperature} K is not between 0 and {HIGHEST_TEMPERATURE:g} K; "
                "give it in kelvin, above 0"
            )
        check_pressure(self.pressure)
        if self.pressure and self.ensemble != "npt":
            raise ConditionError(
                f"a pressure of {self.pressure} GPa has no effect in {self.ensemble}; use npt, or leave it at 0"
            )

    @property
    def label(self) -> str:
        """Short text for names and plots: `300K_0GPa`."""
        return f"{self.temperature:g}K_{self.pressure:g}GPa"
