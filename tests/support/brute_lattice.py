"""Every sublattice of an index, one by one: the oracle of the searches that construct only those they need."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from augment.cell import IntArray


def hermite_normal_forms(index: int) -> IntArray:
    """All sublattices of Z³ of an index, (k, 3, 3) upper-triangular row bases (Santoro and Mighell 1972)."""
    rows = [
        np.stack(np.meshgrid(np.arange(b), np.arange(c), np.arange(c), indexing="ij"), -1).reshape(-1, 3)
        for _, b, c in _factorisations(index)
    ]
    diagonals = [np.broadcast_to(np.array(d), (len(r), 3)) for d, r in zip(_factorisations(index), rows, strict=True)]
    diagonal, upper = np.concatenate(diagonals), np.concatenate(rows)
    forms = np.zeros((len(diagonal), 3, 3), dtype=np.int64)
    forms[:, [0, 1, 2], [0, 1, 2]] = diagonal
    forms[:, [0, 0, 1], [1, 2, 2]] = upper
    return forms


def _factorisations(index: int) -> Iterator[tuple[int, int, int]]:
    for a in range(1, index + 1):
        if index % a == 0:
            for b in range(1, index // a + 1):
                if (index // a) % b == 0:
                    yield a, b, index // a // b
