"""Where a search begins: the same atoms of a defect in many geometries, each kind in its turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.defect import Defect
from augment.distort import bond_distorted, mode_distorted, rattle, shortest_distance
from augment.errors import ConditionError
from defectgen.ground_states.rearranged import rearranged

__all__ = ["SOURCES", "Start", "distorted_starts", "in_turn"]

SOURCES = (
    "ideal", "diffusion", "carried over", "dimer", "split vacancy", "split interstitial", "other void",
    "neighbour jumped in", "off centre", "bond distortion", "mode", "rattle",
)  # fmt: skip
"""Kinds of start; the first of each come first."""

MIN_START_DISTANCE = 0.45
"""Of the shortest distance in the crystal, that of cation and anion in most: dimers of like atoms are shorter."""

_RATTLE = 0.1
"""Å, standard deviation."""


@dataclass(frozen=True, eq=False)
class Start:
    """A geometry to begin with.

    Attributes:
        source: its kind, one of `SOURCES`.
        name: which of that kind.
        cell: the geometry, its atoms in the order of the ideal cell.
    """

    source: str
    name: str
    cell: DefectCell


def distorted_starts(defect: Defect, carried: Sequence[FloatArray], seed: int) -> dict[str, Iterator[Start]]:
    """Starts by kind, without those of the model; geometries in which atoms overlap are left out.

    Args:
        defect: in the relaxed host.
        carried: displacements (n, 3), Å, of minima of other defects on the same sites.
        seed: of everything random.
    """
    ideal = defect.cell()
    limit = MIN_START_DISTANCE * shortest_distance(defect.supercell.bulk_cell())

    def start(source: str, name: str, positions: FloatArray) -> Start | None:
        cell = ideal.with_geometry(positions, geometry="start", source=source, start=name)
        # One that is ideal may have atoms as near as this.
        return Start(source, name, cell) if shortest_distance(cell) >= min(limit, shortest_distance(ideal)) else None

    def made(each: Iterator[tuple[str, str, FloatArray]]) -> Iterator[Start]:
        return (one for one in (start(*item) for item in each) if one is not None)

    first = [(kind, name, positions) for kind, name, positions in rearranged(defect)]
    found = {"ideal": made(iter([("ideal", "sites of the host", ideal.positions)]))}
    for kind in dict.fromkeys(kind for kind, _, _ in first):
        found[kind] = made(iter([item for item in first if item[0] == kind]))
    bonds = list(_bonds(defect, seed))
    for kind in ("dimer", "bond distortion"):
        found[kind] = made(iter([item for item in bonds if item[0] == kind]))
    found["carried over"] = made(("carried over", str(i), ideal.positions + u) for i, u in enumerate(carried))
    found["mode"] = made(_modes(defect, seed))
    found["rattle"] = made(_rattles(ideal, seed))
    return found


def _bonds(defect: Defect, seed: int) -> Iterator[tuple[str, str, FloatArray]]:
    """ShakeNBreak's distortions, the strong ones first; weak ones end where the ideal sites do."""
    try:
        each = [
            (copies.labels[int(copies.label[i])].kind, copies[i])
            for copies in bond_distorted(defect, seed=seed)
            for i in range(len(copies))
        ]
    except ConditionError:
        return  # no neighbour moves
    by_strength = sorted(each, key=lambda pair: (not pair[0].startswith("dimer"), -abs(_percent(pair[0]) + 5)))
    for name, cell in by_strength:
        yield "dimer" if name.startswith("dimer") else "bond distortion", name, cell.positions


def _percent(name: str) -> float:
    """Of `bond -40%`; squeezed ones count a little more than stretched ones of the same size."""
    digits = "".join(c for c in name if c.isdigit() or c in "+-.")
    return float(digits) if digits.strip("+-.") else 0.0


def _modes(defect: Defect, seed: int) -> Iterator[tuple[str, str, FloatArray]]:
    k = 0
    while True:
        try:
            copies = next(mode_distorted(defect, 1, seed, start=k, amplitude=(0.3, 0.6)))
        except ConditionError:
            return  # its symmetry lets nothing move
        yield "mode", copies.labels[int(copies.label[0])].irrep, copies[0].positions
        k += 1


def _rattles(ideal: DefectCell, seed: int) -> Iterator[tuple[str, str, FloatArray]]:
    k = 0
    while True:
        draw = int(np.random.default_rng([seed, 17, k]).integers(2**31))
        try:
            yield "rattle", str(k), rattle(ideal, _RATTLE, draw).positions
        except ConditionError:
            return  # atoms are as near as they may be
        k += 1


_TRIES = 8
"""A kind of start that gives nothing new in so many tries has nothing new."""


def in_turn(
    by_kind: dict[str, Iterator[Start]], count: int, differ: Callable[[DefectCell, Sequence[DefectCell]], bool]
) -> list[Start]:
    """So many starts, one of each kind after the other until there are enough; those that differ from all before.

    Args:
        by_kind: starts of each kind; some go on without end.
        count: how many.
        differ: whether a cell is none of some others.
    """
    chosen: list[Start] = []
    open_kinds = [kind for kind in SOURCES if kind in by_kind]
    while open_kinds and len(chosen) < count:
        for kind in list(open_kinds):
            fresh = (s for s in islice(by_kind[kind], _TRIES) if differ(s.cell, [c.cell for c in chosen]))
            start = next(fresh, None)
            if start is None:
                open_kinds.remove(kind)
            elif len(chosen) < count:
                chosen.append(start)
    return chosen
