"""How the frames of a dataset were sampled: intervals against correlation times, and how relaxations ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

INDEPENDENT = 2.0
"""Frames are independent where they are so many correlation times apart (the statistical inefficiency, 2 τ)."""


def sampling_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """For each kind of dynamics: runs, frames, interval and correlation time (fs, medians), and independent frames."""
    columns = ["config_type", "trajectory", "time", "frame_interval", "correlation_time"]
    dynamics = table.loc[table["time"].notna() & table["trajectory"].notna(), columns]
    found = []
    for kind, rows in dynamics.groupby("config_type", observed=True):
        interval, memory = rows["frame_interval"].median(), rows["correlation_time"].median()
        row = {
            "kind": str(kind),
            "runs": int(rows["trajectory"].nunique()),
            "frames": len(rows),
            "interval": None if np.isnan(interval) else float(interval),
            "correlation_time": None if np.isnan(memory) else float(memory),
            "close": int((rows["frame_interval"] < rows["correlation_time"]).sum()),
            "independent": independent_frames(rows),
        }
        found.append(row)
    return found


def independent_frames(rows: pd.DataFrame) -> float | None:
    """How many independent frames some frames of dynamics are worth; None where a correlation time is not known.

    A run from time a to b is worth (b - a) / 2 τ + 1 frames, and never more than it has.
    """
    if rows["correlation_time"].isna().any():
        return None
    runs = rows.groupby("trajectory", observed=True)
    length = (runs["time"].max() - runs["time"].min()).to_numpy(float)
    memory = runs["correlation_time"].max().to_numpy(float)
    worth = length / np.maximum(INDEPENDENT * memory, 1e-9) + 1
    return float(np.minimum(worth, runs.size().to_numpy(float)).sum())


def ends_of(table: pd.DataFrame) -> dict[str, int]:
    """Frames by how their relaxation ended."""
    counts = table.loc[table["time"].isna(), "status"].dropna().astype(str).value_counts()
    return {str(status): int(counts[status]) for status in sorted(counts.index)}
