"""Thermal expansion and bulk modulus from the mean volumes of a (T, P) grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from augment.errors import DataError
from md.estimators.statistics import Mean
from md.observables.thermodynamics import bulk_modulus_from_pressures, thermal_expansion

Point = Mapping[str, Any]


@dataclass(frozen=True)
class Constant:
    """A material constant from the mean volumes at several points, with the standard error that theirs give it.

    Attributes:
        cell: name of the cell.
        engine: engine of the dynamics.
        held: value of the condition that was the same at all points (K or GPa).
        between: range of the one that changed, lower end first; the constant is that at the mean of its values.
        value: 1/K for a volumetric expansion, GPa for a bulk modulus; with its standard error.
    """

    cell: str
    engine: str
    held: float
    between: tuple[float, float]
    value: Mean


def thermal_expansions(points: Sequence[Point]) -> list[Constant]:
    """Volumetric thermal expansion d ln V / dT at each pressure, 1/K, by a weighted fit through all temperatures."""
    return _constants(points, "temperature", "pressure", thermal_expansion)


def bulk_moduli(points: Sequence[Point]) -> list[Constant]:
    """Isothermal bulk modulus -dP / d ln V at each temperature, GPa, by a weighted fit through all pressures.

    The pressures are the mean ones of the runs, where they are known: a short run still swings about the pressure asked
    for, and its mean volume is that of its mean pressure.
    """
    return _constants(points, "pressure", "temperature", bulk_modulus_from_pressures)


def _constants(points: Sequence[Point], varied: str, held: str, fitted: Callable[..., Mean]) -> list[Constant]:
    groups: dict[tuple[str, str, float], list[Point]] = {}
    for point in points:
        if _is_usable(point):
            groups.setdefault((str(point["cell"]), str(point["engine"]), float(point[held])), []).append(point)
    constants = []
    for (cell, engine, at), members in groups.items():
        if len({p[varied] for p in members}) == 1:
            continue
        x = [_reached(p, varied) for p in members]
        try:
            value = fitted(x, [Mean(float(p["volume"]), float(p["volume_error"])) for p in members])
        except DataError:  # volumes too uncertain
            continue
        constants.append(Constant(cell, engine, at, (min(x), max(x)), value))
    return constants


def _reached(point: Point, varied: str) -> float:
    """The temperature (K) requested, or the pressure (GPa) that the run had on average."""
    mean = point.get("pressure_mean") if varied == "pressure" else None
    return float(point[varied] if mean is None else mean)


def _is_usable(point: Point) -> bool:
    """Whether a point holds a mean volume, with an error, at a fixed temperature and pressure."""
    held = str(point.get("ensemble")).startswith("npt") and "tension" not in point  # a layer has no volume
    steady = point["status"] == "finished" and "schedule" not in point and held
    return steady and bool(point.get("volume")) and bool(point.get("volume_error"))
