"""Distributions of a dataset as one sheet of pictures, the same bytes for the same frames."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from augment.cell import FloatArray
from defectgen.dataset.card.statistics import QUANTILES
from defectgen.dataset.splits import SplitNames

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

PICTURE = "distributions.png"

_COLOURS = {"train": "#0072b2", "valid": "#e69f00", "test": "#009e73"}
"""Okabe and Ito's, distinguishable for colour-blind readers."""

_SHAPES: dict[str, Any] = {"train": {"histtype": "stepfilled", "alpha": 0.45}}
_OUTLINE: Any = {"histtype": "step", "lw": 1.3}

_BINS = 40
_STYLE: Any = {"font.size": 8.5, "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True}


@dataclass(frozen=True)
class Panel:
    """One distribution.

    Attributes:
        column: of the survey.
        label: of its axis, with the unit.
        title: what a reader sees in it.
        span: least range of its axis, None for that of the values.
    """

    column: str
    label: str
    title: str
    span: tuple[float, float] | None = None


PANELS = (
    Panel("energy_above_pristine", "eV", "energy above the pristine cell"),
    Panel("energy_per_atom", "eV/atom", "energy per atom"),
    Panel("max_force", "eV/Å", "longest force of a frame"),
    Panel("mean_stress", "GPa", "pressure (from the stress)"),
    Panel("contact", "against the shortest contact known, at most 1", "closest pair of atoms", (0.5, 1.0)),
    Panel("temperature", "K", "temperature of the thermostat"),
)


def sheet(table: pd.DataFrame, labels: SplitNames) -> bytes | None:
    """A PNG with a histogram of each quantity by split, with its quantiles; None where nothing is known.

    Args:
        table: rows of the frames of a dataset.
        labels: split of each.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    panels = [panel for panel in PANELS if table[panel.column].notna().any()]
    if not panels:
        return None
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(3.3 * columns, 2.5 * rows + 0.3), layout="constrained", facecolor="white")
        for place, panel in enumerate(panels, start=1):
            _draw(figure.add_subplot(rows, columns, place), panel, table[panel.column].to_numpy(float), labels)
        figure.suptitle("lines: 1, 25, 50, 75, 99 % of all frames", fontsize=8, x=0.99, ha="right")
        handles, names = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()


def _draw(axes: Axes, panel: Panel, values: FloatArray, labels: SplitNames) -> None:
    """A histogram of each split as shares of its own frames, so that small ones are seen beside train."""
    known = ~np.isnan(values)
    axes.set_title(panel.title, fontsize=9, loc="left")
    axes.set_xlabel(panel.label if known.all() else f"{panel.label}   ({int((~known).sum())} frames without)")
    axes.set_ylabel("share of the split, %")
    edges = _edges(values[known], panel.span)
    for name, colour in _COLOURS.items():
        part = values[known & (labels == name)]
        if (labels == name).any():
            weights = np.full(len(part), 100 / max(len(part), 1))
            filled: Any = (
                {"histtype": "stepfilled", "alpha": 0.45} if name == "train" else {"histtype": "step", "lw": 1.3}
            )
            axes.hist(
                part, bins=edges, weights=weights, color=colour, label=f"{name} ({(labels == name).sum()})", **filled
            )
    for quantile in QUANTILES:
        place = float(np.quantile(values[known], quantile))
        middle = quantile == 0.5  # noqa: PLR2004
        axes.axvline(place, color="#333333", lw=1.2 if middle else 0.7, ls="-" if middle else ":")


def _edges(values: FloatArray, span: tuple[float, float] | None) -> list[float]:
    """Edges of bins over all values and the span; a single value gets a bin of its own."""
    low, high = float(values.min()), float(values.max())
    if span is not None:
        low, high = min(low, span[0]), max(high, span[1])
    if high - low < 1e-9 * max(1.0, abs(high)):
        width = max(abs(high), 1.0) * 0.05
        low, high = low - width, high + width
    edges: list[float] = np.linspace(low, high, _BINS + 1).tolist()
    return edges
