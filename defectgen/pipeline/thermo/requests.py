"""What the settings of the stage say in words: chemical potentials, phases, partial pressures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from augment.errors import ConditionError
from defectgen.run.stage_settings import ThermoStageSettings
from defectgen.thermodynamics.gases import GASES
from defectgen.thermodynamics.phase_energies import PhaseRequest
from defectgen.thermodynamics.reservoir import formula_composition
from md.conditions.environment import check_pressure, check_temperature

MIN_TEMPERATURE = 1.0
"""K; below, exponents are of no use, and nothing moves."""


def phase_request(asked: ThermoStageSettings) -> PhaseRequest:
    """Phases and chemical potentials of the settings.

    Raises:
        ConditionError: a text says none.
    """
    files = tuple(Path(text) for text in asked.phases if "=" not in text)
    given = assignments(asked.mu, "--mu", "O=-4.9")
    for symbol in given:
        if formula_composition(symbol) != {symbol: 1}:
            raise ConditionError(f"--mu {symbol}=...: give an element; energies of compounds go to --phase")
    energies = assignments([text for text in asked.phases if "=" in text], "--phase", "Mg2SiO4=-50.1")
    return PhaseRequest(files, given, energies, asked.molecules)


def partial_pressures(asked: ThermoStageSettings) -> dict[str, float]:
    """Partial pressures of gases, bar, by element.

    Raises:
        ConditionError: a gas that there is no table of, or a pressure that is not positive.
    """
    found = {}
    names = {gas.formula: symbol for symbol, gas in GASES.items()}
    for name, value in assignments(asked.gas, "--gas", "O2=0.2").items():
        if name not in names:
            raise ConditionError(f"--gas {name}: no such gas; there are {', '.join(names)}")
        if not value > 0:
            raise ConditionError(f"--gas {name}={value:g}: a partial pressure is above 0 bar")
        found[names[name]] = value
    return found


def check_thermo(asked: ThermoStageSettings) -> None:
    """Check temperatures, pressures and what is given before anything is computed.

    Raises:
        ConditionError: one is not possible.
    """
    for temperature in asked.temperatures:
        check_temperature(temperature)
        if temperature < MIN_TEMPERATURE:
            raise ConditionError(f"a temperature of {temperature:g} K; equilibria are asked for at 1 K and above")
    for pressure in asked.pressures:
        check_pressure(pressure)
    if asked.anharmonic is not None and not asked.vibrations:
        raise ConditionError("an anharmonic part without vibrations: give --vibrations too (`thermo.vibrations: true`)")
    phase_request(asked)
    partial_pressures(asked)


def assignments(texts: Sequence[str], option: str, example: str) -> dict[str, float]:
    """Numbers by name of texts as `O=-4.9`.

    Raises:
        ConditionError: a text is none, or names one twice.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise ConditionError(f"{option} {text!r}: give a name and a number, such as {example}")
        if name.strip() in found:
            raise ConditionError(f"{option}: {name.strip()} is given twice")
        found[name.strip()] = number
    return found
