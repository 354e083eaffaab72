"""The conditions of a point of dynamics as a person reads them, and which points are held at fixed ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from defectgen.report.blocks import Column
from defectgen.report.gather import JsonRow
from defectgen.report.plots import PALETTE
from md.dynamics.settling import MAX_ERRORS, MAX_PRESSURE_MISS

ConditionTexts = tuple[str, str]
"""Temperature in K and pressure in GPa, as texts."""

TEMPERATURE_TOLERANCE = 0.1
"""Share by which a mean temperature may miss the one requested; over 1 ps that of 54 atoms wanders by a few %."""

_MAX_SHOWN = 4
"""Values of a schedule that a text spells out."""


def is_steady(row: JsonRow) -> bool:
    """Whether temperature and a hydrostatic pressure are held and no axis is strained."""
    return "schedule" not in row


def unsettled(points: Sequence[JsonRow]) -> list[JsonRow]:
    """Points held at one temperature whose mean temperature is far from it: too short to have equilibrated."""
    held = [p for p in points if _holds_temperature(p) and p.get("temperature_mean") is not None]
    return [p for p in held if abs(p["temperature_mean"] / p["temperature"] - 1) > TEMPERATURE_TOLERANCE]


def holds_pressure(row: JsonRow) -> bool:
    """Whether a barostat holds a pressure, and not a tension."""
    return str(row.get("ensemble")).startswith("npt") and "tension" not in row


def unbalanced(points: Sequence[JsonRow]) -> list[JsonRow]:
    """Points held at one pressure whose mean pressure is far from it: their volumes are not those of that pressure."""
    held = [p for p in points if holds_pressure(p) and is_steady(p)]
    known = [p for p in held if p.get("pressure_mean") is not None]
    return [p for p in known if abs(p["pressure_mean"] - p["pressure"]) > _allowed_miss(p)]


def _allowed_miss(row: JsonRow) -> float:
    """GPa by which the mean pressure of a row may miss the one held."""
    return max(MAX_PRESSURE_MISS, MAX_ERRORS * (row.get("pressure_error") or 0.0))


def not_settled(points: Sequence[JsonRow]) -> list[JsonRow]:
    """Points that have not settled by what they say of themselves, or by their means where they are of older runs."""
    out = {id(row) for row in (*unsettled(points), *unbalanced(points))}
    return [p for p in points if p.get("settled") is False or id(p) in out]


def equilibrated_at(row: JsonRow) -> int | None:
    """Step at which equilibration ended, under the name that older runs have for it too."""
    older = row.get("settled")
    step = row.get("equilibrated", None if isinstance(older, bool) else older)
    return None if step is None else int(step)


def _holds_temperature(row: JsonRow) -> bool:
    if row.get("ensemble") == "nve":
        return False
    return is_steady(row) or len(_passed(row["schedule"][0])) == 1


def load(row: JsonRow) -> float:
    """What a barostat is to hold: a pressure in GPa or, of a layer in `npt-plane`, a tension in N/m."""
    return float(row["tension"] if "tension" in row else row["pressure"])


def load_unit(row: JsonRow) -> str:
    """Unit of `load`."""
    return "N/m" if "tension" in row else "GPa"


def condition(row: JsonRow) -> ConditionTexts:
    """Temperature (K) and pressure (GPa) of a point: `300`, or what its schedule passes, `300→900→300`.

    A layer in `npt-plane` has a tension in the place of the pressure, with its unit: `2 N/m`.
    """
    tension = "tension" in row
    if is_steady(row):
        return f"{row['temperature']:g}", f"{load(row):g}{' N/m' * tension}"
    temperature, held, strain = row["schedule"]
    strained = "" if strain is None else f", {strain[0]} strained by {strain[1]:g}/ps".replace("-", "−")
    return _course(_passed(temperature)), _course(_passed(held)) + (" N/m" if tension else strained)


def _passed(profile: Mapping[str, Any]) -> list[str]:
    """The values that a schedule passes; a stress as its six components."""
    values = (v if isinstance(v, list) else [v] for v in profile["values"])
    texts = ("/".join(f"{x:g}" for x in v) for v in values)
    return [text.replace("-", "−") for text, _ in groupby(texts)]


def _course(passed: Sequence[str]) -> str:
    if len(passed) <= _MAX_SHOWN:
        return "→".join(passed)
    return f"{'→'.join(passed[:_MAX_SHOWN])}→… ({len(passed) - 1} turns)"


@dataclass(frozen=True)
class Legend:
    """How the points of a run are distinguished in its figures.

    Attributes:
        colours: of each condition, from cold to hot.
        engines: names of the engines; a run with one does not name it.
    """

    colours: Mapping[ConditionTexts, str]
    engines: tuple[str, ...]

    @classmethod
    def of(cls, rows: Sequence[JsonRow]) -> Legend:
        """The legend of some points."""
        ordered = sorted(rows, key=lambda r: (float(r["temperature"]), load_unit(r), load(r)))
        conditions = list(dict.fromkeys(condition(r) for r in ordered))
        shades = {each: PALETTE[k % len(PALETTE)] for k, each in enumerate(conditions)}
        return cls(shades, tuple(sorted({str(r["engine"]) for r in rows})))

    def colour(self, row: JsonRow) -> str:
        """Colour of the conditions of a point."""
        return self.colours[condition(row)]

    def number(self, row: JsonRow) -> int:
        """Number of the engine of a point, for its marker and dash."""
        return self.engines.index(str(row["engine"]))

    def named(self, text: str, row: JsonRow) -> str:
        """A text with the engine of a point, where there are several."""
        return f"{text}, {row['engine']}" if len(self.engines) > 1 else text

    def name(self, row: JsonRow) -> str:
        """Entry of a point: `300 K, 0 GPa, ase`."""
        temperature, pressure = condition(row)
        held, comma, strain = pressure.partition(",")
        return self.named(f"{temperature} K, {held.removesuffix(' N/m')} {load_unit(row)}{comma}{strain}", row)


def cells(rows: Sequence[JsonRow]) -> list[str]:
    """Names of the cells, each once."""
    return list(dict.fromkeys(str(r["cell"]) for r in rows))


def point_name(row: JsonRow) -> str:
    """A point in a sentence: `v_O at 300 K and 0 GPa`."""
    temperature, held = condition(row)
    return f"{row['cell']} at {temperature} K and {held.removesuffix(' N/m')} {load_unit(row)}"


def condition_columns() -> tuple[Column, ...]:
    """The columns that say which point a row of a table is of."""
    return Column("cell"), Column("engine"), Column("T", "K", numeric=True), Column("P", "GPa", numeric=True)


def condition_texts(row: JsonRow) -> tuple[str, ...]:
    """The texts of `condition_columns`."""
    return (str(row["cell"]), str(row["engine"]), *condition(row))
