"""What a generator returned for a task, kept in a folder so that a stopped benchmark goes on where it was."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import DefectCell
from augment.errors import DataError
from augment.storage.archive import read_cells, write_atomically, write_cells
from augment.storage.claim import claim
from defectgen.benchmark.generators import NamedGenerator
from defectgen.benchmark.metrics.placement import structure_atoms
from defectgen.benchmark.protocol import BenchmarkRequest
from defectgen.benchmark.tasks.task import Task
from md.jobs.sweep import Progress

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@dataclass(frozen=True, eq=False)
class Outcome:
    """The structures of one task and what they cost.

    Attributes:
        cells: as returned, at most `n`; the atoms in the generator's order, `sites` without meaning.
        error: why there are none; empty where the generator did not fail.
        cpu: CPU seconds, this process and its children.
        peak: memory at its highest above that before the call, MB; NaN where the system does not report it.
    """

    cells: Sequence[DefectCell]
    error: str
    cpu: float
    peak: float


IDENTITY = "identity.json"
"""Says what a folder of the benchmark belongs to."""


def collect(
    generator: NamedGenerator, tasks: Sequence[Task], n: int, seed: int, folder: Path, progress: Progress | None = None
) -> list[Outcome]:
    """Outcomes of all tasks in order; those in the folder already are not made again.

    Raises:
        ResumeError: the folder holds the structures of another generator of that name.
    """
    identity = {"generator": generator.identity, "n": n, "seed": seed}
    claim(folder / IDENTITY, identity, "a folder of structures")
    outcomes = []
    for done, task in enumerate(tasks, start=1):
        path = folder / f"{item_name(task.id)}.npz"
        if not path.with_suffix(".json").exists():
            _keep(path, run_one(generator, task.request(n, seed)))
        outcomes.append(_read(path))
        if progress is not None:
            progress(done, len(tasks), f"{generator.name}: {task.id}")
    return outcomes


def run_one(generator: NamedGenerator, request: BenchmarkRequest) -> Outcome:
    """Call a generator once. Whatever it raises is an outcome, not the end of the benchmark."""
    before = _reset_peak()
    start = _cpu_seconds()
    cells: list[DefectCell] = []
    error = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a generator's own remarks
            for structure in islice(_called(generator, request), request.n):
                cells.append(_as_cell(structure, request))  # noqa: PERF401  what came before an error is kept
    except Exception as problem:  # noqa: BLE001  of somebody else's code
        error = f"{type(problem).__name__}: {' '.join(str(problem).split())}"
    return Outcome(cells, error, _cpu_seconds() - start, _peak() - before)


def item_name(task: str) -> str:
    """File name of a task: readable, and unique by the hash of its id."""
    readable = "".join(c if c.isalnum() or c in "-_." else "_" for c in task)
    return f"{readable}-{hashlib.sha256(task.encode()).hexdigest()[:8]}"


def _called(generator: NamedGenerator, request: BenchmarkRequest) -> Iterable[Any]:
    output = generator.call(request)
    if isinstance(output, DefectCell) or not isinstance(output, Iterable):
        raise DataError(f"{generator.name} returned a {type(output).__name__}; return a list of structures")
    return output


def _as_cell(structure: Any, request: BenchmarkRequest) -> DefectCell:
    cell, numbers, positions, charge = structure_atoms(structure)
    total = request.defect.charge if charge is None else charge
    return DefectCell("", "", cell, numbers, positions, np.zeros(len(numbers), np.int64), total)


def _keep(path: Path, outcome: Outcome) -> None:
    """The JSON file is written last, so its presence means that the item is whole."""
    write_cells(path, outcome.cells)
    said = {"error": outcome.error, "cpu": outcome.cpu, "peak": None if np.isnan(outcome.peak) else outcome.peak}
    write_atomically(path.with_suffix(".json"), json.dumps(said).encode())


def _read(path: Path) -> Outcome:
    try:
        said = json.loads(path.with_suffix(".json").read_text())
        peak = np.nan if said["peak"] is None else said["peak"]
        return Outcome(read_cells(path), said["error"], said["cpu"], peak)
    except (ValueError, KeyError) as error:
        raise DataError(f"{path.with_suffix('.json')}: damaged ({error!r}); remove it to run its task again") from None


def _cpu_seconds() -> float:
    import os

    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def _reset_peak() -> float:
    """Make the system forget the highest memory so far where it can; resident memory now, MB."""
    gc.collect()  # what is dead already would be let go meanwhile and hide what is taken
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5")
    return _status("VmRSS")


def _peak() -> float:
    return _status("VmHWM")


def _status(field: str) -> float:
    """A field of the process's status, MB; NaN on systems without one."""
    with contextlib.suppress(OSError, StopIteration):
        line = next(x for x in _STATUS.read_text().splitlines() if x.startswith(f"{field}:"))
        return int(line.split()[1]) / 1024
    return float("nan")
