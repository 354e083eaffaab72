"""Schedules as text, for the command line and settings: `300`, `ramp(300,900,5ps)+hold(900,2ps)+quench(300)`.

A piece is a number that stays, `hold(value,time)`, `ramp(first,last,time)`, `step(first,last,after)`, `quench(value)`
or `cycle(low,high,period,repeats)`; a time is a number with fs (the unit without one), ps, ns or steps. A stress is its
six components xx/yy/zz/yz/xz/xy in the place of a number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from augment.errors import ConditionError
from md.conditions.environment import Ensemble, Environment, Strain
from md.conditions.schedule import TENSOR, Profile, ScheduleValue, constant, cycle, quench, ramp, step

_PIECE = re.compile(r"(?:(?P<name>[a-z]+)\((?P<arguments>[^()]*)\)|(?P<value>[^()]+))")
_FS = {"fs": 1.0, "ps": 1e3, "ns": 1e6}
_FORMS = "300, hold(300,2ps), ramp(300,900,5ps), step(300,900,1ps), quench(300) or cycle(300,900,2ps,3), joined by +"


def parse_profile(text: str | float, timestep: float) -> Profile:
    """A profile from its text; a time in steps counts `timestep` fs each.

    Raises:
        ConditionError: the text is no schedule.
    """
    pieces = re.split(r"(?<![eE])\+", str(text).replace(" ", ""))
    try:
        profile, *others = (_piece(piece, timestep) for piece in pieces)
        for other in others:
            profile = profile.then(other)
    except (ValueError, TypeError):
        raise ConditionError(f"{text!r} is no schedule; write {_FORMS}") from None
    return profile


def parse_strain(text: str) -> Strain:
    """A strain rate from `AXIS:RATE`, such as `a:0.001` for a thousandth of its length every picosecond.

    Raises:
        ConditionError: the text is of another form.
    """
    axis, _, rate = text.partition(":")
    try:
        return Strain(axis.strip(), float(rate))  # type: ignore[arg-type]  # checked by the class
    except ValueError:
        raise ConditionError(f"{text!r} is no strain rate; write AXIS:RATE in 1/ps, such as a:0.001") from None


def environments(
    temperatures: Iterable[str | float],
    pressures: Iterable[str | float],
    ensemble: Ensemble,
    strain: str | None,
    timestep: float,
    tensions: Iterable[str | float] = (0.0,),
) -> list[Environment]:
    """Every temperature with every pressure (GPa) and every tension (N/m), given as texts or numbers.

    Raises:
        ConditionError: a text is no schedule, or an environment is not possible.
    """
    stretched = None if strain is None else parse_strain(strain)
    at = [parse_profile(text, timestep) for text in pressures]
    pulled = [parse_profile(text, timestep) for text in tensions]
    return [
        Environment(parse_profile(text, timestep), pressure, ensemble, stretched, tension)
        for text in temperatures
        for pressure in at
        for tension in pulled
    ]


def split_list(text: str) -> list[str]:
    """The schedules of a list, separated by commas outside of parentheses."""
    return [part.strip() for part in re.split(r",(?![^()]*\))", text)]


def _piece(text: str, timestep: float) -> Profile:
    parsed = _PIECE.fullmatch(text)
    if parsed is None:
        raise ValueError(text)
    if parsed["value"]:
        return constant(_value(parsed["value"]))
    given = parsed["arguments"].split(",")
    match parsed["name"], len(given):
        case "hold", 2:
            return constant(_value(given[0]), _time(given[1], timestep))
        case "ramp", 3:
            return ramp(_value(given[0]), _value(given[1]), _time(given[2], timestep))
        case "step", 3:
            return step(_value(given[0]), _value(given[1]), _time(given[2], timestep))
        case "quench", 1:
            return quench(_value(given[0]))
        case "cycle", 4:
            return cycle(_value(given[0]), _value(given[1]), _time(given[2], timestep), int(given[3]))
        case _:
            raise ValueError(text)


def _value(text: str) -> ScheduleValue:
    numbers = tuple(float(part) for part in text.split("/"))
    if len(numbers) not in {1, TENSOR}:
        raise ValueError(text)
    return numbers[0] if len(numbers) == 1 else numbers


def _time(text: str, timestep: float) -> float:
    """A time in fs; it must be above 0."""
    number, unit = re.fullmatch(r"(.*?)(fs|ps|ns|steps|)", text).groups()  # type: ignore[union-attr]  # always matches
    time = float(number) * (timestep if unit == "steps" else _FS[unit or "fs"])
    if not (math.isfinite(time) and time > 0):
        raise ConditionError(f"a schedule with a piece of {text} long; give a time above 0")
    return time
