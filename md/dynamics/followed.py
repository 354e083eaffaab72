"""The point that an engine follows: as asked for, with those jumps of its pressure ramped that its cell cannot take."""

from __future__ import annotations

from augment.cell import DefectCell
from md.conditions.point import MdPoint
from md.conditions.pressure_ramp import Stiffness, ramped
from md.labels.evaluator import Divergence, Evaluation, Evaluator
from md.potentials import Potential

COMPRESSION = 0.01
"""Share of the volume by which a cell is compressed to learn its bulk modulus."""


def followed_point(point: MdPoint, cell: DefectCell, potential: Potential) -> tuple[MdPoint, str]:
    """The point with its jumps of pressure as the cell can follow them, and what was changed.

    It takes two evaluations where a pressure other than 0 is asked for, and none else: a cell is at rest as a rule.

    Raises:
        PotentialError: the potential fails.
    """
    if not point.environment.has_barostat or not point.environment.pressures.array.any():
        return point, ""
    evaluate = Evaluator(cell.numbers, potential.calculator(), cell.volume)
    scale = (1 - COMPRESSION) ** (1 / 3)
    try:
        pressures = [_pressure(evaluate(factor * cell.positions, factor * cell.cell)) for factor in (1.0, scale)]
    except Divergence:
        return point, ""  # the run says the same of its start
    return ramped(point, Stiffness.of((pressures[0], pressures[1]), COMPRESSION))


def _pressure(labels: Evaluation) -> float:
    from ase import units

    return -float(labels.stress[:3].mean() / units.GPa)
