"""Propose relaxed geometries of defects without any relaxation: python examples/generate_geometries.py."""

from pathlib import Path

import defectgen as dg

host = dg.read_host(Path(__file__).parent / "hosts" / "SrTiO3.cif")
reference = dg.relax_host(host, dg.potential("auto", host))
vacancies = dg.point_defects(dg.find_supercell(host), kinds=["vacancy"])
for cell in dg.generate(vacancies, on=reference, n=2, subgroup="full", temperature=0.0, seed=1):
    print(f"{cell.name:8} keeps {cell.provenance['subgroup']:6} {len(cell)} atoms")
