"""Which defects a set of structures or keys covers: kept, unique, new, and how much of what there is."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def uniqueness(keys: Sequence[str]) -> float:
    """Share of distinct defect keys among some, 1 where no two are equivalent; NaN for none."""
    return len(set(keys)) / len(keys) if keys else float("nan")


def novelty(keys: Sequence[str], known: Collection[str]) -> float:
    """Share of the distinct keys that are not among the known ones (those learnt from); NaN for none."""
    distinct = set(keys)
    return len(distinct - set(known)) / len(distinct) if distinct else float("nan")


def coverage(keys: Sequence[str], orbits: int) -> float:
    """Distinct keys as a share of all symmetry-distinct defects there are (Burnside's count)."""
    return len(set(keys)) / orbits
