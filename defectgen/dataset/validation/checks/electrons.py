"""Charges, spins and magnetic moments: whether all frames say them, once, and in numbers that trainers take."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from defectgen.dataset.validation.finding import Finding
from defectgen.dataset.validation.observations import SPIN_NAMES, Observations

INTEGER = 1e-3
"""e; a charge nearer to an integer than this is one."""


def charges(seen: Observations) -> Iterator[Finding]:
    """Charges that contradict each other, are no integers, or are there in some frames only."""
    first, second = seen.columns["charge"], seen.columns["total_charge"]
    differ = np.nan_to_num(np.abs(first - second)) > INTEGER
    if differ.any():
        yield seen.fault(
            "charges",
            "error",
            "{} have a charge and another total_charge: MACE reads total_charge, fairchem charge",
            "write the right one under both names",
            differ,
            droppable=True,
        )
    broken = np.zeros(len(seen), dtype=bool)
    for values in (first, second):
        broken |= np.nan_to_num(np.abs(values - np.round(values))) > INTEGER
    if broken.any():
        yield seen.fault(
            "charges",
            "warning",
            "{} have a charge that is no integer",
            "total charges are integers in e; charges of atoms belong into another column",
            broken,
        )
    text = seen.columns["bad_charge"] > 0
    if text.any():
        yield seen.fault("charges", "error", "{} have a charge that is no finite number", "write it as 1 or -2", text)
    yield from _partly(seen, ("charge", "total_charge"), "charge", "charges")


def magnetism(seen: Observations) -> Iterator[Finding]:
    """Spins and magnetic moments that some frames have."""
    for name in SPIN_NAMES:
        yield from _partly(seen, (name,), name, "magnetic fields")


def _partly(seen: Observations, names: tuple[str, ...], what: str, check: str) -> Iterator[Finding]:
    has = seen.has(*names)
    if has.any() and not has.all():
        yield seen.fault(
            check,
            "warning",
            f"{{}} have no {what}; the others have one",
            "write it in all frames: what is not there is taken for 0, and some databases refuse a mixture",
            ~has,
        )
