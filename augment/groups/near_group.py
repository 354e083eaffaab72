"""The symmetry that a geometry nearly has: operations within a tolerance need not be a group, and are grown to one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from augment.cell import IntArray
from augment.groups.symmetry import FiniteGroup

__all__ = ["near_group"]


def near_group(group: FiniteGroup, off: Mapping[int, float], limit: float) -> list[int]:
    """Operations of a group that are all less off than a limit and are a group themselves.

    It is grown from the identity by the operations that are least off, each with all that it generates, as long as
    that stays within the limit: no other such operation can be added to what comes out. The whole group needs no table.

    Args:
        group: of which operations are taken.
        off: how far off some of its operations are, the identity among them; others count as too far.
        limit: of these distances.

    Returns:
        Their numbers, ascending.
    """
    near = sorted((operation for operation, value in off.items() if value < limit), key=lambda k: (off[k], k))
    known = {_key(group.rotations[k], group.permutations[k]): k for k in near}
    identity = known[_key(np.eye(3, dtype=group.rotations.dtype), np.arange(group.permutations.shape[1]))]
    kept = {identity}
    for operation in near:
        if operation not in kept:
            kept = _generated({*kept, operation}, known, group) or kept
    return sorted(kept)


def _key(rotation: IntArray, permutation: IntArray) -> bytes:
    """What tells operations apart: in a small cell different rotations may move the sites alike."""
    return rotation.astype(np.int64).tobytes() + permutation.astype(np.int64).tobytes()


def _generated(seeds: set[int], known: Mapping[bytes, int], group: FiniteGroup) -> set[int] | None:
    """The group that some operations generate; None where an operation of it is not known."""
    found, waiting = set(seeds), list(seeds)
    while waiting:
        first = waiting.pop()
        for second in seeds:
            rotation = group.rotations[first] @ group.rotations[second]
            product = known.get(_key(rotation, group.permutations[first][group.permutations[second]]))
            if product is None:
                return None
            if product not in found:
                found.add(product)
                waiting.append(product)
    return found
