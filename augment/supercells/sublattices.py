"""Superlattices by construction: those that a point group maps onto themselves, and those without short vectors."""

from __future__ import annotations

import math
from functools import cached_property, lru_cache

import numpy as np

from augment.cell import FloatArray, IntArray

HERMITE_FACTOR = math.sqrt(2.0)
"""λ1 λ2 λ3 ≤ √2 V for the successive minima of a lattice of volume V (Hermite's constant in three dimensions)."""

_ROUNDING = 1e-6
"""Å; lengths this close are equal."""

_LAST_ORDER = 3
"""Largest prime that divides the order of a crystallographic point group."""


def longest_possible(volume: float) -> float:
    """Largest image distance that any lattice of a volume (Å³) can have, that of face-centred cubic, Å."""
    return math.cbrt(HERMITE_FACTOR * volume)


class InvariantForms:
    """Hermite normal forms of the sublattices of Z³ that a point group maps onto themselves, made index by index.

    A sublattice of index n is the intersection of one for each prime power in n. One of index p^k lies between L and
    p L for an invariant L of smaller index p^j, so it is an invariant subspace of L / p L.

    Attributes:
        generators: (g, 3, 3) proper integer matrices that generate the group with the inversion, acting on columns.
    """

    def __init__(self, rotations: IntArray) -> None:
        proper = rotations * np.rint(np.linalg.det(rotations)).astype(np.int64)[:, None, None]
        self.generators = _generators(np.unique(proper, axis=0))
        self._of_prime_power: dict[tuple[int, int], IntArray] = {}

    @cached_property
    def everything(self) -> bool:
        """Whether the group is only the identity and perhaps the inversion, which keep every sublattice."""
        return len(self.generators) == 0

    def of_index(self, index: int) -> IntArray:
        """(k, 3, 3) upper-triangular forms of an index."""
        forms, done = np.eye(3, dtype=np.int64)[None], 1
        for prime, power in _factors(index):
            more = self._prime_power(prime, power)
            forms = _intersections(forms, done, more, prime**power)
            done *= prime**power
        return forms

    def _prime_power(self, prime: int, power: int) -> IntArray:
        if (prime, power) not in self._of_prime_power:
            forms = [np.eye(3, dtype=np.int64)[None]] if power == 0 else []
            for step in range(1, min(power, 3) + 1):
                forms += [self._below(form, prime, step) for form in self._prime_power(prime, power - step)]
            self._of_prime_power[prime, power] = np.unique(np.concatenate(forms), axis=0)
        return self._of_prime_power[prime, power]

    def _below(self, form: IntArray, prime: int, step: int) -> IntArray:
        """Invariant sublattices of index prime^step in that of a form which hold prime times it, (k, 3, 3)."""
        if step == 3:  # noqa: PLR2004  three dimensions: all of it
            return prime * form[None]
        acting = np.rint(form @ self.generators.transpose(0, 2, 1) @ np.linalg.inv(form)).astype(np.int64)
        if step == 1:
            normals = _invariant_lines(acting.transpose(0, 2, 1), prime)
            return _reduced_above(_orthogonal_to(normals, prime) @ form)
        return _reduced_above(_along(_invariant_lines(acting, prime), prime) @ form)


def _generators(rotations: IntArray) -> IntArray:
    """A few elements (k, 3, 3) that generate a finite group of matrices (g, 3, 3), the identity left out."""
    identity = np.eye(3, dtype=np.int64)
    chosen: list[IntArray] = []
    reached = {identity.tobytes(): identity}
    for rotation in rotations:
        if rotation.tobytes() not in reached:
            chosen.append(rotation)
            frontier = list(reached.values())
            while frontier:
                element = frontier.pop()
                for product in (element @ generator for generator in chosen):
                    if product.tobytes() not in reached:
                        reached[product.tobytes()] = product
                        frontier.append(product)
    return np.array(chosen, dtype=np.int64).reshape(-1, 3, 3)


@lru_cache(maxsize=4096)
def _factors(index: int) -> tuple[tuple[int, int], ...]:
    """Primes of a number and their powers."""
    factors, rest, prime = [], index, 2
    while rest > 1:
        power = 0
        while rest % prime == 0:
            rest, power = rest // prime, power + 1
        if power:
            factors.append((prime, power))
        prime += 1
    return tuple(factors)


