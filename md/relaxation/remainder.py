"""How far a path is from its minimum: the strain and the energy that a relaxation still leaves.

A stress says little by itself: 0.05 GPa is 0.03 % of the volume of MgO and 1.7 % of that of solid argon. The path of an
optimizer determines the stiffness. From pairs of moves s and changes of the gradient y, the inverse Hessian
H of L-BFGS (Liu and Nocedal, Math. Program. 45, 503 (1989)) gives the move that is left, -H g, and the energy that it
frees, g H g / 2. Directions in which the path has not gone count as softer than any in which it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from augment.cell import FloatArray
from augment.crystal.vacuum import LayerPlane
from md.labels.evaluator import volume_of
from md.labels.frames import Snapshot

MEMORY = 30
"""Moves that the stiffness is estimated from; fewer would forget the first ones of a crystal with six strains."""

UNSEEN_SOFTNESS = 0.1
"""Stiffness of a direction in which the path has not gone, in the least that it has met: C44 of graphite is a
hundredth of C11, and every move in between narrows what is unseen."""

SOFT_MODULUS = 1.0
"""GPa; modulus of a crystal of which only one stress is known. Solid neon has 1.1."""

OUTER_SPACE = 3.4
"""Å; of its own that a layer has beyond its outermost atomic planes, as in a stack: by its thickness and this a stress
in a cell with vacuum is one of the layer."""

SOFT_SPRING = 1.0
"""eV/Å²; force constant of an atom of which only one force is known. An oxide has 10 to 30, solid argon 1."""


@dataclass(frozen=True)
class Remainder:
    """What a relaxation leaves, by estimate.

    Attributes:
        strain: largest component of the strain to the minimum; 0 where the cell is fixed.
        energy: eV above the minimum, of the whole cell.
    """

    strain: float
    energy: float


def cell_scale(atoms: int) -> float:
    """Å by which a strain is multiplied to be a coordinate like those of the atoms.

    A strain has the curvature V C, which grows with the number of atoms; divided by the square of this it is the
    1 to 30 eV/Å² of an atom in the same crystal, whatever the size of the cell.
    """
    return float(np.sqrt(atoms))


def remainder(path: Sequence[Snapshot], *, pressure: float | None, plane: LayerPlane | None = None) -> Remainder:
    """Strain and energy between the end of a path and the minimum that it goes to.

    Args:
        path: geometries and labels, in order, at least one; their forces and stresses as projected on a symmetry.
        pressure: eV/Å³, of a relaxation of the cell; None where the cell is fixed.
        plane: of a layer, whose cell relaxes in its plane only. Strain and energy do not depend on the vacuum: the
            virial, stress times volume, is that of the layer alone.
    """
    recent = path[-MEMORY - 1 :]
    if len(recent) == 1:
        return _first(recent[0], pressure, plane)
    points = [_coordinates(snapshot, recent[-1], pressure, plane) for snapshot in recent]
    moves = [(b - a, after - before) for (a, before), (b, after) in pairwise(points)]
    moves = [(s, y) for s, y in moves if _dot(s, y) > 0]
    if not moves:
        return _first(recent[-1], pressure, plane)
    gradient = points[-1][1]
    softest = min(_dot(s, y) / _dot(s, s) for s, y in moves)
    s, y = moves[-1]
    energy = 0.5 * _dot(gradient, _inverse_hessian(moves, gradient, _dot(s, y) / _dot(y, y)))
    if pressure is None:
        return Remainder(0.0, energy)
    left = _inverse_hessian(moves, gradient, 1 / (UNSEEN_SOFTNESS * softest))
    strain = left[-9:] / cell_scale(len(recent[-1][0]))
    return Remainder(float(np.abs(strain).max()), energy)


def _first(snapshot: Snapshot, pressure: float | None, plane: LayerPlane | None) -> Remainder:
    """Of a single geometry, whose stiffness is unknown: that of a soft crystal."""
    from ase import units

    _, cell, labels = snapshot
    energy = float((labels.forces**2).sum()) / (2 * SOFT_SPRING)
    if pressure is None:
        return Remainder(0.0, energy)
    excess, volume = _full(labels.stress) + pressure * np.eye(3), volume_of(cell)
    if plane is not None:
        dilution = plane.period / (plane.thickness + OUTER_SPACE)
        excess, volume = dilution * plane.within(excess), volume / dilution
    modulus = SOFT_MODULUS * units.GPa
    energy += volume * float((excess**2).sum()) / (2 * modulus)
    return Remainder(float(np.abs(excess).max()) / modulus, energy)


def _coordinates(
    snapshot: Snapshot, reference: Snapshot, pressure: float | None, plane: LayerPlane | None
) -> tuple[FloatArray, FloatArray]:
    """Coordinates (3n,) or (3n + 9,) of a geometry in the cell of another, Å, and the gradient in them, eV/Å."""
    positions, cell, labels = snapshot
    if pressure is None:
        return positions.ravel(), -labels.forces.ravel()
    deformation = np.linalg.inv(reference[1]) @ cell
    places = positions @ np.linalg.inv(deformation)
    scale = cell_scale(len(positions))
    strain = (deformation + deformation.T) / 2 - np.eye(3)
    virial = volume_of(cell) * (_full(labels.stress) + pressure * np.eye(3)) @ np.linalg.inv(deformation).T
    virial = (virial + virial.T) / 2
    if plane is not None:
        strain, virial = plane.within(strain), plane.within(virial)
    return (
        np.concatenate([places.ravel(), scale * strain.ravel()]),
        np.concatenate([-(labels.forces @ deformation.T).ravel(), virial.ravel() / scale]),
    )


def _full(stress: FloatArray) -> FloatArray:
    xx, yy, zz, yz, xz, xy = stress
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def _inverse_hessian(moves: Sequence[tuple[FloatArray, FloatArray]], vector: FloatArray, unseen: float) -> FloatArray:
    """H v by the two loops of L-BFGS; `unseen` is the inverse curvature of directions without moves."""
    shares: list[float] = []
    result = vector.copy()
    for s, y in reversed(moves):
        shares.append(_dot(s, result) / _dot(s, y))
        result -= shares[-1] * y
    result *= unseen
    for s, y in moves:
        result += (shares.pop() - _dot(y, result) / _dot(s, y)) * s
    return result


def _dot(a: FloatArray, b: FloatArray) -> float:
    return float(a @ b)
