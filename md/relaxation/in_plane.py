"""Relaxation of the cell of a layer: in its plane, while the axis across the vacuum keeps its length."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.crystal.vacuum import MIN_VACUUM, LayerPlane, find_plane
from augment.errors import CifError, ConditionError

Layer = Literal["auto", "bulk"] | tuple[int, int, int]
"""Whether a cell holds a layer: recognised by its vacuum, never, or always with this normal in the cell."""


def plane_to_relax(cell: DefectCell, layer: Layer, pressure: float) -> LayerPlane | None:
    """The plane that the cell of a layer relaxes in; None of a cell that relaxes in all strains.

    Args:
        cell: where the relaxation starts.
        layer: what the cell is taken for.
        pressure: GPa.

    Raises:
        ConditionError: the cell has vacuum in more directions than one, none across the normal given, or one that a
            pressure would close.
    """
    points = cell.positions @ np.linalg.inv(cell.cell)
    plane = _plane(cell, points, layer)
    if plane is not None and pressure:
        raise ConditionError(
            f"{cell.name}: {pressure:g} GPa would close the vacuum of the layer, and means another load for every "
            'vacuum; leave the pressure out (layer="bulk" treats it as a bulk crystal)'
        )
    return plane


def _plane(cell: DefectCell, points: FloatArray, layer: Layer) -> LayerPlane | None:
    if layer == "bulk":
        return None
    if layer == "auto":
        try:
            return find_plane(cell.cell, points)
        except CifError as error:
            raise ConditionError(f"{cell.name}: {error}; relax it at fixed cell") from None
    plane = LayerPlane.of(cell.cell, points, np.array(layer, dtype=np.int64))
    if plane.period - plane.thickness < MIN_VACUUM:
        raise ConditionError(
            f"{cell.name}: the widest gap across the planes {layer} is {plane.period - plane.thickness:.2f} Å; "
            f"a layer has a vacuum of {MIN_VACUUM:g} Å or more"
        )
    return plane


def in_plane_filter(plane: LayerPlane) -> Any:
    """ASE's filter of cell and atoms for a layer: the deformation stays in its plane, whatever the stress across it."""
    from ase.filters import FrechetCellFilter

    class InPlaneFilter(FrechetCellFilter):  # type: ignore[misc]  # ase is untyped here
        """The logarithm of the deformation gradient has components in the plane only."""

        def get_forces(self, **kwargs: Any) -> FloatArray:
            forces = np.array(super().get_forces(**kwargs))
            forces[-3:] = plane.within(forces[-3:])
            return forces

    return InPlaneFilter
