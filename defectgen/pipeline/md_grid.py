"""Dynamics of cells on a grid of conditions: those of a run, or of structure files that a user brings."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from augment.cell import DefectCell
from augment.elements import element_symbol
from augment.errors import ConditionError
from defectgen.run.settings import Settings
from md.conditions.atoms import NATURAL, AtomSettings
from md.conditions.environment import Environment
from md.conditions.timestep import HEAVY, timestep_for
from md.potentials.device import Device

if TYPE_CHECKING:
    from md.dynamics import MdPoint, Response
    from md.jobs.sweep import Shard
    from md.potentials import Potential


def md_environments(settings: Settings, timestep: float) -> list[Environment]:
    """The environments that settings ask for, with times in steps of so many fs.

    Raises:
        ConditionError: one is not possible, or a text is no schedule.
    """
    from md.conditions.schedule_text import environments

    asked = settings.md
    return environments(asked.temperatures, asked.pressures, asked.ensemble, asked.strain, timestep)


def check_points(settings: Settings) -> None:
    """Check that the engines do what is asked for, in whatever cell.

    Raises:
        ConditionError: an environment, an engine or a schedule is not possible.
    """
    from md.dynamics import MdPoint

    if settings.planar.has_vacuum and settings.md.ensemble.startswith("npt"):
        raise ConditionError(
            f"{settings.md.ensemble} would close the vacuum of a slab; use md: {{ensemble: nvt, pressures: [0]}}"
        )
    longest = settings.md.timestep or HEAVY  # the cells come later, and may ask for a shorter one
    for environment, engine in product(md_environments(settings, longest), settings.md.engines):
        MdPoint("any cell", "", environment, engine=engine, **_how(settings, longest))


def md_points(
    settings: Settings, cells: Sequence[DefectCell], given: Mapping[str, AtomSettings] | None = None
) -> list[tuple[MdPoint, DefectCell]]:
    """Every cell in every environment with every engine.

    Args:
        settings: of the run; without a time step each cell has that of its lightest atom.
        cells: what to run.
        given: what is given of the atoms of a cell, by its name.

    Raises:
        ConditionError: a point is not possible in its cell.
    """
    from md.campaigns.relax_and_md import grid

    points: list[tuple[MdPoint, DefectCell]] = []
    for cell in cells:
        atoms = (given or {}).get(cell.name, NATURAL)
        step = settings.md.timestep or timestep_for(atoms.masses_of(cell.numbers))
        points += grid(
            [cell], md_environments(settings, step), settings.md.engines, **_how(settings, step), atoms=atoms
        )
    return points


def timestep_lines(settings: Settings, points: Sequence[tuple[MdPoint, DefectCell]]) -> list[str]:
    """What is said of the time steps: one line for each that the lightest atom decided."""
    if settings.md.timestep is not None:
        return []
    chosen = {(point.timestep, _lightest(point, cell)) for point, cell in points}
    return [
        f"time step {step:g} fs, by the lightest atom ({name}); --timestep sets it" for step, name in sorted(chosen)
    ]


def _lightest(point: MdPoint, cell: DefectCell) -> str:
    return element_symbol(int(cell.numbers[point.atoms.masses_of(cell.numbers).argmin()]))


def outcome_lines(responses: Sequence[Response]) -> list[str]:
    """What is said of finished points besides their numbers: what was done otherwise, and that all diverged."""
    lines = [f"{response.point.label}: {note}" for response in responses for note in response.notes]
    if responses and all(response.status == "diverged" for response in responses):
        first = responses[0]
        lines.append(f"all {len(responses)} points diverged; {first.point.label}: {first.reason}")
    return lines


def say_on_error_stream(lines: Sequence[str]) -> None:
    """Lines of the stage on the standard error stream."""
    for line in lines:
        sys.stderr.write(f"md: {line}\n")
    sys.stderr.flush()


def _how(settings: Settings, timestep: float) -> dict[str, Any]:
    asked = settings.md
    kept = min(asked.sample, asked.steps)
    return {"steps": asked.steps, "timestep": timestep, "interval": kept, "seed": settings.seed}


def run_points(
    points: Sequence[tuple[MdPoint, DefectCell]],
    potential: Potential,
    folder: Path,
    *,
    workers: int,
    device: Device = "auto",
    shard: Shard | None = None,
) -> list[Response]:
    """Run points with their progress shown; see `md_all`. Those that a GPU makes one come back as one."""
    from defectgen.run.progress import progress
    from md.campaigns.relax_and_md import md_all

    with progress("md", "points") as report:
        found = md_all(points, potential, folder, workers=workers, shard=shard, progress=report, device=device)
    responses = list({response.point.id: response for response in found}.values())
    say_on_error_stream(outcome_lines(responses))
    return responses
