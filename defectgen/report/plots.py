"""Charts as Plotly JSON: traces and layouts without colours of the page, which the page adds itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Trace = dict[str, Any]
Layout = dict[str, Any]

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f6bd0", "#8c6d1f")
"""Okabe and Ito's colours (without yellow and black), distinguishable for colour-blind readers on light and dark."""

MARKERS = ("circle", "diamond-open", "square-open")
DASHES = ("solid", "dot", "dash")
"""Of the first engine of a run, of the second, ..."""


def axis(title: str, **more: Any) -> Layout:
    """An axis with a title that names quantity and unit."""
    return {"title": {"text": title, "standoff": 8}, **more}


def layout(x: str, y: str, **more: Any) -> Layout:
    """A layout of one pair of axes with the legend above."""
    return {
        "xaxis": axis(x),
        "yaxis": axis(y),
        "margin": {"l": 70, "r": 20, "t": 30, "b": 55},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        **more,
    }


def line(x: Sequence[float], y: Sequence[float], name: str, colour: str, *, dash: str = "solid", **more: Any) -> Trace:
    """A line; shown in the legend under its name."""
    style = {"color": colour, "width": 1.8, "dash": dash}
    return {"type": "scatter", "mode": "lines", "x": list(x), "y": list(y), "name": name, "line": style, **more}


def short(value: float) -> float:
    """A number with six significant digits, to keep the page light."""
    return float(f"{value:.6g}")


def points(
    x: Sequence[float],
    y: Sequence[float],
    error: Sequence[float | None],
    name: str,
    engine: int,
    colour: str,
) -> Trace:
    """Points with error bars, joined by a thin line, in the marker of the engine with this number."""
    lengths = [short(e or 0.0) for e in error]
    bars = {"type": "data", "array": lengths, "visible": any(error), "thickness": 1.3, "width": 4}
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [short(value) for value in x],
        "y": [short(value) for value in y],
        "error_y": bars,
        "name": name,
        "marker": {
            "symbol": MARKERS[engine],
            "size": 9,
            "color": colour,
            "line": {"width": 1.6, "color": colour},
        },
        "line": {"color": colour, "width": 1.2, "dash": DASHES[engine]},
    }


def panel_grid(
    panels: Sequence[tuple[str, Sequence[Trace]]], columns: int, x: str, y: str, row_height: int = 210
) -> tuple[list[Trace], Layout, int]:
    """Small multiples: one titled panel each with its own y axis; traces, layout and height in pixels."""
    rows = -(-len(panels) // columns)
    height = rows * row_height + 90
    gap_x, gap_y = 0.09, min(0.5 / rows, 78 / height) if rows > 1 else 0.0
    width, tall = (1 - gap_x * (columns - 1)) / columns, (1 - gap_y * (rows - 1)) / rows
    traces: list[Trace] = []
    whole: Layout = {"margin": {"l": 64, "r": 14, "t": 56, "b": 50}, "annotations": []}
    whole["legend"] = {"orientation": "h", "y": 1 + 34 / height, "yanchor": "bottom", "x": 0}
    for index, (title, panel) in enumerate(panels):
        row, column = divmod(index, columns)
        suffix = "" if index == 0 else str(index + 1)
        left, top = column * (width + gap_x), 1 - row * (tall + gap_y)
        last = index + columns >= len(panels)
        whole[f"xaxis{suffix}"] = axis(x if last else "", domain=[left, left + width], anchor=f"y{suffix}")
        whole[f"yaxis{suffix}"] = axis(y if column == 0 else "", domain=[top - tall, top], anchor=f"x{suffix}")
        whole["annotations"].append(_panel_title(title, left, top))
        traces += [{**trace, "xaxis": f"x{suffix}", "yaxis": f"y{suffix}"} for trace in panel]
    return traces, whole, height


def _panel_title(text: str, left: float, top: float) -> Mapping[str, Any]:
    return {
        "text": f"<b>{text}</b>",
        "x": left,
        "y": top,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
    }


def once(traces: Sequence[Trace]) -> list[Trace]:
    """The traces with each name shown once in the legend, and shown and hidden together."""
    seen: set[str] = set()
    out = []
    for trace in traces:
        name = str(trace["name"])
        out.append({**trace, "legendgroup": name, "showlegend": name not in seen})
        seen.add(name)
    return out
