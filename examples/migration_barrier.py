"""Every symmetry-distinct jump of a vacancy in copper and its barrier: python examples/migration_barrier.py."""

from pathlib import Path

from augment import find_supercell, point_defects, read_host
from md.energetics import migration_barriers
from md.potentials import resolve_potential

supercell = find_supercell(read_host(Path(__file__).parent / "hosts" / "Cu.cif"), min_image_distance=7.0)
vacancy = point_defects(supercell, kinds=["vacancy"])[0]
for path in migration_barriers(vacancy, resolve_potential("emt"), images=3):
    print(f"{path.jump.multiplicity} jumps of {path.jump.distance:.2f} Å: {path.forward:.3f} eV")
