"""Propose relaxed geometries of defects without any relaxation: python examples/generate_geometries.py."""

from pathlib import Path

from augment import find_supercell, point_defects, read_host
from defectgen.generation.geometries import generate

host = read_host(Path(__file__).parent / "hosts" / "SrTiO3.cif")
vacancies = point_defects(find_supercell(host), kinds=["vacancy"])
for cell in generate(vacancies, n=2, subgroup="full", temperature=0.0, seed=1):
    print(f"{cell.name:8} keeps {cell.provenance['subgroup']:6} {len(cell)} atoms")
