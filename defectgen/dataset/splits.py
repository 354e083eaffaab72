"""Splits of a dataset by groups of frames: no group is in two files, and no group moves when the dataset grows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augment.elements import elements_in
from augment.errors import DataError
from defectgen.dataset.duplicates import Mask
from defectgen.dataset.settings import DatasetSettings, SplitBy, Uncovered
from defectgen.dataset.survey import Survey
from md.labels.split import SPLITS, check_split

if TYPE_CHECKING:
    import pandas as pd

MAX_HELD_OUT_SHARE = 0.25
"""Of the frames; a group with more is never held out: too little would be left to learn from."""

WORTH_HOLDING = 0.2
"""Of the share that is to be held out: with less `auto` tries smaller groups."""

AUTOMATIC: tuple[SplitBy, ...] = ("host", "defect")
"""What `auto` tries, the strictest first; runs of one defect are too much alike to be apart unless requested."""

_DROPPED = ""

_NAMED_BY = ("formula", "prototype", "name", "trajectory", "composition", "split")
"""What the names of groups are made of."""

_OF = ": "
"""Between a split that was given and the composition of the frames in it."""

SplitNames = NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Split:
    """Which frames go where.

    Attributes:
        by: what a group is.
        labels: (n,) split of each frame; empty where it is in none.
        groups: split of each group.
        notes: what was done that the settings do not say, a line each.
    """

    by: SplitBy
    labels: SplitNames
    groups: dict[str, str]
    notes: tuple[str, ...] = field(default=())

    @property
    def held_out(self) -> float:
        """Share of the frames that are not in train."""
        chosen = self.labels[self.labels != _DROPPED]
        return float((chosen != "train").mean()) if len(chosen) else 0.0

    @property
    def names(self) -> list[str]:
        """The splits that hold frames, train first."""
        return [name for name in SPLITS if (self.labels == name).any()]


def split_frames(
    survey: Survey, kept: Mask, settings: DatasetSettings, before: Mapping[str, Any] | None = None
) -> Split:
    """Split the frames that stay.

    Args:
        survey: of all frames.
        kept: those that stay.
        settings: by what, with what seed, and how much is held out.
        before: `by`, `seed` and `groups` of the dataset that this one grows from, whose groups stay where they are.

    Raises:
        DataError: a held-out group has an element that train lacks, and nothing was said about it.
    """
    tried = AUTOMATIC if settings.split == "auto" else (settings.split,)
    if before and settings.split == "auto" and before["by"] in AUTOMATIC:
        tried = (before["by"],)
    known = dict(before["groups"]) if before and before["seed"] == settings.seed and before["by"] in tried else {}
    uncovered: Uncovered = settings.uncovered or ("train" if settings.split == "auto" else "refuse")
    for by in tried:
        split = _split(survey, kept, by, settings, known, uncovered)
        if known or split.held_out >= WORTH_HOLDING * settings.held_out > 0:
            return split
    return split


def _split(
    survey: Survey,
    kept: Mask,
    by: SplitBy,
    settings: DatasetSettings,
    known: Mapping[str, str],
    uncovered: Uncovered,
) -> Split:
    every, group = groups_of_frames(survey, by)
    present, index, counts = np.unique(group[kept], return_inverse=True, return_counts=True)
    names = every[present]
    shares = dict(zip(names.tolist(), (counts / counts.sum()).tolist(), strict=True))
    if by == "given":
        known = {name: _given(name) for name in names.tolist()}
    chosen = assign(shares, settings.seed, settings.held_out, known)
    elements = _elements(survey, kept, index, names)
    moved, notes = _covered(chosen, elements, uncovered, by)
    labels = np.full(len(survey), _DROPPED, dtype="<U5")
    labels[kept] = np.array([moved[name] for name in names.tolist()], dtype="<U5")[index]
    check_split({split: every[np.unique(group[labels == split])].tolist() for split in SPLITS})
    return Split(by, labels, moved, notes)


def groups_of_frames(survey: Survey, by: SplitBy) -> tuple[SplitNames, NDArray[np.intp]]:
    """(g,) names of the groups, sorted, and (n,) the group of each frame: those of one are never in two files.

    A host is its composition and its prototype, so that lattice parameters, settings and origins do not matter. What
    a frame does not say is filled in by what is coarser: its formula, then the elements that it holds.
    """
    kind = np.zeros(len(survey), dtype=np.int64)
    for column in _NAMED_BY:
        codes = survey.table[column].cat.codes.to_numpy(dtype=np.int64) + 1
        _, kind = np.unique(kind * (codes.max(initial=0) + 1) + codes, return_inverse=True)
    _, first = np.unique(kind, return_index=True)
    names, group = np.unique(_group_names(survey.table.iloc[first], by), return_inverse=True)
    return names, group[kind]


def _group_names(table: pd.DataFrame, by: SplitBy) -> SplitNames:
    """(n,) the name of the group of each row."""
    text = {name: table[name].astype(object) for name in ("formula", "prototype", "name", "trajectory", "composition")}
    elements = text["composition"].map(lambda c: "-".join(sorted(elements_in(str(c)))))
    formula = text["formula"].where(table["formula"].notna(), elements)
    host = formula.astype(str) + text["prototype"].map(lambda p: f" {p}" if isinstance(p, str) else "")
    if by == "given":
        chosen = table["split"].astype(object).fillna("train").astype(str) + _OF + text["composition"].astype(str)
    elif by == "host":
        chosen = host
    elif by == "prototype":
        chosen = text["prototype"].where(table["prototype"].notna(), formula)
    elif by == "elements":
        chosen = formula.map(lambda f: "-".join(sorted(elements_in(str(f)))))
    else:
        name = text["name"].where(table["name"].notna(), text["composition"])
        defect = host + " " + name.astype(str)
        chosen = defect if by == "defect" else text["trajectory"].where(table["trajectory"].notna(), defect)
    return np.asarray(chosen.to_numpy(dtype=str))


def assign(shares: Mapping[str, float], seed: int, held_out: float, known: Mapping[str, str]) -> dict[str, str]:
    """The split of each group, by a hash of its own that nothing else changes.

    Args:
        shares: share of the frames that each group has.
        seed: of the hash.
        held_out: share of the groups that go to each of valid and test.
        known: groups whose split is decided already.
    """
    chosen = {}
    for group, share in shares.items():
        place = int.from_bytes(hashlib.sha256(f"{seed}:{group}".encode()).digest()[:8], "big") / 2**64
        split = "test" if place < held_out else "valid" if place < 2 * held_out else "train"
        chosen[group] = known.get(group, "train" if share > MAX_HELD_OUT_SHARE else split)
    if "train" not in chosen.values():
        chosen[max(shares, key=lambda group: (shares[group], group))] = "train"
    return chosen


def _given(group: str) -> str:
    """The split that a group names; train where it names none that exists."""
    split = group.partition(_OF)[0]
    return split if split in SPLITS else "train"


def _elements(survey: Survey, kept: Mask, index: NDArray[np.intp], names: SplitNames) -> dict[str, frozenset[str]]:
    """The elements that the frames of each group hold."""
    composition = survey.table["composition"].cat
    texts = composition.categories.tolist()
    pairs = np.unique(index * len(texts) + composition.codes.to_numpy()[kept])
    found: dict[str, frozenset[str]] = dict.fromkeys(names.tolist(), frozenset())
    for k, text in zip(*np.divmod(pairs, len(texts)), strict=True):
        found[str(names[k])] |= elements_in(str(texts[text]))
    return found


def _covered(
    chosen: Mapping[str, str], elements: Mapping[str, frozenset[str]], uncovered: Uncovered, by: SplitBy
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The split in which train holds every element, and what was done for it.

    Raises:
        DataError: it does not, and is to be refused.
    """
    known = frozenset().union(*(elements[g] for g, split in chosen.items() if split == "train"))
    bad = {group: elements[group] - known for group, split in chosen.items() if elements[group] - known}
    if not bad:
        return dict(chosen), ()
    group, missing = next(iter(sorted(bad.items())))
    what = f"{chosen[group]} holds {group}, and train has no {', '.join(sorted(missing))}"
    if uncovered == "refuse":
        raise DataError(
            f"{what}: no trainer can read such a set; --uncovered train moves such groups to train, --uncovered drop "
            f"leaves them out, --split {'defect' if by != 'defect' else 'trajectory'} holds smaller groups out"
        )
    place = "train" if uncovered == "train" else _DROPPED
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    done = "moved to train" if place else "left out"
    return {**chosen, **dict.fromkeys(bad, place)}, (f"{what}: {done}{more}",)
