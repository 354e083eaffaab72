"""Numbers that describe the surroundings of each atom, cheap and invariant, to distinguish familiar from foreign ones.

For every neighbouring element: how many neighbours there are at each of six distances, and how they are spread over
directions at two distances. The spread of order l is the length of the sum over neighbours of the l-fold tensor power
of their unit vectors, which rotations, reflections and permutations leave as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.neighbours import neighbours

CUTOFF = 5.0
"""Å; the second shell of most oxides is within 3.5, the third within 4.5."""

_SHELLS = np.linspace(1.5, 4.5, 6)
_SHELL_WIDTH = 0.6
_DIRECTION_SHELLS = np.array([[2.1, 0.7], [3.2, 0.8]])
"""Å; centre and width of the weights of directions: bonded neighbours, and those behind them."""

_ORDERS = (1, 2, 3, 4)
_PER_ELEMENT = len(_SHELLS) + len(_DIRECTION_SHELLS) * len(_ORDERS)


def environment_length(elements: Sequence[int]) -> int:
    """Number of features of an atom among these elements (atomic numbers)."""
    return _PER_ELEMENT * len(elements)


def environment_features(
    cell: FloatArray, numbers: IntArray, positions: FloatArray, elements: Sequence[int]
) -> FloatArray:
    """Features (n, f) of each atom of a periodic cell; neighbours of other elements are not seen.

    Args:
        cell: (3, 3) lattice vectors as rows, Å.
        numbers: (n,) atomic numbers.
        positions: (n, 3) Cartesian positions, Å.
        elements: atomic numbers of the neighbours that count, in the order of the features.
    """
    from scipy.sparse import csr_matrix

    i, j, distance, vector = neighbours("ijdD", cell, positions, CUTOFF)
    fade = 0.5 * (1 + np.cos(np.pi * distance / CUTOFF))[:, None]
    shells = fade * np.exp(-(((distance[:, None] - _SHELLS) / _SHELL_WIDTH) ** 2))
    centres, widths = _DIRECTION_SHELLS.T
    weights = fade * np.exp(-(((distance[:, None] - centres) / widths) ** 2))
    monomials, owners, factors = _monomials(vector / distance[:, None])
    columns = np.concatenate([shells, *(weights[:, [k]] * monomials for k in range(len(centres)))], axis=1)
    found = []
    for element in elements:
        chosen = np.flatnonzero(numbers[j] == element)
        gather = csr_matrix((np.ones(len(chosen)), (i[chosen], np.arange(len(chosen)))), (len(numbers), len(chosen)))
        sums = gather @ columns[chosen]
        found.append(sums[:, : len(_SHELLS)])
        squares = sums[:, len(_SHELLS) :].reshape(len(numbers), len(centres), -1) ** 2 * factors
        found += [np.sqrt(squares[:, :, owners == order].sum(axis=2)) for order in _ORDERS]
    return np.concatenate(found, axis=1)


def _monomials(units: FloatArray) -> tuple[FloatArray, IntArray, FloatArray]:
    """x^a y^b z^c of unit vectors for a + b + c of each order, with order and multinomial factor of each column."""
    powers = [(a, b, order - a - b) for order in _ORDERS for a in range(order + 1) for b in range(order + 1 - a)]
    columns = np.stack([units[:, 0] ** a * units[:, 1] ** b * units[:, 2] ** c for a, b, c in powers], axis=1)
    factors = [factorial(a + b + c) / (factorial(a) * factorial(b) * factorial(c)) for a, b, c in powers]
    return columns, np.array([sum(power) for power in powers]), np.array(factors)
