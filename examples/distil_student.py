"""Distil a small MACE potential for copper and its defects from a teacher: python examples/distil_student.py."""

from pathlib import Path

from augment import read_host
from md.distill.run import distil
from md.distill.settings import DistilSettings
from md.potentials import resolve_potential

host = read_host(Path(__file__).parent / "hosts" / "Cu.cif")
# A rehearsal: EMT as teacher and hardly any training. Leave out steps, effort and max_atoms to spend 20 minutes.
settings = DistilSettings(max_temperature=600, max_pressure=5, steps=40, effort=0.02, max_atoms=16)
made = distil(host, resolve_potential("emt"), Path("out") / "distil_copper", settings, workers=1)
print(f"{len(made.records)} labelled cells, {sum(p.numel() for p in made.student.parameters())} weights")
