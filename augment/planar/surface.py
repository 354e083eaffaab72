"""Slabs with free surfaces, cut from a host between its atomic layers, one for each distinct termination."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.charges import oxidation_states
from augment.crystal.vacuum import MIN_VACUUM
from augment.elements import element_symbol
from augment.errors import SupercellError
from augment.host import Host
from augment.planar.cells import crystal_cell, plane_name
from augment.planar.layered import PlanarHost, planar_host
from augment.planar.planes import Plane, close_to_integer

DEFAULT_THICKNESS = 10.0
DEFAULT_VACUUM = 15.0
"""Å; usual for a first look at a surface."""

_NO_DIPOLE = 1e-3
"""e Å; a smaller dipole of formal charges is rounding."""


def surfaces(
    host: Host,
    miller: Sequence[int],
    *,
    min_thickness: float = DEFAULT_THICKNESS,
    vacuum: float = DEFAULT_VACUUM,
    symmetric: bool = False,
) -> tuple[PlanarHost, ...]:
    """A slab for each symmetry-distinct termination of a surface: not polar ones first, then the widest gap.

    Args:
        host: the bulk crystal.
        miller: (h, k, l), or (h, k, i, l), of its conventional cell.
        min_thickness: from the lowest cut to the highest, Å.
        vacuum: Å.
        symmetric: cut slabs whose two sides are equivalent, stoichiometric or not; otherwise slabs are a whole
            number of lattice planes thick, so stoichiometric, whatever their other side is.

    Raises:
        SupercellError: no such plane, thickness or vacuum, too many atoms, or no slab with equivalent sides.
    """
    plane = Plane.of(host, miller)
    name = f"{host.formula} {plane_name(miller)}"
    if not (0 < min_thickness < np.inf and MIN_VACUUM <= vacuum < np.inf):
        raise SupercellError(
            f"{name}: {min_thickness} Å thick and {vacuum} Å of vacuum; give a thickness above 0 "
            f"and a vacuum of {MIN_VACUUM:g} Å or more"
        )
    layers = int(np.ceil(min_thickness / plane.spacing - 1e-9))
    bottoms = plane.bottoms if symmetric else plane.cuts
    tops = [_symmetric_top(plane, bottom, layers) if symmetric else bottom + layers for bottom in bottoms]
    chosen = [(float(bottom), top) for bottom, top in zip(bottoms, tops, strict=True) if top is not None]
    if not chosen:
        raise SupercellError(f"{name}: no slab of it has equivalent sides; ask for stoichiometric ones")
    distinct: dict[str, PlanarHost] = {}
    for ends in chosen:
        slab = _slab(plane, name, miller, ends, vacuum)
        distinct.setdefault(slab.host.hash, slab)
    return tuple(sorted(distinct.values(), key=lambda slab: bool(slab.info["polar"])))


def _symmetric_top(plane: Plane, bottom: float, layers: int) -> float | None:
    """The next cut at least so many planes above the bottom one that an operation of the host takes it to."""
    sign, shift, _ = plane.operations
    middle, _ = plane.gaps
    tops = np.sort(bottom + layers + np.mod(middle - bottom + 1e-6, 1) - 1e-6)
    flipped = close_to_integer(bottom + tops[:, None] - shift[sign < 0]).any(axis=1)
    return float(tops[flipped][0]) if flipped.any() else None


def _slab(plane: Plane, name: str, miller: Sequence[int], ends: tuple[float, float], vacuum: float) -> PlanarHost:
    points, numbers = plane.between(*ends)
    heights = points @ plane.normal
    across = (np.ptp(heights) * plane.spacing + vacuum) * plane.direction
    lattice = np.stack([*plane.basis[:2] @ plane.host.primitive, across])
    structure = crystal_cell(lattice, points @ plane.host.primitive, numbers, name)
    info: dict[str, Any] = {
        "miller": [int(x) for x in miller],
        "thickness": round(float(np.ptp(heights) * plane.spacing), 4),
        "vacuum": vacuum,
        "termination": {side: _outermost(plane, ends[k], up) for k, (side, up) in enumerate(_SIDES.items())},
        **_charge_balance(plane.host, heights * plane.spacing, numbers),
    }
    return planar_host(structure, kind="surface", label=name, info=info)


_SIDES = {"lower": True, "upper": False}
"""Of the given slab, and whether the crystal is above the cut there."""


def _outermost(plane: Plane, cut: float, above: bool) -> str:  # noqa: FBT001  the side, as `_SIDES` says
    """Formula per primitive cell of the atomic layer next to a cut (`Ti2O2`)."""
    middle, _ = plane.gaps
    away = np.mod((middle - cut) * (1 if above else -1) - 1e-6, 1) + 1e-6
    other = float(away.min())
    inside = np.mod((plane.host.atoms.points @ plane.normal - cut) * (1 if above else -1), 1)
    kinds, counts = np.unique(plane.host.atoms.numbers[inside < other], return_counts=True)
    return "".join(f"{element_symbol(z)}{n if n > 1 else ''}" for z, n in zip(kinds, counts, strict=True))


def _charge_balance(host: Host, heights: FloatArray, numbers: IntArray) -> dict[str, Any]:
    """Formal charge (e) and dipole along the normal (e Å) of a slab, and whether its surfaces are polar."""
    from ase.data import atomic_numbers

    states = {int(atomic_numbers[element]): charge for element, charge in oxidation_states(host).items()}
    charges = np.array([states[int(z)] for z in numbers])
    dipole = float(charges @ (heights - heights.mean()))
    total = int(charges.sum())
    bulk, slab = ([int((z == kind).sum()) for kind in states] for z in (host.numbers, numbers))
    return {
        "stoichiometric": bool((np.outer(bulk, slab) == np.outer(slab, bulk)).all()),
        "formal_charge": total,
        "dipole": round(dipole, 4) + 0.0,
        "polar": total != 0 or abs(dipole) > _NO_DIPOLE,
    }
