"""Which defects are held out, decided from their keys alone, before anything is learnt.

A defect goes to one split whole: with all its geometries, charges and equivalent copies (the key is the least image of
the edits under the space group of the supercell), and, where runs have several supercells, in all of them.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from augment.errors import DataError
from defectgen.corpus.cases import uncharged

__all__ = ["KeyedDefect", "assigned_splits", "defect_groups"]

MIN_DEFECTS = 3
"""One to learn from, one that decides which weights are kept, and one that is measured on."""


@dataclass(frozen=True)
class KeyedDefect:
    """What a split sees of a defect: its host, by composition and prototype, its name and its key."""

    host: str
    name: str
    key: str

    @property
    def supercell(self) -> str:
        """The part of the key that names its host's file and its supercell."""
        return "/".join(self.key.split("/")[:2])


def defect_groups(defects: Sequence[KeyedDefect]) -> dict[str, str]:
    """The group of each key: what must be in one split.

    Defects of one supercell are one where they differ in charge alone; those of several supercells or files of a host
    are one where they share a name, since arrangements of a complex are not compared across them.
    """
    named: dict[tuple[str, str], list[KeyedDefect]] = defaultdict(list)
    for defect in defects:
        named[defect.host, defect.name].append(defect)
    groups: dict[str, str] = {}
    for (host, name), alike in named.items():
        across = len({defect.supercell for defect in alike}) > 1
        for defect in alike:
            groups[defect.key] = f"{host} {name}" if across else f"{host} {name} {uncharged(defect.key)}"
    return groups


def assigned_splits(defects: Sequence[KeyedDefect], held_out: float, chosen_on: float, seed: int) -> Mapping[str, str]:
    """The split of each key: `test` is held out, `valid` chooses, `train` is learnt from.

    The order in which groups are drawn is that of hashes of their names and the seed, so that what is added later moves
    few of the others.

    Raises:
        DataError: there are too few defects to hold one out.
    """
    groups = defect_groups(defects)
    ranked = sorted(set(groups.values()), key=lambda group: hashlib.sha256(f"{seed} {group}".encode()).digest())
    if len(ranked) < MIN_DEFECTS:
        names = ", ".join(sorted({defect.name for defect in defects}))
        raise DataError(
            f"{len(ranked)} relaxed defect{'s' if len(ranked) > 1 else ''} ({names}): training needs {MIN_DEFECTS}, "
            "one to learn from, one to choose the weights on and one to hold out; relax more defects"
        )
    tested = min(max(1, round(held_out * len(ranked))), len(ranked) - 2)
    judged = min(max(1, round(chosen_on * len(ranked))), len(ranked) - tested - 1)
    split_of = dict.fromkeys(ranked, "train") | dict.fromkeys(ranked[:tested], "test")
    split_of |= dict.fromkeys(ranked[tested : tested + judged], "valid")
    return {key: split_of[group] for key, group in groups.items()}
