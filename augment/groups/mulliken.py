"""Mulliken symbols of the irreducible representations of a point group, by rule.

The letter is the dimension (A and B: 1, E: 2, T: 3), A or B the sign under the principal rotation, the number the sign
under a twofold rotation across it or a mirror along it, g and u the sign under inversion, a prime the sign under the
horizontal mirror. Reference: R. S. Mulliken, J. Chem. Phys. 23, 1997 (1955).

Where the rule leaves a choice, the axis is taken that lies closest to the Cartesian x, then y, then z: of the twofold
axes across the principal one (or the directions in the vertical mirrors), the class that decides B1 and B2; in D2 and
D2h, z is the axis closest to Cartesian z, and B1, B2, B3 are even about z, y and x.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from augment.cell import FloatArray, IntArray

_PARALLEL = 0.1
"""|cos| below this is a right angle, above 1 minus this is parallel; crystal axes are never in between."""

_CUBIC_THREEFOLDS = 8
_MIRROR_TRACE = 1

_ORDER_OF_TRACE = {3: 1, -1: 2, 0: 3, 1: 4, 2: 6}
"""Order of a proper rotation from its trace, 1 + 2 cos(2π/n)."""


def mulliken_labels(rotations: FloatArray, irreps: Sequence[tuple[int, FloatArray]]) -> list[str]:
    """Symbols of real irreps given as (dimension, characters (h,)), each with a symbol of its own.

    Args:
        rotations: (h, 3, 3) Cartesian matrices in the order of the characters.
        irreps: all real irreps of the group. Where two operations share a rotation (a defect that a translation of the
            supercell maps onto itself), point-group symbols do not exist and the irreps are called Γ1, Γ2, ...
    """
    if len(np.unique(np.round(rotations, 3) + 0.0, axis=0)) < len(rotations):
        order = sorted(range(len(irreps)), key=lambda k: (irreps[k][0], (-irreps[k][1]).tolist()))
        return [f"Γ{order.index(k) + 1}" for k in range(len(irreps))]
    frame = _Frame(rotations)
    return [frame.label(dimension, characters) for dimension, characters in irreps]


class _Frame:
    """The operations of a point group that decide its symbols, as indices; -1 where there is none."""

    def __init__(self, rotations: FloatArray) -> None:
        self.proper = np.linalg.det(rotations) > 0
        signs = np.where(self.proper, 1, -1)
        self.traces = np.rint(np.trace(rotations, axis1=1, axis2=2) * signs).astype(int)
        self.orders = np.array([_ORDER_OF_TRACE[int(t)] for t in self.traces])
        self.axes = np.array([_axis(r * s) for r, s in zip(rotations, signs, strict=True)])
        self.cubic = int((self.proper & (self.orders == 3)).sum()) == _CUBIC_THREEFOLDS  # noqa: PLR2004  threefold
        self.inversion = _first(~self.proper & (self.orders == 1))
        self.principal = self._principal()
        self.horizontal = self._horizontal() if self.inversion < 0 else -1
        self.secondary = -1 if self.cubic else self._secondary()
        self.twofold = self._three_twofolds()

    def _principal(self) -> int:
        """The proper rotation of highest order; a fourfold rotoinversion goes before a twofold or cubic threefold."""
        fourfold = self.orders == 4  # noqa: PLR2004  fourfold
        if not (fourfold & self.proper).any() and (fourfold & ~self.proper).any():
            return _first(fourfold)
        if self.cubic:
            return _first(fourfold & self.proper)
        highest = self.orders[self.proper].max()
        candidates = np.flatnonzero(self.proper & (self.orders == highest) & (highest > 1)).tolist()
        return min(candidates, key=lambda k: _closeness(self.axes[k], "zyx"), default=-1)

    def _horizontal(self) -> int:
        """The mirror across the principal axis, or the only mirror there is."""
        mirrors = np.flatnonzero(~self.proper & (self.orders == 2))  # noqa: PLR2004  a mirror is a twofold rotoinversion
        if self.principal < 0:
            return int(mirrors[0]) if len(mirrors) else -1
        along = np.abs(self.axes[mirrors] @ self.axes[self.principal]) > 1 - _PARALLEL
        return int(mirrors[along][0]) if along.any() else -1

    def _secondary(self) -> int:
        """A twofold axis across the principal one, else a mirror along it: of several, the closest to x."""
        if self.principal < 0:
            return -1
        main = self.axes[self.principal]
        across = (self.orders == 2) & (np.abs(self.axes @ main) < _PARALLEL)  # noqa: PLR2004  twofold
        for candidates, directions in (
            (np.flatnonzero(across & self.proper), self.axes),
            (np.flatnonzero(across & ~self.proper), np.cross(main, self.axes)),
        ):
            if len(candidates):
                return int(min(candidates, key=lambda k: _closeness(directions[k], "xyz")))
        return -1

    def _three_twofolds(self) -> list[int]:
        """The rotations about z, y and x of D2 and D2h, else nothing."""
        twofold = np.flatnonzero(self.proper & (self.orders == 2))  # noqa: PLR2004  twofold
        if len(twofold) != 3 or self.orders.max() > 2 or self.principal < 0:  # noqa: PLR2004  three twofold axes
            return []
        z = min(twofold, key=lambda k: _closeness(self.axes[k], "zyx"))
        y, x = sorted((k for k in twofold if k != z), key=lambda k: _closeness(self.axes[k], "yxz"))
        return [int(z), int(y), int(x)]

    def label(self, dimension: int, characters: FloatArray) -> str:
        """The symbol of one irrep."""
        signs = np.sign(np.rint(characters))
        ending = ("" if self.inversion < 0 else "g" if signs[self.inversion] > 0 else "u") or (
            "" if self.horizontal < 0 else "'" if signs[self.horizontal] > 0 else "''"
        )
        return self._letter(dimension, signs) + self._number(dimension, signs) + ending

    def _letter(self, dimension: int, signs: FloatArray) -> str:
        if dimension > 1:
            return {2: "E", 3: "T"}.get(dimension, f"G{dimension}")
        if self.twofold:
            return "A" if all(signs[k] > 0 for k in self.twofold) else "B"
        return "B" if self.principal >= 0 and not self.cubic and signs[self.principal] < 0 else "A"

    def _number(self, dimension: int, signs: FloatArray) -> str:
        if self.cubic:
            return "" if self.principal < 0 or dimension == 2 else "1" if signs[self.principal] > 0 else "2"  # noqa: PLR2004  E
        if self.twofold:
            even = [k for k in self.twofold if signs[k] > 0]
            return "" if len(even) > 1 else str(1 + self.twofold.index(even[0]))
        if dimension == 2:  # noqa: PLR2004  only a sixfold axis distinguishes two kinds of E
            sixfold = self.principal >= 0 and self.orders[self.principal] == 6  # noqa: PLR2004  sixfold
            return "" if not sixfold else "1" if signs[self.principal] > 0 else "2"
        return "" if self.secondary < 0 else "1" if signs[self.secondary] > 0 else "2"


def _first(mask: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    places: IntArray = np.flatnonzero(mask)
    return int(places[0]) if len(places) else -1


def _axis(rotation: FloatArray) -> FloatArray:
    """Axis of a proper rotation, the eigenvector of eigenvalue 1; any direction for the identity."""
    order = _ORDER_OF_TRACE[round(float(np.trace(rotation)))]
    total = sum(np.linalg.matrix_power(rotation, k) for k in range(order))
    column = np.asarray(total)[:, np.argmax(np.linalg.norm(total, axis=0))]
    return np.asarray(column / np.linalg.norm(column))


def _closeness(axis: FloatArray, preference: str) -> tuple[float, ...]:
    """Sort key: least for the axis with the largest component along the first letter, then along the next.

    Two axes with the same three sizes differ in the sign of a product of components, which comes last.
    """
    sizes = tuple(-round(abs(float(axis["xyz".index(letter)])), 3) for letter in preference)
    products = (axis[0] * axis[1], axis[0] * axis[2], axis[1] * axis[2])
    return (*sizes, *(-round(float(p), 3) for p in products))
