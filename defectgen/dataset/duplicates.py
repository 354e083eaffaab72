"""Frames that say what another frame says: exact copies, and geometries that hardly differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectgen.dataset.settings import NEAR
from defectgen.dataset.survey import Survey
from md.labels.calculated import is_calculated

_MAX_PAIRS = 2_500_000
"""Distances that are looked at together: 10 MB."""

_ROUNDING = 1e-5
"""Of single precision, in squared distances; what is found too many is looked at again exactly."""

Mask = NDArray[np.bool_]


def exact_copies(survey: Survey, among: Mask) -> Mask:
    """(n,) which of the frames in `among` equal an earlier one of them, bit by bit, labels included."""
    where = np.flatnonzero(among)
    _, first = np.unique(survey.digests[where], return_index=True)
    copies = among.copy()
    copies[where[first]] = False
    return copies


def near_copies(survey: Survey, among: Mask, threshold: float = NEAR) -> Mask:
    """(n,) which of the frames in `among` are within `threshold` (Å) of an earlier one of them that stays.

    Only frames of one parent, the same defect of the same host, are compared, whatever folder and engine they come
    from. The first of a cluster stays, ends of relaxations before all others: none is lost to a step on the way.
    """
    copies = np.zeros(len(survey), dtype=bool)
    if threshold <= 0:
        return copies
    parents = _parents(survey)
    ends = survey.table["config_type"].isin(["relaxed", "unconverged", "dft_relaxed"]).to_numpy()
    first = np.where(survey.table["lowest"].fillna(value=False).to_numpy(dtype=bool), 0, np.where(ends, 1, 2))
    order = np.lexsort((np.arange(len(survey)), first, parents))
    order = order[among[order]]
    bounds = np.flatnonzero(np.diff(parents[order])) + 1
    for group in np.split(order, bounds):
        if len(group) > 1:
            copies[group[_within(survey.sketches[group], threshold)]] = True
    return copies


def _parents(survey: Survey) -> NDArray[np.int64]:
    """(n,) number of the parent of each frame; of frames that name none, number of their composition.

    Another charge, and another level of theory, are another label of the same geometry and no copy.
    """
    table = survey.table
    names: dict[tuple[object, ...], int] = {}
    parent, composed, charge = (table[name].tolist() for name in ("parent", "composition", "charge"))
    level = [name if is_calculated(str(name)) else "" for name in table["potential"].tolist()]
    rows = zip(parent, composed, charge, level, strict=True)
    codes = [names.setdefault((p if isinstance(p, str) else c, q, by), len(names)) for p, c, q, by in rows]
    return np.array(codes, dtype=np.int64)


def _within(points: NDArray[np.float32], threshold: float) -> Mask:
    """(k,) which points have an earlier one that stays within a distance."""
    from scipy.spatial import cKDTree

    tree = cKDTree(points)
    dropped = np.zeros(len(points), dtype=bool)
    for index in np.flatnonzero(_crowded(points, threshold)):
        if dropped[index]:
            continue
        near = np.array(tree.query_ball_point(points[index], threshold), dtype=np.int64)
        later = near[near > index]
        distance = np.linalg.norm(points[later].astype(float) - points[index], axis=1)
        dropped[later[distance < threshold]] = True
    return dropped


def _crowded(points: NDArray[np.float32], threshold: float) -> Mask:
    """(k,) which points may have a later one within a distance; none that has one is missed.

    -|a - b|²/2 = a·b - |a|²/2 - |b|²/2 for all pairs is a product of two matrices, twenty times as fast as asking a
    tree, which cannot leave out much in so many dimensions.
    """
    centred = (points - points.mean(axis=0)).astype(np.float32)
    half = (centred**2).sum(axis=1, keepdims=True) / 2
    ones = np.ones_like(half)
    left, right = np.hstack([centred, -half, ones]), np.hstack([centred, ones, -half]).T.copy()
    lowest = -(threshold**2) / 2 - _ROUNDING * float(half.max(initial=0))
    rows = max(1, _MAX_PAIRS // max(1, len(points)))
    crowded = np.zeros(len(points), dtype=bool)
    for start in range(0, len(points), rows):
        nearness = left[start : start + rows] @ right[:, start:]
        np.fill_diagonal(nearness, -np.inf)  # each is near itself
        crowded[start : start + rows] = nearness.max(axis=1) > lowest
    return crowded
