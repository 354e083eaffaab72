"""Zone axes: the direction of the beam in the conventional cell of a crystal, and the axes of the image across it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.errors import ConditionError
from augment.host import Host

ALONG_BEAM = 1e-3
"""Sine of an angle to the beam below which an axis lies along it and cannot be the x axis of an image."""


def zone_axis(indices: Sequence[int]) -> tuple[int, int, int]:
    """A direction [uvw] from three indices, or from four of a hexagonal crystal, [UVTW] with T = -(U + V).

    Raises:
        ConditionError: they are no direction.
    """
    given = [int(index) for index in indices]
    if len(given) == 4 and sum(given[:3]) == 0:  # noqa: PLR2004  Weber indices
        u, v, _, w = given
        given = [2 * u + v, 2 * v + u, w]
    if len(given) != 3 or not any(given):  # noqa: PLR2004  a direction
        raise ConditionError(
            f"zone axis {','.join(map(str, indices))}: give three integers that are not all 0, such as 1,1,0, or four "
            "of a hexagonal crystal whose first three add up to 0"
        )
    divisor = int(np.gcd.reduce(given))
    u, v, w = (index // divisor for index in given)
    return u, v, w


def conventional_lattice(cell: DefectCell, host: Host) -> FloatArray:
    """Conventional lattice (3, 3), rows, Å, of the host as a cell holds it: strained with it.

    Args:
        cell: a supercell of the host, with its matrix in the provenance.
        host: the crystal, relaxed or not.

    Raises:
        ConditionError: the cell does not say which supercell it is.
    """
    if "supercell" not in cell.provenance:
        raise ConditionError(f"{cell.name}: does not say which supercell of {host.formula} it is; make it again")
    primitive = np.linalg.inv(np.array(cell.provenance["supercell"], dtype=float)) @ cell.cell
    return np.asarray(host.lattice @ np.linalg.inv(host.primitive) @ primitive)


def image_axes(zone: Sequence[int], conventional: FloatArray) -> FloatArray:
    """Unit vectors (3, 3), rows: x and y of the image, and the beam along the zone axis.

    x is the projection of the first conventional axis that does not lie along the beam; the three are right-handed.

    Args:
        zone: direction in the conventional cell.
        conventional: (3, 3) conventional lattice, rows, Å.
    """
    beam = np.array(zone_axis(zone), dtype=float) @ conventional
    beam /= np.linalg.norm(beam)
    for axis in conventional:
        across = axis - (axis @ beam) * beam
        if np.linalg.norm(across) > ALONG_BEAM * np.linalg.norm(axis):
            break
    x = across / np.linalg.norm(across)
    return np.stack([x, np.cross(beam, x), beam])
