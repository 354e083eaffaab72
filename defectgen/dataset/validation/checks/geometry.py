"""Geometry: atoms that overlap, frames without a cell, and boundary conditions that do not fit together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from augment.cell import FloatArray, IntArray
from defectgen.dataset.validation.finding import Finding
from defectgen.dataset.validation.observations import Observations

OVERLAP, COLLISION = 0.5, 0.2
"""Shares of the shortest contact in known crystals: below the first atoms are closer than in any structure at rest or
hot, below the second they sit on one another."""

_PERIODIC = 7
_RANK = 3


def overlaps(seen: Observations) -> Iterator[Finding]:
    """Frames in which atoms are closer than they can be."""
    contact = seen.survey.table["contact"].to_numpy(dtype=float)
    for severity, mask in (("error", contact < COLLISION), ("warning", (contact < OVERLAP) & (contact >= COLLISION))):
        if mask.any():
            yield seen.fault(
                "overlapping atoms",
                severity,  # type: ignore[arg-type]
                f"{{}} have atoms closer than {COLLISION if severity == 'error' else OVERLAP:g} of the shortest "
                f"contact of their elements in known crystals; the closest pair is at {contact[mask].min():.2g} of it",
                "leave them out, unless the repulsion at short range is to be learnt",
                mask,
            )


def lattices(seen: Observations) -> Iterator[Finding]:
    """Frames without a cell where others have one, periodic ones without lattice vectors, several kinds of pbc."""
    periodic: IntArray = seen.columns["periodic"].astype(np.int64)
    rank = seen.columns["cell"]
    missing = (rank < _RANK) & (periodic == _PERIODIC)
    if missing.any():
        yield seen.fault(
            "cells",
            "error",
            "{} are periodic and have no cell of three independent vectors",
            'write the lattice, or pbc="F F F"',
            missing,
            droppable=True,
        )
    bare = (rank == 0) & ~missing
    if bare.any():
        yield seen.fault(
            "cells",
            "note" if bare.all() else "warning",
            "{} have no cell" + ("" if bare.all() else "; the others have one"),
            "right for molecules; check that no lattice was lost" if bare.all() else "check that no lattice was lost",
            bare,
        )
    yield from _mixed(seen, periodic, rank)


def _mixed(seen: Observations, periodic: IntArray, rank: FloatArray) -> Iterator[Finding]:
    kinds, counts = np.unique(periodic, return_counts=True)
    if len(kinds) > 1:
        fewest = periodic != kinds[counts.argmax()]
        shown = ", ".join(f"{_flags(int(k))} ({c})" for k, c in zip(kinds, counts, strict=True))
        yield seen.fault(
            "boundary conditions",
            "warning",
            f"several boundary conditions: {shown}; {{}} have another than most",
            "some trainers take those of the first frame for all; check that each is meant",
            fewest,
        )
    open_stress = seen.has("stress", "REF_stress") & ((periodic != _PERIODIC) | (rank < _RANK))
    if open_stress.any():
        yield seen.fault(
            "boundary conditions",
            "warning",
            "{} have a stress and are not periodic in three directions",
            "a stress needs a volume: remove it, or write the cell and pbc",
            open_stress,
        )


def _flags(kind: int) -> str:
    return " ".join("T" if kind >> axis & 1 else "F" for axis in range(_RANK))


def net_forces(seen: Observations) -> Iterator[Finding]:
    """Frames whose forces do not add up to nothing: external fields, noise, or forces of only some atoms."""
    pushed = np.nan_to_num(seen.columns["net_force"]) > MAX_NET_FORCE
    if pushed.any():
        yield seen.fault(
            "net forces",
            "warning",
            f"{{}} have a net force above {MAX_NET_FORCE:g} eV/Å an atom",
            "no potential can learn it: check fixed atoms, external fields, the unit and the order of the forces",
            pushed,
        )


MAX_NET_FORCE = 0.05
"""eV/Å an atom; the grid of DFT codes gives a hundredth of it."""
