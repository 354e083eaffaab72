"""Write the defects of MgO for VASP, ASE and pymatgen, and as CIF: python examples/export_defects.py."""

from pathlib import Path

from augment import find_supercell, point_defects, read_host
from augment.defects.notation import kroger_vink
from augment.exchange import to_defect_entry, write_cifs, write_extxyz, write_poscars

supercell = find_supercell(read_host(Path(__file__).parent / "hosts" / "MgO.cif"))
defects = [d.with_charge(q) for d in point_defects(supercell, dopants=["Al"]) for q in d.charges]
write_poscars(Path("MgO_vasp"), [supercell.bulk_cell(), *(d.cell() for d in defects)])
write_cifs(Path("MgO_cif"), (d.cell() for d in defects))
write_extxyz(Path("MgO.extxyz"), (d.cell() for d in defects))
print(*(f"{kroger_vink(d)} {to_defect_entry(d).defect}" for d in defects), sep="\n")
