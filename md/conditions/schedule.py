"""A quantity over time: piecewise linear, with jumps; constants, ramps, steps, cycles and quenches are all of it.

Profiles are joined with `then`, so a heating, a hold and a quench read as they are done:
`ramp(300, 900, 5000).then(constant(900, 2000)).then(quench(300))`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from augment.cell import FloatArray
from augment.errors import ConditionError

ScheduleValue = float | tuple[float, ...]
"""A number, or the six components xx, yy, zz, yz, xz, xy of a symmetric tensor."""

TENSOR = 6
MAX_KNOTS = 10_000
"""Of one profile; each ends a leg of the run, and a leg costs a few milliseconds."""


@dataclass(frozen=True)
class Profile:
    """A function of time from 0 on, through knots; after the last knot its value stays.

    Attributes:
        times: (k,) times of the knots, fs, from 0 on and never falling; two knots at one time are a jump.
        values: (k,) values at the knots, each a number or six components.
        quenches: times of the jumps at which the system itself is set to the new value at once (a temperature:
            velocities are scaled), where at other jumps only the target changes and the system follows.

    Raises:
        ConditionError: the knots do not make a function of time.
    """

    times: tuple[float, ...]
    values: tuple[ScheduleValue, ...]
    quenches: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < len(self.times) == len(self.values) <= MAX_KNOTS:
            raise ConditionError(
                f"a schedule with {len(self.times)} times and {len(self.values)} values; "
                f"give one value for each time, and between 1 and {MAX_KNOTS}"
            )
        rising = all(a <= b for a, b in zip(self.times, self.times[1:], strict=False))
        if self.times[0] != 0 or not rising or not math.isfinite(self.times[-1]):
            raise ConditionError(f"the times of a schedule are {self.times}; give times from 0 on that do not fall")
        if len({_components(value) for value in self.values}) > 1 or _components(self.values[0]) not in {1, TENSOR}:
            raise ConditionError("the values of a schedule are not all numbers, or all six components of a tensor")
        if not np.isfinite(self.array).all():
            raise ConditionError(f"the values of a schedule are {self.values}; give finite numbers")

    @property
    def array(self) -> FloatArray:
        """(k, c) values at the knots, c = 1 or 6."""
        return np.array(self.values, dtype=float).reshape(len(self.times), -1)

    @property
    def length(self) -> float:
        """Time of the last knot, fs."""
        return self.times[-1]

    @property
    def is_constant(self) -> bool:
        """Whether the value never changes."""
        return bool((self.array == self.array[0]).all()) and not self.quenches

    def then(self, other: Profile) -> Profile:
        """This profile, and from its last knot on the other one."""
        shifted = tuple(self.length + time for time in other.times)
        quenches = (*self.quenches, *(self.length + time for time in other.quenches))
        return Profile((*self.times, *shifted), (*self.values, *other.values), quenches)

    def in_steps(self, timestep: float) -> Profile:
        """The same profile with its times in steps of `timestep` fs, rounded to whole ones."""
        times, quenches = (tuple(float(round(t / timestep)) for t in ts) for ts in (self.times, self.quenches))
        return Profile(times, self.values, quenches)

    def before(self, time: float) -> FloatArray:
        """(c,) value on arrival at a time: at a jump the old one."""
        upper = int(np.searchsorted(self.times, time, side="left"))
        if upper in {0, len(self.times)}:
            upper = min(upper, len(self.times) - 1)
            return np.asarray(self.array[upper], dtype=float)
        return self._between(upper, time)

    def after(self, time: float) -> FloatArray:
        """(c,) value on leaving a time: at a jump the new one."""
        upper = int(np.searchsorted(self.times, time, side="right"))
        if upper == len(self.times) or self.times[upper - 1] == time:
            return np.asarray(self.array[upper - 1], dtype=float)
        return self._between(upper, time)

    def _between(self, upper: int, time: float) -> FloatArray:
        values, low, high = self.array, self.times[upper - 1], self.times[upper]
        share = (time - low) / (high - low)
        return np.asarray((1 - share) * values[upper - 1] + share * values[upper], dtype=float)

    @property
    def json(self) -> dict[str, Any]:
        """The profile as JSON values."""
        values = [list(v) if isinstance(v, tuple) else float(v) for v in self.values]
        return {
            "times": [float(t) for t in self.times],
            "values": values,
            "quenches": [float(t) for t in self.quenches],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Profile:
        """Inverse of `json`."""
        return cls(tuple(values["times"]), tuple(_value(v) for v in values["values"]), tuple(values["quenches"]))


def _components(value: ScheduleValue) -> int:
    return len(value) if isinstance(value, tuple) else 1


def _value(given: float | Sequence[float]) -> ScheduleValue:
    return tuple(float(x) for x in given) if isinstance(given, Sequence) else float(given)


def constant(value: ScheduleValue, length: float = 0.0) -> Profile:
    """One value, for `length` fs where something follows."""
    return Profile((0.0, length), (value, value)) if length else Profile((0.0,), (value,))


def ramp(first: ScheduleValue, last: ScheduleValue, length: float) -> Profile:
    """From one value to another, linearly over `length` fs."""
    return Profile((0.0, length), (first, last))


def step(first: ScheduleValue, last: ScheduleValue, after: float) -> Profile:
    """One value, and after so many fs another."""
    return Profile((0.0, after, after), (first, first, last))


def quench(value: ScheduleValue) -> Profile:
    """A jump to a value that the system takes at once; joined to what goes before with `then`."""
    return Profile((0.0,), (value,), (0.0,))


def cycle(low: ScheduleValue, high: ScheduleValue, period: float, repeats: int) -> Profile:
    """Up from one value to another and back, linearly, so many times; a period takes `period` fs.

    Raises:
        ConditionError: there is no period to repeat.
    """
    if not (period > 0 and 0 < repeats <= MAX_KNOTS // 2):
        raise ConditionError(f"{repeats} cycles of {period} fs; give at least one, and a period above 0")
    times = tuple(period * k / 2 for k in range(2 * repeats + 1))
    return Profile(times, tuple(high if k % 2 else low for k in range(2 * repeats + 1)))


def as_profile(value: ScheduleValue | Profile | Iterable[float]) -> Profile:
    """A profile from a number, six components, or a profile."""
    if isinstance(value, Profile):
        return value
    return constant(tuple(float(x) for x in value) if isinstance(value, Iterable) else float(value))
