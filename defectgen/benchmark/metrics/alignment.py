"""A defect given as two structures in somebody's axes, expressed in the axes and order of its canonical cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from augment import Defect, Edit
from augment.cell import FloatArray, IntArray
from augment.errors import DefectError
from augment.exchange.recognise import HostFrame
from augment.groups.distortion import Distortion
from augment.supercell import Supercell

if TYPE_CHECKING:
    from pymatgen.core import Structure

MAX_SITE_DISTANCE = 1.5
"""Å; an interstitial of a file may be this far from the void site that it stands for, atoms are far nearer."""


@dataclass(frozen=True, eq=False)
class Atoms:
    """A periodic structure as arrays: cell (3, 3), Å, atomic numbers (n,), positions (n, 3), Å."""

    cell: FloatArray
    numbers: IntArray
    positions: FloatArray


@dataclass(frozen=True, eq=False)
class Alignment:
    """How the ideal defective structure lies in the canonical cell of its defect.

    Attributes:
        defect: what it is.
        order: (n,) atom of the structure at each atom of `defect.cell()`.
        turn: (3, 3) orthogonal; a row vector v in the structure's axes is v @ turn in those of the cell.
    """

    defect: Defect
    order: IntArray
    turn: FloatArray

    def state(self, displacements: FloatArray, strain: FloatArray) -> Distortion:
        """Displacements (n, 3), Å, and strain (3, 3) of the structure in the order and axes of the cell."""
        return Distortion(displacements[self.order] @ self.turn, self.turn.T @ strain @ self.turn)


def align(ideal: Atoms, bulk: Atoms, charge: int = 0) -> Alignment:
    """Recognise the defect of an ideal defective supercell and find where its atoms are in the canonical cell.

    Exact: atoms are put on the host's sites once, and the operation that takes the edits found to the canonical ones
    acts on them as a permutation and a rotation.

    Args:
        ideal: unrelaxed defective supercell; an interstitial lies near a void site.
        bulk: the pristine supercell in the same axes.
        charge: of the cell, e.

    Raises:
        DefectError: an atom is on no site.
    """
    frame = HostFrame.of(pymatgen_structure(bulk))
    supercell = Supercell(frame.host, _positive(frame.matrix(ideal.cell)))
    site = _sites(supercell, frame, ideal)
    numbers = supercell.sites.numbers.copy()
    numbers[numbers > 0] = 0
    numbers[site] = ideal.numbers
    edited = np.flatnonzero(numbers != supercell.sites.numbers)
    defect = Defect(supercell, tuple(Edit(int(k), int(numbers[k])) for k in edited), charge)
    wanted = np.array([[e.site, e.number] for e in defect.edits])
    images = supercell.images(edited)
    ranks = np.argsort(images, axis=1)
    fits = np.flatnonzero(
        (np.take_along_axis(images, ranks, axis=1) == wanted[:, 0]).all(axis=1)
        & (numbers[edited][ranks] == wanted[:, 1]).all(axis=1)
    )
    operation = supercell.operations(fits[:1])
    left, right = supercell.cartesian_of
    place = operation.permutations[0][site]
    at = np.full(len(numbers), -1, dtype=np.int64)
    at[place] = np.arange(len(site))
    turn = _rotation(frame) @ (left @ operation.rotations[0] @ right).T
    return Alignment(defect, at[defect.cell().sites], turn)


def edited_ideal(bulk: Atoms, number: int, at: FloatArray, *, removed: int) -> Atoms:
    """The pristine supercell with an atom put in at a point (3,), Å, the nearest of an element removed, or both.

    Args:
        bulk: the pristine supercell.
        number: atomic number that is put in; 0 for none.
        at: where.
        removed: atomic number of the element whose nearest atom goes, 0 for none; what is put in takes its place.
    """
    fractional = (bulk.positions - at) @ np.linalg.inv(bulk.cell)
    distance = np.linalg.norm((fractional - np.rint(fractional)) @ bulk.cell, axis=1)
    # A relaxed defect may be nearer to an atom of another element than to the place that it left.
    nearest = int(np.where(bulk.numbers == removed, distance, np.inf).argmin())
    numbers, positions = bulk.numbers.copy(), bulk.positions.copy()
    if not removed:
        return Atoms(bulk.cell, np.append(numbers, number), np.vstack([positions, at]))
    if number:
        numbers[nearest] = number
        return Atoms(bulk.cell, numbers, positions)
    return Atoms(bulk.cell, np.delete(numbers, nearest), np.delete(positions, nearest, axis=0))


def pymatgen_structure(atoms: Atoms) -> Structure:
    """The arrays as a pymatgen Structure."""
    from pymatgen.core import Element, Lattice, Structure

    species = [Element.from_Z(int(z)) for z in atoms.numbers]
    return Structure(Lattice(atoms.cell), species, atoms.positions, coords_are_cartesian=True)


def _positive(matrix: IntArray) -> IntArray:
    return matrix if np.linalg.det(matrix) > 0 else matrix[[1, 0, 2]]


def _rotation(frame: HostFrame) -> FloatArray:
    """Orthogonal (3, 3) that turns row vectors in the structure's axes into the host's."""
    gradient = np.linalg.inv(frame.lattice) @ frame.linear.T @ frame.host.primitive
    left, _, right = np.linalg.svd(gradient)
    return np.asarray(left @ right)


def _sites(supercell: Supercell, frame: HostFrame, ideal: Atoms) -> IntArray:
    """(n,) site of the supercell that each atom is on; the sum of squared distances is least.

    Raises:
        DefectError: an atom is on none.
    """
    from scipy.optimize import linear_sum_assignment

    points = frame.point(ideal.positions @ np.linalg.inv(frame.lattice)) @ np.linalg.inv(supercell.matrix)
    fractional = points[:, None] - supercell.sites.positions @ np.linalg.inv(supercell.cell)
    distance = np.linalg.norm((fractional - np.rint(fractional)) @ supercell.cell, axis=-1)
    atoms, site = linear_sum_assignment(distance**2)
    if (worst := distance[atoms, site].max()) > MAX_SITE_DISTANCE:
        raise DefectError(f"{supercell.host.formula}: an atom of the ideal defect is {worst:.2f} Å from a free site")
    return np.asarray(site, dtype=np.int64)
