"""List every symmetry-distinct point defect of a host, with one dopant: python examples/list_defects.py."""

from pathlib import Path

from augment import find_supercell, point_defects, read_host

host = read_host(Path(__file__).parent / "hosts" / "MgO.cif")
for defect in point_defects(find_supercell(host), dopants=["Al"]):
    print(f"{defect.name:8} {defect.type:12} {defect.point_group:4} x{defect.degeneracy:<3} {defect.key}")
