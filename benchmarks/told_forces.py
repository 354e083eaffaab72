"""Whose forces should tell the generator: its teacher's, or those of the potential that relaxes its proposals?

    OMP_NUM_THREADS=1 python benchmarks/told_forces.py [--case MgO=mace-mgo ...] [--max-atoms 80]

For each host and potential all point defects are relaxed from the ideal sites with their symmetry kept. The model
proposes each once, told by its teacher (CHGNet), by that potential, or by none. Errors are mean displacements within
5 Å of the defect against the relaxed geometry, beside those of the unrelaxed sites. "Evaluations" are those of the
potential from a proposal to the relaxed geometry, in those from the ideal sites, the median of the defects; CPU seconds
are of the proposals of all defects, the loading of the potential included.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from ase.geometry import find_mic

from augment import Defect, point_defects, read_host
from augment.cell import DefectCell
from augment.supercells.search import widest_supercell
from defectgen.generation.geometries import generate
from md.potentials import Potential, resolve_potential
from md.relaxation.relax import Relaxation, relax_structure
from md.relaxation.relaxed_host import RelaxedHost

HOSTS = Path(__file__).parents[1] / "examples" / "hosts"
CASES = ("MgO=mace-mgo", "TiO2_rutile=mace-tio2", "SrTiO3=mace-srtio3-batio3", "GaN=mace-zno-gan", "Cu=emt")
NEAR, FMAX = 5.0, 0.03
TEACHER = "teacher"


def error(found: DefectCell, relaxed: DefectCell, ideal: DefectCell, centre: np.ndarray) -> float:
    """Mean distance (Å) of atoms within `NEAR` of the defect from where they relax to."""
    near = np.linalg.norm(find_mic(ideal.positions - centre, ideal.cell)[0], axis=1) < NEAR
    moved = find_mic(found.positions - relaxed.positions, ideal.cell)[0]
    moved -= moved[~near].mean(axis=0) if (~near).any() else 0.0
    return float(np.linalg.norm(moved[near], axis=1).mean())


def relaxation(cell: DefectCell, defect: Defect, potential: Potential) -> Relaxation:
    """With the symmetry of the defect, at fixed cell."""
    return relax_structure(cell, potential, fmax=FMAX, max_steps=300, relax_cell=False, symmetry=defect.symmetry())


def show(host: str, potential: Potential, max_atoms: int) -> None:
    """One table."""
    reference = RelaxedHost.of(read_host(HOSTS / f"{host}.cif"), potential)
    supercell = widest_supercell(reference.host, min_atoms=max_atoms // 2, max_atoms=max_atoms)
    defects = [defect for defect in point_defects(supercell) if defect.edits]
    ideal = [reference.place(defect) for defect in defects]
    ends = [relaxation(cell, defect, potential) for cell, defect in zip(ideal, defects, strict=True)]
    relaxed = {i: end.record.cell for i, end in enumerate(ends) if end.status == "converged" and end.record}
    print(f"\n{host} with {potential.name}: {supercell.n_atoms} atoms, {len(relaxed)} of {len(defects)} defects relax")
    print(f"{'':24}{'error, Å':>10}{'nearer':>9}{'evaluations':>13}{'CPU s':>8}")
    rows: dict[str, tuple[list[DefectCell], float]] = {"unrelaxed": (ideal, 0.0)}
    for forces in (TEACHER, potential.name, "none"):
        began = time.process_time()
        rows[f"told by {forces}"] = (generate(defects, on=reference, subgroup="full", forces=forces), 0.0)
        rows[f"told by {forces}"] = (rows[f"told by {forces}"][0], time.process_time() - began)
    base: dict[int, float] = {}
    for name, (cells, seconds) in rows.items():
        errors, shares = [], []
        for i, end in relaxed.items():
            centre = reference.on(defects[i]).centre()
            errors.append(error(cells[i], end, ideal[i], centre))
            again = relaxation(cells[i], defects[i], potential)
            shares.append(len(again.energies) / len(ends[i].energies))
            base.setdefault(i, errors[-1])
        nearer = np.mean([e < base[i] for e, i in zip(errors, relaxed, strict=True)])
        print(f"{name:24}{np.mean(errors):10.4f}{nearer:9.0%}{np.median(shares):13.2f}{seconds:8.1f}", flush=True)


def main() -> None:
    """Print a table for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="+", default=CASES, metavar="HOST=POTENTIAL")
    parser.add_argument("--max-atoms", type=int, default=80)
    options = parser.parse_args()
    for case in options.case:
        host, name = case.split("=")
        show(host, resolve_potential(name, read_host(HOSTS / f"{host}.cif").elements), options.max_atoms)


if __name__ == "__main__":
    main()
