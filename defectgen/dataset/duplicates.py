"""Frames that say what another frame says: exact copies, and geometries that hardly differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectgen.dataset.survey import Survey

NEAR = 0.1
"""Å; frames of one parent are near-duplicates where all their atoms together have moved less than this."""

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
    ends = survey.table["config_type"].isin(["relaxed", "unconverged"]).to_numpy()
    first = np.where(survey.table["lowest"].fillna(value=False).to_numpy(dtype=bool), 0, np.where(ends, 1, 2))
    order = np.lexsort((np.arange(len(survey)), first, parents))
    order = order[among[order]]
    bounds = np.flatnonzero(np.diff(parents[order])) + 1
    for group in np.split(order, bounds):
        if len(group) > 1:
            copies[group[_within(survey.sketches[group], threshold)]] = True
    return copies


def _parents(survey: Survey) -> NDArray[np.int64]:
    """(n,) number of the parent of each frame; of frames that name none, number of their composition."""
    table = survey.table
    parent = table["parent"].astype(object).where(table["parent"].notna(), table["composition"].astype(object))
    charge = table["charge"].astype(str)
    _, codes = np.unique((parent.astype(str) + "|" + charge).to_numpy(dtype=str), return_inverse=True)
    return codes.astype(np.int64)


def _within(points: NDArray[np.float32], threshold: float) -> Mask:
    """(k,) which points have an earlier one that stays within a distance."""
    from scipy.spatial import cKDTree

    tree = cKDTree(points)
    dropped = np.zeros(len(points), dtype=bool)
    crowded = tree.query_ball_point(points, threshold, return_length=True) > 1
    for index in np.flatnonzero(crowded):
        if dropped[index]:
            continue
        near = np.array(tree.query_ball_point(points[index], threshold), dtype=np.int64)
        later = near[near > index]
        distance = np.linalg.norm(points[later].astype(float) - points[index], axis=1)
        dropped[later[distance < threshold]] = True
    return dropped
