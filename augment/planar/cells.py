"""Cells built from pieces of crystals: periodic structures and the names of their planes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.cif import MAX_ATOMS
from augment.errors import SupercellError

if TYPE_CHECKING:
    from pymatgen.core import Structure


def crystal_cell(lattice: FloatArray, positions: FloatArray, numbers: IntArray, label: str) -> Structure:
    """Pymatgen Structure of atoms at Cartesian positions (n, 3), Å, in a lattice (3, 3), rows, Å.

    The last lattice vector is made as upright over the first two as lattice vectors can make it.

    Raises:
        SupercellError: no atoms, or more than a host may have.
    """
    from pymatgen.core import Element, Lattice, Structure

    if not 0 < len(numbers) <= MAX_ATOMS:
        raise SupercellError(f"{label}: {len(numbers)} atoms, a host has 1 to {MAX_ATOMS}; make it thinner or smaller")
    lean = np.linalg.lstsq(lattice[:2].T, lattice[2], rcond=None)[0]
    upright = np.stack([*lattice[:2], lattice[2] - np.rint(lean) @ lattice[:2]])
    points = positions @ np.linalg.inv(upright)
    return Structure(Lattice(upright), [Element.from_Z(int(z)) for z in numbers], points)


def plane_name(miller: Sequence[int]) -> str:
    """Miller indices as they are printed: `(1 0 -1 0)`."""
    return f"({' '.join(str(int(x)) for x in miller)})"
