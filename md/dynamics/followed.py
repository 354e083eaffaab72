"""What an engine runs of a point: where it starts, and those jumps of its pressure ramped that its cell cannot take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from augment.cell import DefectCell
from augment.crystal.vacuum import LayerPlane
from augment.errors import DataError
from md.conditions.environment import IN_PLANE
from md.conditions.in_plane_load import plane_of, tension_of
from md.conditions.point import MdPoint
from md.conditions.pressure_ramp import COMPRESSION, Stiffness, may_jump, ramped
from md.dynamics.start_volume import WarmCrystal, scaled, static_pressure
from md.labels.evaluator import Divergence, Evaluation, Evaluator
from md.potentials import Potential

FindCrystal = Callable[[], WarmCrystal]
"""Finds the pristine crystal at the conditions of a point, or raises a DataError that says why there is none."""


@dataclass(frozen=True, eq=False)
class Beginning:
    """What an engine runs.

    Attributes:
        point: with those jumps of its pressure ramped that the cell cannot take.
        cell: that the first step starts from.
        note: what is done otherwise than asked; empty if nothing is.
    """

    point: MdPoint
    cell: DefectCell
    note: str


def beginning(point: MdPoint, cell: DefectCell, potential: Potential, find_crystal: FindCrystal) -> Beginning:
    """What an engine runs of a point in a cell: from the volume of the warm crystal, if that is requested and found.

    Raises:
        PotentialError: the potential fails.
    """
    if point.start != "warm":
        return Beginning(*_at(cell, followed_point(point, cell, potential)))
    try:
        crystal = find_crystal()
        start = scaled(cell, crystal.scale_for(static_pressure(cell, potential)))
    except (DataError, Divergence) as reason:
        followed, note = followed_point(point, cell, potential)
        said = f"starts from the volume at rest: {reason}"
        return Beginning(followed, cell, "; ".join(filter(None, (said, note))))
    held = float(point.environment.loads.after(0)[:3].mean())
    return Beginning(*_at(start, ramped(point, Stiffness(held, crystal.bulk_modulus))))


def _at(cell: DefectCell, followed: tuple[MdPoint, str]) -> tuple[MdPoint, DefectCell, str]:
    return followed[0], cell, followed[1]


def followed_point(point: MdPoint, cell: DefectCell, potential: Potential) -> tuple[MdPoint, str]:
    """The point with its jumps of pressure as the cell can follow them, and what was changed.

    Under a barostat it takes one evaluation for the pressure of the start, and another one for the bulk modulus where a
    pressure other than 0 is requested or the start is not at rest.

    Raises:
        PotentialError: the potential fails.
    """
    if not point.environment.has_barostat:
        return point, ""
    evaluate = Evaluator(cell.numbers, potential.calculator(), cell.volume)
    plane = plane_of(cell) if point.environment.ensemble == IN_PLANE else None
    if plane is None:
        squeezed = (1 - COMPRESSION) ** (1 / 3) * np.eye(3)
    else:
        squeezed = np.eye(3) - (1 - (1 - COMPRESSION) ** (1 / 2)) * plane.projector
    try:
        load = _load(evaluate(cell.positions, cell.cell), plane)
        if not may_jump(point, load):
            return point, ""
        compressed = _load(evaluate(cell.positions @ squeezed, cell.cell @ squeezed), plane)
    except Divergence:
        return point, ""  # the run says the same of its start
    return ramped(point, Stiffness.of((load, compressed), COMPRESSION))


def _load(labels: Evaluation, plane: LayerPlane | None) -> float:
    """The pressure of a cell, GPa, or the tension of a layer, N/m."""
    from ase import units

    xx, yy, zz, yz, xz, xy = -labels.stress / units.GPa
    if plane is None:
        return float(xx + yy + zz) / 3
    return float(tension_of(np.array([[[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]]), plane)[0])
