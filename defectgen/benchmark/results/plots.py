"""Plots of the results as SVG, the same bytes for the same results."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

COLOURS = ("#7a7a7a", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f6bd0", "#8c6d1f")
"""Grey for the baseline, then Okabe and Ito's, distinguishable for colour-blind readers."""

KINDS_SHOWN = ("symmetric", "broken", "free", "pressed", "mean")

_STYLE: Any = {"svg.hashsalt": "defectbench", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def plot_all(results: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """SVG text by file name: errors by kind of task, and error of each task against not moving anything."""
    return {"errors": errors_by_kind(results), "tasks": errors_by_task(rows)}


def errors_by_kind(results: Mapping[str, Any]) -> str:
    """Mean error within 5 Å of each generator by kind of task, with 95 % intervals over hosts."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    generators = results["generators"]
    kinds = [k for k in KINDS_SHOWN if any("mae_5" in g["metrics"].get(k, {}) for g in generators)]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.6, 3.2), layout="constrained")
        axes = figure.add_subplot()
        width = 0.8 / len(generators)
        for place, generator in enumerate(generators):
            estimates = [generator["metrics"].get(kind, {}).get("mae_5") for kind in kinds]
            values = np.array([np.nan if e is None else e["value"] for e in estimates])
            bars = [reach(entry) for entry in estimates]
            x = np.arange(len(kinds)) + (place - (len(generators) - 1) / 2) * width
            colour = COLOURS[place % len(COLOURS)]
            axes.bar(x, values, width * 0.92, yerr=np.array(bars).T, label=generator["name"], color=colour, capsize=2)
        axes.set_xticks(np.arange(len(kinds)), kinds)
        axes.set_ylabel("error within 5 Å of the defect (Å)")
        axes.legend(frameon=False, ncols=3)
        return _svg(figure)


def reach(metric: Mapping[str, Any] | None) -> tuple[float, float]:
    """How far the interval of a metric reaches below and above its value; nan, which draws none, without one."""
    if metric is None or metric["low"] is None:
        return (np.nan, np.nan)
    return (max(metric["value"] - metric["low"], 0.0), max(metric["high"] - metric["value"], 0.0))


def errors_by_task(rows: Sequence[Mapping[str, Any]]) -> str:
    """Error of each task against that of not moving anything; below the line a generator is better."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    errors: dict[str, dict[str, float]] = {}
    for row in rows:
        value = row["metrics"].get("mae_5")
        if value is not None:
            errors.setdefault(row["generator"], {})[row["task"]] = value
    base = next(iter(errors.values()), {})
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.6, 4.2), layout="constrained")
        axes = figure.add_subplot()
        top = max([*base.values(), 0.01]) * 1.1
        axes.plot([0, top], [0, top], color=COLOURS[0], lw=1, label="unrelaxed")
        for place, (name, by_task) in enumerate(list(errors.items())[1:], start=1):
            x, y = np.array([[base[task], value] for task, value in by_task.items()]).T
            axes.plot(x, y, "o", ms=3.5, alpha=0.7, color=COLOURS[place % len(COLOURS)], label=name)
        axes.set_xlabel("error of not moving (Å)")
        axes.set_ylabel("error of the generator (Å)")
        axes.legend(frameon=False)
        return _svg(figure)


def _svg(figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
