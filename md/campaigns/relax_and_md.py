"""Relaxations and dynamics of many cells in a folder: parallel, and resumed where they stopped."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import DefectCell
from augment.elements import elements_of
from augment.errors import DataError
from augment.groups.cell_symmetry import CellSymmetry
from md.campaigns.warm_crystals import SharedCrystal, crystal_identity
from md.conditions.atoms import NATURAL, AtomSettings
from md.conditions.environment import Environment
from md.conditions.point import PointRole, PointStart
from md.conditions.precision import Precision
from md.conditions.seeds import point_seed
from md.dynamics import Engine, MdPoint, Response, response_from_arrays, run_point
from md.jobs.batches import SizedJob, do_in_batches
from md.jobs.checkpoint import Checkpoints
from md.jobs.sweep import Job, Progress, Shard, scratch_folder, sweep
from md.labels.frames import FrameArrays
from md.potentials import Potential
from md.potentials.device import Device, resolve_device
from md.potentials.mace.models import NETWORKS, through_torch
from md.relaxation.relax import Relaxation, RelaxSettings, relax_with, relaxation_from_arrays

FS_PER_NS = 1e6
SECONDS_PER_DAY = 86_400

_VERSION = 7
"""Of the algorithms: raised when the same inputs come to give other results, so that no old item is taken over."""


def relax_all(
    cells: Sequence[DefectCell],
    potential: Potential,
    folder: Path,
    settings: RelaxSettings | None = None,
    *,
    symmetries: Sequence[CellSymmetry | None] | None = None,
    workers: int = 2,
    executor: Executor | None = None,
    shard: Shard | None = None,
    progress: Progress | None = None,
    device: Device = "auto",
    batched: bool | None = None,
    ends_only: bool = False,
) -> list[Relaxation]:
    """Relax every cell, each into a file of its own in `folder`; what is there already is not done again.

    Args:
        cells: where to start from.
        potential: what to relax with.
        folder: where the files go.
        settings: how to relax; the defaults of `RelaxSettings` without it.
        symmetries: for each cell the group that its relaxation keeps, or None.
        workers: number of processes; 1 works in this process.
        executor: does the work instead, if given; see `sweep`.
        shard: do and return only this share of the cells.
        progress: called after every cell with (done, total, label).
        device: for `batched`: `auto` (CUDA where there is one), `cpu` or `cuda`.
        batched: relax many cells in one forward pass, by `md.relaxation.batched`; without it where the device is CUDA,
            the potential a MACE network, and the cell fixed.
        ends_only: leave the paths in their files, which takes less memory.

    Raises:
        ResumeError: another process works in the folder.
        PotentialError: an element is not covered, the potential fails, or CUDA was requested and it is no MACE network.
        SettingsError: there is no such device.
        DataError: there are not as many symmetries as cells.
    """
    groups = [None] * len(cells) if symmetries is None else list(symmetries)
    if len(groups) != len(cells):
        raise DataError(f"{len(groups)} symmetries for {len(cells)} cells; give one for each")
    _require(potential, cells)
    how = settings or RelaxSettings()
    together = on_cuda(potential, device) and not how.relax_cell if batched is None else batched
    potential = through_torch(potential) if together else potential
    tasks = [
        Job(_relaxation_id(cell, group, how, potential, together), cell.name, _Relaxing(cell, group, how, potential))
        for cell, group in zip(cells, groups, strict=True)
    ]
    if together:
        mine = [SizedJob(task, len(task.payload.cell), ()) for task in (shard.of(tasks) if shard else tasks)]
        many = partial(_relax_many, device=device)
        do_in_batches(mine, many, folder, executor=executor, shard=shard, progress=progress)
    items = sweep(tasks, _relax_item, folder, workers=workers, executor=executor, shard=shard, progress=progress)
    found = (relaxation_from_arrays(i.arrays(), potential, i.seconds, str(i.path)) for i in items)
    return [relaxation.without_path if ends_only else relaxation for relaxation in found]


@dataclass(frozen=True, eq=False)
class _Relaxing:
    cell: DefectCell
    symmetry: CellSymmetry | None
    settings: RelaxSettings
    potential: Potential


def _relax_item(job: _Relaxing) -> FrameArrays:
    return relax_with(job.cell, job.potential, job.settings, job.symmetry).to_arrays()


def _relax_many(jobs: Sequence[_Relaxing], _scratch: Path, _identity: str, *, device: Device) -> list[FrameArrays]:
    from md.relaxation.batched import relax_batched

    first, groups = jobs[0], [job.symmetry for job in jobs]
    cells = [job.cell for job in jobs]
    found = relax_batched(cells, first.potential, first.settings, symmetries=groups, device=device)
    return [relaxation.to_arrays() for relaxation in found]


def grid(
    cells: Iterable[DefectCell],
    environments: Iterable[Environment],
    engines: Sequence[Engine] = ("lammps",),
    *,
    steps: int = 1000,
    timestep: float = 1.0,
    interval: int = 20,
    seed: int = 0,
    atoms: AtomSettings = NATURAL,
    precision: Precision | None = None,
    start: PointStart = "cell",
) -> list[tuple[MdPoint, DefectCell]]:
    """Every cell in every environment with every engine; the other keywords are attributes of `MdPoint`.

    The first engine makes the data, others check it (`MdPoint.role`). Every point has a seed of its own, so that no
    two start with the same velocities (`md.conditions.seeds`).

    Args:
        cells: what to run.
        environments: under what.
        engines: each runs the whole grid.
        steps: of each run.
        timestep: fs.
        interval: steps between kept frames.
        seed: from which those of the points follow.
        atoms: what is given of the atoms besides their places.
        precision: standard errors at which a point ends before its steps.
        start: `warm` starts from the volume of the warm crystal.

    Raises:
        ConditionError: a setting is not possible.
    """
    common: dict[str, Any] = {"steps": steps, "timestep": timestep, "interval": interval, "atoms": atoms}
    common |= {"precision": precision, "start": start}
    points = []
    for cell, environment, engine in product(cells, environments, dict.fromkeys(engines)):
        own = point_seed(seed, engine, cell, environment)
        role: PointRole = "data" if engine == engines[0] else "check"
        points.append((MdPoint.of(cell, environment, engine=engine, seed=own, role=role, **common), cell))
    return points


def checked_by(
    points: Sequence[tuple[MdPoint, DefectCell]], engine: Engine | None, seed: int
) -> list[tuple[MdPoint, DefectCell]]:
    """The points, and the first of them once more in a second engine, with another seed and the role of a check.

    Nothing is added where there is no such engine, or it runs already.

    Args:
        points: what is run.
        engine: the second engine.
        seed: from which those of the points followed.

    Raises:
        ConditionError: the engine does not do what the first point needs.
    """
    if engine is None or not points or engine in {point.engine for point, _ in points}:
        return list(points)
    first, cell = points[0]
    own = point_seed(seed, engine, cell, first.environment)
    return [*points, (replace(first, engine=engine, seed=own, role="check"), cell)]


def md_all(
    points: Sequence[tuple[MdPoint, DefectCell]],
    potential: Potential,
    folder: Path,
    *,
    workers: int = 2,
    executor: Executor | None = None,
    shard: Shard | None = None,
    progress: Progress | None = None,
    device: Device = "auto",
    crystal: DefectCell | None = None,
) -> list[Response]:
    """Run every point, each into a file of its own in `folder`; what is there already is not done again.

    Points of engine `batched` advance many in one forward pass. Where the device is CUDA and the potential a MACE
    network, all points are made such ones that can be, and their responses say so; the others run on the CPU, and so
    do checks, which have to be of another engine.

    A point that was interrupted goes on from its newest checkpoint, to the bits of an uninterrupted one. A point that
    diverges is a response like any other, marked so.

    Args:
        points: what to run, and in which cell.
        potential: what makes the labels.
        folder: where the files go.
        workers: number of processes; 1 works in this process.
        executor: does the work instead, if given; see `sweep`.
        shard: do and return only this share of the points.
        progress: called after every point, and about every second with the shares of those under way, with (done,
            total, label); the label says how fast the dynamics goes.
        device: of the batched engine: `auto` (CUDA where there is one), `cpu`, or `cuda`, which takes every point
            that is no check.
        crystal: the relaxed cell without a defect, whose volumes points that start warm share; without it each of
            their cells is taken for a crystal of its own.

    Raises:
        ConditionError: a point is not possible in its cell, or not on the device.
        ResumeError: another process works in the folder, or a checkpoint cannot be trusted.
        PotentialError: an element is not covered, the potential fails, an engine is missing, or CUDA was requested and
            the potential is no MACE network.
        SettingsError: there is no such device.
    """
    _require(potential, [cell for _, cell in points])
    tasks = [_md_task(point, cell, potential, folder, crystal) for point, cell in _placed(points, potential, device)]
    shown = progress and _with_speed(progress, [point for point, _ in points])
    batched = [
        SizedJob(task, len(task.payload.cell), task.payload.point.pace)
        for task in (shard.of(tasks) if shard else tasks)
        if task.payload.point.engine == "batched"
    ]
    if batched:
        many = partial(_md_many, device=device)
        do_in_batches(batched, many, folder, executor=executor, shard=shard, progress=shown)
    items = sweep(tasks, _md_item, folder, workers=workers, executor=executor, shard=shard, progress=shown)
    made_by = {task.id: task.payload.potential for task in tasks}
    return [response_from_arrays(i.arrays(), made_by[i.id], i.seconds, str(i.path)) for i in items]


def _placed(
    points: Sequence[tuple[MdPoint, DefectCell]], potential: Potential, device: Device
) -> list[tuple[MdPoint, DefectCell]]:
    """The points, on CUDA those of the batched engine that it does; all data where CUDA was requested by name."""
    if not on_cuda(potential, device):
        return list(points)
    must = device == "cuda"
    moved = [p.role == "data" and (must or p.can_be_batched) for p, _ in points]
    return [(replace(p, engine="batched") if move else p, cell) for move, (p, cell) in zip(moved, points, strict=True)]


def _md_task(point: MdPoint, cell: DefectCell, potential: Potential, folder: Path, crystal: DefectCell | None) -> Job:
    point.check(cell)
    used = through_torch(potential) if point.engine == "batched" else potential
    warm = None
    if point.start == "warm":
        pristine = crystal or cell
        found_by = _digest(crystal_identity(point), pristine, used, [])
        warm = SharedCrystal(point, pristine, used, folder.absolute(), found_by)
    identity = _point_id(point, cell, used, warm)
    scratch = scratch_folder(folder.absolute(), identity)
    return Job(identity, point.label, _Running(point, cell, used, scratch, identity, warm))


@dataclass(frozen=True, eq=False)
class _Running:
    point: MdPoint
    cell: DefectCell
    potential: Potential
    scratch: Path
    id: str
    warm: SharedCrystal | None


def _md_item(job: _Running) -> FrameArrays:
    checkpoints = Checkpoints(job.scratch, job.id, job.point.steps)
    find = job.warm.find if job.warm else None
    return run_point(job.point, job.cell, job.potential, checkpoints, find).to_arrays()


def _md_many(jobs: Sequence[_Running], scratch: Path, identity: str, *, device: Device) -> list[FrameArrays]:
    from md.dynamics.engines.batched.engine import run_batch

    points, checkpoints = [(job.point, job.cell) for job in jobs], Checkpoints(scratch, identity, jobs[0].point.steps)
    finders = [job.warm.find if job.warm else None for job in jobs]
    found = run_batch(points, jobs[0].potential, device=device, checkpoints=checkpoints, finders=finders)
    return [response.to_arrays() for response in found]


def on_cuda(potential: Potential, device: Device) -> bool:
    """Whether sweeps evaluate a potential on CUDA: MACE networks alone, many cells in one forward pass.

    Raises:
        SettingsError: there is no such device.
        PotentialError: CUDA is requested by name, and the potential is no MACE network.
    """
    if potential.kind not in NETWORKS and device == "auto":
        return False
    if resolve_device(device) == "cpu":
        return False
    through_torch(potential)
    return True


def _with_speed(progress: Progress, points: Sequence[MdPoint]) -> Progress:
    """Progress whose label ends with the simulated time per day of all workers together, over what is done.

    Where points end by their precision, nobody knows how long they are, and nothing is added.
    """
    if any(point.precision for point in points):
        return progress
    mean_length = sum(point.length for point in points) / max(len(points), 1)
    began, first = time.perf_counter(), [0.0]

    def report(done: float, total: int, label: str) -> None:
        if not label:
            first[0] = done
        speed = (done - first[0]) * mean_length / FS_PER_NS / (time.perf_counter() - began) * SECONDS_PER_DAY
        progress(done, total, f"{label}, {speed:.3g} ns/day" if label else label)

    return report


def _require(potential: Potential, cells: Sequence[DefectCell]) -> None:
    potential.require(elements_of(z for cell in cells for z in cell.numbers))


def _relaxation_id(
    cell: DefectCell,
    symmetry: CellSymmetry | None,
    settings: RelaxSettings,
    potential: Potential,
    batched: bool,  # noqa: FBT001
) -> str:
    group = [] if symmetry is None else [symmetry.rotations, symmetry.permutations]
    some = settings.path_frames
    what = [
        "relax-batched" if batched else "relax",
        {**settings.json, "keep_path": settings.keep_path, **({"path_frames": some} if some else {})},
        symmetry.symbol if symmetry else None,
    ]
    return _digest(what, cell, potential, group)


def _point_id(point: MdPoint, cell: DefectCell, potential: Potential, warm: SharedCrystal | None) -> str:
    return _digest(["md", point.identity, *([warm.id] if warm else [])], cell, potential, [])


def _digest(what: list[Any], cell: DefectCell, potential: Potential, arrays: Sequence[np.ndarray[Any, Any]]) -> str:
    """Hash of everything that decides an item: the job, the cell to the last bit, and the potential."""
    identity = [potential.kind, potential.name, potential.sha256, potential.precision, potential.evaluator]
    texts = [_VERSION, what, cell.name, cell.key, cell.charge, dict(cell.provenance), identity]
    digest = hashlib.sha256(json.dumps(texts, sort_keys=True).encode())
    for array in (cell.cell, cell.positions, cell.numbers, cell.sites, *arrays):
        digest.update(repr((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]
