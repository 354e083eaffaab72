"""Response functions of one trajectory as JSON values, and why those are missing that it cannot tell."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from augment.errors import ConditionError, DataError
from augment.host import Host
from md.dynamics.response import Response
from md.observables.equilibration import FEWEST_SAMPLES, equilibration
from md.observables.local import coordination
from md.observables.mean_structure import mean_symmetry, shells
from md.observables.sites import defect_of
from md.observables.statistics import Mean
from md.observables.structure import displacements
from md.observables.survival import survival
from md.observables.thermodynamics import (
    bulk_modulus_from_fluctuations,
    heat_capacity,
    lattice_parameters,
    strain_tensor,
)
from md.observables.transport import diffusion_coefficient

CORRELATED = 500.0
"""fs; first lag of a diffusion coefficient. A vibration of a solid forgets its phase within a few periods of 0.1 ps."""


def measures(response: Response) -> dict[str, Any]:
    """Response functions of a trajectory as JSON values, each `[value, error]`; None where it cannot tell.

    `not_measurable` gives the reason for each None. Averages leave out what comes before `settled`, the step at which
    equilibration ends by Chodera's criterion (`md.observables.equilibration`).
    """
    series, frames = response.series, response.frames
    slow = series.volumes if response.point.environment.has_barostat else series.energies
    settled = equilibration(slow).start if len(series) >= FEWEST_SAMPLES else 0
    first = int(np.searchsorted(response.frame_steps, settled))
    spacing = response.point.interval * response.point.timestep
    ways: dict[str, Callable[[], Any]] = {
        "lattice": lambda: {k: _pair(v) for k, v in _lattice(response, settled).items()},
        "strain_error": lambda: _strain_error(response, settled),
        "bulk_modulus": lambda: _pair(_bulk_modulus(response, settled)),
        "heat_capacity": lambda: _pair(heat_capacity(response, settled)),
        "diffusion": lambda: _diffusion(response, first, spacing),
        "coordination": lambda: float(coordination(frames, first).numbers.mean()),
    }
    return {"settled": settled, **_attempt(ways)}


def defect_measures(response: Response, host: Host) -> dict[str, Any]:
    """What became of the defect of a trajectory, as JSON values.

    `fate`, `survived` (share of frames), `hops`, `rate` and `rate_bound` (per ps), `states` (frame and name of every
    defect it was), `mean_point_group` of the time-averaged structure, and `shells` (distance, outward displacement, B
    factor and number of atoms). What cannot be told is None, and `not_measurable` says why.

    Raises:
        DefectError: the trajectory is of another host.
        DataError: its cell has the atoms or axes of no supercell of the host.
    """
    defect = defect_of(response.frames.start, host)
    frames = response.frames
    first = len(frames) // 3
    ways: dict[str, Callable[[], Any]] = {
        "survival": lambda: _survival(response, host),
        "mean_point_group": lambda: mean_symmetry(frames, defect, first).point_group,
        "shells": lambda: [
            [s.distance, _pair(s.outward), _pair(s.b_factor), len(s.atoms)] for s in shells(frames, defect, first)
        ],
    }
    found = _attempt(ways)
    return {**(found.pop("survival") or {"fate": None}), **found}


def _attempt(ways: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    reasons = {}
    for name, measure in ways.items():
        try:
            found[name] = measure()
        except (DataError, ConditionError) as error:
            found[name], reasons[name] = None, str(error)
    return {**found, "not_measurable": reasons}


def _pair(mean: Mean) -> list[float]:
    """Value and error.

    Raises:
        DataError: one of them is not finite.
    """
    if not all(math.isfinite(x) for x in mean):
        raise DataError("too few values for a mean with an error; run longer")
    return [mean.value, mean.error]


def _lattice(response: Response, settled: int) -> dict[str, Mean]:
    return lattice_parameters(response.series.cells[settled:])


def _strain_error(response: Response, settled: int) -> list[list[float]]:
    errors: list[list[float]] = strain_tensor(response.frames.start.cell, response.series.cells[settled:])[1].tolist()
    return errors


def _bulk_modulus(response: Response, settled: int) -> Mean:
    environment = response.point.environment
    if not environment.has_barostat or not environment.is_constant:
        raise ConditionError("a bulk modulus from fluctuations needs npt at a constant temperature and pressure")
    temperature = float(environment.temperatures.array[0, 0])
    return bulk_modulus_from_fluctuations(response.series.volumes[settled:], temperature)


def _diffusion(response: Response, first: int, spacing: float) -> dict[str, Any]:
    found = diffusion_coefficient(displacements(response.frames, first), spacing, CORRELATED)
    pair = _pair(found.coefficient)
    return {"coefficient": pair, "detected": found.detected, "upper_bound": found.upper_bound}


def _survival(response: Response, host: Host) -> dict[str, Any]:
    course = survival(response.frames, defect_of(response.frames.start, host), response.frame_times)
    return {
        "fate": course.fate,
        "survived": course.survived,
        "hops": len(course.hops),
        "rate": _pair(course.rate) if course.rate else None,
        "rate_bound": course.rate_bound,
        "states": [[state.frame, state.name] for state in course.states],
    }
