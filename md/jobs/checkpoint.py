"""Checkpoints of a run: what was recorded since the one before, and the state to go on from, in one file each.

A file appears whole or not at all, carries its hash in its name and the name of the one before inside, so that a lost,
damaged or foreign checkpoint is noticed and never gone on from.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augment.errors import DataError, ResumeError
from augment.storage.archive import read_arrays, write_atomically
from md.jobs.heartbeat import Heartbeat

Arrays = Mapping[str, np.ndarray[Any, Any]]

_STATE, _RECORDED = "state_", "recorded_"
_DIGITS = 16
"""Of the hash in a file name; it guards against damage, not against forgery."""


@dataclass(frozen=True, eq=False)
class RunState:
    """Everything that the rest of a run depends on.

    Attributes:
        step: number of steps done.
        arrays: positions, momenta, thermostat variables, random numbers, ..., as the engine names them.
    """

    step: int
    arrays: Arrays


class Checkpoints:
    """The checkpoints of one run in a folder of its own.

    Args:
        folder: where they are; made with the first.
        identity: what the run is, so that another one's are not taken over.
        steps: that the run takes, for word of how far it is between checkpoints (`md.jobs.heartbeat`); none without it.
    """

    def __init__(self, folder: Path, identity: str, steps: int = 0) -> None:
        self._folder, self._identity = folder, identity
        self._last, self._done = "", 0
        self._pulse = Heartbeat(folder, steps) if steps else None

    def write(self, state: RunState, recorded: Arrays) -> None:
        """Add a checkpoint with what was recorded since the last one.

        Raises:
            OSError: it cannot be written; those before it stay.
        """
        buffer = io.BytesIO()
        columns = {f"{_STATE}{name}": array for name, array in state.arrays.items()}
        columns |= {f"{_RECORDED}{name}": array for name, array in recorded.items()}
        origin = {"identity": np.array(self._identity), "before": np.array(self._last), "step": np.array(state.step)}
        np.savez_compressed(buffer, allow_pickle=False, **columns, **origin)
        content = buffer.getvalue()
        name = f"{state.step:012d}-{_digest(content)}.npz"
        write_atomically(self._folder / name, content)
        self._last = name

    def read(self) -> tuple[RunState | None, list[dict[str, np.ndarray[Any, Any]]]]:
        """The newest state, None where there is none, and what was recorded up to it, checkpoint by checkpoint.

        Raises:
            ResumeError: a checkpoint is damaged, missing, or another run's.
        """
        state, recorded = None, []
        for path in sorted(self._folder.glob("[0-9]*.npz")):
            arrays = self._read(path)
            recorded.append(_with_prefix(arrays, _RECORDED))
            state = RunState(int(arrays["step"]), _with_prefix(arrays, _STATE))
            self._last, self._done = path.name, state.step
        return state, recorded

    def watched(self, observe: Callable[..., None]) -> Callable[..., None]:
        """`observe`, which is called at every step from the newest checkpoint on, with word of how far the run is."""
        pulse = self._pulse
        if pulse is None:
            return observe

        def watch(*step: Any) -> None:
            observe(*step)
            self._done += 1
            pulse.beat(self._done)

        return watch

    def _read(self, path: Path) -> dict[str, np.ndarray[Any, Any]]:
        try:
            intact = _digest(path.read_bytes()) == path.stem.partition("-")[2]
            arrays = read_arrays(path) if intact else {}
        except (OSError, DataError) as error:
            raise self._refusal(path, str(error)) from None
        if not intact or not {"before", "identity", "step"} <= arrays.keys():
            raise self._refusal(path, "its content is not what was written")
        if str(arrays["identity"]) != self._identity:
            raise self._refusal(path, "it belongs to another run")
        if str(arrays["before"]) != self._last:
            raise self._refusal(path, f"the one before it, {arrays['before']}, is missing")
        return arrays

    def _refusal(self, path: Path, found: str) -> ResumeError:
        return ResumeError(
            f"{path}: this checkpoint cannot be trusted ({found}); delete {self._folder} to run the point "
            "from its start, or this file and those after it to go on from the one before"
        )

    def remove(self) -> None:
        """Remove them all."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _with_prefix(arrays: Arrays, prefix: str) -> dict[str, np.ndarray[Any, Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]
