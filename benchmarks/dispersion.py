"""Distance of the layers of graphite with and without dispersion: python benchmarks/dispersion.py [--potential NAME].

The layers are held as they are in the plane (a = 2.462 Å), and the energy is scanned over their distance; a parabola
goes through the lowest three. Measured at low temperature: 3.336 Å (Baskin and Meyer, Phys. Rev. 100, 544 (1955)).
Then what each correction adds to the energy of rock salt (a = 5.6 Å), whose ions D3 does not know as such, and the CPU
time of one evaluation of 64 and 216 atoms.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from ase import Atoms
from ase.build import bulk, graphene

from md.potentials import resolve_potential

MEASURED = 3.336
DISTANCES = np.arange(3.1, 3.81, 0.05)
"""Å."""


def layers(distance: float) -> Atoms:
    """Two layers in Bernal stacking."""
    sheet = graphene("C2", a=2.462, vacuum=None)
    shifted = sheet.copy()
    sheet.set_cell([*sheet.cell[:2], [0.0, 0.0, 2 * distance]])
    shifted.positions += (sheet.cell[0] + 2 * sheet.cell[1]) / 3 + [0.0, 0.0, distance]
    both = sheet + shifted
    both.pbc = True
    return both


def lowest(calculator: object) -> float:
    """Distance of least energy, Å."""
    energies = []
    for distance in DISTANCES:
        atoms = layers(float(distance))
        atoms.calc = calculator
        energies.append(atoms.get_potential_energy())
    middle = int(np.clip(np.argmin(energies), 1, len(energies) - 2))
    three = slice(middle - 1, middle + 2)
    square, slope, _ = np.polyfit(DISTANCES[three], energies[three], 2)
    return float(-slope / (2 * square))


def added(name: str, method: str) -> float:
    """Energy that a correction adds to rock salt, eV per atom."""
    energies = []
    for text in (name, name + method):
        atoms = bulk("NaCl", "rocksalt", 5.6)
        atoms.calc = resolve_potential(text, ["Na", "Cl"]).calculator()
        energies.append(atoms.get_potential_energy() / len(atoms))
    return float(energies[1] - energies[0])


def seconds(calculator: object, size: int) -> float:
    """CPU time of one evaluation of rock salt."""
    atoms = bulk("NaCl", "rocksalt", 5.6, cubic=True) * (size, size, size)
    atoms.rattle(0.02, seed=0)
    atoms.calc = calculator
    began = time.process_time()
    atoms.get_forces()
    atoms.get_stress()
    return time.process_time() - began


def main() -> None:
    """Print the distances and the costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--potential", default="chgnet-r2scan", help="one without dispersion of its own")
    name = parser.parse_args().potential
    for method in ("", "+d3bj", "+d4"):
        found = lowest(resolve_potential(name + method, ["C"]).calculator())
        print(f"graphite, {name + method:24} {found:6.3f} Å, measured {MEASURED:.3f} ({found / MEASURED - 1:+.1%})")
    for method in ("+d3bj", "+d4"):
        print(f"rock salt, {method:5} adds {added(name, method):+.3f} eV per atom")
    for method in ("", "+d3bj", "+d4"):
        calculator = resolve_potential(name + method, ["Na", "Cl"]).calculator()
        costs = [seconds(calculator, size) for size in (2, 3)]
        print(f"{name + method:24} {costs[0]:6.2f} CPU s at 64 atoms, {costs[1]:6.2f} at 216")


if __name__ == "__main__":
    main()
