"""Many independent items of work in a folder: one file an item, resumed after any interruption.

An item's file is named by the hash of everything that decides it and appears whole or not at all, so what is there is
finished and what is missing is still to do. The bytes do not depend on who does an item, on how many, or in what
order: processes here, any executor of `concurrent.futures`, or the jobs of an array with a shard each.
"""

from __future__ import annotations

import json
import math
import shutil
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np

from augment.errors import DataError, SettingsError
from augment.storage.archive import read_arrays, write_arrays, write_atomically
from augment.storage.lock import folder_lock, held_file
from md.jobs.checkpoint import Arrays
from md.jobs.heartbeat import INTERVAL, share_done
from md.jobs.workers import Failure, call_all, call_through

Progress = Callable[[float, int, str], None]
"""Called with the number of items done and the shares of those under way, the number of all items, and a label: of
the item that ended last, or of one under way."""

OpenStage = Callable[[str, str], AbstractContextManager[Progress]]
"""Opens the progress of a stage: its title and what is counted."""

_IDENTITY = "item"
_IN_THIS_PROCESS = threading.RLock()
"""Held by the item under way: calculators are loaded once a process, and threads of an executor would share one."""


def no_stage(_title: str, _unit: str) -> AbstractContextManager[Progress]:
    """Shows no progress."""
    return nullcontext(lambda _done, _total, _text: None)


@dataclass(frozen=True, eq=False)
class Job:
    """An item of work.

    Attributes:
        id: hash of everything that decides the result; the name of its file.
        label: short text for progress and errors.
        payload: what the function is called with; it must pickle.
    """

    id: str
    label: str
    payload: Any


