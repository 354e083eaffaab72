"""How far the mean pressures of a run are from those asked for: python benchmarks/settling.py [RUN ...].

Without a folder MgO's pristine cell and two vacancies, relaxed by the student of the demo, run at 300 and 900 K and 0
and 10 GPa: 150 steps from the cells at rest, as runs once did, and until they are precise from the warm crystal.
"""

import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from augment import conventional_supercell, point_defects, read_host
from augment.cell import DefectCell
from defectgen.run.folder import RunFolder
from md.campaigns.relax_and_md import grid, md_all
from md.conditions.environment import Environment
from md.conditions.precision import MAX_PRECISE_STEPS, Precision
from md.dynamics.settling import MAX_ERRORS, MAX_PRESSURE_MISS
from md.observables import summary
from md.potentials import Potential, resolve_potential
from md.relaxation.relax import relax_structure
from md.relaxation.relaxed_host import RelaxedHost, pristine

os.environ["OMP_NUM_THREADS"] = "1"

ENVIRONMENTS = [Environment(kelvin, pressure) for kelvin in (300.0, 900.0) for pressure in (0.0, 10.0)]


def table(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the pressures of some points, and how many are right."""
    print(f"{name}: cell, engine, T (K), P (GPa), mean P less P, error, steps, start volume, settled")
    good = 0
    for row in rows:
        miss, error = row["pressure_mean"] - row["pressure"], row.get("pressure_error") or 0.0
        good += abs(miss) <= max(MAX_PRESSURE_MISS, MAX_ERRORS * error)
        print(
            f"{row['cell']:12} {row['engine']:8} {row['temperature']:5.0f} {row['pressure']:5.1f} {miss:+6.2f} "
            f"{error:5.2f} {row['completed_steps']:6d} {row.get('start_volume') or 1:7.4f} {row.get('settled')}"
        )
    near = sum(abs(row["pressure_mean"] - row["pressure"]) <= MAX_PRESSURE_MISS for row in rows)
    print(f"{good} of {len(rows)} within {MAX_PRESSURE_MISS} GPa or two errors, {near} within {MAX_PRESSURE_MISS} GPa")


def cells_of(potential: Potential) -> list[DefectCell]:
    """The pristine cell of 64 atoms on the relaxed host, and two relaxed vacancies in it."""
    host = read_host(Path(__file__).parents[1] / "examples" / "hosts" / "MgO.cif")
    supercell = conventional_supercell(host, [[2, 0, 0], [0, 2, 0], [0, 0, 2]])
    reference = RelaxedHost.of(host, potential)
    vacancies = point_defects(supercell, kinds=("vacancy",))[:2]
    relaxed = [relax_structure(reference.place(defect), potential).record for defect in vacancies]
    return [reference.place(pristine(supercell)), *(record.cell for record in relaxed if record is not None)]


def measure(potential: Potential) -> None:
    """The table from cells at rest and from the warm crystal."""
    cells = cells_of(potential)
    kinds: dict[str, dict[str, Any]] = {
        "150 steps from rest": {"steps": 150},
        "until precise, warm": {"steps": MAX_PRECISE_STEPS, "precision": Precision(), "start": "warm"},
    }
    for name, how in kinds.items():
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            points = grid(cells, ENVIRONMENTS, timestep=1.0, interval=10, **how)
            responses = md_all(points, potential, Path(folder), crystal=cells[0])
            table(name, [summary(response) for response in responses])
        print(f"{time.perf_counter() - began:.0f} s on two workers, the machine's other work included\n")


def main() -> None:
    """Print the tables of the folders, or measure."""
    for folder in sys.argv[1:]:
        table(folder, RunFolder.open(Path(folder)).read_lines("md/summary.jsonl"))
    if len(sys.argv) == 1:
        measure(resolve_potential("mace-mgo", ["Mg", "O"]))


if __name__ == "__main__":
    main()
