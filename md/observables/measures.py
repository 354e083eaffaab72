"""Response functions of one trajectory as JSON values, and why those are missing that it cannot give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment.elements import element_symbol
from augment.errors import ConditionError, DataError
from augment.host import Host
from md.conditions.environment import IN_PLANE
from md.dynamics.response import Response
from md.estimators.correlation import correlation_time
from md.estimators.debye import debye_temperature, quantum_correction
from md.estimators.equilibration import MIN_SAMPLES, equilibration
from md.estimators.statistics import Mean
from md.observables.attempt import attempt, first_frame, pair
from md.observables.local import Coordination, coordination
from md.observables.mean_structure import Shell, mean_symmetry, shells
from md.observables.sites import defect_of
from md.observables.structure import displacements
from md.observables.survival import Survival, survival
from md.observables.thermodynamics import (
    bulk_modulus_from_fluctuations,
    conventional_cells,
    heat_capacity,
    lattice_parameters,
    require_fluctuations,
    strain_tensor,
)
from md.observables.transport import Diffusion, diffusion_coefficient

VIBRATION_MEMORY = 500.0
"""fs; a vibration of a solid forgets its phase within a few periods of 0.1 ps."""

MEANING_OF_ERRORS = (
    "standard errors from this run alone: statistical, blind to what is slower than the run, to the size of the cell "
    "and to the potential; that of diffusion has a systematic part of its fit"
)
"""What the errors of measures are, for a reader of the JSON."""

MAX_NAMED_STATES = 20
"""States that are named; a hot interstitial passes hundreds."""


def measures(response: Response) -> dict[str, Any]:
    """Response functions of a trajectory as JSON values, each `[value, error]`; None where it is too short.

    `not_measurable` gives the reason for each None. Averages leave out what comes before `equilibrated`, the step at
    which equilibration ends by Chodera's criterion (`md.estimators.equilibration`). `correlation_time` is that
    of the potential energy, fs (`md.estimators.correlation`). `diffusion` is of all atoms
    together, `diffusion_of` of each element: the `coefficient` is None where it cannot be distinguished from zero, and
    `upper_bound` is all that is known. `quantum` has the `debye_temperature` (K) of the mean square of the frequencies,
    the `energy` (eV per atom) that quantum atoms have more than classical ones at the mean temperature, and their
    `heat_capacity` in that of these. The error of diffusion has a systematic part; every other
    error is statistical alone, and knows nothing of what is slower than the run (`errors`).
    """
    series, frames = response.series, response.frames
    slow = series.volumes if response.point.environment.has_barostat else series.energies
    first_step = equilibration(slow).start if len(series) >= MIN_SAMPLES else 0
    first = int(np.searchsorted(response.frame_steps, first_step))
    everything = np.ones(len(frames.start), dtype=bool)
    quantities: dict[str, Callable[[], Any]] = {
        "lattice": lambda: {k: pair(v) for k, v in _lattice(response, first_step).items()},
        "strain_error": lambda: _strain_error(response, first_step),
        "bulk_modulus": lambda: pair(_bulk_modulus(response, first_step)),
        "heat_capacity": lambda: pair(heat_capacity(response, first_step)),
        "correlation_time": lambda: _correlation_time(response, first_step),
        "diffusion": lambda: _diffusion(response, first, everything),
        "diffusion_of": lambda: _diffusion_of_elements(response, first),
        "quantum": lambda: _quantum(response, first),
        "coordination": lambda: float(coordination(frames, first).numbers.mean()),
    }
    return {"equilibrated": first_step, "errors": MEANING_OF_ERRORS, **attempt(quantities)}


def defect_measures(response: Response, host: Host) -> dict[str, Any]:
    """What became of the defect of a trajectory, as JSON values.

    `fate`, `survived` (share of frames), `hops`, `rate` and `rate_bound` (per ps), `hop_diffusion` (Å²/ps, of the
    defect by its hops: divided by the number of atoms, a second opinion on the `diffusion` that a vacancy makes),
    `states` (frame and name of the first twenty defects it was), `mean_point_group` of the time-averaged structure,
    `conventional_lattice` of the
    host's cell (Å, degrees), and `shells`: for each orbit of atoms around the defect `element`, `atoms` (their number),
    `distance`, `outward` displacement (Å), `b_factor` (Å²) and `coordination`. What cannot be measured is None, and
    `not_measurable` says why.

    Raises:
        DefectError: the trajectory is of another host.
        DataError: its cell has the atoms or axes of no supercell of the host.
    """
    defect = defect_of(response.frames.start, host)
    frames, first = response.frames, first_frame(response)
    after = response.series.cells[response.frame_steps[first] if len(frames) else 0 :]
    quantities: dict[str, Callable[[], Any]] = {
        "survival": lambda: _survival(response, host),
        "mean_point_group": lambda: mean_symmetry(frames, defect, first).point_group,
        "conventional_lattice": lambda: {
            k: pair(v) for k, v in lattice_parameters(conventional_cells(after, defect.supercell)).items()
        },
        "shells": lambda: _shells(response, shells(frames, defect, first), first),
    }
    values = attempt(quantities)
    return {**(values.pop("survival") or {"fate": None}), **values}


def _lattice(response: Response, first_step: int) -> dict[str, Mean]:
    return lattice_parameters(response.series.cells[first_step:])


def _strain_error(response: Response, first_step: int) -> list[list[float]]:
    errors: list[list[float]] = strain_tensor(response.frames.start.cell, response.series.cells[first_step:])[
        1
    ].tolist()
    return errors


def _correlation_time(response: Response, first_step: int) -> float:
    """Of the potential energy, fs."""
    if not response.point.environment.is_constant:
        raise ConditionError("a correlation time needs a constant temperature and pressure")
    return response.point.timestep * correlation_time(response.series.energies[first_step:])


def _bulk_modulus(response: Response, first_step: int) -> Mean:
    environment = response.point.environment
    if not environment.has_barostat:
        raise ConditionError("a bulk modulus from fluctuations needs npt at a constant temperature and pressure")
    if environment.ensemble == IN_PLANE:
        raise ConditionError("a layer has no volume of its own; areas at several tensions give its stiffness")
    require_fluctuations(response, first_step)
    temperature = float(environment.temperatures.array[0, 0])
    return bulk_modulus_from_fluctuations(response.series.volumes[first_step:], temperature)


def _quantum(response: Response, first: int) -> dict[str, float]:
    """Debye's correction, by the mean square of the frequencies: <F²> / m is k T w² of a harmonic classical atom."""
    from ase import units

    frames, point = response.frames, response.point
    if not point.environment.is_constant:
        raise ConditionError("a Debye temperature needs a constant temperature")
    if len(frames) - first < MIN_SAMPLES:
        raise DataError(f"{len(frames) - first} frames are too few for forces (at least {MIN_SAMPLES}); run longer")
    mobile = point.atoms.mobile(len(frames.start))
    masses = point.atoms.masses_of(frames.start.numbers)[mobile]
    kelvin = float(response.series.temperatures[response.frame_steps[first] :].mean())
    squares = (frames.forces[first:, mobile] ** 2).mean(axis=(0, 2)) / masses
    found = quantum_correction(debye_temperature(float(squares.mean()) / (units.kB * kelvin) * units.fs**2), kelvin)
    return {name: float(f"{value:.5g}") for name, value in asdict(found).items()}


