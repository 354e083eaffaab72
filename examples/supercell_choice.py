"""Compare supercells of a host and draw the trade-off: python examples/supercell_choice.py."""

from pathlib import Path

from augment import find_supercell, read_host
from augment.supercells.plots import plot_sites, plot_supercells

host = read_host(Path(__file__).parent / "hosts" / "GaN.cif")
for keep in (True, False):
    chosen = find_supercell(host, min_image_distance=10.0, keep_point_group=keep)
    print(f"{chosen.n_atoms} atoms, {chosen.image_distance:.2f} Å, point group index {chosen.point_group_index}")
plot_supercells(host, Path("GaN_supercells.png"), chosen=chosen, min_image_distance=10.0)
plot_sites(host, Path("GaN_sites.png"))
