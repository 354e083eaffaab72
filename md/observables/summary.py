"""One JSON object per point of molecular dynamics: what a table or a plot of responses needs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from md.dynamics.response import Response
from md.observables.measures import measures
from md.observables.statistics import block_average
from md.observables.structure import mean_square_displacement, mean_strain, radial_distribution

EQUILIBRATION = 1 / 3
"""Share of the steps at the start that averages leave out: the cell is still adapting to its environment there."""


def summary(response: Response) -> dict[str, Any]:
    """What the cell did, as JSON values; None where a run that diverged early has nothing to average.

    The first third of the steps is left out of every average as equilibration (`equilibration`: how many steps).
    Keys and units: `volume` and `volume_error` in Å³ per atom and `energy` (potential) and `energy_error` in eV per
    atom, the errors standard errors from block averaging; `temperature_mean` in K and `pressure_mean` in GPa;
    `strain` (3, 3), Biot, of the mean over the run relative to the start; `msd` in Å², the time average of the mean
    square displacement from the first frame after equilibration; `rdf` with `r` in Å and `g`; `drift` in meV per
    atom and ps, the slope of the total energy, in `nve` only.

    Response functions and transport (`measures`), each with a standard error: `lattice` of the cell (Å, degrees),
    `strain_error`, `settled` (the step where equilibration ends by Chodera's criterion), `bulk_modulus` in GPa from
    volume fluctuations, `heat_capacity` in k_B per atom, `diffusion` in Å²/ps, `coordination`. What this run cannot
    tell is None, and `not_measurable` says why.
    """
    averages = _averages(response)
    identity = {
        **response.point.json,
        "id": response.point.id,
        "status": response.status,
        "reason": response.reason,
        "n_atoms": len(response.frames.start),
        "n_frames": len(response.frames),
        "completed_steps": max(len(response.series) - 1, 0),
        "seconds": _json(response.seconds),
        "potential": response.potential.name,
        "potential_sha256": response.potential.sha256,
    }
    return {**identity, **{name: _json(value) for name, value in averages.items()}, **measures(response)}


def _averages(response: Response) -> dict[str, Any]:
    series, frames, atoms = response.series, response.frames, len(response.frames.start)
    skipped = int(len(series) * EQUILIBRATION)
    first = int(np.searchsorted(response.frame_steps, skipped))
    if first == len(frames):  # the run ended before a frame after equilibration
        first = max(len(frames) - 1, 0)
    volume = block_average(series.volumes[skipped:] / atoms)
    energy = block_average(series.energies[skipped:] / atoms)
    r, g = radial_distribution(frames, first)
    some = len(series) > 0
    return {
        "equilibration": skipped,
        "volume": volume.value,
        "volume_error": volume.error,
        "energy": energy.value,
        "energy_error": energy.error,
        "temperature_mean": block_average(series.temperatures[skipped:]).value,
        "pressure_mean": block_average(series.pressures[skipped:]).value,
        "strain": mean_strain(frames.start.cell, series.cells[skipped:]).tolist() if some else None,
        "msd": block_average(mean_square_displacement(frames, first)[1:]).value,
        "rdf": {"r": r.round(6).tolist(), "g": g.round(6).tolist()},
        "drift": energy_drift(response) if response.point.environment.ensemble == "nve" else None,
    }


def energy_drift(response: Response) -> float:
    """Slope of the total energy of a trajectory by least squares, meV per atom and ps; NaN below three steps."""
    series = response.series
    if len(series) < 3:  # noqa: PLR2004  a line through two points says nothing
        return float("nan")
    slope = np.polyfit(response.times / 1000.0, series.totals, 1)[0]
    return float(1000.0 * slope / len(response.frames.start))


def _json(value: Any) -> Any:
    """NaN as None, which JSON knows."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
