"""List the distinct vacancies and dopants at a surface by depth: python examples/planar_defects.py."""

from pathlib import Path

from augment import point_defects, read_host
from augment.planar import find_layer_supercell, surfaces

bulk = read_host(Path(__file__).parent / "hosts" / "MgO.cif")
slab = surfaces(bulk, (1, 0, 0), min_thickness=10)[0]
supercell = find_layer_supercell(slab.host, min_image_distance=8)
print(f"{slab.label}: {supercell.n_atoms} atoms, {slab.info['vacuum']} Å of vacuum, polar: {slab.info['polar']}")
print(f"{'defect':24} {'depth/Å':>8} {'layer':>5} {'symmetry':>8} {'copies':>6}  key")
defects = point_defects(supercell, dopants=["Al"], kinds=("vacancy", "substitution"))
for defect in sorted(defects, key=lambda d: (d.type, slab.depths(d)[0])):
    site = defect.orbits[0].members[0]
    depth, layer = slab.depth[site], slab.layer[site]
    print(f"{defect.name:24} {depth:8.2f} {layer:5} {defect.point_group:>8} {defect.degeneracy:6}  {defect.key}")
