"""Dynamics of cells on a grid of conditions: those of a run, or of structure files that a user brings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from augment.cell import DefectCell
from augment.crystal.vacuum import has_vacuum
from augment.elements import element_symbol
from augment.errors import ConditionError
from defectgen.run.settings import Settings
from md.conditions.atoms import NATURAL, AtomSettings
from md.conditions.environment import IN_PLANE, Environment
from md.conditions.precision import Precision
from md.conditions.timestep import HEAVY, timestep_for
from md.potentials.device import Device

if TYPE_CHECKING:
    from md.dynamics import MdPoint, Response
    from md.jobs.sweep import Shard
    from md.potentials import Potential


SCHEDULE_STEPS = 150
"""At least, of a point whose environment changes and for which no number is given."""

MAX_NAMED_POINTS = 3
"""Points that have not settled that a line names; tables say it of each."""

PRESSURES = (0.0, 10.0)
"""GPa; where none are given and the cell has a barostat."""


def empty_cells(settings: Settings, cells: Sequence[DefectCell]) -> list[bool]:
    """Whether there is a vacuum in each cell that a user brings; none counts where the settings say bulk."""
    if settings.planar.layer == "bulk":
        return [False] * len(cells)
    return [has_vacuum(cell.cell, cell.positions @ np.linalg.inv(cell.cell)) for cell in cells]


def vacuum_note(name: str, settings: Settings) -> str:
    """One line that says what a vacuum in a cell means for its dynamics."""
    ensemble = settings.md.ensemble or "nvt"
    if ensemble == IN_PLANE:
        held = ", ".join(str(tension).removesuffix(".0") for tension in settings.md.tensions or (0,))
        how = f"its area follows a tension of {held} N/m, the axis across the vacuum keeps its length"
    else:
        how = f"{ensemble.upper()} at 0 GPa ({IN_PLANE} lets its area breathe)"
    return f"{name} has a vacuum in its cell: {how}; --bulk treats it as a bulk crystal"


def md_environments(settings: Settings, timestep: float, *, vacuum: bool = False) -> list[Environment]:
    """The environments that settings ask for, with times in steps of so many fs.

    What they leave open depends on whether there is a vacuum in the cell.

    Raises:
        ConditionError: one is not possible, in any cell or in one with vacuum, or a text is no schedule.
    """
    from md.conditions.schedule_text import environments

    asked = settings.md
    ensemble = asked.ensemble or ("nvt" if vacuum else "npt")
    barostat = ensemble.startswith("npt") and ensemble != IN_PLANE
    pressures = asked.pressures or (PRESSURES if barostat else (0.0,))
    if ensemble == IN_PLANE and not vacuum:
        raise ConditionError(
            f"{IN_PLANE} is for a layer with vacuum, and there is none in the cell, or --bulk says so; "
            "use npt or npt-full"
        )
    if vacuum and (barostat or (ensemble != IN_PLANE and any(pressure not in (0, "0") for pressure in pressures))):
        what = ensemble if barostat else f"a pressure of {', '.join(map(str, pressures))} GPa"
        raise ConditionError(
            f"{what} would close the vacuum of the cell; leave ensemble and pressure out, or use nvt or nve at 0 GPa, "
            f"or {IN_PLANE} with a tension in N/m: md: {{ensemble: {IN_PLANE}, tensions: [0]}}, --ensemble {IN_PLANE} "
            "--tension 0 (--bulk treats it as a bulk crystal)"
        )
    tensions = asked.tensions or (0.0,)
    return environments(asked.temperatures, pressures, ensemble, asked.strain, timestep, tensions)


def check_points(settings: Settings, *, vacuum: bool = False) -> None:
    """Check that the engines do what is requested, in whatever cell, or in whatever cell with a vacuum.

    Raises:
        ConditionError: an environment, an engine or a schedule is not possible.
    """
    from md.dynamics import MdPoint

    longest = settings.md.timestep or HEAVY  # the cells come later, and may ask for a shorter one
    wanted = md_environments(settings, longest, vacuum=vacuum)
    asked = [*product(wanted, settings.md.engines), *((wanted[0], e) for e in (settings.md.check,) if e is not None)]
    for environment, engine in asked:
        MdPoint("any cell", "", environment, engine=engine, **how_long(settings, environment, longest))


def md_points(
    settings: Settings,
    cells: Sequence[DefectCell],
    given: Mapping[str, AtomSettings] | None = None,
    *,
    vacuum: bool = False,
) -> list[tuple[MdPoint, DefectCell]]:
    """Every cell in every environment with every engine; the cells have a vacuum or not. See `with_check`.

    Args:
        settings: of the run; without a time step each cell has that of its lightest atom.
        cells: what to run.
        given: what is given of the atoms of a cell, by its name.
        vacuum: whether there is a vacuum in the cells.

    Raises:
        ConditionError: a point is not possible in its cell.
    """
    from md.campaigns.relax_and_md import grid

    points: list[tuple[MdPoint, DefectCell]] = []
    for cell in cells:
        atoms = (given or {}).get(cell.name, NATURAL)
        step = settings.md.timestep or timestep_for(atoms.masses_of(cell.numbers))
        for environment in md_environments(settings, step, vacuum=vacuum):
            how = how_long(settings, environment, step, atoms)
            points += grid([cell], [environment], settings.md.engines, **how, atoms=atoms)
    return points


def with_check(settings: Settings, points: Sequence[tuple[MdPoint, DefectCell]]) -> list[tuple[MdPoint, DefectCell]]:
    """The points of a run, and one that checks their engine where the settings name another: of the first cell.

    Raises:
        ConditionError: the second engine does not do what the first point needs.
    """
    from md.campaigns.relax_and_md import checked_by

    return checked_by(points, settings.md.check, settings.seed)


def timestep_lines(settings: Settings, points: Sequence[tuple[MdPoint, DefectCell]]) -> list[str]:
    """What is said of the time steps: one line for each that the lightest atom decided."""
    if settings.md.timestep is not None:
        return []
    chosen = {(point.timestep, _lightest(point, cell)) for point, cell in points}
    return [
        f"time step {step:g} fs, by the lightest atom ({name}); `timestep` sets it" for step, name in sorted(chosen)
    ]


def _lightest(point: MdPoint, cell: DefectCell) -> str:
    return element_symbol(int(cell.numbers[point.atoms.masses_of(cell.numbers).argmin()]))


def outcome_lines(responses: Sequence[Response]) -> list[str]:
    """What is said of finished points besides their numbers: what was done otherwise, and which have not settled."""
    from md.dynamics.settling import why_unsettled

    lines = [f"{response.point.label}: {note}" for response in responses for note in response.notes]
    reasons = [(response.point.label, why) for response in responses if (why := why_unsettled(response))]
    if reasons:
        said = "; ".join(f"{label}: {why[0]}" for label, why in reasons[:MAX_NAMED_POINTS])
        more = f"; and {len(reasons) - MAX_NAMED_POINTS} more" if len(reasons) > MAX_NAMED_POINTS else ""
        lines.append(f"{len(reasons)} of {len(responses)} points have not settled, left out of fits: {said}{more}")
    if responses and all(response.status == "diverged" for response in responses):
        first = responses[0]
        lines.append(f"all {len(responses)} points diverged; {first.point.label}: {first.reason}")
    return lines


def how_long(
    settings: Settings, environment: Environment, timestep: float, atoms: AtomSettings = NATURAL
) -> dict[str, Any]:
    """How a point is run: as long as its means take, or its schedule, or for the steps that are given.

    Only what is long beside the runs that find the warm volume starts there, and no cell that comes with velocities.
    """
    from md.dynamics.start_volume import SCAN_TIME

    asked = settings.md
    steps, precision = asked.steps, None
    if steps is None and environment.is_constant:
        steps, precision = asked.max_steps, Precision(asked.precision, asked.energy_precision)
    elif steps is None:
        lengths = [profile.in_steps(timestep).length for profile in (environment.temperatures, environment.loads)]
        steps = max(SCHEDULE_STEPS, *(math.ceil(length) for length in lengths))
    warm = environment.breathes_freely and steps * timestep >= SCAN_TIME and not atoms.momenta
    start = asked.start if warm else "cell"
    kept = {"interval": min(asked.sample, steps), "seed": settings.seed}
    return {"steps": steps, "timestep": timestep, "precision": precision, "start": start, **kept}


def run_points(
    points: Sequence[tuple[MdPoint, DefectCell]],
    potential: Potential,
    folder: Path,
    *,
    workers: int,
    device: Device = "auto",
    shard: Shard | None = None,
    crystal: DefectCell | None = None,
) -> list[Response]:
    """Run points with their progress shown; see `md_all`. Those that a GPU makes one come back as one."""
    from defectgen.run.progress import progress, report_notes
    from md.campaigns.relax_and_md import md_all

    with progress("md", "points") as report:
        found = md_all(
            points, potential, folder, workers=workers, shard=shard, progress=report, device=device, crystal=crystal
        )
    responses = list({response.point.id: response for response in found}.values())
    report_notes(outcome_lines(responses))
    return responses
