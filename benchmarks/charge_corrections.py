"""Corrections of charged cells after Kumagai and Oba, beside pydefect's and a direct sum.

    python benchmarks/charge_corrections.py --pydefect PYTHON

Vacancies in charges +2 and -1 in cells of four crystals, with isotropic, uniaxial and oblique dielectric tensors, and
random potentials at the nuclei, which both codes get: images, alignment and their sum, eV. PYTHON is an interpreter
with pydefect. The direct sum is Ewald's in the anisotropic medium itself (Rurali and Cartoixà, 2009), converged by its
splitting alone; it has no alignment.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import erfc

from augment import point_defects, read_host
from augment.cell import FloatArray
from augment.supercells.search import widest_supercell
from defectgen.charge.corrections import centre_of, correction
from md.labels.calculated import CalculatedRecord

HOSTS = Path(__file__).parents[1] / "examples" / "hosts"
CASES = (
    ("MgO", 64, np.eye(3) * 9.8),
    ("GaN", 72, np.diag([9.5, 9.5, 10.4])),
    ("MgO", 128, np.array([[9.0, 1.0, 0.0], [1.0, 8.0, 0.5], [0.0, 0.5, 12.0]])),
    ("TiO2_rutile", 72, np.diag([86.0, 86.0, 170.0])),
)
COULOMB = 14.399645
"""eV Å."""

PYDEFECT = r"""
import json, logging, sys, warnings
warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
import numpy as np
from pydefect.analyzer.calc_results import CalcResults
from pydefect.cli.vasp.make_efnv_correction import make_efnv_correction
from pymatgen.core import Element, Lattice, Structure

found = []
for case in json.load(sys.stdin):
    def results(numbers, positions, potentials):
        structure = Structure(
            Lattice(case["cell"]), [Element.from_Z(z) for z in numbers], positions, coords_are_cartesian=True
        )
        return CalcResults(
            structure=structure, energy=0, magnetization=0, potentials=potentials, electronic_conv=True, ionic_conv=True
        )
    made = make_efnv_correction(
        case["charge"], results(*case["defect"]), results(*case["bulk"]), np.array(case["tensor"]),
        defect_coords=case["centre"],
    )
    found.append([made.point_charge_correction, made.alignment_correction])
print("FOUND", json.dumps(found))
"""


def direct(cell: FloatArray, tensor: FloatArray) -> float:
    """Energy of a unit charge with its images and background, eV, by sums in the medium."""
    inverse, det, volume = np.linalg.inv(tensor), np.linalg.det(tensor), abs(np.linalg.det(cell))
    width = 0.3 * float(np.sqrt(np.linalg.eigvalsh(tensor).mean()))
    steps = np.stack(np.meshgrid(*[np.arange(-12, 13)] * 3, indexing="ij"), -1).reshape(-1, 3)
    steps = steps[np.any(steps, axis=1)]
    length = np.sqrt(np.einsum("ni,ij,nj->n", steps @ cell, inverse, steps @ cell))
    waves = steps @ (2 * np.pi * np.linalg.inv(cell).T)
    squares = np.einsum("ni,ij,nj->n", waves, tensor, waves)
    real = (erfc(width * length) / length).sum() / np.sqrt(det)
    reciprocal = 4 * np.pi / volume * (np.exp(-squares / 4 / width**2) / squares).sum()
    return float(COULOMB / 2 * (real + reciprocal - 2 * width / np.sqrt(np.pi * det) - np.pi / volume / width**2))


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pydefect", type=Path, metavar="PYTHON")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    asked: list[dict[str, Any]] = []
    ours, sums, names = [], [], []
    for host, atoms, tensor in CASES:
        supercell = widest_supercell(read_host(HOSTS / f"{host}.cif"), min_atoms=atoms // 2, max_atoms=atoms)
        vacancy = next(iter(point_defects(supercell, kinds=["vacancy"])))
        for charge in (2, -1):
            defect = vacancy.with_charge(charge)
            ideal, bulk = defect.cell(), supercell.bulk_cell()
            cell = ideal.with_geometry(ideal.positions + rng.normal(scale=0.05, size=ideal.positions.shape))
            records = [
                CalculatedRecord(c, 0.0, None, None, None, "dft_single_point", rng.normal(size=len(c)))
                for c in (cell, bulk)
            ]
            found = correction(records[0], records[1], defect, tensor)
            ours.append((found.image, found.alignment))
            sums.append(-(charge**2) * direct(cell.cell, tensor))
            names.append(f"{host} {vacancy.name} {charge:+d}, {len(cell)} atoms, {np.diag(tensor).tolist()}")
            parts = {
                name: [r.cell.numbers.tolist(), r.cell.positions.tolist(), r.potentials.tolist()]  # type: ignore[union-attr]
                for name, r in zip(("defect", "bulk"), records, strict=True)
            }
            centre = centre_of(defect, cell) @ np.linalg.inv(cell.cell)
            asked.append(
                {**parts, "cell": cell.cell.tolist(), "tensor": tensor.tolist(), "charge": charge,
                 "centre": centre.tolist()}
            )  # fmt: skip
    theirs: list[Any] = [None] * len(asked)
    if options.pydefect:
        done = subprocess.run(
            [options.pydefect, "-c", PYDEFECT], input=json.dumps(asked), capture_output=True, text=True, check=True
        )
        theirs = json.loads(next(x for x in done.stdout.splitlines() if x.startswith("FOUND ")).partition(" ")[2])
    for name, own, straight, other in zip(names, ours, sums, theirs, strict=True):
        line = f"{name:52} images {own[0]:.4f} (direct sum {straight:.4f})  alignment {own[1]:+.4f}"
        print(line + ("" if other is None else f"  pydefect {other[0]:.4f} {other[1]:+.4f}"))


if __name__ == "__main__":
    main()
