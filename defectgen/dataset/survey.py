"""A first look at all frames: one row each, of what is known and measured of them, held by columns."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augment.cell import FloatArray, IntArray
from augment.crystal.contacts import shortest_contacts
from augment.elements import element_symbol
from defectgen.dataset.fields import FIELD_NAMES, FIELDS, MEASURES
from defectgen.dataset.frame import Frame
from defectgen.dataset.periodic_images import NearestImages

if TYPE_CHECKING:
    import pandas as pd

EV_PER_CUBIC_ANGSTROM_IN_GPA = 160.21766208

CLOSE = 1.6
"""Å; pairs of atoms farther apart than this are not looked at, and count as a contact of 1 or more."""

SKETCH = 32
"""Numbers that stand for a geometry: distances of two are off by an eighth (one sigma)."""

_CHUNK = 50_000

Sketch = NDArray[np.float32]


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

    tables: list[pd.DataFrame] = []
    digests: list[int] = []
    sketches: list[Sketch] = []
    images = NearestImages()
    for chunk in _chunks(frames):
        tables.append(_table([_row(frame) for frame in chunk]))
        digests += [_digest(frame) for frame in chunk]
        sketches.append(np.array([sketch(frame, images.positions(frame)) for frame in chunk], dtype=np.float32))
        if progress is not None:
            progress(len(digests))
    empty = np.zeros((0, SKETCH), dtype=np.float32)
    return Survey(
        _joined(tables) if tables else pd.DataFrame(columns=[f.name for f in (*FIELDS, *MEASURES)]),
        np.array(digests, dtype=np.uint64),
        np.concatenate(sketches) if sketches else empty,
    )


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


def _row(frame: Frame) -> list[Any]:
    facts = frame.facts
    return [*map(facts.get, FIELD_NAMES), *_measures(frame)]


def _measures(frame: Frame) -> tuple[object, ...]:
    """The values of `MEASURES` of a frame."""
    n, volume = len(frame), frame.volume
    return (
        frame.charge,
        n,
        composition(frame.numbers),
        None if frame.energy is None else frame.energy / n,
        None if frame.forces is None else float(np.sqrt((frame.forces**2).sum(axis=1).max(initial=0))),
        None if frame.stress is None else -float(frame.stress[:3].mean()) * EV_PER_CUBIC_ANGSTROM_IN_GPA,
        volume / n if volume else None,
        contact(frame),
    )


def composition(numbers: IntArray) -> str:
    """Symbols and counts by atomic number, `O26Mg27`."""
    return _composition(np.asarray(numbers, dtype=np.int64).tobytes())


@lru_cache(maxsize=4096)
def _composition(numbers: bytes) -> str:
    """Many frames have the same atoms."""
    found, counts = np.unique(np.frombuffer(numbers, dtype=np.int64), return_counts=True)
    return "".join(f"{element_symbol(int(z))}{int(k)}" for z, k in zip(found, counts, strict=True))


def contact(frame: Frame) -> float:
    """The closest pair of atoms against the shortest contact of its elements in known crystals, at most 1."""
    from matscipy.neighbours import neighbour_list

    volume = frame.volume
    cell = frame.cell if volume else np.eye(3)
    first, second, distance = neighbour_list(
        "ijd", cutoff=CLOSE, positions=frame.positions, cell=cell, pbc=frame.pbc & bool(volume)
    )
    if len(distance) == 0:
        return 1.0
    shortest = shortest_contacts()[frame.numbers[first], frame.numbers[second]]
    return min(1.0, float((distance / shortest).min()))


def _digest(frame: Frame) -> int:
    """A hash of geometry and labels: equal for copies, whatever folder they come from."""
    digest = hashlib.blake2b(digest_size=8)
    for array in (frame.numbers, frame.positions, frame.cell, frame.forces):
        digest.update(np.ascontiguousarray(array).tobytes() if array is not None else b"none")
    digest.update(repr((frame.energy, frame.charge)).encode())
    return int.from_bytes(digest.digest(), "little")


def sketch(frame: Frame, positions: FloatArray | None = None) -> FloatArray:
    """(`SKETCH`,) projection of a geometry, so that distances of two of n atoms are kept within a quarter.

    The geometry is the 3 n positions without their mean, and the lattice vectors, in Å: two frames are as far apart as
    all their atoms have moved together, (sum of |Δr|²)^1/2. Random projections keep distances (Johnson and
    Lindenstrauss, Contemp. Math. 26, 189 (1984)); the same frame has the same sketch in every process.

    Args:
        frame: the frame.
        positions: (n, 3) its atoms in other periodic images, Å; by default as they stand there.
    """
    positions = frame.positions if positions is None else positions
    centred = positions - positions.mean(axis=0)
    geometry = np.concatenate([centred.ravel(), frame.cell.ravel()])
    projected: FloatArray = geometry @ _projection(len(geometry))
    return projected


@lru_cache(maxsize=32)
def _projection(size: int) -> FloatArray:
    """(size, `SKETCH`) random projection, or the identity where that is enough."""
    if size <= SKETCH:
        return np.eye(size, SKETCH)
    return np.random.default_rng(size).normal(scale=SKETCH**-0.5, size=(size, SKETCH))


def _table(rows: list[list[Any]]) -> pd.DataFrame:
    import pandas as pd

    columns = zip(*rows, strict=True)
    typed = {f.name: _column(f.kind, column) for f, column in zip((*FIELDS, *MEASURES), columns, strict=True)}
    return pd.DataFrame(typed, copy=False)


def _column(kind: str, values: Iterable[Any]) -> Any:
    """A column of one kind; what is not known is missing."""
    import pandas as pd

    if kind == "text":
        return pd.Categorical([None if v is None else str(v) for v in values])
    if kind == "number":
        return np.array([np.nan if v is None else v for v in values], dtype=float)
    return pd.array(list(values), dtype="Int64" if kind == "integer" else "boolean")


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd
    from pandas.api.types import union_categoricals

    columns: dict[str, Any] = {}
    for field in (*FIELDS, *MEASURES):
        parts = [table.pop(field.name) for table in tables]  # each is given back when it is joined
        joined = union_categoricals(parts) if field.kind == "text" else pd.concat(parts, ignore_index=True)
        columns[field.name] = joined
    return pd.DataFrame(columns, copy=False)
