"""Cells built from pieces of crystals: periodic structures and the names of their planes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.cif import MAX_ATOMS
from augment.errors import SupercellError

if TYPE_CHECKING:
    from pymatgen.core import Structure


def crystal_cell(lattice: FloatArray, positions: FloatArray, numbers: IntArray, label: str) -> Structure:
    """Pymatgen Structure of atoms at Cartesian positions (n, 3), Å, in a lattice (3, 3), rows, Å.

    Raises:
        SupercellError: no atoms, or more than a host may have.
    """
    from pymatgen.core import Element, Lattice, Structure

    if not 0 < len(numbers) <= MAX_ATOMS:
        raise SupercellError(f"{label}: {len(numbers)} atoms, a host has 1 to {MAX_ATOMS}; make it thinner or smaller")
    points = positions @ np.linalg.inv(lattice)
    return Structure(Lattice(lattice), [Element.from_Z(int(z)) for z in numbers], points)


def plane_name(miller: Sequence[int]) -> str:
    """Miller indices as they are printed: `(1 0 -1 0)`."""
    return f"({' '.join(str(int(x)) for x in miller)})"
