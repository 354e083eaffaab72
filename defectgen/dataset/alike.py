"""Frames with the same atoms in the same order, measured together: hundreds cost little more than one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from augment.cell import FloatArray, IntArray
from augment.crystal.contacts import shortest_contacts
from defectgen.dataset.frame import Frame

CLOSE = 1.6
"""Å; pairs of atoms farther apart than this are not looked at, and count as a contact of 1 or more."""

SKETCH = 32
"""Numbers that stand for a geometry: distances of two are off by an eighth (one sigma)."""

_MAX_PAIRED_ATOMS = 256
"""Of more atoms a neighbour list is faster than all pairs."""

_PAIRS = 1_000_000
"""That are looked at together."""

_ROUNDING = 1e-4
"""Of single precision in the filter of pairs; what it lets pass too many is measured exactly."""


MAX_REFERENCE_ATOMS = 2_000_000
"""Atoms of all references together, 50 MB; frames of further kinds stay as they are wrapped."""


@dataclass(frozen=True, eq=False)
class AlikeFrames:
    """Geometries of the same atoms.

    Attributes:
        numbers: (n,) atomic numbers.
        pbc: (3,) along which lattice vectors they repeat; along none without a volume.
        positions: (k, n, 3) Å.
        cells: (k, 3, 3) lattice vectors as rows, Å.
        volumes: (k,) Å³; of all 0, or of none.
    """

    numbers: IntArray
    pbc: NDArray[np.bool_]
    positions: FloatArray
    cells: FloatArray
    volumes: FloatArray

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def fractional(self) -> FloatArray:
        """(k, n, 3) positions in lattice vectors; only where there is a volume."""
        found: FloatArray = self.positions @ np.linalg.inv(self.cells)
        return found


def alike_frames(frames: Sequence[Frame]) -> Iterator[tuple[NDArray[np.intp], AlikeFrames]]:
    """Groups of frames that are alike, each with the places (k,) of its frames among those given."""
    cells = np.array([frame.cell for frame in frames]).reshape(-1, 3, 3)
    volumes = np.abs(np.linalg.det(cells))
    groups: dict[tuple[bytes, bytes, bool], list[int]] = {}
    for place, (frame, volume) in enumerate(zip(frames, volumes.tolist(), strict=True)):
        groups.setdefault((frame.numbers.tobytes(), frame.pbc.tobytes(), volume > 0), []).append(place)
    for (_, _, periodic), members in groups.items():
        places, first = np.array(members), frames[members[0]]
        positions = np.array([frames[place].positions for place in members])
        yield places, AlikeFrames(first.numbers, first.pbc & periodic, positions, cells[places], volumes[places])


class NearestImages:
    """Positions of frames in the images nearest to the first frame with the same atoms in the same order.

    Codes of dynamics put atoms that cross a face back at the other, or do not; two frames that are the same but for
    that have the same positions here, up to a translation of the whole.
    """

    def __init__(self) -> None:
        self._references: dict[bytes, FloatArray] = {}
        self._atoms = 0

    def positions(self, frames: AlikeFrames) -> FloatArray:
        """(k, n, 3) positions, Å; those of the frames where they have no periodic cell."""
        if not frames.pbc.any():
            return frames.positions
        fractional = frames.fractional
        reference = self._reference(frames.numbers, fractional[0])
        if reference is None:
            return frames.positions
        apart = fractional - reference
        # The translation of the whole, as the direction of the mean of all phases: it knows no images.
        shift = np.angle(np.exp(2j * np.pi * apart).sum(axis=1, keepdims=True)) / (2 * np.pi)
        moved: FloatArray = (fractional - np.where(frames.pbc, np.round(apart - shift), 0.0)) @ frames.cells
        return moved

    def _reference(self, numbers: IntArray, first: FloatArray) -> FloatArray | None:
        """Fractional coordinates of the first frame with some atoms, with which all are compared; None past a limit."""
        kind = numbers.tobytes()
        if kind not in self._references and self._atoms + len(numbers) <= MAX_REFERENCE_ATOMS:
            self._references[kind] = first
            self._atoms += len(numbers)
        return self._references.get(kind)


def closest_contacts(frames: AlikeFrames) -> FloatArray:
    """(k,) the closest pair of each against the shortest contact of its elements in known crystals, at most 1."""
    found = np.ones(len(frames))
    pairwise = _pairwise(frames)
    for place in np.flatnonzero(~pairwise):
        found[place] = _by_neighbour_list(frames, int(place))
    rows = max(1, _PAIRS // max(1, len(frames.numbers)) ** 2)
    chosen = np.flatnonzero(pairwise)
    for start in range(0, len(chosen), rows):
        block = chosen[start : start + rows]
        found[block] = _by_all_pairs(frames, block)
    return found


def _pairwise(frames: AlikeFrames) -> NDArray[np.bool_]:
    """(k,) in which frames two atoms are within `CLOSE` in one periodic image at most, and none is near its own."""
    if len(frames.numbers) > _MAX_PAIRED_ATOMS or not frames.volumes.all():
        return np.zeros(len(frames), dtype=bool)
    heights = 1 / np.linalg.norm(np.linalg.inv(frames.cells), axis=1)
    few: NDArray[np.bool_] = (heights > 2 * CLOSE).all(axis=1)
    return few


def _by_neighbour_list(frames: AlikeFrames, place: int) -> float:
    from matscipy.neighbours import neighbour_list

    cell = frames.cells[place] if frames.volumes[place] else np.eye(3)
    first, second, distance = neighbour_list(
        "ijd", cutoff=CLOSE, positions=frames.positions[place], cell=cell, pbc=frames.pbc
    )
    shortest = shortest_contacts()[frames.numbers[first], frames.numbers[second]]
    return float((distance / shortest).min(initial=1.0))


def _by_all_pairs(frames: AlikeFrames, block: NDArray[np.intp]) -> FloatArray:
    """(block,) closest contacts; of the pairs that a matrix product says may be close the distance is taken."""
    cells = frames.cells[block]
    inverse = np.asarray(np.linalg.inv(cells), dtype=float)
    fractional = frames.positions[block] @ inverse
    which, first, second = np.nonzero(_may_be_close(fractional, inverse))
    apart = fractional[which, first] - fractional[which, second]
    apart -= np.where(frames.pbc, np.round(apart), 0.0)
    distance = np.linalg.norm(np.einsum("pi,pij->pj", apart, cells[which]), axis=1)
    ratio = distance / shortest_contacts()[frames.numbers[first], frames.numbers[second]]
    found = np.ones(len(block))
    np.minimum.at(found, which, np.where(distance < CLOSE, ratio, 1.0))
    return found


def _may_be_close(fractional: FloatArray, inverse: FloatArray) -> NDArray[np.bool_]:
    """(k, n, n) pairs that may be within `CLOSE`, each once; none that is goes missing.

    With h_i the distances of lattice planes, u_i their unit normals and f_i the fractional coordinates of a pair's
    distance d, sum_i h_i^2 (1 - cos 2 pi f_i) / 2 pi^2 <= sum_i (h_i f_i)^2 = d (sum_i u_i u_i^T) d, which knows no
    periodic images, and whose cosines are a product of two matrices.
    """
    heights = 1 / np.linalg.norm(inverse, axis=1)
    normals = inverse * heights[:, None, :]
    largest = np.linalg.eigvalsh(normals @ normals.transpose(0, 2, 1))[:, -1]
    weight = (heights**2).sum(axis=1)
    least = weight * (1 - _ROUNDING) - 2 * np.pi**2 * largest * CLOSE**2
    angles = (2 * np.pi * fractional).astype(np.float32)
    phases = np.concatenate([np.cos(angles), np.sin(angles)], axis=2)
    phases *= np.tile(heights, 2)[:, None, :].astype(np.float32)
    cosines = phases @ phases.transpose(0, 2, 1)
    near: NDArray[np.bool_] = cosines > least[:, None, None].astype(np.float32)
    return near & _each_pair_once(fractional.shape[1])


@lru_cache(maxsize=32)
def _each_pair_once(n: int) -> NDArray[np.bool_]:
    return np.triu(np.ones((n, n), dtype=bool), k=1)


def sketches(frames: AlikeFrames, positions: FloatArray | None = None) -> NDArray[np.float32]:
    """(k, `SKETCH`) projections of geometries, so that distances of two of n atoms are kept within a quarter.

    A geometry is the 3 n positions without their mean, and the lattice vectors, in Å: two frames are as far apart as
    all their atoms have moved together, (sum of |Δr|²)^1/2. Random projections keep distances (Johnson and
    Lindenstrauss, Contemp. Math. 26, 189 (1984)); the same frame has the same sketch in every process.

    Args:
        frames: the frames.
        positions: (k, n, 3) their atoms in other periodic images, Å; by default as they stand there.
    """
    positions = frames.positions if positions is None else positions
    centred = positions - positions.mean(axis=1, keepdims=True)
    k = len(frames)
    geometry = np.concatenate([centred.reshape(k, -1), frames.cells.reshape(k, -1)], axis=1)
    return (geometry @ _projection(geometry.shape[1])).astype(np.float32)


@lru_cache(maxsize=32)
def _projection(size: int) -> FloatArray:
    """(size, `SKETCH`) random projection, or the identity where that is enough."""
    if size <= SKETCH:
        return np.eye(size, SKETCH)
    return np.random.default_rng(size).normal(scale=SKETCH**-0.5, size=(size, SKETCH))
