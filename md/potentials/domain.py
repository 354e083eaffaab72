"""Where a potential may be believed: whether a structure is like those that it learnt from, and if not, why.

Hard limits (elements, volume per atom, shortest distance of each pair of elements) and a signal: the distance of each
atom's environment (`md.potentials.environments`) from the nearest of a set of learnt ones. One foreign atom shows in
the largest distance, a foreign phase or a strain beyond the data in the mean one; each has a limit that a fifth of the
learnt cells, kept apart, does not pass.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.elements import element_symbol
from augment.errors import DataError
from augment.neighbours import pairs_within
from md.potentials.environments import environment_features, environment_length

REFERENCES = 200
"""Learnt environments kept for each element: on 538 cells of MgO, 100 miss more foreign structures, 300 none fewer."""

HELD_OUT_INTERVAL = 5
"""One cell in so many is kept apart to set the limits."""

VOLUME_MARGIN, DISTANCE_MARGIN = 0.02, 0.05
"""Relative; how far beyond the learnt range a volume per atom and a shortest distance still count as inside."""

_FORMAT = 1
_THOUSANDTH = 1e-3
"""References are stored as 16-bit integers of it: far finer than the distances that matter, which are of order one."""

_MAX_SPREADS = 32.0
"""Spreads; the largest that 16 bits hold. An environment so far out is alone in its corner all the same."""

_MIN_SPREAD = 1e-3
_OWN = {"format", "elements", "volume_per_atom", "shortest_distances", "environments", "limits"}


@dataclass(frozen=True)
class Verdict:
    """Whether a structure is inside a domain.

    Attributes:
        inside: no limit is passed.
        reasons: why not, one short text a limit.
        distance: largest distance of an environment from the learnt ones, in units of its limit; inside up to 1.
    """

    inside: bool
    reasons: tuple[str, ...]
    distance: float


@dataclass(frozen=True, eq=False)
class LearntEnvironments:
    """Learnt environments of one element: mean (f,), spread (f,) and references (r, f) in units of the spread."""

    mean: FloatArray
    spread: FloatArray
    references: FloatArray

    def distances(self, features: FloatArray) -> FloatArray:
        """Distance of each of (n, f) features from the nearest reference."""
        scaled = (features - self.mean) / self.spread
        squares = (scaled**2).sum(axis=1)[:, None] + (self.references**2).sum(axis=1) - 2 * scaled @ self.references.T
        return np.asarray(np.sqrt(np.maximum(squares, 0.0).min(axis=1)), dtype=float)

    @property
    def json(self) -> dict[str, Any]:
        """The environments as JSON values."""
        packed = base64.b64encode(np.rint(self.references / _THOUSANDTH).astype("<i2").tobytes()).decode()
        return {"mean": self.mean.tolist(), "spread": self.spread.tolist(), "references": packed}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LearntEnvironments:
        """Inverse of `json`."""
        mean, spread = np.array(values["mean"], dtype=float), np.array(values["spread"], dtype=float)
        packed = np.frombuffer(base64.b64decode(values["references"], validate=True), dtype="<i2")
        return cls(mean, spread, packed.reshape(-1, len(mean)) * _THOUSANDTH)


@dataclass(frozen=True, eq=False)
class Domain:
    """The domain of a potential.

    Attributes:
        elements: atomic numbers, sorted.
        volume_per_atom: least and largest, Å³.
        shortest_distances: by pair of atomic numbers (lower first), Å.
        known: learnt environments by atomic number.
        largest: limit of the largest distance of an environment.
        mean: limit of the mean distance over the atoms.
        conditions: what the recipe says (`temperature_K`, `pressure_GPa`, ...), ranges as [lowest, highest].
    """

    elements: tuple[int, ...]
    volume_per_atom: tuple[float, float]
    shortest_distances: Mapping[tuple[int, int], float]
    known: Mapping[int, LearntEnvironments]
    largest: float
    mean: float
    conditions: Mapping[str, Any]

    def verdict(self, cell: FloatArray, numbers: IntArray, positions: FloatArray) -> Verdict:
        """Judge a periodic structure: cell (3, 3) and positions (n, 3) in Å, atomic numbers (n,)."""
        foreign = sorted(set(numbers.tolist()) - set(self.elements))
        if foreign:
            return Verdict(inside=False, reasons=(f"elements it never saw: {_symbols(foreign)}",), distance=np.inf)
        reasons = [*self._volume(cell, len(numbers)), *self._distances(cell, numbers, positions)]
        features = environment_features(cell, numbers, positions, self.elements)
        distances = self._environment_distances(numbers, features)
        largest, mean = float(distances.max()) / self.largest, float(distances.mean()) / self.mean
        if largest > 1:
            atom = int(distances.argmax())
            symbol = _symbols([int(numbers[atom])])
            reasons.append(f"the surroundings of {symbol} (atom {atom}) are {largest:.1f} times as far as allowed")
        if mean > 1:
            reasons.append(f"its atoms' surroundings on average are {mean:.1f} times as far as allowed")
        return Verdict(not reasons, tuple(reasons), max(largest, mean))

    def outside(self, temperature: float, pressure: float) -> tuple[str, ...]:
        """Why a temperature (K) or a pressure (GPa) is outside what the recipe sampled; empty where it is inside."""
        found = []
        for name, value, unit in (("temperature_K", temperature, "K"), ("pressure_GPa", pressure, "GPa")):
            lowest, highest = self.conditions.get(name, (-np.inf, np.inf))
            if not lowest <= value <= highest:
                found.append(f"{value:g} {unit} is outside {lowest:g} to {highest:g} {unit}")
        return tuple(found)

    def _volume(self, cell: FloatArray, n: int) -> list[str]:
        volume, (low, high) = abs(float(np.linalg.det(cell))) / n, self.volume_per_atom
        inside = low * (1 - VOLUME_MARGIN) <= volume <= high * (1 + VOLUME_MARGIN)
        return [] if inside else [f"{volume:.2f} Å³ per atom, learnt {low:.2f} to {high:.2f}"]

    def _distances(self, cell: FloatArray, numbers: IntArray, positions: FloatArray) -> list[str]:
        found = []
        for (a, b), shortest in shortest_distances_by_element(cell, numbers, positions).items():
            limit = self.shortest_distances.get((a, b), np.inf)
            if shortest < limit * (1 - DISTANCE_MARGIN):
                found.append(f"{_symbols([a, b], '-')} {shortest:.2f} Å apart, learnt down to {limit:.2f}")
        return found

    def _environment_distances(self, numbers: IntArray, features: FloatArray) -> FloatArray:
        found = np.zeros(len(numbers))
        for element, known in self.known.items():
            of = numbers == element
            if of.any():
                found[of] = known.distances(features[of])
        return found

    @property
    def summary(self) -> dict[str, Any]:
        """What a person wants to know of the domain, as JSON values: everything but the learnt environments."""
        return {
            **self.conditions,
            "elements": _symbols(self.elements, " ").split(),
            "volume_per_atom": list(self.volume_per_atom),
            "shortest_distances": {_symbols(pair, "-"): value for pair, value in self.shortest_distances.items()},
        }

    @property
    def json(self) -> dict[str, Any]:
        """The domain as JSON values, for a card."""
        return {
            **self.summary,
            "format": _FORMAT,
            "environments": {_symbols([element]): known.json for element, known in self.known.items()},
            "limits": {"largest": self.largest, "mean": self.mean},
        }


def domain_of(card: Mapping[str, Any]) -> Domain | None:
    """The domain in a student's card; None where the card describes it in words only.

    Raises:
        DataError: the domain is damaged.
    """
    from ase.data import atomic_numbers

    values = card.get("domain", {})
    if "environments" not in values:
        return None
    try:
        elements = tuple(sorted(atomic_numbers[symbol] for symbol in values["elements"]))
        pairs = {
            _pair(*(atomic_numbers[s] for s in name.split("-"))): float(d)
            for name, d in values["shortest_distances"].items()
        }
        known = {
            atomic_numbers[symbol]: LearntEnvironments.from_json(entry)
            for symbol, entry in values["environments"].items()
        }
        low, high = map(float, values["volume_per_atom"])
        limits = values["limits"]
        others = {key: value for key, value in values.items() if key not in _OWN}
        domain = Domain(elements, (low, high), pairs, known, float(limits["largest"]), float(limits["mean"]), others)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"the domain of {card.get('name', 'a card')} is damaged ({error!r})") from None
    if any(known.references.shape[1:] != (environment_length(elements),) for known in domain.known.values()):
        raise DataError(f"the domain of {card.get('name', 'a card')} is of another format; fit it again")
    return domain


def fit_domain(
    cells: Sequence[DefectCell], conditions: Mapping[str, Any] | None = None, seed: int = 0
) -> dict[str, Any]:
    """The domain of a potential that learnt from `cells`, as JSON values for its card (`card["domain"]`).

    Args:
        cells: the cells of the training set.
        conditions: what the recipe sampled, such as `temperature_K` and `pressure_GPa` as [lowest, highest].
        seed: decides which cells set the limits.

    Raises:
        DataError: there are fewer cells than it takes to set limits.
    """
    if len(cells) < HELD_OUT_INTERVAL:
        raise DataError(f"a domain needs at least {HELD_OUT_INTERVAL} cells, not {len(cells)}")
    elements = tuple(sorted({int(z) for cell in cells for z in np.unique(cell.numbers)}))
    features = [environment_features(cell.cell, cell.numbers, cell.positions, elements) for cell in cells]
    order = np.random.default_rng(seed).permutation(len(cells))
    # A fifth of the cells set the limits, the others are learnt; elements that occur only there are learnt there.
    held, learnt = order[::HELD_OUT_INTERVAL], np.setdiff1d(order, order[::HELD_OUT_INTERVAL])
    known = {}
    for element in elements:
        rows = [features[k][cells[k].numbers == element] for k in learnt]
        rows = rows if any(map(len, rows)) else [features[k][cells[k].numbers == element] for k in held]
        known[element] = _know(np.concatenate(rows))
    volumes = [cell.volume / len(cell) for cell in cells]
    pairs: dict[tuple[int, int], float] = {}
    for cell in cells:
        for pair, distance in shortest_distances_by_element(cell.cell, cell.numbers, cell.positions).items():
            pairs[pair] = min(distance, pairs.get(pair, np.inf))
    draft = Domain(elements, (min(volumes), max(volumes)), pairs, known, 1.0, 1.0, dict(conditions or {}))
    held_distances = [draft._environment_distances(cells[k].numbers, features[k]) for k in held]  # noqa: SLF001
    largest, mean = max(d.max() for d in held_distances), max(d.mean() for d in held_distances)
    return Domain(elements, draft.volume_per_atom, pairs, known, float(largest), float(mean), draft.conditions).json


def _know(features: FloatArray) -> LearntEnvironments:
    """Spread-out references among (n, f) features: each next one is the farthest from those before it."""
    mean, spread = features.mean(axis=0), features.std(axis=0) + _MIN_SPREAD
    scaled = (features - mean) / spread
    chosen = [int((scaled**2).sum(axis=1).argmin())]
    away = ((scaled - scaled[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < min(REFERENCES, len(scaled)):
        chosen.append(int(away.argmax()))
        away = np.minimum(away, ((scaled - scaled[chosen[-1]]) ** 2).sum(axis=1))
    return LearntEnvironments.from_json(
        LearntEnvironments(mean, spread, np.clip(scaled[chosen], -_MAX_SPREADS, _MAX_SPREADS)).json
    )


def shortest_distances_by_element(
    cell: FloatArray, numbers: IntArray, positions: FloatArray
) -> dict[tuple[int, int], float]:
    """Shortest distance (Å) of each pair of elements (atomic numbers, lower first) that come within the cutoff."""
    from md.potentials.environments import CUTOFF

    i, j, distance = pairs_within(cell, positions, CUTOFF)
    low, high = np.minimum(numbers[i], numbers[j]), np.maximum(numbers[i], numbers[j])
    found = {}
    for a, b in np.unique(np.stack([low, high], axis=1), axis=0).tolist():
        found[a, b] = float(distance[(low == a) & (high == b)].min())
    return found


def _pair(a: int, b: int) -> tuple[int, int]:
    return min(a, b), max(a, b)


def _symbols(numbers: Sequence[int], separator: str = ", ") -> str:
    return separator.join(element_symbol(z) for z in numbers)
