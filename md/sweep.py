"""Many independent items of work in a folder: one file an item, resumed after any interruption.

An item's file is named by the hash of everything that decides it and appears whole or not at all, so what is there is
finished and what is missing is still to do. The bytes do not depend on the number of workers or on the order.
"""

from __future__ import annotations

import fcntl
import json
import math
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np

from augment.errors import ResumeError, SettingsError
from augment.store import read_arrays, write_arrays, write_atomically
from md.worker import Failure, call_all

Arrays = Mapping[str, np.ndarray[Any, Any]]
Progress = Callable[[int, int, str], None]
"""Called with the number of items done, the number of all items, and the label of the newest."""

_IDENTITY = "item"
_LOCK = ".lock"


@dataclass(frozen=True, eq=False)
class Task:
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
class Item:
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


def sweep(
    tasks: Sequence[Task],
    function: Callable[[Any], Arrays],
    folder: Path,
    *,
    workers: int = 2,
    progress: Progress | None = None,
) -> list[Item]:
    """Do every task whose file is not in `folder` yet; the items come back in the order of the tasks.

    Args:
        tasks: the work; tasks with the same id are done once.
        function: maps a payload to named arrays, the same for the same payload; importable by name.
        folder: where the files are and go; made if missing.
        workers: number of single-thread processes; 1 works in this process.
        progress: called after every item, and once at the start with the number that was there already.

    Raises:
        ResumeError: another process works in the folder.
        SettingsError: the number of workers is not positive.
        DefectgenError: an item failed; the others were finished and stay.
    """
    if workers < 1:
        raise SettingsError(f"{workers} workers; give at least 1")
    with _locked(folder):
        _remove_leftovers(folder)
        unique = list({task.id: task for task in tasks}.values())
        missing = [task for task in unique if not _is_finished(folder, task.id)]
        report = progress or (lambda _done, _total, _label: None)
        done = len(unique) - len(missing)
        report(done, len(unique), "")
        calls = [_Call(function, task.payload, task.id, folder) for task in missing]
        failures: list[tuple[Task, Failure]] = []
        for count, (index, result) in enumerate(call_all(_run, calls, workers), start=done + 1):
            if isinstance(result, Failure):
                failures.append((missing[index], result))
            report(count, len(unique), missing[index].label)
    _raise_first(failures, len(unique))
    return [_item(folder, task) for task in tasks]


@dataclass(frozen=True, eq=False)
class _Call:
    function: Callable[[Any], Arrays]
    payload: Any
    id: str
    folder: Path


def _run(call: _Call) -> None:
    began = time.perf_counter()
    arrays = call.function(call.payload)
    seconds = time.perf_counter() - began
    # The time goes beside the item, whose bytes are the same on every run, and before it, so that an item has one.
    write_atomically(_timing(call.folder, call.id), json.dumps({"seconds": round(seconds, 3)}).encode())
    write_arrays(_archive(call.folder, call.id), {**arrays, _IDENTITY: np.array(call.id)})


def _archive(folder: Path, identity: str) -> Path:
    return folder / f"{identity}.npz"


def _timing(folder: Path, identity: str) -> Path:
    return folder / f"{identity}.json"


def _is_finished(folder: Path, identity: str) -> bool:
    """Whether the file of an item is there, whole by its checksums, and this item's."""
    try:
        with ZipFile(_archive(folder, identity)) as archive:
            if archive.testzip() is not None:
                return False
            with archive.open(f"{_IDENTITY}.npy") as stream:
                return str(np.lib.format.read_array(stream, allow_pickle=False)) == identity
    except (OSError, BadZipFile, zlib.error, EOFError, KeyError, ValueError):
        return False


def _item(folder: Path, task: Task) -> Item:
    try:
        seconds = float(json.loads(_timing(folder, task.id).read_bytes())["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        seconds = math.nan
    return Item(task.id, task.label, _archive(folder, task.id), seconds)


def _raise_first(failures: Sequence[tuple[Task, Failure]], total: int) -> None:
    if not failures:
        return
    task, failure = failures[0]
    rest = f" (the first of {len(failures)} that failed, of {total})" if len(failures) > 1 else ""
    error = failure.error(task.label + rest)
    error.add_note("The items that finished are kept; the same call goes on with the others.")
    raise error


def _remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of processes that were killed while they wrote."""
    for pattern in (".*.npz.*", ".*.json.*"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; the lock ends with the process, however that ends.

    Raises:
        ResumeError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ResumeError(
                f"{folder}: another process is working in this folder; wait for it, stop it, or use another folder"
            ) from None
        yield
