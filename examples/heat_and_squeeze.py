"""Heat and squeeze a crystal in both engines and compare its volume: python examples/heat_and_squeeze.py."""

from pathlib import Path

from augment import find_supercell, read_host
from md.conditions.environment import Environment
from md.dynamics import MdPoint, run_point
from md.observables import summary
from md.potentials import resolve_potential

cell = find_supercell(read_host(Path(__file__).parent / "hosts" / "Cu.cif"), min_image_distance=7.0).bulk_cell()
for engine in ("ase", "lammps"):
    point = MdPoint.of(cell, Environment(300.0, pressure=5.0), engine=engine, steps=200, timestep=2.0)
    found = summary(run_point(point, cell, resolve_potential("emt")))
    print(f"{engine:7} {found['status']}: {found['volume']:.3f} ± {found['volume_error']:.3f} Å³/atom")
