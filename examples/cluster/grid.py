"""A grid of temperatures and pressures on a cluster: python examples/cluster/grid.py, on the login node."""

from pathlib import Path

from slurm import executor

from augment import find_supercell, read_host
from md.campaigns.relax_and_md import grid, md_all
from md.conditions.environment import Environment
from md.potentials import resolve_potential

cell = find_supercell(read_host(Path(__file__).parents[1] / "hosts" / "MgO.cif"), min_image_distance=10.0).bulk_cell()
points = grid([cell], [Environment(t, p) for t in (300, 600, 900) for p in (0, 5, 10)], ["lammps"], steps=20_000)
with executor() as pool:
    responses = md_all(points, resolve_potential("auto", {"Mg", "O"}), Path("points"), executor=pool)
print(*(f"{r.point.label}: {r.status}" for r in responses), sep="\n")
