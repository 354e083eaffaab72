"""Relax one defect and see what it costs: python examples/relax_defect.py."""

from pathlib import Path

from augment import find_supercell, point_defects, read_host
from md.potentials import resolve_potential
from md.relaxation.relax import relax_structure

supercell = find_supercell(read_host(Path(__file__).parent / "hosts" / "Cu.cif"), min_image_distance=7.0)
vacancy = point_defects(supercell, kinds=["vacancy"])[0]
outcome = relax_structure(vacancy.cell(), resolve_potential("emt"), fmax=0.01)
print(f"{vacancy.name}: {outcome.status} in {outcome.steps} steps, {outcome.energies[0] - outcome.energies[-1]:.3f} eV")