def _diffusion(response: Response, first: int, chosen: NDArray[np.bool_]) -> dict[str, Any]:
    spacing = response.point.interval * response.point.timestep
    moved = displacements(response.frames, first)[:, chosen]
    return _diffusion_json(diffusion_coefficient(moved, spacing, VIBRATION_MEMORY))


def _diffusion_json(diffusion: Diffusion) -> dict[str, Any]:
    """The coefficient, None where the upper bound is all that is known; `estimate` is what came out in either case."""
    estimate = pair(diffusion.coefficient)
    return {
        "coefficient": estimate if diffusion.detected else None,
        "detected": diffusion.detected,
        "upper_bound": diffusion.upper_bound,
        "estimate": estimate,
        "statistical_error": diffusion.statistical,
        "systematic_error": diffusion.systematic,
    }


def _diffusion_of_elements(response: Response, first: int) -> dict[str, Any]:
    numbers = response.frames.start.numbers
    return {element_symbol(z): _diffusion(response, first, numbers == z) for z in np.unique(numbers)}


def _shells(response: Response, shells: Sequence[Shell], first: int) -> list[dict[str, Any]]:
    counted = _neighbours(response, first)
    numbers = response.frames.start.numbers
    return [
        {
            "element": element_symbol(numbers[shell.atoms[0]]),
            "atoms": len(shell.atoms),
            "distance": round(shell.distance, 4),
            "outward": [round(x, 6) for x in pair(shell.outward)],
            "b_factor": [round(x, 5) for x in pair(shell.b_factor)],
            "coordination": None if counted is None else round(float(counted.numbers[list(shell.atoms)].mean()), 3),
        }
        for shell in shells
    ]


def _neighbours(response: Response, first: int) -> Coordination | None:
    """Neighbours of each atom; None where the first shell has no end to count to."""
    try:
        return coordination(response.frames, first)
    except DataError:
        return None


def _hop_diffusion(course: Survival) -> dict[str, Any]:
    return {
        "coefficient": pair(course.diffusion) if course.diffusion else None,
        "upper_bound": course.diffusion_bound,
    }


def _survival(response: Response, host: Host) -> dict[str, Any]:
    course = survival(response.frames, defect_of(response.frames.start, host), response.frame_times)
    return {
        "fate": course.fate,
        "survived": course.survived,
        "hops": len(course.hops),
        "rate": pair(course.rate) if course.rate else None,
        "rate_bound": course.rate_bound,
        "hop_diffusion": _hop_diffusion(course),
        "states": [[state.frame, state.name] for state in course.states[:MAX_NAMED_STATES]],
    }
