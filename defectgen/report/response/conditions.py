"""The conditions of a point of dynamics as a person reads them, and which points are held at fixed ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from defectgen.report.blocks import Column
from defectgen.report.gather import Row
from defectgen.report.plots import PALETTE

Condition = tuple[str, str]
"""Temperature in K and pressure in GPa, as texts."""

SETTLED = 0.1
"""Share by which a mean temperature may miss the one asked for; over 1 ps that of 54 atoms wanders by a few %."""

PRESSURE_MISSED = 0.5
"""GPa by which a mean pressure may miss the one asked for: half a percent of the volume of a solid of 100 GPa."""

_MOST_SHOWN = 4
"""Values of a schedule that a text spells out."""


def is_steady(row: Row) -> bool:
    """Whether temperature and a hydrostatic pressure are held and no axis is strained."""
    return "schedule" not in row


def unsettled(points: Sequence[Row]) -> list[Row]:
    """Points held at one temperature whose mean temperature is far from it: too short to have equilibrated."""
    held = [p for p in points if _holds_temperature(p) and p.get("temperature_mean") is not None]
    return [p for p in held if abs(p["temperature_mean"] / p["temperature"] - 1) > SETTLED]


def unbalanced(points: Sequence[Row]) -> list[Row]:
    """Points held at one pressure whose mean pressure is far from it: their volumes are not those of that pressure."""
    held = [p for p in points if str(p.get("ensemble")).startswith("npt") and is_steady(p)]
    known = [p for p in held if p.get("pressure_mean") is not None]
    return [p for p in known if abs(p["pressure_mean"] - p["pressure"]) > PRESSURE_MISSED]


def _holds_temperature(row: Row) -> bool:
    if row.get("ensemble") == "nve":
        return False
    return is_steady(row) or len(_passed(row["schedule"][0])) == 1


def condition(row: Row) -> Condition:
    """Temperature (K) and pressure (GPa) of a point: `300`, or what its schedule passes, `300→900→300`."""
    if is_steady(row):
        return f"{row['temperature']:g}", f"{row['pressure']:g}"
    temperature, pressure, strain = row["schedule"]
    strained = "" if strain is None else f", {strain[0]} strained by {strain[1]:g}/ps".replace("-", "−")
    return _course(_passed(temperature)), _course(_passed(pressure)) + strained


def _passed(profile: Mapping[str, Any]) -> list[str]:
    """The values that a schedule passes; a stress as its six components."""
    values = (v if isinstance(v, list) else [v] for v in profile["values"])
    texts = ("/".join(f"{x:g}" for x in v) for v in values)
    return [text.replace("-", "−") for text, _ in groupby(texts)]


def _course(passed: Sequence[str]) -> str:
    if len(passed) <= _MOST_SHOWN:
        return "→".join(passed)
    return f"{'→'.join(passed[:_MOST_SHOWN])}→… ({len(passed) - 1} turns)"


@dataclass(frozen=True)
class Legend:
    """How the points of a run are told apart in its figures.

    Attributes:
        colours: of each condition, from cold to hot.
        engines: names of the engines; a run with one does not name it.
    """

    colours: Mapping[Condition, str]
    engines: tuple[str, ...]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Legend:
        """The legend of some points."""
        ordered = sorted(rows, key=lambda r: (float(r["temperature"]), float(r["pressure"])))
        conditions = list(dict.fromkeys(condition(r) for r in ordered))
        shades = {each: PALETTE[k % len(PALETTE)] for k, each in enumerate(conditions)}
        return cls(shades, tuple(sorted({str(r["engine"]) for r in rows})))

    def colour(self, row: Row) -> str:
        """Colour of the conditions of a point."""
        return self.colours[condition(row)]

    def number(self, row: Row) -> int:
        """Number of the engine of a point, for its marker and dash."""
        return self.engines.index(str(row["engine"]))

    def named(self, text: str, row: Row) -> str:
        """A text with the engine of a point, where there are several."""
        return f"{text}, {row['engine']}" if len(self.engines) > 1 else text

    def name(self, row: Row) -> str:
        """Entry of a point: `300 K, 0 GPa, ase`."""
        temperature, pressure = condition(row)
        held, comma, strain = pressure.partition(",")
        return self.named(f"{temperature} K, {held} GPa{comma}{strain}", row)


def cells(rows: Sequence[Row]) -> list[str]:
    """Names of the cells, each once."""
    return list(dict.fromkeys(str(r["cell"]) for r in rows))


def condition_columns() -> tuple[Column, ...]:
    """The columns that say which point a row of a table is of."""
    return Column("cell"), Column("engine"), Column("T", "K", numeric=True), Column("P", "GPa", numeric=True)


def condition_texts(row: Row) -> tuple[str, ...]:
    """The texts of `condition_columns`."""
    return (str(row["cell"]), str(row["engine"]), *condition(row))
