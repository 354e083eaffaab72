"""Dynamics of cells on a grid of conditions: those of a run, or of structure files that a user brings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from augment.cell import DefectCell
from augment.errors import ConditionError
from defectgen.run.settings import Settings
from md.conditions.environment import Environment
from md.potentials.device import Device

if TYPE_CHECKING:
    from md.dynamics import MdPoint, Response
    from md.jobs.sweep import Shard
    from md.potentials import Potential


def md_environments(settings: Settings) -> list[Environment]:
    """The environments that settings ask for.

    Raises:
        ConditionError: one is not possible, or a text is no schedule.
    """
    from md.conditions.schedule_text import environments

    asked = settings.md
    return environments(asked.temperatures, asked.pressures, asked.ensemble, asked.strain, asked.timestep)


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
    for environment, engine in product(md_environments(settings), settings.md.engines):
        MdPoint("any cell", "", environment, engine=engine, **_how(settings))


def md_points(settings: Settings, cells: Sequence[DefectCell]) -> list[tuple[MdPoint, DefectCell]]:
    """Every cell in every environment with every engine.

    Raises:
        ConditionError: a point is not possible in its cell.
    """
    from md.campaigns.relax_and_md import grid

    return grid(cells, md_environments(settings), settings.md.engines, **_how(settings))


def _how(settings: Settings) -> dict[str, Any]:
    asked = settings.md
    kept = min(asked.sample, asked.steps)
    return {"steps": asked.steps, "timestep": asked.timestep, "interval": kept, "seed": settings.seed}


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
    return list({response.point.id: response for response in found}.values())
