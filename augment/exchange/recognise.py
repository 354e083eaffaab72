"""The defect in a structure: atoms of a defective supercell mapped onto the sites of its host."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.standard import standardise
from augment.defect import Defect
from augment.errors import DefectError
from augment.host import Host, host_from_structure
from augment.supercell import Edit, Supercell

if TYPE_CHECKING:
    from pymatgen.core import Structure

SITE_TOLERANCE = 0.5
"""Å; an atom this close to a site is on it: more than most atoms relax, less than half of a bond."""

LATTICE_TOLERANCE = 0.1
"""Primitive vectors by which a supercell vector may miss a lattice point: strains of a few per cent."""


@dataclass(frozen=True, eq=False)
class HostFrame:
    """Where a host lies in somebody's axes: a point x of `lattice` is `linear @ x + shift` in its primitive cell.

    Attributes:
        host: the pristine crystal.
        lattice: (3, 3) of the description, rows, Å.
        linear: (3, 3) integers.
        shift: (3,) fractions.
    """

    host: Host
    lattice: FloatArray
    linear: IntArray
    shift: FloatArray

    @classmethod
    def of(cls, bulk: Host | Structure) -> HostFrame:
        """The frame of a host itself, or of a pristine structure in any cell, setting and orientation.

        Raises:
            CifError: the structure is no ideal crystal.
        """
        if isinstance(bulk, Host):
            return cls(bulk, bulk.primitive, np.eye(3, dtype=np.int64), np.zeros(3))
        crystal = standardise(bulk, "bulk structure")
        host = host_from_structure(bulk, where="bulk structure")
        return cls(host, np.asarray(bulk.lattice.matrix), crystal.linear, crystal.shift)

    def point(self, fractional: FloatArray) -> FloatArray:
        """Coordinates (..., 3) in the host's primitive cell of fractional coordinates (..., 3) in `lattice`."""
        return np.asarray(fractional @ self.linear.T + self.shift)

    def matrix(self, lattice: FloatArray) -> IntArray:
        """The integer vectors (3, 3), rows in the host's primitive basis, that a lattice (3, 3), Å, is spanned by.

        Raises:
            DefectError: its vectors are no lattice vectors of the host.
        """
        matrix = lattice @ np.linalg.inv(self.lattice) @ self.linear.T
        whole = np.rint(matrix)
        if np.abs(matrix - whole).max() > LATTICE_TOLERANCE or abs(np.linalg.det(whole)) < 1 / 2:
            raise DefectError(
                f"the structure's lattice is no supercell of {self.host.formula}: in primitive vectors it is "
                f"{np.round(matrix, 2).tolist()}; give both in one orientation, and the pristine crystal it was made of"
            )
        return whole.astype(np.int64)


def defect_from_structure(
    structure: Structure, bulk: Host | Structure, *, charge: int | None = None, tolerance: float = SITE_TOLERANCE
) -> Defect:
    """The defect of a defective supercell, ideal or relaxed.

    Each atom takes the nearest lattice site, or the nearest void where that is taken or too far; everything after is
    exact algebra. An interstitial that relaxed past the middle between two voids is on the other one.

    Args:
        structure: the defective supercell.
        bulk: the pristine crystal in the same axes and with the same origin: a host for a structure that this package
            made, else a pymatgen Structure of any of its cells.
        charge: total charge, e; that of the structure by default.
        tolerance: largest distance of an atom from its site, Å.

    Raises:
        DefectError: the lattice is no supercell of the host, or an atom is on no site.
    """
    frame = HostFrame.of(bulk)
    matrix = frame.matrix(np.asarray(structure.lattice.matrix))
    supercell = Supercell(frame.host, matrix if np.linalg.det(matrix) > 0 else matrix[[1, 0, 2]])
    # Through integers, so that a strain of the whole cell does not move atoms off their sites.
    fractional = (structure.frac_coords @ matrix + frame.shift) @ np.linalg.inv(supercell.matrix)
    numbers = np.array(structure.atomic_numbers, dtype=np.int64)
    edits = _edits(supercell, fractional, numbers, tolerance)
    return Defect(supercell, edits, _charge(structure) if charge is None else charge)


def _charge(structure: Structure) -> int:
    """Total charge of a structure, e; zero where none is set."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen compares it with oxidation states, which need not be there
        return round(structure.charge)


def _edits(supercell: Supercell, fractional: FloatArray, numbers: IntArray, tolerance: float) -> tuple[Edit, ...]:
    """What the atoms change of the pristine supercell."""
    held = supercell.sites.numbers
    distance = _distances(supercell, fractional)
    occupation = held.copy()
    occupation[held > 0] = 0
    left = np.arange(len(numbers))
    for chosen in (np.flatnonzero(held > 0), np.flatnonzero(held == 0)):
        taken = _nearest_first(distance[np.ix_(left, chosen)], tolerance)
        occupation[chosen[[site for _, site in taken]]] = numbers[left[[atom for atom, _ in taken]]]
        left = np.delete(left, [atom for atom, _ in taken])
    if len(left):
        atom, nearest = int(left[0]), float(distance[left[0]].min())
        raise DefectError(
            f"atom {atom + 1} of the structure (atomic number {numbers[atom]}) is on no free site of "
            f"{supercell.host.formula}: the nearest is {nearest:.2f} Å away, and the tolerance is {tolerance:g} Å; "
            "give the unrelaxed structure, or the pristine crystal with the same origin"
        )
    return tuple(Edit(int(site), int(occupation[site])) for site in np.flatnonzero(occupation != held))


def _distances(supercell: Supercell, fractional: FloatArray) -> FloatArray:
    """Distances (atoms, sites), Å, to the nearest image; exact for those below half the image distance."""
    sites = supercell.sites.positions @ np.linalg.inv(supercell.cell)
    difference = fractional[:, None] - sites
    difference -= np.rint(difference)
    distances: FloatArray = np.linalg.norm(difference @ supercell.cell, axis=-1)
    return distances


def _nearest_first(distance: FloatArray, tolerance: float) -> list[tuple[int, int]]:
    """Pairs (atom, site) within the tolerance, nearest pairs first, each atom and each site once."""
    atoms, sites = np.nonzero(distance < tolerance)
    pairs, used_atoms, used_sites = [], set(), set()
    for k in np.argsort(distance[atoms, sites], kind="stable"):
        atom, site = int(atoms[k]), int(sites[k])
        if atom not in used_atoms and site not in used_sites:
            pairs.append((atom, site))
            used_atoms.add(atom)
            used_sites.add(site)
    return pairs
