"""Complexes of vacancies and a dopant: all, how many, and some at random: python examples/complexes.py."""

from pathlib import Path

from augment import EditSpace, Recipe, complexes, find_supercell, read_host, sample_complexes
from augment.defects.burnside import count_orbits

supercell = find_supercell(read_host(Path(__file__).parent / "hosts" / "MgO.cif"), min_image_distance=8)
near, any_distance = (EditSpace.of(supercell, ["v_O", "v_Mg", "Al_Mg"], cutoff) for cutoff in (4.5, None))
for defect in complexes(near, Recipe(2, 3, neutral=True)):
    print(f"{defect.name:20} {defect.point_group:>4} x{defect.degeneracy:<4} {defect.key}")
print([f"{orbits} of {size}" for size, orbits, total in count_orbits(any_distance, Recipe(1, 6))])
print([defect.key for defect in sample_complexes(any_distance, Recipe(8, 8), 3, seed=1)])
