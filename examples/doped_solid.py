"""Gadolinia-doped ceria at 25 %, with the oxygen vacancies that balance it: python examples/doped_solid.py."""

from pathlib import Path

from augment import read_host
from augment.solutions.concentration import Concentration, realise
from augment.solutions.configurations import ensemble

host = read_host(Path(__file__).parent / "hosts" / "CeO2.cif")
solution = realise(host, Concentration({"Gd_Ce": 0.25}, compensate="v_O"), min_image_distance=7, max_atoms=100)
print(solution.formula, dict(solution.counts), f"{solution.orbits} distinct configurations")
for member in ensemble(solution, "exact").members:
    print(f"x{member.defect.degeneracy:<4} {member.defect.key}")
