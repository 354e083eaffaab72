"""In and out: pymatgen's defect objects, defective structures of any program, VASP folders, CIF and extended XYZ."""

from augment.exchange.cif import cif_text, read_cif_cell, write_cifs
from augment.exchange.extxyz import read_extxyz, write_extxyz
from augment.exchange.poscar import poscar_text, write_poscars
from augment.exchange.pymatgen_defects import (
    from_defect_entry,
    from_pymatgen_defect,
    to_defect_entry,
    to_pymatgen_defect,
)
from augment.exchange.recognise import defect_from_structure

__all__ = [
    "cif_text",
    "defect_from_structure",
    "from_defect_entry",
    "from_pymatgen_defect",
    "poscar_text",
    "read_cif_cell",
    "read_extxyz",
    "to_defect_entry",
    "to_pymatgen_defect",
    "write_cifs",
    "write_extxyz",
    "write_poscars",
]
