"""A first look at all frames: one row each, of what is known and measured of them, held by columns."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augment.cell import FloatArray, IntArray
from augment.elements import element_symbol
from defectgen.dataset.alike import SKETCH, AlikeFrames, NearestImages, alike_frames, closest_contacts, sketches
from defectgen.dataset.columns import column_of
from defectgen.dataset.fields import FIELD_NAMES, FIELDS, MEASURES
from defectgen.dataset.frame import Frame

if TYPE_CHECKING:
    import pandas as pd

EV_PER_CUBIC_ANGSTROM_IN_GPA = 160.21766208

_CHUNK = 50_000

Sketch = NDArray[np.float32]
Groups = Sequence[tuple[NDArray[np.intp], AlikeFrames]]
"""Of the frames of a chunk that are alike, with their places in it."""


@dataclass(frozen=True, eq=False)
class Survey:
    """What is known of every frame of some sources, in their order.

    Attributes:
        table: one row a frame, with the names of `FIELDS` and `MEASURES` as columns; text is categorical.
        digests: (n,) hash of each geometry with its labels, equal for equal frames.
        sketches: (n, `SKETCH`) projections of each geometry; distances between frames of one parent, Å.
    """

    table: pd.DataFrame
    digests: NDArray[np.uint64]
    sketches: Sketch

    def __len__(self) -> int:
        return len(self.table)


def survey_frames(frames: Iterable[Frame], progress: Callable[[int], None] | None = None) -> Survey:
    """Look at every frame once.

    Args:
        frames: in their order; none is kept.
        progress: called with the number of frames so far.
    """
    import pandas as pd

    columns = {field.name: column_of(field.kind) for field in (*FIELDS, *MEASURES)}
    digests: list[NDArray[np.uint64]] = [np.zeros(0, dtype=np.uint64)]
    found: list[Sketch] = [np.zeros((0, SKETCH), dtype=np.float32)]
    images, done = NearestImages(), 0
    for chunk in _chunks(frames):
        groups = list(alike_frames(chunk))
        facts = ([frame.facts.get(name) for frame in chunk] for name in FIELD_NAMES)
        for column, values in zip(columns.values(), (*facts, *_measures(chunk, groups)), strict=True):
            column.extend(values)
        digests.append(np.array([_digest(frame) for frame in chunk], dtype=np.uint64))
        found.append(_gathered(groups, lambda group: sketches(group, images.positions(group))))
        done += len(chunk)
        if progress is not None:
            progress(done)
    table = pd.DataFrame({name: column.joined() for name, column in columns.items()}, copy=False)
    return Survey(table, np.concatenate(digests), np.concatenate(found))


def _chunks(frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    """The frames in lists short enough to hold; long enough that a table of each costs little."""
    chunk: list[Frame] = []
    atoms = 0
    for frame in frames:
        chunk.append(frame)
        atoms += len(frame)
        if atoms > _CHUNK:
            yield chunk
            chunk, atoms = [], 0
    if chunk:
        yield chunk


def _gathered(groups: Groups, measure: Callable[[AlikeFrames], NDArray[Any]]) -> NDArray[Any]:
    """A measure of every frame of a chunk, in its order."""
    values = np.concatenate([measure(group) for _, group in groups])
    places = np.concatenate([where for where, _ in groups])
    found = np.empty_like(values)
    found[places] = values
    return found


def _measures(frames: Sequence[Frame], groups: Groups) -> list[Any]:
    """The columns of `MEASURES`."""
    atoms = np.array([len(frame) for frame in frames])
    volume = _gathered(groups, lambda group: group.volumes)
    energy = np.array([np.nan if frame.energy is None else frame.energy for frame in frames], dtype=float)
    tension = [np.nan if frame.stress is None else frame.stress[:3].sum() / 3 for frame in frames]
    with np.errstate(divide="ignore", invalid="ignore"):
        return [
            [frame.charge for frame in frames],
            atoms.tolist(),
            [composition(frame.numbers) for frame in frames],
            energy / atoms,
            _longest_forces(frames),
            -np.array(tension) * EV_PER_CUBIC_ANGSTROM_IN_GPA,
            np.where(volume > 0, volume / atoms, np.nan),
            _gathered(groups, closest_contacts),
        ]


def _longest_forces(frames: Sequence[Frame]) -> FloatArray:
    """(k,) length of the longest force of each frame, eV/Å; NaN without forces, 0 without atoms."""
    found = np.array([np.nan if frame.forces is None else 0.0 for frame in frames])
    some = [k for k, frame in enumerate(frames) if frame.forces is not None and len(frame)]
    if some:
        forces = [np.asarray(frames[k].forces) for k in some]
        squares = (np.concatenate(forces) ** 2).sum(axis=1)
        starts = np.cumsum([0, *(len(rows) for rows in forces[:-1])])
        found[some] = np.sqrt(np.maximum.reduceat(squares, starts))
    return found


def composition(numbers: IntArray) -> str:
    """Symbols and counts by atomic number, `O26Mg27`."""
    return _composition(np.asarray(numbers, dtype=np.int64).tobytes())


@lru_cache(maxsize=4096)
def _composition(numbers: bytes) -> str:
    """Many frames have the same atoms."""
    found, counts = np.unique(np.frombuffer(numbers, dtype=np.int64), return_counts=True)
    return "".join(f"{element_symbol(int(z))}{int(k)}" for z, k in zip(found, counts, strict=True))


def _digest(frame: Frame) -> int:
    """A hash of geometry and labels: equal for copies, whatever folder they come from."""
    digest = hashlib.blake2b(digest_size=8)
    for array in (frame.numbers, frame.positions, frame.cell, frame.forces):
        digest.update(np.ascontiguousarray(array).tobytes() if array is not None else b"none")
    digest.update(repr((frame.energy, frame.charge)).encode())
    return int.from_bytes(digest.digest(), "little")
