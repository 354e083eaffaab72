"""Symmetry, sites, defects and supercells of a host crystal, as exact algebra on site permutations."""

from augment.cell import DefectCell
from augment.defect import Defect, Edit
from augment.enumerate import point_defects
from augment.errors import DefectgenError
from augment.host import Host, host_from_structure, read_host
from augment.invariant import CellSymmetry
from augment.search import find_supercell, supercell_table, widest_supercell
from augment.supercell import Supercell, conventional_supercell

__all__ = [
    "CellSymmetry",
    "Defect",
    "DefectCell",
    "DefectgenError",
    "Edit",
    "Host",
    "Supercell",
    "conventional_supercell",
    "find_supercell",
    "host_from_structure",
    "point_defects",
    "read_host",
    "supercell_table",
    "widest_supercell",
]
