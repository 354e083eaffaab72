"""What the pictures share: a width that a telephone can show, few colours, and files that are the same every time."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

FOLDER = Path(__file__).parents[1] / "concepts"

WIDTH = 5.6
"""Inches; text of 10 points is then still 6 points on a screen 390 pixels wide."""

INK, FAINT, PAPER = "#22303c", "#b8c0c8", "#ffffff"
METAL, ANION, FOREIGN, GONE = "#8fbf8f", "#f2b8b0", "#6f8fd8", "#c0392b"
"""Colours of a metal, an anion, a foreign atom, and of what is missing."""

ACCENTS = ("#1f6f8b", "#d1782b", "#7a4ca0", "#3b8f4e")


def figure(height: float) -> Figure:
    """An empty figure of so many inches."""
    mpl.rcParams.update({
        "font.size": 10, "svg.hashsalt": "defectgen", "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK,
        "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False,
        "figure.facecolor": PAPER, "mathtext.fontset": "dejavusans",
    })  # fmt: skip
    return Figure(figsize=(WIDTH, height), layout="constrained")


def bare(axes: Axes, title: str = "") -> None:
    """Take the frame from axes that show a crystal, at equal scales."""
    axes.set_aspect("equal")
    axes.axis("off")
    axes.set_title(title, fontsize=10)


def disc(axes: Axes, place: Any, radius: float, colour: str, **more: Any) -> None:
    """An atom."""
    from matplotlib.patches import Circle

    axes.add_patch(Circle(tuple(place), radius, facecolor=colour, edgecolor=INK, linewidth=0.8, **more))


def hole(axes: Axes, place: Any, radius: float) -> None:
    """A vacancy."""
    from matplotlib.patches import Circle

    axes.add_patch(Circle(tuple(place), radius, facecolor=PAPER, edgecolor=GONE, linewidth=1.4, linestyle="--"))


def arrow(axes: Axes, start: Any, end: Any, colour: str = INK, bend: float = 0.0, width: float = 1.3) -> None:
    """An arrow from one place to another."""
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": width, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9}
    if bend:
        style["connectionstyle"] = f"arc3,rad={bend}"
    axes.annotate("", tuple(end), tuple(start), arrowprops=style)


def save(drawn: Figure, path: Path) -> None:
    """Write a figure with as few digits as can be seen; the same picture gives the same bytes."""
    made = StringIO()
    drawn.savefig(made, format="svg", metadata={"Date": None, "Creator": "defectgen"})
    lines = re.sub(r"\d+\.\d{3,}", _shorter, made.getvalue()).splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")


def _shorter(number: re.Match[str]) -> str:
    value = float(number[0])
    return f"{value:.2f}" if value >= 1 else f"{value:.4g}"
