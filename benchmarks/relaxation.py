"""Relaxed volumes of crystals from starts whose lattices are up to 3 % off, and the evaluations that they take.

    python benchmarks/relaxation.py

The spread of the volumes is what the lattice of a CIF still decides; it is to be below 0.01 %.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.build import bulk

from augment.cell import DefectCell
from md.potentials import Potential, resolve_potential
from md.relaxation.relax import Relaxation, relax_structure

OFF = (-3.0, -2.0, -1.0, -0.3, 0.0, 0.3, 1.0, 2.0, 3.0)
"""% of each lattice vector."""

LENNARD_JONES = 'ase.calculators.lj:LennardJones{"sigma": 3.4, "epsilon": 0.0104, "rc": 10.0}'

CASES: tuple[tuple[str, Any, str], ...] = (
    ("Ar", bulk("Ar", "fcc", 5.26), LENNARD_JONES),
    ("Cu", bulk("Cu", "fcc", 3.615), "lammps:eam/alloy Cu_mishin1.eam.alloy"),
    ("Cu, 32 atoms", bulk("Cu", "fcc", 3.615, cubic=True) * (2, 2, 2), "emt"),
    ("MgO", bulk("MgO", "rocksalt", 4.21), "mace-mgo"),
    ("Mg", bulk("Mg", "hcp", 3.2, 5.2), "lammps:eam/fs Mg_mm.eam.fs"),
    ("Zr", bulk("Zr", "hcp", 3.23, 5.15), "lammps:eam/fs Zr_mm.eam.fs"),
    ("SiO2, quartz-like, P1", None, "lammps:tersoff SiO.tersoff"),
)


def quartz() -> Any:
    """Alpha quartz, which has nine atoms with places of their own, described without symmetry."""
    from ase.spacegroup import crystal

    places = [(0.4697, 0, 0), (0.4135, 0.2669, 0.1191)]
    return crystal(["Si", "O"], places, spacegroup=152, cellpar=[4.916, 4.916, 5.405, 90, 90, 120])


def stretched(atoms: Any, percent: float) -> DefectCell:
    """The crystal with its lattice vectors longer by so many percent."""
    cell, numbers = (1 + percent / 100) * atoms.cell.array, np.asarray(atoms.numbers, dtype=np.int64)
    return DefectCell("crystal", "crystal", cell, numbers, atoms.get_scaled_positions() @ cell, np.arange(len(atoms)))


def relaxed(atoms: Any, potential: Potential) -> list[Relaxation]:
    """The crystal relaxed from every start."""
    starts = [stretched(atoms, percent) for percent in OFF]
    return [relax_structure(cell, potential, fmax=1e-3, max_steps=500, relax_cell=True) for cell in starts]


def main() -> None:
    """Print the table."""
    print("| crystal | potential | Å³ an atom | spread, % | evaluations | not converged |")
    print("|---|---|---|---|---|---|")
    for name, crystal, spec in CASES:
        atoms = quartz() if crystal is None else crystal
        potential = resolve_potential(spec, sorted(set(atoms.get_chemical_symbols())), trust=True)
        found = relaxed(atoms, potential)
        volumes = np.array([relaxation.cell.volume for relaxation in found]) / len(atoms)
        counts = [relaxation.steps + 1 for relaxation in found]
        failed = sum(relaxation.status != "converged" for relaxation in found)
        spread = 100 * np.ptp(volumes) / volumes.mean()
        print(
            f"| {name} | {potential.name} | {volumes.mean():.4f} | {spread:.4f} | {min(counts)} to {max(counts)}, "
            f"in all {sum(counts)} | {failed} |"
        )


if __name__ == "__main__":
    main()
