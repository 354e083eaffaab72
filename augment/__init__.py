"""Symmetry, sites, defects and supercells of a host crystal, as exact algebra on site permutations."""

from typing import TYPE_CHECKING

from augment.lazy import lazy_names

if TYPE_CHECKING:
    from augment.cell import DefectCell as DefectCell
    from augment.defect import Defect as Defect
    from augment.defects.editspace import EditSpace as EditSpace
    from augment.defects.orderly import complexes as complexes
    from augment.defects.point_defects import point_defects as point_defects
    from augment.defects.recipe import Recipe as Recipe
    from augment.defects.sampling import sample_complexes as sample_complexes
    from augment.distort.store import ColumnStore as ColumnStore
    from augment.distort.store import ColumnWriter as ColumnWriter
    from augment.errors import DefectgenError as DefectgenError
    from augment.groups.cell_symmetry import CellSymmetry as CellSymmetry
    from augment.host import Host as Host
    from augment.host import host_from_structure as host_from_structure
    from augment.planar.recognition import host_or_layer as host_or_layer
    from augment.planar.recognition import read_host as read_host
    from augment.solutions.concentration import Concentration as Concentration
    from augment.solutions.concentration import realise as realise
    from augment.solutions.configurations import ensemble as ensemble
    from augment.solutions.partial_occupancy import read_disordered as read_disordered
    from augment.supercell import Edit as Edit
    from augment.supercell import Supercell as Supercell
    from augment.supercell import conventional_supercell as conventional_supercell
    from augment.supercells.search import find_supercell as find_supercell
    from augment.supercells.search import supercell_table as supercell_table
    from augment.supercells.search import widest_supercell as widest_supercell

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "augment.cell": ("DefectCell",),
        "augment.defect": ("Defect",),
        "augment.defects.editspace": ("EditSpace",),
        "augment.defects.orderly": ("complexes",),
        "augment.defects.point_defects": ("point_defects",),
        "augment.defects.recipe": ("Recipe",),
        "augment.defects.sampling": ("sample_complexes",),
        "augment.distort.store": ("ColumnStore", "ColumnWriter"),
        "augment.errors": ("DefectgenError",),
        "augment.groups.cell_symmetry": ("CellSymmetry",),
        "augment.host": ("Host", "host_from_structure"),
        "augment.planar.recognition": ("host_or_layer", "read_host"),
        "augment.solutions.concentration": ("Concentration", "realise"),
        "augment.solutions.configurations": ("ensemble",),
        "augment.solutions.partial_occupancy": ("read_disordered",),
        "augment.supercell": ("Edit", "Supercell", "conventional_supercell"),
        "augment.supercells.search": ("find_supercell", "supercell_table", "widest_supercell"),
    },
)
