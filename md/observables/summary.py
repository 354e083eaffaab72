"""One JSON object per point of molecular dynamics: what a table or a plot of responses needs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from augment.host import Host
from md.conditions.environment import IN_PLANE
from md.conditions.in_plane_load import area_of, plane_of, tension_of
from md.dynamics.response import Response, Series
from md.dynamics.settling import EQUILIBRATION, why_unsettled
from md.estimators.equilibration import cautious_mean
from md.estimators.statistics import block_average
from md.observables.attempt import first_frame
from md.observables.curves import block_means
from md.observables.measures import defect_measures, measures
from md.observables.structure import mean_square_displacement, mean_strain, radial_distribution

MAX_STRESS_POINTS = 100
"""Points of the curve of stress against strain."""

_MAX_REASONS = 5
"""Why frames are outside; each frame may have its own number in the text."""

THERMAL = (
    *(
        "temperature_mean",
        "temperature_error",
        "volume",
        "volume_error",
        "energy",
        "energy_error",
        "strain",
        "strain_error",
        "lattice",
    ),
    *("bulk_modulus", "heat_capacity", "diffusion", "diffusion_of"),
)
"""Averages that belong to a temperature."""

NO_FREEDOM = (
    "one atom with the centre of mass at rest has no degree of freedom: it has no temperature, and its cell is that of "
    "0 K at this pressure; give a supercell"
)


def summary(response: Response, host: Host | None = None) -> dict[str, Any]:
    """What the cell did, as JSON values; None where a run that diverged early has nothing to average.

    The first third of the steps is left out of every average as equilibration (`equilibration`: how many steps).
    Keys and units: `volume` and `volume_error` in Å³ per atom and `energy` (potential) and `energy_error` in eV per
    atom, the errors the larger of those from blocks and from the correlation time; `temperature_mean` and
    `temperature_error` in K, `pressure_mean` and `pressure_error` in GPa; `settled`, whether the means are as precise
    as requested, the pressure is the one held, and equilibration took less than half of the run (None where the
    environment changes), with the reasons in `unsettled`; `start_volume`, of the first step in that of the cell;
    `role`, `data` or `check` (a point that a second engine repeats and that is no data);
    `frame_interval`, the time between kept frames, and `correlation_time` of the potential energy in fs: frames that
    are closer than twice that repeat one another;
    `pressure_tensor`, xx to xy in GPa, positive under compression; with a strain rate `axis_stress`, the engineering
    `strain` of the axis and the `stress` along it in GPa, positive under tension, averaged over up to 100 stretches of
    the run; `notes` say what was done otherwise than asked;
    `strain` (3, 3), Biot, of the mean over the run relative to the start; `msd` and `msd_error` in Å², the time average
    of the mean square displacement from the first frame after equilibration; `rdf` with `r` in Å and `g`; `drift` in
    meV per atom and ps, the slope of the total energy, in `nve` only; of a layer in `npt-plane` `area` and `area_error`
    in Å² per atom and `tension_mean` in N/m.
    `frames_outside_domain` counts the kept frames
    outside what the potential learnt, and `outside_domain` says why (None where the potential does not know).

    Response functions and transport (`measures`), each with a standard error: `lattice` of the cell (Å, degrees),
    `strain_error`, `equilibrated` (the step where equilibration ends by Chodera's criterion), `bulk_modulus` in GPa
    from volume fluctuations, `heat_capacity` in k_B per atom, `diffusion` in Å²/ps, `coordination`. What this run
    cannot measure is None, and `not_measurable` says why; a single atom has no degree of freedom, and no average of a
    temperature. `errors` says what the errors leave out.

    Args:
        response: the trajectory.
        host: the crystal that its cell is a defect of; with it what became of the defect is included
            (`defect_measures`).

    Raises:
        DefectError: the trajectory is of another host.
        DataError: its cell has the atoms or axes of no supercell of the host.
    """
    averages, unsettled = _averages(response), why_unsettled(response)
    measured, course = measures(response), {} if host is None else defect_measures(response, host)
    reasons = {**measured.pop("not_measurable"), **course.pop("not_measurable", {})}
    identity = {
        **response.point.json,
        "id": response.point.id,
        "status": response.status,
        "reason": response.reason,
        "n_atoms": len(response.frames.start),
        "n_frames": len(response.frames),
        "frame_interval": response.point.interval * response.point.timestep,
        "completed_steps": max(len(response.series) - 1, 0),
        "seconds": _json(response.seconds),
        "notes": list(response.notes),
        "settled": None if unsettled is None else not unsettled,
        "unsettled": unsettled or [],
        "start_volume": _start_volume(response),
        "potential": response.potential.name,
        "potential_sha256": response.potential.sha256,
    }
    averaged = {name: _json(value) for name, value in averages.items()}
    columns = {**identity, **averaged, **_outside(response), **measured, **course}
    if len(response.frames.start) == 1:
        columns |= dict.fromkeys(THERMAL)
        reasons |= dict.fromkeys(THERMAL, NO_FREEDOM)
    return {**columns, "not_measurable": reasons}


def _start_volume(response: Response) -> float | None:
    if len(response.series) == 0:
        return None
    return round(float(response.series.volumes[0] / response.frames.start.volume), 6)


def _outside(response: Response) -> dict[str, Any]:
    if response.potential.domain is None:
        return {"frames_outside_domain": None, "outside_domain": None}
    outside = response.outside
    reasons = dict.fromkeys(reason for each in outside.values() for reason in each)
    return {"frames_outside_domain": len(outside), "outside_domain": list(reasons)[:_MAX_REASONS]}


def _averages(response: Response) -> dict[str, Any]:
    series, frames, atoms = response.series, response.frames, len(response.frames.start)
    skipped = int(len(series) * EQUILIBRATION)
    first = first_frame(response)
    volume = cautious_mean(series.volumes[skipped:] / atoms)
    energy = cautious_mean(series.energies[skipped:] / atoms)
    temperature = cautious_mean(series.temperatures[skipped:])
    pressure = cautious_mean(series.pressures[skipped:])
    r, g = radial_distribution(frames, first)
    msd = block_average(mean_square_displacement(frames, first)[1:])
    some = len(series) > 0
    return {
        "equilibration": skipped,
        "volume": volume.value,
        "volume_error": volume.error,
        "energy": energy.value,
        "energy_error": energy.error,
        "temperature_mean": temperature.value,
        "temperature_error": temperature.error,
        "pressure_mean": pressure.value,
        "pressure_error": pressure.error,
        "pressure_tensor": series.pressure_tensors[skipped:].mean(axis=0).round(6).tolist() if _known(series) else None,
        "axis_stress": _axis_stress(response) if _known(series) else None,
        "strain": mean_strain(frames.start.cell, series.cells[skipped:]).tolist() if some else None,
        "msd": msd.value,
        "msd_error": msd.error,
        "rdf": {"r": r.round(6).tolist(), "g": g.round(6).tolist()},
        **(_of_the_layer(response, skipped) if response.point.environment.ensemble == IN_PLANE and some else {}),
        "drift": energy_drift(response) if response.point.environment.ensemble == "nve" else None,
    }


def _of_the_layer(response: Response, skipped: int) -> dict[str, float]:
    """Area (Å² an atom) and tension (N/m) of a layer, neither of which depends on its vacuum."""
    series, plane = response.series, plane_of(response.frames.start)
    area = block_average(area_of(series.cells[skipped:], plane) / len(response.frames.start))
    tension = block_average(tension_of(series.pressure_matrices[skipped:], plane))
    return {"area": area.value, "area_error": area.error, "tension_mean": tension.value}


def _known(series: Series) -> bool:
    return len(series) > 0 and bool(np.isfinite(series.pressure_tensors).all())


def _axis_stress(response: Response) -> dict[str, list[float]] | None:
    strain = response.point.environment.strain
    if strain is None:
        return None
    series, point = response.series, response.point
    block = -(-len(series) // MAX_STRESS_POINTS)
    stretch = np.array([point.stretch(step) - 1 for step in range(len(series))])
    columns = {"strain": stretch, "stress": series.along(strain.index)}
    return {name: block_means(values, block).round(6).tolist() for name, values in columns.items()}


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
