"""Jumps of a pressure made ramps, where a crystal is too soft to follow a jump without bouncing.

A barostat answers a jump as a mass on a spring does: aluminium that is put under 100 GPa at once overshoots, in one
engine to half its volume, and heats by hundreds of kelvin. What counts is the jump over the bulk modulus. A cell that
is far from rest is under a pressure of its own, and a run at 0 GPa lets it go at once: that is a jump like any other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from augment.cell import FloatArray
from md.conditions.environment import IN_PLANE, MAX_BATH_PRESSURE, MIN_PRESSURE
from md.conditions.point import MdPoint
from md.conditions.schedule import TENSOR, Profile, ScheduleValue

COMPRESSION = 0.01
"""Share of the volume, or of the area of a layer, by which a cell is compressed to learn its modulus."""

MAX_JUMP = 0.1
"""Of a pressure, in bulk moduli, that a cell is given at once: it breathes by this share of its volume."""

RAMP_SPEED = 1.0
"""Bulk moduli per ps: a barostat, which takes 1 ps, follows that with little overshoot."""

MAX_SHARE = 0.25
"""Of a run that a ramp takes at most: less than the third that averages leave out as equilibration."""

HELD_TENSION = 0.5
"""Of the tension that a cell starts under, from which the ramp begins: in the whole of it, warm, it would tear."""

MIN_BULK_MODULUS = 1.0
"""GPa, or N/m of an area; of a cell that seems to have none, as one that is stretched beyond its strength."""


@dataclass(frozen=True)
class Stiffness:
    """What a cell is at the start: pressure and bulk modulus, GPa; of a layer tension and area modulus, N/m."""

    pressure: float
    bulk_modulus: float

    @classmethod
    def of(cls, pressures: tuple[float, float], compression: float) -> Stiffness:
        """From the pressures of a cell as it is and with its volume, or its area, smaller by a share."""
        modulus = abs(pressures[1] - pressures[0]) / compression
        return cls(round(pressures[0], 1), max(round(modulus), MIN_BULK_MODULUS))


def may_jump(point: MdPoint, load: float) -> bool:
    """Whether the load may jump by more than a cell can follow that starts under a pressure, GPa, or a tension, N/m.

    Without it no bulk modulus, however small, makes a jump of what is requested.
    """
    environment = point.environment
    if not environment.has_barostat:
        return False
    away = np.abs(environment.loads.after(0)[:3] - load).max() > MAX_JUMP * MIN_BULK_MODULUS
    return bool(away or environment.loads.array.any())


def ramped(point: MdPoint, start: Stiffness) -> tuple[MdPoint, str]:
    """The point with too large jumps of its pressure made ramps, and a text that says so; empty without any.

    Args:
        point: of an ensemble with a barostat.
        start: the cell that it starts from.
    """
    area = point.environment.ensemble == IN_PLANE
    quantity, modulus, unit = ("tension", "area modulus", "N/m") if area else ("pressure", "bulk modulus", "GPa")
    sign = -1.0 if area else 1.0  # a tension pulls where a pressure is negative
    profile, notes = point.environment.loads, list[str]()
    first = start.pressure if area else min(max(start.pressure, MIN_PRESSURE), MAX_BATH_PRESSURE)
    jumps = [(0.0, first), *((a, float("nan")) for a, b in pairwise(profile.times) if a == b)]
    for time, known in jumps:
        old = _hydrostatic(known, profile.array.shape[1]) if time == 0 else profile.before(time)
        begin = sign * _begin(sign * old, sign * profile.after(time)) if time == 0 else old
        size = float(np.abs(profile.after(time) - old)[:3].max())
        if size <= MAX_JUMP * start.bulk_modulus:
            continue
        next_knot = min((t for t in profile.times if t > time), default=math.inf)
        longest = min(MAX_SHARE * (point.length - time), next_knot - time)
        wanted = size / start.bulk_modulus / RAMP_SPEED * 1000.0
        taken = min(wanted, longest)
        if taken < point.timestep or (begin == profile.after(time)).all():
            continue
        profile = _with_ramp(profile, time, begin, taken)
        share = f"{size / start.bulk_modulus:.1f} of the {modulus} ({start.bulk_modulus:g} {unit})"
        at_start = time == 0 and abs(first) > MAX_JUMP * start.bulk_modulus
        own = f"the start is under {start.pressure:g} {unit}: " if at_start else ""
        notes.append(
            f"{own}the {quantity} changes by {size:g} {unit} at {time / 1000:g} ps, {share}: "
            f"ramped over {taken / 1000:.3g} ps"
            f"{'' if (begin == old).all() else ' from half of the tension'}"
        )
    if not notes:
        return point, ""
    asked = point.environment
    followed = replace(asked, tension=profile) if area else replace(asked, pressure=profile)
    return replace(point, environment=followed), "; ".join(notes)


def _begin(own: FloatArray, wanted: FloatArray) -> FloatArray:
    """What the ramp of a cell begins with: its own pressure, but no more than half of a tension that it is to lose."""
    begin: FloatArray = np.maximum(own, np.minimum(HELD_TENSION * own, wanted))
    return begin


def _with_ramp(profile: Profile, time: float, old: FloatArray, length: float) -> Profile:
    """The profile with a line from `old` at a time to its own value so much later."""
    end = time + length
    knots = list(zip(profile.times, profile.values, strict=True))
    earlier = [(t, v) for t, v in knots if t < time]
    after = [(t, v) for t, v in knots if t >= end]
    inside = [(time, _value(old)), (end, _value(profile.before(end)))]
    times, values = zip(*earlier, *inside, *after, strict=True)
    return Profile(times, values)


def _hydrostatic(pressure: float, components: int) -> FloatArray:
    return pressure * np.array([1, 1, 1, 0, 0, 0] if components == TENSOR else [1.0])


def _value(values: FloatArray) -> ScheduleValue:
    return tuple(float(v) for v in values) if len(values) == TENSOR else float(values[0])