@dataclass(frozen=True)
class FinishedJob:
    """A finished item: its task's id and label, its file, and the wall time it took in s (NaN if unknown)."""

    id: str
    label: str
    path: Path
    seconds: float

    def arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """What the function returned.

        Raises:
            DataError: the file is damaged.
        """
        arrays = read_arrays(self.path)
        arrays.pop(_IDENTITY, None)
        return arrays

    @classmethod
    def from_file(cls, folder: Path, identity: str, label: str = "") -> FinishedJob:
        """The finished item with this id in a folder."""
        try:
            seconds = float(json.loads(_timing(folder, identity).read_bytes())["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            seconds = math.nan
        return cls(identity, label, _archive(folder, identity), seconds)

    def remove(self) -> None:
        """Remove its files."""
        self.path.unlink(missing_ok=True)
        _timing(self.path.parent, self.id).unlink(missing_ok=True)


@dataclass(frozen=True)
class Shard:
    """A share of the work: every `count`-th task from the `index`-th on, so that n jobs do 0/n to (n-1)/n.

    Raises:
        SettingsError: there is no such share.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise SettingsError(f"shard {self.index}/{self.count}; give 0/N to (N-1)/N, such as 0/4, 1/4, 2/4 and 3/4")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """A shard from `i/n`.

        Raises:
            SettingsError: the text is not of that form, or there is no such shard.
        """
        index, _, count = text.partition("/")
        if not (index.isdigit() and count.isdigit()):
            raise SettingsError(f"shard {text!r}; give I/N, such as 0/4 for the first of four jobs")
        return cls(int(index), int(count))

    def of(self, tasks: Sequence[Job]) -> list[Job]:
        """This share of the tasks, those with the same id taken as one."""
        return list({task.id: task for task in tasks}.values())[self.index :: self.count]


def sweep(
    tasks: Sequence[Job],
    function: Callable[[Any], Arrays],
    folder: Path,
    *,
    workers: int = 2,
    executor: Executor | None = None,
    shard: Shard | None = None,
    progress: Progress | None = None,
) -> list[FinishedJob]:
    """Do every task whose file is not in `folder` yet; the items come back in the order of the tasks.

    Args:
        tasks: the work; tasks with the same id are done once.
        function: maps a payload to named arrays, the same for the same payload; importable by name. What it keeps
            in `scratch_folder` to go on from is removed once its item is written.
        folder: where the files are and go; made if missing.
        workers: number of single-thread processes; 1 works in this process.
        executor: does the work instead of them (a pool, Parsl's, Dask's, ...); it must see the folder.
        shard: do and return only this share of the tasks; shards may work in one folder at the same time.
        progress: called after every item, once at the start with what was there already, and about every second
            with the shares of the items under way that report theirs (`md.jobs.heartbeat`), from a thread of its own.

    Raises:
        ResumeError: another process works in the folder, or on an item.
        SettingsError: the number of workers is not positive.
        DefectgenError: an item failed; the others were finished and stay.
    """
    if workers < 1:
        raise SettingsError(f"{workers} workers; give at least 1")
    asked = tasks if shard is None else shard.of(tasks)
    unique = list({task.id: task for task in asked}.values())
    folder = folder.absolute()  # workers elsewhere may have another working directory
    with folder_lock(folder, shared=shard is not None):
        if shard is None:
            _remove_leftovers(folder)
        missing = [task for task in unique if not is_finished(folder, task.id)]
        failures = _do(missing, function, folder, workers, executor, progress, len(unique))
    _raise_first(failures, len(unique))
    return [FinishedJob.from_file(folder, task.id, task.label) for task in asked]


def _do(
    missing: Sequence[Job],
    function: Callable[[Any], Arrays],
    folder: Path,
    workers: int,
    executor: Executor | None,
    progress: Progress | None,
    total: int,
) -> list[tuple[Job, Failure]]:
    """Do the missing tasks; those that failed."""
    calls = [_Call(function, task.payload, task.id, folder) for task in missing]
    failures: list[tuple[Job, Failure]] = []
    with _told(progress, missing, folder, total) as ended:
        results = call_all(_run, calls, workers) if executor is None else call_through(executor, _run, calls)
        for index, result in results:
            if isinstance(result, Failure):
                failures.append((missing[index], result))
            ended(missing[index])
    return failures


@contextmanager
def _told(
    progress: Progress | None, missing: Sequence[Job], folder: Path, total: int
) -> Iterator[Callable[[Job], None]]:
    """What to call with each task that ended; meanwhile a thread reports those under way."""
    if progress is None:
        yield lambda _task: None
        return
    teller = _Teller(progress, missing, folder, total)
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(INTERVAL):
            teller.look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield teller.ended
    finally:
        stop.set()
        thread.join()


class _Teller:
    """Reports how many items are done, with the shares of those under way, and never less than before."""

    def __init__(self, progress: Progress, missing: Sequence[Job], folder: Path, total: int) -> None:
        self._progress, self._folder, self._total = progress, folder, total
        self._missing = {task.id: task for task in missing}
        self._lock = threading.Lock()
        self._shares = self._read()
        self._told = self._done()
        progress(self._told, total, "")

    def _done(self) -> float:
        return self._total - len(self._missing) + sum(self._shares.values())

    def _read(self) -> dict[str, float]:
        """The shares of the items that are under way, or were when they were interrupted."""
        found = {path.stem: share_done(path) for path in self._folder.glob("*.parts")}
        return {name: share for name, share in found.items() if share is not None and name in self._missing}

    def ended(self, task: Job) -> None:
        """An item ended."""
        with self._lock:
            self._missing.pop(task.id)
            self._shares.pop(task.id, None)
            self._told = max(self._told, self._done())
            self._progress(self._told, self._total, task.label)

    def look(self) -> None:
        """Report the items under way, if they went on."""
        with self._lock:
            self._shares = self._read()
            if self._done() > self._told:
                self._told = self._done()
                furthest = max(self._shares, key=lambda name: self._shares[name])
                self._progress(self._told, self._total, self._missing[furthest].label)


@dataclass(frozen=True, eq=False)
class _Call:
    function: Callable[[Any], Arrays]
    payload: Any
    id: str
    folder: Path


def _run(call: _Call) -> None:
    with _IN_THIS_PROCESS, held_file(call.folder / f".{call.id}.lock"):
        if is_finished(call.folder, call.id):
            return  # by another one, since this one looked
        began = time.perf_counter()
        arrays = call.function(call.payload)
        store_item(call.folder, call.id, arrays, time.perf_counter() - began)
        shutil.rmtree(scratch_folder(call.folder, call.id), ignore_errors=True)


def store_item(folder: Path, identity: str, arrays: Arrays, seconds: float) -> None:
    """Write a finished item, whole or not at all.

    Raises:
        DataError: the folder cannot be written.
    """
    try:
        # The time goes beside the item, whose bytes are the same on every run, and before it, so that it has one.
        write_atomically(_timing(folder, identity), json.dumps({"seconds": round(seconds, 3)}).encode())
        write_arrays(_archive(folder, identity), {**arrays, _IDENTITY: np.array(identity)})
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be written ({error.strerror}); make room, then the same call goes on"
        ) from error


def scratch_folder(folder: Path, identity: str) -> Path:
    """Where the item with this id keeps what it goes on from after an interruption."""
    return folder / f"{identity}.parts"


def _archive(folder: Path, identity: str) -> Path:
    return folder / f"{identity}.npz"


def _timing(folder: Path, identity: str) -> Path:
    return folder / f"{identity}.json"


def is_finished(folder: Path, identity: str) -> bool:
    """Whether the file of the item with this id is there, whole by its checksums, and this item's."""
    path = _archive(folder, identity)
    try:
        if not path.is_file():
            return False
        with ZipFile(path) as archive:
            if archive.testzip() is not None:
                return False
            with archive.open(f"{_IDENTITY}.npy") as stream:
                return str(np.lib.format.read_array(stream, allow_pickle=False)) == identity
    except (OSError, BadZipFile, zlib.error, EOFError, KeyError, ValueError):
        return False


def _raise_first(failures: Sequence[tuple[Job, Failure]], total: int) -> None:
    if not failures:
        return
    task, failure = failures[0]
    rest = f" (the first of {len(failures)} that failed, of {total})" if len(failures) > 1 else ""
    error = failure.error(task.label + rest)
    error.add_note("The items that finished are kept; the same call goes on with the others.")
    raise error


def _remove_leftovers(folder: Path) -> None:
    """Remove what processes left that were killed while they wrote, or before they tidied up."""
    for pattern in (".*.npz.*", ".*.json.*"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)
    for path in folder.glob("*.parts"):
        if is_finished(folder, path.stem):
            shutil.rmtree(path, ignore_errors=True)
