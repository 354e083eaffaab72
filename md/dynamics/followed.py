"""The point that an engine follows: as asked for, with those jumps of its pressure ramped that its cell cannot take."""

from __future__ import annotations

import numpy as np

from augment.cell import DefectCell
from augment.crystal.vacuum import LayerPlane
from md.conditions.environment import IN_PLANE
from md.conditions.in_plane_load import plane_of, tension_of
from md.conditions.point import MdPoint
from md.conditions.pressure_ramp import Stiffness, ramped
from md.labels.evaluator import Divergence, Evaluation, Evaluator
from md.potentials import Potential

COMPRESSION = 0.01
"""Share of the volume, or of the area of a layer, by which a cell is compressed to learn its modulus."""


def followed_point(point: MdPoint, cell: DefectCell, potential: Potential) -> tuple[MdPoint, str]:
    """The point with its jumps of pressure as the cell can follow them, and what was changed.

    It takes two evaluations where a pressure other than 0 is asked for, and none else: a cell is at rest as a rule.

    Raises:
        PotentialError: the potential fails.
    """
    if not point.environment.has_barostat or not point.environment.loads.array.any():
        return point, ""
    evaluate = Evaluator(cell.numbers, potential.calculator(), cell.volume)
    plane = plane_of(cell) if point.environment.ensemble == IN_PLANE else None
    if plane is None:
        squeezed = (1 - COMPRESSION) ** (1 / 3) * np.eye(3)
    else:
        squeezed = np.eye(3) - (1 - (1 - COMPRESSION) ** (1 / 2)) * plane.projector
    try:
        labels = [evaluate(cell.positions @ shape, cell.cell @ shape) for shape in (np.eye(3), squeezed)]
    except Divergence:
        return point, ""  # the run says the same of its start
    loads = [_pressure(each) if plane is None else _tension(each, plane) for each in labels]
    return ramped(point, Stiffness.of((loads[0], loads[1]), COMPRESSION))


def _tension(labels: Evaluation, plane: LayerPlane) -> float:
    from ase import units

    xx, yy, zz, yz, xz, xy = -labels.stress / units.GPa
    return float(tension_of(np.array([[[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]]), plane)[0])


def _pressure(labels: Evaluation) -> float:
    from ase import units

    return -float(labels.stress[:3].mean() / units.GPa)