def _intersections(one: IntArray, index: int, other: IntArray, coprime: int) -> IntArray:
    """Each sublattice (k, 3, 3) of an index with each (m, 3, 3) of a coprime index, (k m, 3, 3)."""
    if index == 1:
        return other
    # 1 modulo the first index and 0 modulo the other joins a row of each, scaled by the other's pivot, to one in both.
    unit = coprime * pow(coprime, -1, index)
    left, right = one[:, None], other[None]
    pivots = [np.diagonal(forms, axis1=2, axis2=3)[..., None] for forms in (left, right)]
    joined = unit * pivots[1] * left + (1 - unit) * pivots[0] * right
    return _reduced_above(joined.reshape(-1, 3, 3))


def _reduced_above(triangular: IntArray) -> IntArray:
    """Hermite normal forms (k, 3, 3) of upper-triangular bases: entries above a pivot in [0, pivot)."""
    forms = np.array(triangular)
    for axis in (1, 2):
        for row in range(axis):
            forms[:, row] -= (forms[:, row, axis] // forms[:, axis, axis])[:, None] * forms[:, axis]
    return forms


def _lines(prime: int) -> IntArray:
    """All lines of the space over the field of a prime, (p² + p + 1, 3); the first non-zero coordinate is 1."""
    last, pair = np.arange(prime), np.indices((prime, prime)).reshape(2, -1).T
    return np.concatenate(
        [
            np.insert(pair, 0, 1, axis=1),
            np.stack([0 * last, 0 * last + 1, last], axis=1),
            np.array([[0, 0, 1]]),
        ]
    )


def _invariant_lines(acting: IntArray, prime: int) -> IntArray:
    """Lines u (k, 3) over the field of a prime with u A parallel to u for each generator A of a group (g, 3, 3)."""
    lines = _candidates(acting, prime) if len(acting) and prime > _LAST_ORDER else _lines(prime)
    for matrix in acting:
        turned = lines @ matrix
        parallel = turned[:, [1, 2, 0]] * lines[:, [2, 0, 1]] - turned[:, [2, 0, 1]] * lines[:, [1, 2, 0]]
        lines = lines[(parallel % prime == 0).all(axis=1)]
    return lines


def _candidates(acting: IntArray, prime: int) -> IntArray:
    """Lines that one element of a group keeps: its axis, and those of the plane across it (k, 3), beginning with 1.

    That is all of them where the prime does not divide the element's order: a line is then either fixed point by point
    or is in the image of A - 1.
    """
    turn = acting[0]
    powers = [np.eye(3, dtype=np.int64)]
    while not (powers[-1] @ turn == powers[0]).all():
        powers.append(powers[-1] @ turn)
    projector = sum(powers[1:], start=powers[0])
    row, column = np.argwhere(projector)[0]
    axis, normal = (line // np.gcd.reduce(line) for line in (projector[row], projector[:, column]))
    plane = _orthogonal_to(normal[None], prime)[0]
    first, second = plane[(np.diag(plane) == 1).nonzero()[0]]
    multiples = np.arange(prime)[:, None]
    leading = int(axis[np.flatnonzero(axis % prime)[0]])
    axis = axis * pow(leading, -1, prime)
    return np.concatenate([axis[None] % prime, (first + multiples * second) % prime, second[None] % prime])


def _orthogonal_to(normals: IntArray, prime: int) -> IntArray:
    """Sublattices {x : w x = 0 modulo p} of normals w (k, 3), (k, 3, 3) triangular."""
    forms = np.zeros((len(normals), 3, 3), dtype=np.int64)
    for k, w in enumerate((normals % prime).tolist()):
        last = max(i for i in range(3) if w[i])
        inverse = pow(w[last], -1, prime)
        forms[k] = np.eye(3, dtype=np.int64)
        forms[k, :last, last] = [-inverse * x % prime for x in w[:last]]
        forms[k, last, last] = prime
    return forms


def _along(lines: IntArray, prime: int) -> IntArray:
    """Sublattices Z u + p Z³ of lines u (k, 3) with first non-zero coordinate 1, (k, 3, 3) triangular."""
    forms = prime * np.broadcast_to(np.eye(3, dtype=np.int64), (len(lines), 3, 3))
    first = (lines != 0).argmax(axis=1)
    forms[np.arange(len(lines)), first] = lines
    return forms


class CompactLattices:
    """Superlattices of a lattice whose shortest vector is long, one of each set that the point group makes equivalent.

    Every lattice has a Minkowski-reduced basis, which has the lengths of its successive minima, so that few vectors can
    be the first, second and third one when the shortest must be long.

    Attributes:
        primitive: (3, 3) lattice, rows, Å.
        rotations: (g, 3, 3) integer matrices of its point group, acting on columns.
    """

    def __init__(self, primitive: FloatArray, rotations: IntArray) -> None:
        self.primitive, self.rotations = primitive, rotations
        self.volume = abs(float(np.linalg.det(primitive)))
        self._reach, self._vectors, self._first = 0.0, np.zeros((0, 3), dtype=np.int64), np.zeros(0, dtype=bool)

    def of_index(self, index: int, shortest: float, most_aspect: float = math.inf) -> IntArray:
        """Reduced bases (k, 3, 3), integers, of an index with no vector shorter than `shortest` (Å).

        Args:
            index: number of primitive cells.
            shortest: Å, positive.
            most_aspect: largest ratio of the third to the first successive minimum.
        """
        product = HERMITE_FACTOR * self.volume * index
        self._extend(min(product / shortest**2, most_aspect * product ** (1 / 3)))
        cartesian = self._vectors @ self.primitive
        length = np.linalg.norm(cartesian, axis=1)
        firsts = np.flatnonzero(
            self._first & (length >= shortest - _ROUNDING) & (length <= product ** (1 / 3) + _ROUNDING)
        )
        bases = [self._bases(first, cartesian, length, index, most_aspect) for first in firsts.tolist()]
        return np.concatenate([np.zeros((0, 3, 3), dtype=np.int64), *bases], dtype=np.int64)

    def _bases(self, first: int, cartesian: FloatArray, length: FloatArray, index: int, most_aspect: float) -> IntArray:
        """Reduced bases that begin with a vector."""
        shortest, product = length[first], HERMITE_FACTOR * self.volume * index
        projection = np.abs(cartesian @ cartesian[first])
        beside = np.flatnonzero((length >= shortest - _ROUNDING) & (2 * projection <= shortest**2 + _ROUNDING))
        thirds = beside[length[beside] <= min(product / shortest**2, most_aspect * shortest) + _ROUNDING]
        seconds = thirds[length[thirds] ** 2 <= product / shortest + _ROUNDING]
        normals = np.cross(self._vectors[first], self._vectors[seconds])
        # Exact in floating point, which multiplies matrices much faster than integers.
        volumes = normals.astype(float) @ self._vectors[thirds].T.astype(float)
        pair, third = np.nonzero(np.abs(volumes) == index)
        a, b, c = cartesian[first], cartesian[seconds[pair]], cartesian[thirds[third]]
        longer = length[thirds[third]] >= length[seconds[pair]] - _ROUNDING
        across = 2 * np.abs((b * c).sum(axis=1)) <= (b**2).sum(axis=1) + _ROUNDING
        sums = [np.linalg.norm(c + p * a + q * b, axis=1) for p in (-1, 1) for q in (-1, 1)]
        reduced = longer & across & (np.min(sums, axis=0) >= np.linalg.norm(c, axis=1) - _ROUNDING)
        columns = (self._vectors[chosen[reduced]] for chosen in (seconds[pair], thirds[third]))
        bases = np.stack(np.broadcast_arrays(self._vectors[first], *columns), axis=1)
        signs = np.sign(volumes[pair, third][reduced]).astype(np.int64)
        return np.asarray(bases * signs[:, None, None], dtype=np.int64)

    def _extend(self, reach: float) -> None:
        """Have all vectors up to a length, one of each pair of opposite ones, and mark one of each equivalent set."""
        if reach <= self._reach:
            return
        bound = np.floor((reach + _ROUNDING) * np.linalg.norm(np.linalg.inv(self.primitive), axis=0)).astype(int)
        grid = np.stack(np.meshgrid(*[np.arange(-b, b + 1) for b in bound], indexing="ij"), axis=-1).reshape(-1, 3)
        grid = grid[len(grid) // 2 + 1 :]  # the second half is minus the first
        self._vectors = grid[np.linalg.norm(grid @ self.primitive, axis=1) <= reach + _ROUNDING]
        base = 2 * int(bound.max(initial=1)) + 1
        weights = np.array([base**2, base, 1])
        codes = np.abs(self._vectors @ self.rotations.transpose(0, 2, 1) @ weights)
        self._first = codes.max(axis=0) == self._vectors @ weights
        self._reach = reach
