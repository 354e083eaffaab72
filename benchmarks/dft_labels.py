"""What plane waves a label needs: python benchmarks/dft_labels.py [--setups FOLDER] [--cutoffs 500 800].

GPAW with PBEsol on MgO, for each cutoff: the pressure of the primitive cell by its stress and by the derivative of its
energy at the same cutoff, which differ by the want of a complete basis (Pulay); the forces of a rattled cell of 8 atoms
against those of the highest cutoff; wall time of that label. Setups are made in FOLDER by `gpaw-setup -f PBEsol Mg O`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import units
from ase.build import bulk

from md.potentials.external.calculator import RemoteCalculator
from md.potentials.external.packages import package_named
from md.potentials.external.process import WorkerProcess

CONSTANT, STEP = 4.23, 0.01
"""Å."""


def calculator_at(cutoff: float, options: argparse.Namespace, density: float) -> Any:
    """GPAW in the other Python; k-points for each 1/Å."""
    settings = {"cutoff": cutoff, "kpts_density": density, "gamma": False, "setup_path": str(options.setups)}
    task = {"adapter": str(package_named("gpaw").file), "name": "gpaw:PBEsol", "weights": None, "settings": settings}
    return RemoteCalculator(WorkerProcess(options.python, task), "gpaw:PBEsol")


def pressures(calculator: Any) -> tuple[float, float]:
    """GPa, by the stress and by the energies of two volumes."""
    energies, volumes = [], []
    for length in (CONSTANT - STEP, CONSTANT + STEP, CONSTANT):
        atoms = bulk("MgO", "rocksalt", length)
        atoms.calc = calculator
        energies.append(atoms.get_potential_energy())
        volumes.append(atoms.get_volume())
    stress = float(atoms.get_stress()[:3].mean())
    return -stress / units.GPa, -(energies[1] - energies[0]) / (volumes[1] - volumes[0]) / units.GPa


def main() -> None:
    """Print a line for each cutoff, the highest first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default="/usr/bin/python3", help="interpreter that has GPAW")
    parser.add_argument("--setups", type=Path, default=Path("setups"), help="folder of PBEsol setups of Mg and O")
    parser.add_argument("--cutoffs", type=float, nargs="+", default=[800.0, 700.0, 600.0, 500.0], help="eV")
    options = parser.parse_args()
    if not (options.setups / "O.PBEsol").is_file():
        sys.exit(f"{options.setups}: no setup O.PBEsol; make it there with: gpaw-setup -f PBEsol Mg O")
    rattled = bulk("MgO", "rocksalt", CONSTANT, cubic=True)
    rattled.rattle(0.06, seed=0)
    best = None
    for cutoff in sorted(options.cutoffs, reverse=True):
        by_stress, by_energy = pressures(calculator_at(cutoff, options, 2.4))
        atoms = rattled.copy()
        atoms.calc = calculator_at(cutoff, options, 1.2)
        began = time.perf_counter()
        forces = atoms.get_forces()
        best = forces if best is None else best
        off, taken = 1000 * np.sqrt(((forces - best) ** 2).mean()), time.perf_counter() - began
        print(
            f"{cutoff:5.0f} eV: pressure {by_stress:+7.2f} GPa by the stress, {by_energy:+6.2f} by the energy, "
            f"difference {by_stress - by_energy:+6.2f}; forces {off:5.1f} meV/Å off; {taken:4.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
