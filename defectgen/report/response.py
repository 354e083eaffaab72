"""Thermal expansion and bulk modulus as secants of mean volumes between the ends of a (T, P) grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Secant:
    """A material constant from two mean volumes, with the standard error that those of the volumes give it.

    Attributes:
        cell: name of the cell.
        engine: engine of the dynamics.
        held: value of the condition that was the same at both points (K or GPa).
        between: values of the one that changed, lower first.
        value: 1e-6/K for an expansion, GPa for a bulk modulus.
        error: standard error of `value`, or None where that of a volume is unknown.
    """

    cell: str
    engine: str
    held: float
    between: tuple[float, float]
    value: float
    error: float | None


def thermal_expansions(points: Sequence[Mapping[str, Any]]) -> list[Secant]:
    """Volumetric expansion (V2 - V1) / (V̄ (T2 - T1)) at each pressure, 1e-6/K."""
    return _secants(points, "temperature", "pressure", lambda dx, relative: 1e6 * relative / dx)


def bulk_moduli(points: Sequence[Mapping[str, Any]]) -> list[Secant]:
    """Secant bulk modulus -V̄ (P2 - P1) / (V2 - V1) at each temperature, GPa."""
    return _secants(points, "pressure", "temperature", lambda dx, relative: -dx / relative)


def _secants(points: Sequence[Mapping[str, Any]], varied: str, held: str, constant: Any) -> list[Secant]:
    groups: dict[tuple[str, str, float], list[Mapping[str, Any]]] = {}
    for point in points:
        if point["status"] == "finished" and point.get("ensemble") == "npt" and point.get("volume"):
            groups.setdefault((str(point["cell"]), str(point["engine"]), float(point[held])), []).append(point)
    found = []
    for (cell, engine, at), members in groups.items():
        ends = [f(members, key=lambda p: float(p[varied])) for f in (min, max)]
        low, high = (float(end[varied]) for end in ends)
        first, last = (float(end["volume"]) for end in ends)
        if high > low and first != last:
            relative = (last - first) / ((last + first) / 2)
            value = float(constant(high - low, relative))
            error = _relative_error(ends)
            found.append(Secant(cell, engine, at, (low, high), value, None if error is None else abs(value) * error))
    return found


def _relative_error(ends: Sequence[Mapping[str, Any]]) -> float | None:
    """Standard error of a volume difference as a share of it."""
    errors = [float(end["volume_error"]) for end in ends if end.get("volume_error") is not None]
    if len(errors) < len(ends):
        return None
    return math.hypot(*errors) / abs(float(ends[1]["volume"]) - float(ends[0]["volume"]))
