"""Which frames are compared for leakage: a bounded number of each split, and the train frames most like each."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from augment.cell import FloatArray
from defectgen.dataset.card.statistics import amounts
from defectgen.dataset.splits import Split
from defectgen.dataset.survey import Survey

MAX_PROBES = 60
"""Frames of each split that are looked at, spread evenly over it."""

MAX_CANDIDATES = 4
"""Train frames that each is compared with: half of them by all measures, half by their volume per atom first."""

MAX_PROBED_ATOMS = 60_000
"""In all frames that are looked at; of large cells there are fewer probes."""

_MEASURES = ("energy_per_atom", "max_force", "mean_stress", "volume_per_atom")
_VOLUME = _MEASURES.index("volume_per_atom")
"""Rotations, permutations and another cell of the same crystal leave them as they are, small moves nearly so."""


@dataclass(frozen=True)
class Probe:
    """One frame and the train frames that it could be a copy of.

    Attributes:
        split: that it is in.
        index: of the frame among all frames that were surveyed.
        candidates: of the train frames.
    """

    split: str
    index: int
    candidates: tuple[int, ...]


def choose_probes(survey: Survey, split: Split) -> list[Probe]:
    """Probes of every split, train included; the candidates are those of all train frames with the nearest measures.

    A copy of a train frame has about its energy, largest force, pressure and volume per atom, so that its original is
    among its candidates however many frames there are; with the labels of another potential it still has its volume.
    """
    train = np.flatnonzero(split.labels == "train")
    measures = _scaled(survey, train)
    other = _fractions(survey)
    found = []
    for name in split.names:
        for index in _spread(np.flatnonzero(split.labels == name), survey, len(split.names)):
            chosen = _candidates(int(index), train, measures, other[train] != other[index])
            if chosen:
                found.append(Probe(name, int(index), chosen))
    return found


def _candidates(
    index: int, train: NDArray[np.intp], measures: FloatArray, foreign: NDArray[np.bool_]
) -> tuple[int, ...]:
    """Train frames that a frame could be a copy of; those of other compositions come last."""
    differences = np.abs(measures[train] - measures[index])
    # A measure that differs by more than its spread counts as different: two potentials have other zeros.
    apart = np.minimum(differences, 1.0).sum(axis=1) + len(_MEASURES) * foreign
    apart[train == index] = np.inf
    # The other measures decide between equal volumes only.
    by_volume = differences[:, _VOLUME].round(6) + 1e-7 * apart + len(_MEASURES) * foreign
    chosen = dict.fromkeys([*_least(apart, MAX_CANDIDATES // 2), *_least(by_volume, MAX_CANDIDATES)])
    return tuple(int(train[k]) for k in chosen if np.isfinite(apart[k]))[:MAX_CANDIDATES]


def _least(values: FloatArray, count: int) -> list[int]:
    """Places of the smallest values, in their order."""
    places = np.arange(len(values)) if len(values) <= count else np.argpartition(values, count)[:count]
    ordered: list[int] = places[np.argsort(values[places], kind="stable")].tolist()
    return ordered


def _spread(indices: NDArray[np.intp], survey: Survey, splits: int) -> NDArray[np.intp]:
    """So many of some frames, evenly spread."""
    atoms = float(survey.table["n_atoms"].iloc[indices].mean())
    room = MAX_PROBED_ATOMS / splits / (MAX_CANDIDATES + 1)
    count = int(np.clip(room / atoms, 4, MAX_PROBES))
    chosen: NDArray[np.intp] = indices[
        np.unique(np.linspace(0, len(indices) - 1, min(count, len(indices))).round().astype(int))
    ]
    return chosen


def _scaled(survey: Survey, train: NDArray[np.intp]) -> FloatArray:
    """(n, k) measures in units of their spread over train; what is not known is 0."""
    values = survey.table[list(_MEASURES)].to_numpy(dtype=float)
    known = np.where(np.isnan(values), 0.0, values)
    spread = known[train].std(axis=0)
    return known / np.where(spread > 0, spread, 1.0)


def _fractions(survey: Survey) -> NDArray[np.int64]:
    """(n,) number of the reduced composition of each frame: equal for supercells of one crystal."""
    texts = survey.table["composition"].astype("category").cat
    reduced = [_reduced(str(text)) for text in texts.categories]
    number = {key: place for place, key in enumerate(sorted(set(reduced)))}
    numbers: NDArray[np.int64] = np.array([number[key] for key in reduced])[texts.codes.to_numpy()]
    return numbers


def _reduced(composition: str) -> tuple[tuple[str, int], ...]:
    counts = amounts(composition)
    divisor = gcd(*counts.values())
    return tuple(sorted((symbol, count // divisor) for symbol, count in counts.items()))
