"""Longer dynamics for the thermal tasks: what is learnt from may be short, references are to be exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import DefectCell
from augment.groups.distortion import Distortion, apply_distortion
from augment.storage.archive import file_hash
from defectgen.benchmark.tasks.task import Reference, Task, read_tasks, rewrite_tasks
from defectgen.corpus.thermal import frames_of_run
from md.campaigns.relax_and_md import md_all
from md.conditions.environment import Environment
from md.dynamics import MdPoint
from md.jobs.sweep import Progress
from md.potentials import Potential


@dataclass(frozen=True)
class ReferenceDynamics:
    """How long the dynamics of a reference are.

    Attributes:
        steps: in all, from a frame of the short run.
        equilibration: of these, before frames are kept.
        interval: steps between frames that are kept.
        timestep: fs.
    """

    steps: int = 1500
    equilibration: int = 250
    interval: int = 50
    timestep: float = 2.0


def lengthen_ensembles(
    archive: Path, split: str, potential: Potential, folder: Path, *, workers: int, progress: Progress | None = None
) -> dict[str, Any]:
    """Replace the thermal references of a split in an archive of tasks by longer runs, and return its manifest.

    Runs are kept in a folder; a stopped call goes on. Where a run diverges the short references stay, and the
    manifest says so.

    Raises:
        DefectgenError: the archive is damaged, or the potential does not cover an element.
    """
    whole, how = read_tasks(archive), ReferenceDynamics()
    frames = [t for t in whole.tasks if t.kind == "snapshot" and t.split == split]
    points = [_point(task, how) for task in frames]
    responses = md_all(points, potential, folder, workers=workers, progress=progress)
    references: dict[str, dict[str, tuple[Reference, ...]]] = {}
    short = []
    for task, response in zip(frames, responses, strict=True):
        states = frames_of_run(response, task.defect.cell(), how.equilibration // how.interval + 1)
        if states:
            references[_ensemble(task)] = {"mean": (_mean(states),), "snapshot": tuple(map(_reference, states))}
        else:
            short.append(task.id)
    tasks = [replace(t, references=references.get(_ensemble(t), {}).get(t.kind, t.references)) for t in whole.tasks]
    said = {"split": split, "potential": potential.provenance, **asdict(how), "diverged": short}
    manifest = {**whole.manifest, "ensembles": said}
    rewrite_tasks(archive, tasks, manifest)
    return {**manifest, "tasks": len(tasks), "sha256": file_hash(archive)}


def _ensemble(task: Task) -> str:
    """What the mean and the frames of one ensemble share."""
    return f"{task.defect.key} {task.temperature} {task.pressure}"


def _point(task: Task, how: ReferenceDynamics) -> tuple[MdPoint, DefectCell]:
    start = apply_distortion(task.defect.cell(), task.references[-1].state)
    environment = Environment(task.temperature, task.pressure, "npt")
    return MdPoint.of(start, environment, steps=how.steps, timestep=how.timestep, interval=how.interval), start


def _mean(states: Sequence[Distortion]) -> Reference:
    u, e = (np.mean([getattr(s, name) for s in states], axis=0) for name in ("displacements", "strain"))
    return _reference(Distortion(u, e))


def _reference(state: Distortion) -> Reference:
    return Reference(state, float("nan"), broken=True)
