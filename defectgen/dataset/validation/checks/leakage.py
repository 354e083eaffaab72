"""Leakage: what valid and test share with train, and what they have that train lacks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from augment.elements import elements_in
from defectgen.dataset.duplicates import Mask
from defectgen.dataset.settings import NEAR
from defectgen.dataset.validation.checks.copies import equivalent_groups
from defectgen.dataset.validation.finding import Finding
from defectgen.dataset.validation.observations import Observations
from md.labels.split import SPLITS

RELATED = 0.1
"""Å in the mean over atoms; frames of one run that are closer than this are of the same vibration. Independent frames
at room temperature are twice as far apart."""

MAX_RELATED = 0.05
"""Share of the held-out frames that may be so near to train by chance."""

_QUERIES = 300
"""Held-out frames of a composition whose nearest neighbours in train are looked for."""

_ADVICE = "split it again by what frames share: `defectgen export --split host`, or defect, or trajectory"


def leaked_copies(seen: Observations) -> Iterator[Finding]:
    """Frames of valid and test that are in an earlier split too, as they are or nearly so."""
    splits = _ranks(seen)
    if len(np.unique(splits[splits >= 0])) < 2:  # noqa: PLR2004  nothing is held out
        return
    exact = _shared(seen.geometries, splits)
    near = _near(seen, splits, NEAR) & ~exact
    moved = _shared(equivalent_groups(seen), splits) & ~exact & ~near
    for mask, what in (
        (exact, "are in an earlier split too"),
        (moved, "are in an earlier split too, with their atoms in another order, place or orientation"),
        (near, f"are within {NEAR:g} Å, over all atoms, of a frame of an earlier split"),
    ):
        if mask.any():
            yield seen.fault("leakage", "error", f"{{}} of valid and test {what}", _ADVICE, mask, droppable=True)


def leaked_groups(seen: Observations) -> Iterator[Finding]:
    """Trajectories and parents that have frames in several splits."""
    splits = _ranks(seen)
    for name, severity in (("trajectory", "error"), ("parent", "warning")):
        groups = seen.survey.table[name].cat.codes.to_numpy().astype(np.int64)
        shared = _shared(groups, splits)
        if shared.any():
            count = len(np.unique(groups[shared]))
            yield seen.fault(
                "leakage",
                severity,  # type: ignore[arg-type]
                f"{{}} of valid and test are of the same {name} as frames of an earlier split ({count} such groups)",
                _ADVICE,
                shared,
            )


def related_frames(seen: Observations) -> Iterator[Finding]:
    """Held-out frames that are as near to train as the successive frames of one run."""
    splits = _ranks(seen)
    near, asked = _related(seen, splits)
    share = near.sum() / max(1, asked)
    if near.sum() > 1 and share > MAX_RELATED:
        yield seen.fault(
            "leakage",
            "warning",
            f"{share:.0%} of {asked} held-out frames looked at are within {RELATED:g} Å, in the mean over atoms, of a "
            "frame of train: they look like frames of one run, split at random",
            _ADVICE,
            near,
        )


def missing_elements(seen: Observations) -> Iterator[Finding]:
    """Elements of valid and test that train lacks."""
    splits = seen.splits
    names = [name for name in SPLITS if (splits == name).any()]
    compositions = seen.survey.table["composition"].astype(object).to_numpy(dtype=str)
    if "train" not in names or len(names) == 1:
        return
    known = frozenset().union(*map(elements_in, np.unique(compositions[splits == "train"])))
    lacking = {text: elements_in(text) - known for text in np.unique(compositions[splits != "train"])}
    bad = np.array(
        [split in names[1:] and bool(lacking.get(text)) for split, text in zip(splits, compositions, strict=True)]
    )
    if bad.any():
        missing = frozenset().union(*(lacking[text] for text in np.unique(compositions[bad])))
        yield seen.fault(
            "missing elements",
            "error",
            f"{{}} of valid and test hold {', '.join(sorted(missing))}, which train lacks: no trainer can predict it",
            "move such frames to train (`defectgen export --uncovered train`) or leave them out",
            bad,
        )


def split_names(seen: Observations) -> Iterator[Finding]:
    """Frames whose own split is not that of the file that they are in."""
    clash = seen.columns["split_clash"] > 0
    if clash.any():
        yield seen.fault(
            "splits",
            "warning",
            "{} name another split than their file does",
            "trainers go by the file; remove the field or move the frames",
            clash,
        )


def _ranks(seen: Observations) -> NDArray[np.int64]:
    """(n,) 0 for train, 1 for valid, 2 for test, -1 for none."""
    order = {name: rank for rank, name in enumerate(SPLITS)}
    return np.array([order.get(name, -1) for name in seen.splits.tolist()], dtype=np.int64)


def _shared(groups: NDArray[np.generic], splits: NDArray[np.int64]) -> Mask:
    """(n,) frames whose group has frames in an earlier split; groups below 0 are none."""
    known = splits >= 0
    if np.issubdtype(groups.dtype, np.signedinteger):
        known &= groups.astype(np.int64) >= 0
    _, codes = np.unique(groups, return_inverse=True)
    first = np.full(codes.max(initial=-1) + 1, len(SPLITS))
    np.minimum.at(first, codes[known], splits[known])
    return np.asarray(known & (splits > first[codes]), dtype=bool)


def _near(seen: Observations, splits: NDArray[np.int64], threshold: float) -> Mask:
    """(n,) frames within a distance of a frame of the same composition in an earlier split."""
    from scipy.spatial import cKDTree

    near = np.zeros(len(seen), dtype=bool)
    for members in _by_composition(seen):
        for rank in range(1, len(SPLITS)):
            later = members[splits[members] == rank]
            earlier = members[(splits[members] >= 0) & (splits[members] < rank)]
            if len(later) and len(earlier):
                tree = cKDTree(seen.survey.sketches[earlier])
                distance, _ = tree.query(seen.survey.sketches[later], distance_upper_bound=threshold)
                near[later[distance < threshold]] = True
    return near


def _related(seen: Observations, splits: NDArray[np.int64]) -> tuple[Mask, int]:
    """(n,) held-out frames near to train, and how many were looked at."""
    near, asked = np.zeros(len(seen), dtype=bool), 0
    size = seen.survey.table["n_atoms"].to_numpy(dtype=float)
    for members in _by_composition(seen):
        train = seen.survey.sketches[members[splits[members] == 0]].astype(float)
        held = members[splits[members] > 0]
        chosen = held[:: -(-len(held) // _QUERIES) or 1]
        asked += len(chosen)
        for index in chosen if len(train) else ():
            distance = np.sqrt(((train - seen.survey.sketches[index]) ** 2).sum(axis=1).min())
            near[index] = distance < RELATED * np.sqrt(size[index])
    return near, asked


def _by_composition(seen: Observations) -> list[NDArray[np.int64]]:
    codes = seen.compositions
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
