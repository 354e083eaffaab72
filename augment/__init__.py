"""Symmetry, sites, defects and supercells of a host crystal, as exact algebra on site permutations."""

from augment.cell import DefectCell
from augment.columns import ColumnStore, ColumnWriter
from augment.complexes import complexes
from augment.concentration import Concentration, realise
from augment.defect import Defect
from augment.disorder import read_disordered
from augment.editspace import EditSpace
from augment.enumerate import point_defects
from augment.errors import DefectgenError
from augment.host import Host, host_from_structure, read_host
from augment.impurities import ensemble
from augment.invariant import CellSymmetry
from augment.recipe import Recipe
from augment.sampling import sample_complexes
from augment.search import find_supercell, supercell_table, widest_supercell
from augment.supercell import Edit, Supercell, conventional_supercell

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
