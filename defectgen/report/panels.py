"""Figures of many points: a quantity against temperature or pressure, and curves, with one small chart a cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from defectgen.report.blocks import Figure
from defectgen.report.gather import JsonRow
from defectgen.report.plots import DASHES, PALETTE, Trace, line, once, panel_grid, points
from defectgen.report.response.conditions import Legend, cells, is_steady, load, load_unit

MAX_CURVE_PANELS = 12

Measured = tuple[float, float | None]
"""A value and its standard error, if it has one."""

OTHER = {"temperature": "pressure", "pressure": "temperature"}


def condition_figure(
    rows: Sequence[JsonRow],
    quantities: Mapping[str, Callable[[JsonRow], Measured | None]],
    varied: str,
    title: str,
    name: str,
    caption: str,
) -> list[Figure]:
    """Quantities with error bars against one condition, a colour a value of the other; none if that never changes.

    Args:
        rows: points; scheduled ones are left out.
        quantities: what to draw, each in panels of its own; the key goes into their titles, if it is not empty.
        varied: `temperature` or `pressure`.
        title: of the y axis, with its unit.
        name: id of the figure.
        caption: what it shows.
    """
    held = OTHER[varied]
    steady = [r for r in rows if is_steady(r) and r["status"] != "diverged"]
    fixed = sorted({_value(r, held) for r in steady})
    shades = {v: PALETTE[k % len(PALETTE)] for k, v in enumerate(fixed)}
    legend = Legend.of(rows)
    panels = []
    for cell in cells(steady):
        for key, quantity in quantities.items():
            here = [(r, m) for r in steady if r["cell"] == cell and (m := quantity(r)) is not None]
            if len({_value(r, varied) for r, _ in here}) > 1:
                panels.append((f"{cell}: {key}" if key else cell, _series(here, varied, shades, legend)))
    if not panels:
        return []
    axis = f"{_symbol(steady[0], varied)} ({_unit(steady[0], varied)})"
    traces, shape, height = panel_grid(panels[:MAX_CURVE_PANELS], min(3, len(panels)), axis, title, 250)
    return [Figure(name, caption, once(traces), shape, height)]


def _value(row: JsonRow, condition: str) -> float:
    """The temperature of a point, or its pressure or tension."""
    return load(row) if condition == "pressure" else float(row[condition])


def _unit(row: JsonRow, condition: str) -> str:
    return load_unit(row) if condition == "pressure" else "K"


def _symbol(row: JsonRow, condition: str) -> str:
    pressure = "tension" if "tension" in row else "P"
    return pressure if condition == "pressure" else "T"


def _series(
    here: Sequence[tuple[JsonRow, Measured]], varied: str, shades: Mapping[float, str], legend: Legend
) -> list[Trace]:
    held, traces = OTHER[varied], []
    for engine in sorted({r["engine"] for r, _ in here}):
        for value in sorted({_value(r, held) for r, _ in here}):
            chosen = [(r, m) for r, m in here if r["engine"] == engine and _value(r, held) == value]
            chosen.sort(key=lambda one: _value(one[0], varied))
            if chosen:
                first = chosen[0][0]
                x, y, error = (
                    [_value(r, varied) for r, _ in chosen],
                    [m[0] for _, m in chosen],
                    [m[1] for _, m in chosen],
                )
                label = legend.named(f"{value:g} {_unit(first, held)}", first)
                traces.append(points(x, y, error, label, legend.number(first), shades[value]))
    return traces


def curve_figure(
    drawn: Sequence[tuple[str, JsonRow, Sequence[float], Sequence[float]]],
    x: str,
    y: str,
    name: str,
    caption: str,
) -> list[Figure]:
    """Curves in one panel a title, a colour a condition and a dash an engine; nothing where there is none.

    Args:
        drawn: title of the panel, the point, and x and y of each curve.
        x: title of the x axes.
        y: title of the y axes.
        name: id of the figure.
        caption: what it shows.
    """
    legend = Legend.of([row for _, row, _, _ in drawn])
    panels: dict[str, list[Trace]] = {}
    for title, row, xs, ys in drawn:
        dash = DASHES[legend.number(row)]
        panels.setdefault(title, []).append(line(xs, ys, legend.name(row), legend.colour(row), dash=dash))
    if not panels:
        return []
    shown = list(panels.items())[:MAX_CURVE_PANELS]
    traces, shape, height = panel_grid(shown, min(3, len(shown)), x, y, 240)
    return [Figure(name, caption, once(traces), shape, height)]
