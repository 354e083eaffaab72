"""The point that an engine follows: as asked for, with those jumps of its pressure ramped that its cell cannot take."""

from __future__ import annotations

from augment.cell import DefectCell
from md.conditions.point import MdPoint
from md.conditions.pressure_ramp import Stiffness, may_jump, ramped
from md.labels.evaluator import Divergence, Evaluation, Evaluator
from md.potentials import Potential

COMPRESSION = 0.01
"""Share of the volume by which a cell is compressed to learn its bulk modulus."""


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
    scale = (1 - COMPRESSION) ** (1 / 3)
    try:
        pressure = _pressure(evaluate(cell.positions, cell.cell))
        if not may_jump(point, pressure):
            return point, ""
        compressed = _pressure(evaluate(scale * cell.positions, scale * cell.cell))
    except Divergence:
        return point, ""  # the run says the same of its start
    return ramped(point, Stiffness.of((pressure, compressed), COMPRESSION))


def _pressure(labels: Evaluation) -> float:
    from ase import units

    return -float(labels.stress[:3].mean() / units.GPa)
