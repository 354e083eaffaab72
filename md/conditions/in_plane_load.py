"""Load on a layer: a tension in N/m, which does not depend on how much vacuum there is in its cell."""

from __future__ import annotations

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.crystal.vacuum import LayerPlane, find_plane
from augment.errors import CifError, ConditionError

MAX_TENSION = 1000.0
"""N/m, and as much in compression; graphene breaks at 40."""

GPA_ANGSTROM = 0.1
"""N/m in a GPa Å."""

EV_PER_SQUARE_ANGSTROM = 16.02176634
"""N/m in an eV/Å²."""

UPRIGHT = 1e-4
"""Largest cosine between a layer and the axis across its vacuum where that counts as perpendicular."""


def plane_of(cell: DefectCell) -> LayerPlane:
    """The plane of the layer in a cell.

    Raises:
        ConditionError: there is no layer in it.
    """
    try:
        plane = find_plane(cell.cell, cell.positions @ np.linalg.inv(cell.cell))
    except CifError as error:
        raise ConditionError(f"{cell.name}: {error}; use nvt or nve") from None
    if plane is None:
        raise ConditionError(
            f"{cell.name}: npt-plane is for a layer with vacuum, and there is none in its cell; use npt or npt-full"
        )
    return plane


def pressure_of(tension: float, period: float) -> float:
    """Pressure (GPa) in the plane of a cell of a height (Å) in which a layer is under a tension (N/m)."""
    return -tension / (GPA_ANGSTROM * period)


def tension_of(pressures: FloatArray, plane: LayerPlane) -> FloatArray:
    """Tensions (s,), N/m, of a layer from pressures (s, 3, 3), GPa: minus their mean in the plane times its period."""
    along = np.einsum("sij,ij->s", pressures, plane.projector) / 2
    return np.asarray(-GPA_ANGSTROM * plane.period * along, dtype=float)


def area_of(cells: FloatArray, plane: LayerPlane) -> FloatArray:
    """Areas (s,) of a layer in cells (s, 3, 3), Å²; the period across it never changes."""
    return np.asarray(np.abs(np.linalg.det(cells)) / plane.period, dtype=float)


def upright_axis(cell: DefectCell) -> int:
    """Which axis of a cell is across its layer, at a right angle to the others, as LAMMPS needs it.

    Raises:
        ConditionError: there is no layer, or no axis like that.
    """
    plane = plane_of(cell)
    axes = cell.cell / np.linalg.norm(cell.cell, axis=1)[:, None]
    axis = int(np.abs(axes @ plane.direction).argmax())
    if np.count_nonzero(plane.normal) > 1 or np.abs(np.delete(axes, axis, 0) @ axes[axis]).max() > UPRIGHT:
        raise ConditionError(
            f"{cell.name}: no axis of its cell is perpendicular to the layer, and the barostat of LAMMPS moves axes; "
            "use engine ase, or a cell with such an axis"
        )
    return axis
