"""The point that an engine follows: as asked for, with those jumps of its pressure ramped that its cell cannot take."""

from __future__ import annotations

import numpy as np

from augment.cell import DefectCell
from augment.crystal.vacuum import LayerPlane
from md.conditions.environment import IN_PLANE
from md.conditions.in_plane_load import plane_of, tension_of
from md.conditions.point import MdPoint
from md.conditions.pressure_ramp import Stiffness, may_jump, ramped
from md.labels.evaluator import Divergence, Evaluation, Evaluator
from md.potentials import Potential

COMPRESSION = 0.01
"""Share of the volume, or of the area of a layer, by which a cell is compressed to learn its modulus."""


def followed_point(point: MdPoint, cell: DefectCell, potential: Potential) -> tuple[MdPoint, str]:
    """The point with its jumps of pressure as the cell can follow them, and what was changed.

    Under a barostat it takes one evaluation for the pressure of the start, and another one for the bulk modulus where a
    pressure other than 0 is asked for or the start is not at rest.

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
