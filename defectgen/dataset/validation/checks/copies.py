"""Copies: frames that are there twice, hardly differ, or give the same geometry other labels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from augment.cell import IntArray
from defectgen.dataset.duplicates import Mask, exact_copies, near_copies
from defectgen.dataset.settings import NEAR
from defectgen.dataset.validation.finding import Finding
from defectgen.dataset.validation.observations import Observations

SAME_ENERGY = 1e-3
"""eV an atom; one geometry with energies farther apart than this was labelled by two methods, or badly."""

_ROUNDING = np.array([2e-6, 1e-6, 1e-3, 1e-3, 1e-4])
"""How exactly such copies agree in energy (eV an atom), volume (Å³ an atom), the sum over the lengths of forces, that
over their squares, and the longest (eV/Å)."""

_RELATIVE = np.array([1e-9, 1e-6, 1e-5, 1e-5, 1e-5])
"""The same, relative to their size."""

_LEAST_FORCE = 1e-3
"""eV/Å an atom; where forces are smaller than this two structures can agree in them by symmetry."""


def duplicates(seen: Observations) -> Iterator[Finding]:
    """Frames that another one says already."""
    every = np.ones(len(seen), dtype=bool)
    exact = exact_copies(seen.survey, every)
    near = near_copies(seen.survey, every & ~exact, NEAR)
    moved = equivalent_copies(seen) & ~exact & ~near
    for mask, selected, what in (
        (exact, True, "are exact copies of an earlier frame"),
        (near, True, f"are within {NEAR:g} Å, over all atoms, of another frame of the same composition"),
        (moved, False, "are an earlier frame with its atoms in another order, place or orientation"),
    ):
        if mask.any():
            yield seen.fault(
                "duplicates",
                "warning",
                f"{{}} {what}",
                "they weight what they show, and errors on them mean little; `defectgen clean` leaves them out",
                mask,
                droppable=not selected,
            )


def contradictions(seen: Observations) -> Iterator[Finding]:
    """One geometry with several energies."""
    energy = seen.survey.table["energy_per_atom"].to_numpy(dtype=float)
    groups = same_geometry(seen)
    bad = np.zeros(len(seen), dtype=bool)
    for group in groups:
        known = energy[group][~np.isnan(energy[group])]
        if len(known) > 1 and np.ptp(known) > SAME_ENERGY:
            bad[group] = True
    if bad.any():
        yield seen.fault(
            "contradictions",
            "error",
            f"{{}} have the geometry of another frame and an energy that differs by more than {SAME_ENERGY:g} eV an "
            "atom",
            "find out which label is right; `defectgen clean` leaves all of them out",
            bad,
            droppable=True,
        )


def same_geometry(seen: Observations) -> list[IntArray]:
    """The frames of each geometry that is there more than once, charges and spins apart."""
    charge = seen.survey.table["charge"].fillna(0).to_numpy(dtype=np.int64)
    keys = np.stack([seen.geometries, charge.astype(np.uint64)], axis=1)
    _, codes, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    codes = codes.ravel()
    repeated = np.flatnonzero(counts[codes] > 1)
    order = repeated[np.argsort(codes[repeated], kind="stable")]
    parts = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    return [part for part in parts if len(part)]


def equivalent_copies(seen: Observations) -> Mask:
    """(n,) frames that agree with an earlier one in all that order, origin and orientation do not change."""
    groups = equivalent_groups(seen)
    copies = np.zeros(len(seen), dtype=bool)
    first = np.zeros(groups.max(initial=-1) + 1, dtype=bool)
    for index in range(len(seen)):
        group = groups[index]
        if group >= 0:
            copies[index] = first[group]
            first[group] = True
    return copies


def equivalent_groups(seen: Observations) -> NDArray[np.int64]:
    """(n,) number of a set of frames with the same composition, volume, energy and lengths of forces; -1 for none.

    These do not depend on the order of the atoms, the origin, the images that atoms are given in, or a rotation.
    """
    table, columns = seen.survey.table, seen.columns
    n = table["n_atoms"].to_numpy(dtype=float)
    energy = table["energy_per_atom"].to_numpy(dtype=float)
    volume = np.nan_to_num(table["volume_per_atom"].to_numpy(dtype=float))
    usable = ~np.isnan(energy) & (columns["force_sum"] > _LEAST_FORCE * n)
    longest = np.nan_to_num(table["max_force"].to_numpy(dtype=float))
    features = np.stack([energy, volume, columns["force_sum"], columns["force_squares"], longest], axis=1)
    order = np.lexsort((energy, seen.compositions, ~usable))[: int(usable.sum())]
    rows, kinds = features[order], seen.compositions[order]
    close = np.abs(np.diff(rows, axis=0)) <= _ROUNDING + _RELATIVE * np.abs(rows[1:])
    linked = close.all(axis=1) & (np.diff(kinds) == 0)
    groups = np.full(len(seen), -1, dtype=np.int64)
    numbers = np.cumsum(np.concatenate([[0], ~linked])) if len(order) else np.zeros(0, dtype=np.int64)
    in_group = np.concatenate([linked, [False]]) | np.concatenate([[False], linked]) if len(order) else numbers > 0
    groups[order[in_group]] = numbers[in_group]
    return groups
