"""Whether what is held out is in train in disguise, by distances between the surroundings of atoms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from augment.cell import FloatArray, IntArray
from defectgen.dataset.frame import Frame
from defectgen.dataset.leakage.probes import Probe
from defectgen.dataset.leakage.soap import power_spectra

COPY_RATTLE = 0.02
"""Å; a frame that is no farther from another than from itself with every coordinate moved by so much (one sigma) is a
copy of it. Atoms move by more at 30 K in stiff crystals, and independent frames are a multiple farther apart."""

SAME_GROUND = 1.5
"""Held-out frames that are, in the median, within so many spacings of train are of what train holds already."""

MIN_SPREAD = 1e-3
"""Share of the largest spread that counts at least: what a rattle leaves as it is would count without end."""

MIN_MOVED = 48
"""Atoms that are moved to learn what a rattle does to a frame; in small cells the draw would matter."""

MAX_NAMED = 5
"""Copies that a report names."""


@dataclass(frozen=True)
class SplitDistances:
    """How far the probed frames of a held-out split are from train, in units of the distance of a copy.

    Attributes:
        probed: frames that were compared.
        copies: of them, those that are copies of a train frame (within 1).
        nearest: smallest distance to train.
        median: distance to train, in the median.
        ratio: the median against the spacing of train; None where that is not known.
        named: some of the copies, each with what it is a copy of.
    """

    probed: int
    copies: int
    nearest: float
    median: float
    ratio: float | None
    named: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LeakageReport:
    """Distances between frames of a dataset, in units of that to a copy rattled by `COPY_RATTLE`.

    Attributes:
        leaks: whether a probed frame of a held-out split is a copy of a train frame.
        verdict: what follows, a sentence or two.
        rattle: that of a copy, Å.
        spacing: distance of train frames to the nearest one of train that is no copy, in the median.
        train_probed: train frames that were compared with train.
        train_copies: of them, those with a copy in train.
        splits: distances of each held-out split.
    """

    leaks: bool
    verdict: str
    rattle: float
    spacing: float | None
    train_probed: int
    train_copies: int
    splits: dict[str, SplitDistances]

    def to_json(self) -> dict[str, object]:
        """The report as JSON values."""
        return asdict(self)


def leakage_report(probes: Sequence[Probe], frames: Mapping[int, Frame]) -> LeakageReport | None:
    """Compare the probed frames with train; None where nothing is held out.

    Args:
        probes: see `choose_probes`.
        frames: those of the probes and of their candidates, by index.
    """
    if not any(probe.split != "train" for probe in probes):
        return None
    distances = _relative_distances(probes, frames)
    among_train = [distances[probe] for probe in probes if probe.split == "train"]
    spaced = [float(apart[apart > 1].min()) for apart in among_train if (apart > 1).any()]
    spacing = float(np.median(spaced)) if spaced else None
    splits = {
        name: _of_split([p for p in probes if p.split == name], distances, frames, spacing)
        for name in dict.fromkeys(probe.split for probe in probes if probe.split != "train")
    }
    copies = sum(bool((apart <= 1).any()) for apart in among_train)
    leaks = any(split.copies for split in splits.values())
    return LeakageReport(leaks, _verdict(splits), COPY_RATTLE, spacing, len(among_train), copies, splits)


def probed_indices(probes: Sequence[Probe]) -> set[int]:
    """Indices of all frames that a report needs."""
    return {index for probe in probes for index in (probe.index, *probe.candidates)}


def _relative_distances(probes: Sequence[Probe], frames: Mapping[int, Frame]) -> dict[Probe, FloatArray]:
    """(k,) distance of each probe to its candidates, in units of that to its own rattled copy.

    Each number of a power spectrum counts in units of what the rattle does to it, so that none outweighs the others.
    """
    elements = sorted({int(z) for frame in frames.values() for z in np.unique(frame.numbers)})
    spectra = {index: _stored_spectra(frame, elements) for index, frame in frames.items()}
    copies = {
        probe: [_stored_spectra(copy, elements) for copy in _rattled(frames[probe.index], probe.index)]
        for probe in probes
    }
    changes = np.concatenate([copy - spectra[probe.index] for probe in probes for copy in copies[probe]])
    spread = np.sqrt((changes**2).mean(axis=0))
    unit = np.maximum(spread, MIN_SPREAD * max(spread.max(), MIN_SPREAD))
    found = {}
    for probe in probes:
        mine, numbers = spectra[probe.index] / unit, frames[probe.index].numbers
        own = float(np.mean([_apart(mine, numbers, copy / unit, numbers) for copy in copies[probe]]))
        apart = [_apart(mine, numbers, spectra[k] / unit, frames[k].numbers) for k in probe.candidates]
        found[probe] = np.array(apart) / max(own, MIN_SPREAD)
    return found


def _stored_spectra(frame: Frame, elements: Sequence[int]) -> NDArray[np.float32]:
    """Power spectra in half the memory: the rattle changes them by a thousand times what rounding does."""
    return power_spectra(frame, elements).astype(np.float32)


def _rattled(frame: Frame, seed: int) -> list[Frame]:
    """Rattled copies of a frame, as many as it takes to move enough atoms."""
    rng = np.random.default_rng(seed)
    moves = rng.normal(scale=COPY_RATTLE, size=(ceil(MIN_MOVED / len(frame)), *frame.positions.shape))
    return [replace(frame, positions=frame.positions + move) for move in moves]


def _apart(a: FloatArray, numbers_a: IntArray, b: FloatArray, numbers_b: IntArray) -> float:
    """How far two frames are apart, the larger of both ways: a part of a frame is no copy of it."""
    return max(_one_way(a, numbers_a, b, numbers_b), _one_way(b, numbers_b, a, numbers_a))


def _one_way(a: FloatArray, numbers_a: IntArray, b: FloatArray, numbers_b: IntArray) -> float:
    """How far the surroundings of the atoms of one frame are from the nearest of another's, root mean square.

    An atom whose element the other frame lacks is as far as from an atom alone.
    """
    total = 0.0
    for element in np.unique(numbers_a):
        mine, other = a[numbers_a == element], b[numbers_b == element]
        squares = (mine**2).sum(axis=1)
        if len(other):
            squares = (squares[:, None] + (other**2).sum(axis=1) - 2 * mine @ other.T).min(axis=1)
        total += float(np.clip(squares, 0, None).sum())
    return float(np.sqrt(total / len(a)))


def _of_split(
    probes: Sequence[Probe],
    distances: Mapping[Probe, FloatArray],
    frames: Mapping[int, Frame],
    spacing: float | None,
) -> SplitDistances:
    nearest = np.array([distances[probe].min() for probe in probes])
    copies = [probe for probe, apart in zip(probes, nearest, strict=True) if apart <= 1]
    named = [
        f"{_name(frames[p.index])} is a copy of {_name(frames[p.candidates[int(distances[p].argmin())]])}"
        for p in copies[:MAX_NAMED]
    ]
    middle = float(np.median(nearest))
    ratio = middle / spacing if spacing else None
    return SplitDistances(len(probes), len(copies), float(nearest.min()), middle, ratio, named)


def _name(frame: Frame) -> str:
    words = (frame.text(name) for name in ("formula", "name", "config_type", "trajectory", "step"))
    return " ".join(word for word in words if word) or "a frame without a name"


def _verdict(splits: Mapping[str, SplitDistances]) -> str:
    copied = [f"{split.copies} of {split.probed} frames of {n}" for n, split in splits.items() if split.copies]
    if copied:
        return (
            f"This split leaks: {' and '.join(copied)} are copies of frames of train. Errors on them are training "
            "errors; split by host or prototype, or remove the copies."
        )
    near = [name for name, split in splits.items() if split.ratio is not None and split.ratio < SAME_GROUND]
    if near:
        return (
            f"No copies were found, but {' and '.join(near)} is as near to train as train frames are to each other: "
            "errors on it are those of interpolation between known structures."
        )
    return "No copies were found, and what is held out is farther from train than train frames are from each other."
