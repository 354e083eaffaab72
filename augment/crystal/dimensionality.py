"""Whether a crystal is one network of bonds, or made of layers, chains or molecules that attract each other weakly."""

from __future__ import annotations

from augment.cell import FloatArray, IntArray

__all__ = ["UNBOUND_PARTS", "bonded_dimensionality"]

UNBOUND_PARTS = {0: "atoms or molecules", 1: "chains", 2: "layers"}
"""What a crystal is made of, by the number of directions in which its bonds go on."""

_MIN_GAP = 1.3
"""Sums of covalent radii up to which no bond ties the parts to one another: 1.43 in t-Se, 2.2 in graphite; the parts
that a smaller reach would see in metals and ionic crystals meet below 1.2."""

_MIN_SCORE = 0.5


def bonded_dimensionality(cell: FloatArray, numbers: IntArray, positions: FloatArray) -> int:
    """Number of directions in which bonds go on: 3 in most crystals, 2 of layers, 1 of chains, 0 of molecules.

    By the range of bond lengths over which the answer stays the same (Larsen, Pandey, Strange and Jacobsen, Phys. Rev.
    Materials 3, 034003, 2019). Crystals with parts of several kinds count as one network.

    Args:
        cell: (3, 3) lattice vectors, rows, Å.
        numbers: (n,) atomic numbers.
        positions: (n, 3), Å.
    """
    from ase import Atoms
    from ase.geometry.dimensionality import analyze_dimensionality

    best = analyze_dimensionality(Atoms(numbers=numbers, positions=positions, cell=cell, pbc=True))[0]
    weak = best.score > _MIN_SCORE and best.b > _MIN_GAP and len(best.dimtype) == len("2D")
    return int(best.dimtype[0]) if weak else 3
