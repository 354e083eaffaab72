"""How many defects are named as they went out, when their cells come back rattled, strained and disguised.

Point defects and complexes of up to four edits in cells of eleven crystals, with normal displacements of 0, 0.06 and
0.15 Å along each axis, a strain of about 1 %, and another order, orientation, basis and origin. Run as
`python benchmarks/registration.py [SEED]`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from augment.cell import DefectCell, FloatArray, IntArray
from augment.defect import Defect
from augment.defects.point_defects import point_defects
from augment.errors import DefectError
from augment.exchange.registration import register
from augment.planar.recognition import read_host
from augment.supercell import Edit, Supercell
from augment.supercells.search import find_supercell

HOSTS = (
    "GaN", "Si", "TiO2_rutile", "SiO2_quartz", "GaAs", "ZnO", "LiFePO4", "Fe", "Ti", "ZrO2_monoclinic", "SrTiO3",
)  # fmt: skip
NOISE = (0.0, 0.06, 0.15)
"""Å."""

FOLDER = Path(__file__).parents[1] / "examples" / "hosts"


def disguised(cell: DefectCell, noise: float, rng: np.random.Generator) -> tuple[FloatArray, IntArray, FloatArray]:
    """Lattice, numbers and positions of a cell that nothing ties to how it was made."""
    strain = rng.normal(scale=0.01, size=(3, 3))
    deformation = (np.eye(3) + (strain + strain.T) / 2) * (1 + rng.uniform(-0.01, 0.02))
    deformation = deformation @ Rotation.random(random_state=rng).as_matrix()
    basis = np.eye(3, dtype=int)
    for _ in range(2):
        i, j = rng.choice(3, 2, replace=False)
        basis[i] += rng.choice([-1, 1]) * basis[j]
    lattice, order = basis @ cell.cell @ deformation, rng.permutation(len(cell))
    positions = (cell.positions + rng.normal(scale=noise, size=cell.positions.shape))[order] @ deformation
    fractional = (positions + rng.uniform(-5, 5, 3)) @ np.linalg.inv(lattice)
    return lattice, cell.numbers[order], (fractional % 1) @ lattice


def defects_of(supercell: Supercell, rng: np.random.Generator) -> Iterator[Defect]:
    """A dozen point defects, and four complexes of vacancies and a dopant."""
    dopant = "Ga" if "Al" in supercell.host.elements else "Al"
    yield from list(point_defects(supercell, dopants=[dopant], max_voids=1))[:12]
    for _ in range(4):
        sites = rng.choice(supercell.n_atoms, int(rng.integers(2, 5)), replace=False)
        yield Defect(
            supercell, tuple(Edit(int(s), int(rng.choice([0, 0, 13 if dopant == "Al" else 31]))) for s in sites)
        )


def main(seed: int) -> None:
    """Print one line a crystal, and the sum."""
    rng, total, right, began = np.random.default_rng(seed), 0, 0, time.monotonic()
    for name in HOSTS:
        supercell = find_supercell(read_host(FOLDER / f"{name}.cif"), min_image_distance=8, max_atoms=150)
        wrong = []
        for defect in defects_of(supercell, rng):
            for noise in NOISE:
                total += 1
                lattice, numbers, positions = disguised(defect.cell(), noise, rng)
                try:
                    found = register(lattice, numbers, positions, supercell.host, supercells=[supercell]).defect
                except DefectError as error:
                    wrong.append(f"{defect.name} at {noise} Å: {error}")
                    continue
                right += found.key == defect.key
                wrong += [f"{defect.name} at {noise} Å is called {found.name}"] if found.key != defect.key else []
        print(f"{name}: {'; '.join(wrong) or 'all right'}", flush=True)
    print(f"{right} of {total}, {(time.monotonic() - began) / total:.2f} s each")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
