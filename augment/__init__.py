"""Symmetry, sites, defects and supercells of a host crystal, as exact algebra on site permutations."""

from augment.cell import DefectCell
from augment.defect import Defect
from augment.defects.editspace import EditSpace
from augment.defects.orderly import complexes
from augment.defects.point_defects import point_defects
from augment.defects.recipe import Recipe
from augment.defects.sampling import sample_complexes
from augment.distort.store import ColumnStore, ColumnWriter
from augment.errors import DefectgenError
from augment.groups.cell_symmetry import CellSymmetry
from augment.host import Host, host_from_structure, read_host
from augment.solutions.concentration import Concentration, realise
from augment.solutions.configurations import ensemble
from augment.solutions.partial_occupancy import read_disordered
from augment.supercell import Edit, Supercell, conventional_supercell
from augment.supercells.search import find_supercell, supercell_table, widest_supercell

__all__ = [
    "CellSymmetry",
    "ColumnStore",
    "ColumnWriter",
    "Concentration",
    "Defect",
    "DefectCell",
    "DefectgenError",
    "Edit",
    "EditSpace",
    "Host",
    "Recipe",
    "Supercell",
    "complexes",
    "conventional_supercell",
    "ensemble",
    "find_supercell",
    "host_from_structure",
    "point_defects",
    "read_disordered",
    "read_host",
    "realise",
    "sample_complexes",
    "supercell_table",
    "widest_supercell",
]
