"""What a second engine says of a point that the first made data of: differences of means with their errors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from defectgen.report.blocks import Column, Section, Table, Text, number, with_error
from defectgen.report.gather import DATA, JsonRow
from defectgen.report.response.conditions import condition, point_name
from md.estimators.statistics import Mean

EXPECTED = 2.0
"""Standard errors within which 19 of 20 differences of two right engines lie."""

MAX_AGREEING = 2.4
"""Standard errors within which all three means of two right engines lie 19 times in 20."""

_MEASURED = (
    ("energy", "energy", "energy_error", "meV/atom", 1000.0, 2),
    ("volume", "volume", "volume_error", "Å³/atom", 1.0, 4),
    ("temperature", "temperature_mean", "temperature_error", "K", 1.0, 1),
)
"""Name, keys of a row of md/summary.jsonl, unit, factor to that unit, digits."""


@dataclass(frozen=True)
class EngineCheck:
    """The difference of a mean between two engines at one point.

    Attributes:
        check: row of the point that checks.
        data: row of the point that is data; None where there is none that finished.
        name: of the quantity.
        unit: of the difference.
        difference: check less data, with its standard error; NaN where a run is too short.
        digits: to show.
    """

    check: JsonRow
    data: JsonRow | None
    name: str
    unit: str
    difference: Mean
    digits: int

    @property
    def deviation(self) -> float:
        """The difference in its standard errors; NaN where these are not known."""
        value, error = self.difference
        return abs(value) / error if error > 0 else math.nan

    @property
    def text(self) -> str:
        """The difference with its error and unit."""
        if not math.isfinite(self.difference.value):
            return f"{self.name} cannot be compared"
        error = self.difference.error if math.isfinite(self.difference.error) else None
        return f"{self.name} {with_error(self.difference.value, error, self.digits)} {self.unit}"


def is_check(row: JsonRow) -> bool:
    """Whether a row of md/summary.jsonl is of a check; older ones say nothing and are data."""
    return bool(row.get("role", DATA) != DATA)


def engine_checks(checks: Sequence[JsonRow], data: Sequence[JsonRow]) -> Iterator[EngineCheck]:
    """Differences of the mean energy, temperature and, if it changes, volume of each check and what it repeats."""
    finished = {_place(row): row for row in reversed(data) if row["status"] == "finished"}
    for check in checks:
        repeated = finished.get(_place(check)) if check["status"] == "finished" else None
        held = not str(check.get("ensemble")).startswith("npt")
        for name, key, error, unit, factor, digits in _MEASURED:
            if name == "volume" and held:
                continue
            difference = _difference(check, repeated, key, error)
            scaled = Mean(factor * difference.value, factor * difference.error)
            yield EngineCheck(check, repeated, name, unit, scaled, digits)


def _place(row: JsonRow) -> tuple[object, ...]:
    """What a check and the point that it repeats have in common."""
    return row["cell"], row.get("key"), row.get("ensemble"), row.get("steps"), row.get("timestep"), *condition(row)


def _difference(check: JsonRow, data: JsonRow | None, key: str, error: str) -> Mean:
    if data is None or check.get(key) is None or data.get(key) is None:
        return Mean(math.nan, math.nan)
    errors = [float(row[error]) for row in (check, data) if row.get(error) is not None]
    joint = math.hypot(*errors) if len(errors) == 2 else math.nan  # noqa: PLR2004  one of each
    return Mean(check[key] - data[key], joint)


def agree(differences: Sequence[EngineCheck]) -> bool | None:
    """Whether two engines agree at a point, in the standard errors of their differences; None where none is known."""
    known = [one.deviation for one in differences if math.isfinite(one.deviation)]
    return max(known) <= MAX_AGREEING if known else None


def verdict(differences: Sequence[EngineCheck]) -> str:
    """`agree` in a sentence."""
    found = agree(differences)
    if found is None:
        return "it cannot be decided whether they agree"
    worst = max((one for one in differences if math.isfinite(one.deviation)), key=lambda one: one.deviation)
    how = f"{worst.deviation:.1f} standard errors apart in the {worst.name}; up to {MAX_AGREEING:g} is usual"
    return f"they {'agree' if found else 'disagree'} ({how})"


def engine_check_section(checks: Sequence[JsonRow], data: Sequence[JsonRow]) -> Section:
    """The differences as a table, or what there was to compare."""
    rows = list(engine_checks(checks, data))
    if not rows:
        return Section("engines", "Check by a second engine", [Text("No second engine repeated a point.", "empty")])
    columns = (
        *(Column("cell"), Column("engine"), Column("against"), Column("T", "K", numeric=True)),
        *(
            Column("P", "GPa", numeric=True),
            Column("quantity"),
            Column("difference"),
            Column("in errors", numeric=True),
        ),
    )
    body = [
        (
            str(row.check["cell"]),
            str(row.check["engine"]),
            "–" if row.data is None else str(row.data["engine"]),
            *condition(row.check),
            row.name,
            row.text.removeprefix(f"{row.name} "),
            number(row.deviation, 1) if math.isfinite(row.deviation) else "–",
        )
        for row in rows
    ]
    caption = "Means of the same point by two engines, with other seeds; the frames of a check are no data."
    note = f"Two right engines differ by less than {EXPECTED:g} errors 19 times in 20; short runs know theirs badly."
    return Section("engines", "Check by a second engine", [_verdicts(rows), Table(caption, columns, body, note)])


def _verdicts(rows: Sequence[EngineCheck]) -> Text:
    """What the checks say together, and the point where they disagree most."""
    by_check = [[row for row in rows if row.check is check] for check in {id(r.check): r.check for r in rows}.values()]
    known = [each for each in by_check if agree(each) is not None]
    if not known:
        return Text("No check can decide whether the engines agree.")
    worst = max(known, key=lambda each: max((one.deviation for one in each if math.isfinite(one.deviation)), default=0))
    count = sum(agree(each) is True for each in known)
    where = f"{worst[0].check['engine']}, {point_name(worst[0].check)}"
    return Text(f"The engines agree at {count} of {len(known)} points. {where}: {verdict(worst)}.")


def check_lines(rows: Sequence[JsonRow]) -> Iterator[str]:
    """One line for each check among some rows, for a terminal."""
    data = [row for row in rows if not is_check(row)]
    for check in (row for row in rows if is_check(row)):
        found = list(engine_checks([check], data))
        temperature, pressure = condition(check)
        against = found[0].data
        head = f"check by {check['engine']} of {check['cell']} at {temperature} K, {pressure} GPa"
        if against is None:
            yield f"{head}: nothing to compare, {check['reason'] or 'the point that it repeats has not finished'}"
        else:
            yield f"{head} less {against['engine']}: {', '.join(one.text for one in found)}; {verdict(found)}"
