"""The curve of a training as JSON and as a picture, the same bytes for the same training."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from augment.storage.archive import write_atomically
from defectgen.benchmark.results.plots import COLOURS

__all__ = ["CURVE_FILES", "write_curve"]

CURVE_FILES = ("curve.json", "curve.svg")

_STYLE: Any = {"svg.hashsalt": "train", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def write_curve(folder: Path, losses: dict[str, Any], errors: list[list[float]], held_out: dict[str, Any]) -> None:
    """Write the mean losses and the errors on the defects that chose the weights, by step.

    Args:
        folder: of the model.
        losses: `every` so many steps, `loss`.
        errors: (step, error in Å), those of the start at step 0.
        held_out: errors on the held-out defects, of which those of doing without a model are drawn.
    """
    values = {"loss": losses, "error": {"unit": "Å", "of": "defects that choose the weights", "by_step": errors}}
    write_atomically(folder / CURVE_FILES[0], (json.dumps(values, indent=1) + "\n").encode())
    write_atomically(folder / CURVE_FILES[1], _picture(losses, errors, held_out).encode())


def _picture(losses: dict[str, Any], errors: list[list[float]], held_out: dict[str, Any]) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.6, 2.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        ends = [min((k + 1) * losses["every"], errors[-1][0]) for k in range(len(losses["loss"]))]
        left.plot(ends, losses["loss"], marker="o", ms=3, color=COLOURS[0])
        left.set(xlabel="step", ylabel=f"loss, mean of {losses['every']} steps", xlim=(0, None), ylim=(0, None))
        right.plot(*zip(*errors, strict=True), marker="o", ms=3, color=COLOURS[1], label="defects that choose")
        for name, colour in (("before", COLOURS[5]), ("without_learning", COLOURS[2]), ("after", COLOURS[3])):
            if held_out.get(name) is not None:
                label = f"held out: {name.replace('_', ' ')}"
                right.axhline(held_out[name], ls="--", lw=1, color=colour, label=label)
        right.set(xlabel="step", ylabel="error within 5 Å (Å)", ylim=(0, None))
        right.legend(frameon=False, fontsize=7, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
