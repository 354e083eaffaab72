"""Items of a sweep that are done many at once: batches in a folder of their own, then a file for each item.

A batch is an item of work as any other, locked, resumed and written whole or not at all. Its items are named by their
own hashes and differ from those done one by one in nothing but their content; a batch that was finished and not
yet shared out when a process died is shared out by the next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augment.storage.archive import read_arrays
from md.jobs.checkpoint import Arrays
from md.jobs.sweep import FinishedJob, Job, Progress, Shard, is_finished, scratch_folder, store_item, sweep

MAX_BATCH_ATOMS = 8192
"""Of one batch. A guess: no GPU was at hand to measure where one is full."""

_FOLDER, _ITEMS = "batches", "items"

BatchFunction = Callable[[Sequence[Any], Path, str], Sequence[Arrays]]
"""Does many payloads at once: it is given a folder and an identity for its checkpoints, and returns arrays of each."""


@dataclass(frozen=True, eq=False)
class SizedJob:
    """A task that can be done in a batch.

    Attributes:
        task: the task.
        atoms: its number of atoms.
        kind: what the tasks of a batch have in common.
    """

    task: Job
    atoms: int
    kind: Hashable


def do_in_batches(
    sized: Sequence[SizedJob],
    function: BatchFunction,
    folder: Path,
    *,
    executor: Executor | None = None,
    shard: Shard | None = None,
    progress: Progress | None = None,
    most_atoms: int = MAX_BATCH_ATOMS,
) -> None:
    """Do the tasks whose file is not in `folder` yet, batch after batch; their files are there afterwards.

    Args:
        sized: the tasks, those of this shard alone where there are others.
        function: does many at once; importable by name.
        folder: where the files of the items go, as those of `sweep`.
        executor: does the batches instead of this process.
        shard: given where other processes work in the folder too.
        progress: as that of `sweep`, counted in items.
        most_atoms: of one batch; a larger item is a batch of its own.

    Raises:
        ResumeError: another process works on the batches.
        DefectgenError: a batch failed; the others were finished and stay.
    """
    unique = {one.task.id: one for one in sized}
    own = folder.absolute() / _FOLDER
    _share_out(own, folder, unique)
    missing = [one for name, one in unique.items() if not is_finished(folder, name)]
    if not missing:
        return
    tasks = [_batch(batch, function, own) for batch in _batches(missing, most_atoms)]
    counted = progress and _in_items(progress, len(unique), len(missing))
    together = Shard(0, 1) if shard else None  # the lock is shared, the tasks are this shard's already
    try:
        sweep(tasks, _do_batch, own, workers=1, executor=executor, shard=together, progress=counted)
    finally:
        _share_out(own, folder, unique)


@dataclass(frozen=True, eq=False)
class _Batch:
    function: BatchFunction
    ids: tuple[str, ...]
    payloads: tuple[Any, ...]
    scratch: Path
    id: str


def _batch(batch: Sequence[SizedJob], function: BatchFunction, own: Path) -> Job:
    ids = tuple(one.task.id for one in batch)
    identity = hashlib.sha256(" ".join(ids).encode()).hexdigest()[:32]
    payloads = tuple(one.task.payload for one in batch)
    label = batch[0].task.label if len(batch) == 1 else f"{batch[0].task.label} and {len(batch) - 1} more"
    return Job(identity, label, _Batch(function, ids, payloads, scratch_folder(own, identity), identity))


def _batches(sized: Sequence[SizedJob], most_atoms: int) -> Iterator[list[SizedJob]]:
    """The tasks in their order, as many of a kind as fit."""
    for kind in dict.fromkeys(one.kind for one in sized):
        batch: list[SizedJob] = []
        for one in (one for one in sized if one.kind == kind):
            if batch and sum(other.atoms for other in batch) + one.atoms > most_atoms:
                yield batch
                batch = []
            batch.append(one)
        yield batch


def _do_batch(batch: _Batch) -> Arrays:
    found = batch.function(batch.payloads, batch.scratch, batch.id)
    columns = {f"{k}_{name}": array for k, arrays in enumerate(found) for name, array in arrays.items()}
    return {**columns, _ITEMS: np.array(batch.ids)}


def _share_out(own: Path, folder: Path, wanted: dict[str, SizedJob]) -> None:
    """Write the items of the finished batches, and remove these."""
    for path in sorted(own.glob("*.npz")):
        if not is_finished(own, path.stem):
            continue
        item = FinishedJob.from_file(own, path.stem)
        arrays = read_arrays(path)
        ids = [str(name) for name in arrays[_ITEMS]]
        if not wanted.keys() >= set(ids):
            continue  # another call's
        for k, name in enumerate(ids):
            if not is_finished(folder, name):
                mine = {key.removeprefix(f"{k}_"): a for key, a in arrays.items() if key.startswith(f"{k}_")}
                store_item(folder.absolute(), name, mine, item.seconds / len(ids))
        item.remove()


def _in_items(progress: Progress, total: int, missing: int) -> Progress:
    def report(done: float, batches: int, label: str) -> None:
        progress(total - missing + missing * done / batches, total, label)

    return report
