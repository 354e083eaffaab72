"""List the distinct vacancies and dopants at a surface by depth: python examples/planar_defects.py."""

from pathlib import Path

from augment import point_defects, read_host
from augment.planar import find_layer_supercell, surfaces

slab = surfaces(read_host(Path(__file__).parent / "hosts" / "MgO.cif"), (1, 0, 0), min_thickness=10)[0]
supercell = find_layer_supercell(slab.host, min_image_distance=8)
print(f"{slab.label}: {supercell.n_atoms} atoms, {slab.info['vacuum']} Å of vacuum, polar: {slab.info['polar']}")
defects = point_defects(supercell, dopants=["Al"], kinds=("vacancy", "substitution"))
for defect in sorted(defects, key=lambda d: (d.type, slab.depths(d)[0])):
    print(f"{defect.name:24} {slab.depths(defect)[0]:6.2f} Å {defect.point_group:>5}  {defect.key}")
