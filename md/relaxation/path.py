"""The path of a relaxation as records: its end, and geometries on the way that are spread evenly in energy.

A relaxation evaluates tens of geometries, most of them near its end. A training set wants some of them: the start,
and others as far apart in energy as they can be, so that none repeats another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.errors import DataError
from md.labels.frames import Frames, frames_from_arrays
from md.labels.record import Record

RelaxStatus = Literal["converged", "not_converged", "diverged"]

MIN_ENERGY_GAP = 1e-3
"""eV between geometries of a path that are worth keeping beside each other: what a relaxation may leave itself."""

_END_KINDS: dict[RelaxStatus, str] = {
    "converged": "relaxed",
    "not_converged": "unconverged",
    "diverged": "diverged",
}
"""Config types of ends."""

PATH_KIND = "relaxation_path"
"""Config type of the geometries on the way."""


def spread_steps(energies: FloatArray, count: int) -> IntArray:
    """Places of up to `count` geometries of a path, the first among them and the last not, spread evenly in energy.

    After the first each is the one whose energy is farthest from those of the end and of all chosen before, the
    earlier of two. None is nearer than 1 meV to one of them, so there may be fewer.

    Args:
        energies: (k,) of the path, eV, the end last.
        count: how many.
    """
    values = np.asarray(energies, dtype=float)
    if len(values) < 2 or count < 1:  # noqa: PLR2004  a path has two ends
        return np.zeros(0, dtype=np.int64)
    chosen = [0]
    gaps = np.abs(values[:-1, None] - values[[-1, 0]]).min(axis=1)
    while len(chosen) < count and gaps.max() >= MIN_ENERGY_GAP:
        chosen.append(int(gaps.argmax()))
        gaps = np.minimum(gaps, np.abs(values[:-1] - values[chosen[-1]]))
    return np.array(sorted(chosen), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class RelaxationPath:
    """The stored geometries of a relaxation, with the end last.

    Attributes:
        frames: k geometries; none where not even the start passed the guards.
        steps: (k,) step of each, 0 of the start.
        status: how the relaxation ended.
        provenance: JSON values that every record of it says: who made the labels, and how.
    """

    frames: Frames
    steps: IntArray
    status: RelaxStatus
    provenance: Mapping[str, object]

    def __post_init__(self) -> None:
        if len(self.steps) != len(self.frames) or self.status not in get_args(RelaxStatus):
            raise DataError(
                f"relaxation of {self.frames.start.name}: {len(self.steps)} steps of {len(self.frames)} geometries, "
                f"ended as {self.status!r}"
            )

    @property
    def end(self) -> Record | None:
        """The last good geometry, of config type `relaxed`, `unconverged` or `diverged`; None where there is none."""
        return self._record(len(self.frames) - 1, _END_KINDS[self.status]) if len(self.frames) else None

    def every(self) -> list[Record]:
        """Every geometry, the end too, of config type `relaxation_path`."""
        return [self._record(index, PATH_KIND) for index in range(len(self.frames))]

    def spread(self, count: int) -> list[Record]:
        """Up to `count` geometries before the end, spread evenly in energy (`spread_steps`), the start among them.

        Where the start was not kept there are none.
        """
        if len(self.frames) == 0 or self.steps[0] != 0:
            return []
        return [self._record(int(index), PATH_KIND) for index in spread_steps(self.frames.energies, count)]

    def _record(self, index: int, kind: str) -> Record:
        where = {"status": self.status, "step": int(self.steps[index])}
        return self.frames.record(index, kind, {**self.provenance, **where})


def path_from_arrays(arrays: Mapping[str, np.ndarray[Any, Any]], where: str) -> RelaxationPath:
    """The path in the archive of a relaxation (`Relaxation.to_arrays`), which needs no potential.

    Archives of older versions do not say who made them: what is known besides goes into `provenance`.

    Args:
        arrays: the columns.
        where: names the source in errors.

    Raises:
        DataError: a column is missing or damaged.
    """
    try:
        status, _, settings, *made_by = json.loads(str(arrays["outcome"]))
        steps = kept_steps(arrays, len(arrays["step_energies"]), len(arrays["energies"]))
    except (KeyError, ValueError) as error:
        raise DataError(f"{where}: not an archive of a relaxation ({error})") from None
    provenance = {**(made_by[0] if made_by else {}), "relaxation": settings}
    return RelaxationPath(frames_from_arrays(arrays, where), steps, status, provenance)


def kept_steps(arrays: Mapping[str, np.ndarray[Any, Any]], taken: int, kept: int) -> IntArray:
    """Steps of the frames in an archive; older ones hold all of them or the last alone, and say nothing."""
    if "frame_steps" in arrays:
        return np.asarray(arrays["frame_steps"], dtype=np.int64)
    return np.arange(taken - kept, taken, dtype=np.int64)
