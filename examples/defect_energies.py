"""What a vacancy costs and how it strains copper: python examples/defect_energies.py."""

from pathlib import Path

from augment import find_supercell, point_defects, read_host
from md.energetics import defect_energies, population
from md.potentials import resolve_potential

supercell = find_supercell(read_host(Path(__file__).parent / "hosts" / "Cu.cif"), min_image_distance=7.0)
vacancy = point_defects(supercell, kinds=["vacancy"])[0]
found = defect_energies(vacancy, resolve_potential("emt"))
print(f"{vacancy.name}: {found.formation.energy:.3f} eV, relaxation volume {found.relaxation_volume:.2f} Å³")
print(f"at 1200 K: {population(vacancy, found.formation.energy, 1200.0).density:.1e} per cm³")
