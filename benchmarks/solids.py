"""What heat and pressure do to twelve crystals under a potential, beside measured values: the quasi-harmonic crystal.

    OMP_NUM_THREADS=1 python benchmarks/solids.py [--potential auto ...] [--solids MgO CaO] [-o FOLDER]

Each crystal is relaxed at several volumes, with its shape and inner coordinates free; frequencies are phonopy's, from
forces in cells of up to 120 atoms, on a mesh of wave vectors. A cubic in the length of the cell goes through the
free energies of quantum oscillators; its minimum is the volume at a temperature, its curvature the isothermal bulk
modulus. Elastic constants and the modes of the zone centre are those of the crystal at rest at 0 K; the latter are
transverse ones, without a macroscopic field. Several potentials make a table of mean errors. What was computed is
kept in FOLDER and not computed again; a crystal with imaginary frequencies at too many volumes has no such expansion.

Measured values and their sources: benchmarks/measured_solids.csv. It needs phonopy 4.10 (`pip install phonopy`).
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import re
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import units

from augment import read_host
from augment.cell import DefectCell, FloatArray
from augment.defect import Defect
from augment.errors import DefectgenError
from augment.host import Host
from augment.supercell import Supercell
from augment.supercells.search import widest_supercell
from md.distill.teacher_choice import crystal_family
from md.energetics import elastic_constants
from md.labels.evaluator import Evaluator
from md.potentials import Potential, resolve_potential
from md.relaxation.relaxed_host import RelaxedHost

ROOT = Path(__file__).parents[1]
HOSTS, MEASURED = ROOT / "examples" / "hosts", Path(__file__).with_name("measured_solids.csv")

FILES = {
    "MgO": "MgO", "CaO": "CaO", "NaCl": "NaCl", "Al2O3": "Al2O3_corundum", "Si": "Si", "Al": "Al", "Cu": "Cu",
    "TiO2": "TiO2_rutile", "CeO2": "CeO2", "SrTiO3": "SrTiO3", "MgAl2O4": "MgAl2O4", "CaF2": "CaF2",
}  # fmt: skip

STRETCHES = np.array([-0.009, -0.002, 0.005, 0.012, 0.020, 0.028])
"""Linear strains."""

MIN_VOLUMES = 4
"""That a cubic needs."""

MIN_ATOMS, MAX_ATOMS = 48, 120
MESH = 60.0
"""Å; phonopy's measure of the density of a mesh."""

IMAGINARY = -0.05
"""THz; above it a frequency is a translation with rounding."""

STEP, COLD, HOT = 10.0, 300.0, (800.0, 1000.0)
"""K; of derivatives by temperature, where most values are measured, and where mean expansions end."""

KINDS = {
    "a": r"volume",
    "expansion at 300 K": r"alpha_300",
    "expansion to 1000 K": r"alpha_300_\d+",
    "bulk modulus": r"K_T",
    "heat capacity": r"C_p",
    "elastic constants": r"C\d\d",
    "zone-centre modes": r"gamma_.*",
}
"""Columns of the table, and the quantities in them."""

RANKED = ("expansion at 300 K", "bulk modulus", "elastic constants", "zone-centre modes")
"""Kinds that a ranking of teachers looks at: all that forces decide; heat capacities hardly tell them apart."""


@dataclass(frozen=True, eq=False)
class QuasiHarmonic:
    """A crystal at several volumes.

    Attributes:
        volumes: (n,) of the primitive cell, Å³, ascending.
        energies: (n,) at rest, eV.
        temperatures: (t,) K.
        free: (n, t) vibrational free energy, eV.
        heat: (n, t) heat capacity at constant volume, eV/K.
    """

    volumes: FloatArray
    energies: FloatArray
    temperatures: FloatArray
    free: FloatArray
    heat: FloatArray

    def _curve(self, index: int) -> np.polynomial.Polynomial:
        return np.polynomial.Polynomial.fit(np.cbrt(self.volumes), self.energies + self.free[:, index], 3)

    def volume(self, kelvin: float) -> float:
        """Of the primitive cell at a temperature, Å³; NaN where it is outside the volumes."""
        curve = self._curve(self._index(kelvin))
        roots = curve.deriv().roots()
        low, high = np.cbrt(self.volumes[[0, -1]])
        inside = (roots.imag == 0) & (roots.real > low) & (roots.real < high)
        minima = roots.real[inside & (curve.deriv(2)(roots.real) > 0)]
        return float(minima[0] ** 3) if len(minima) else math.nan

    def _index(self, kelvin: float) -> int:
        return int(np.abs(self.temperatures - kelvin).argmin())

    def expansion(self, kelvin: float) -> float:
        """Mean linear expansion coefficient of the three axes, 1/K."""
        return float(np.log(self.volume(kelvin + STEP) / self.volume(kelvin - STEP))) / (6 * STEP)

    def bulk_modulus(self, kelvin: float) -> float:
        """Isothermal, eV/Å³."""
        length = np.cbrt(self.volume(kelvin))
        return float(self._curve(self._index(kelvin)).deriv(2)(length)) / (9 * length)

    def heat_capacity(self, kelvin: float) -> float:
        """At constant pressure, eV/K: C_V + alpha² K V T."""
        volume = self.volume(kelvin)
        heat = float(np.interp(volume, self.volumes, self.heat[:, self._index(kelvin)]))
        return heat + (3 * self.expansion(kelvin)) ** 2 * self.bulk_modulus(kelvin) * volume * kelvin


def _phonopy(crystal: Host, potential: Potential) -> Any:
    """Phonons of a relaxed crystal."""
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    cell = Supercell.primitive(crystal).bulk_cell()
    primitive = PhonopyAtoms(numbers=cell.numbers, positions=cell.positions, cell=cell.cell)
    matrix = widest_supercell(crystal, min_atoms=MIN_ATOMS, max_atoms=MAX_ATOMS).matrix
    phonons = Phonopy(primitive, supercell_matrix=np.asarray(matrix).T, primitive_matrix="P")
    phonons.generate_displacements(distance=0.01)
    evaluate = Evaluator(phonons.supercell.numbers, potential.calculator(), phonons.supercell.volume, np.inf)
    moved = phonons.supercells_with_displacements or []
    phonons.forces = [evaluate(each.positions, each.cell).forces for each in moved]
    phonons.produce_force_constants()
    phonons.symmetrize_force_constants()
    return phonons


def _static_energy(crystal: Host, potential: Potential) -> float:
    cell = Supercell.primitive(crystal).bulk_cell()
    return float(Evaluator(cell.numbers, potential.calculator(), cell.volume, np.inf)(cell.positions, cell.cell).energy)


def _at_volumes(host: Host, potential: Potential) -> list[Host]:
    """The crystal at rest under pressures that stretch it by about `STRETCHES`."""
    rest = RelaxedHost.of(host, potential, fmax=1e-4).crystal
    squeezed = RelaxedHost.of(host, potential, pressure=1.0, fmax=1e-4).crystal
    modulus = -1.0 / math.log(_volume(squeezed) / _volume(rest))
    pressures = [_murnaghan(modulus, (1 + stretch) ** 3) for stretch in STRETCHES]
    return [RelaxedHost.of(host, potential, pressure=p, fmax=1e-4).crystal for p in pressures]


def _volume(crystal: Host) -> float:
    return float(abs(np.linalg.det(crystal.primitive)))


def _murnaghan(modulus: float, ratio: float) -> float:
    """Pressure at a volume ratio, with K' = 4 as in most solids; in the unit of the modulus."""
    return modulus / 4 * (ratio**-4 - 1)


def quasi_harmonic(host: Host, potential: Potential) -> QuasiHarmonic:
    """The crystal at the volumes where all its frequencies are real.

    Raises:
        DefectgenError: there are too few of those, or the crystal has no such volumes.
    """
    temperatures = np.arange(0.0, 1000.0 + 2 * STEP, STEP)
    volumes, energies, free, heat = [], [], [], []
    for crystal in _at_volumes(host, potential):
        phonons = _phonopy(crystal, potential)
        phonons.run_mesh(MESH)
        if phonons.mesh.frequencies.min() < IMAGINARY:
            continue
        phonons.run_thermal_properties(t_min=0, t_max=temperatures[-1], t_step=STEP, exclude_gamma_acoustic=True)
        found = phonons.thermal_properties
        volumes.append(_volume(crystal))
        energies.append(_static_energy(crystal, potential))
        free.append(np.array(found.free_energy) * units.kJ / units.mol)
        heat.append(np.array(found.heat_capacity) / 1000 * units.kJ / units.mol)
    if len(volumes) < MIN_VOLUMES:
        raise DefectgenError(f"all frequencies are real at {len(volumes)} of {len(STRETCHES)} volumes only")
    order = np.argsort(volumes)
    sizes, static = np.array(volumes)[order], np.array(energies)[order]
    return QuasiHarmonic(sizes, static, temperatures, np.array(free)[order], np.array(heat)[order])


def zone_centre(crystal: Host, potential: Potential) -> dict[str, float]:
    """Frequencies (1/cm) of the optical modes at the zone centre by their symmetry, counted from the lowest of each."""
    phonons = _phonopy(crystal, potential)
    phonons.run_irreps([0, 0, 0])
    sets, labels = phonons.irreps.band_indices, phonons.irreps._ir_labels or []  # noqa: SLF001  printed, not returned
    wavenumbers, found = phonons.irreps.frequencies * 33.35641, {}
    seen: defaultdict[str, int] = defaultdict(int)
    for bands, label in zip(sets, labels, strict=True):
        if label is not None and abs(wavenumbers[bands[0]]) > 1.0:
            seen[label] += 1
            found[f"gamma_{label}_{seen[label]}"] = float(np.mean(wavenumbers[bands]))
    return found


def properties(name: str, potential: Potential) -> dict[str, float | str]:
    """What is measured of a crystal, under a potential; a text says why something is not there."""
    host = read_host(HOSTS / f"{FILES[name]}.cif")
    rest = RelaxedHost.of(host, potential, fmax=1e-4)
    cell = Supercell.primitive(rest.crystal).bulk_cell()
    pristine = Defect(Supercell.primitive(rest.crystal), ())
    stiffness = elastic_constants(cell, potential, pristine.symmetry()).stiffness
    found: dict[str, float | str] = {f"C{i + 1}{j + 1}": float(stiffness[i, j]) for i in range(6) for j in range(i, 6)}
    found |= zone_centre(rest.crystal, potential)
    try:
        crystal = quasi_harmonic(host, potential)
    except DefectgenError as error:
        found["missing"] = str(error)
    else:
        found |= _thermal(crystal, cell)
    return found


def _thermal(crystal: QuasiHarmonic, cell: DefectCell) -> dict[str, float]:
    atoms = len(cell)
    formula = math.gcd(*np.unique(cell.numbers, return_counts=True)[1].tolist())
    found = {
        "volume": crystal.volume(COLD) / atoms,
        "alpha_300": 1e6 * crystal.expansion(COLD),
        "K_T": crystal.bulk_modulus(COLD) / units.GPa,
        "C_p": crystal.heat_capacity(COLD) / formula * units.mol / units.kJ * 1000,
    }
    for hot in HOT:
        mean = math.log(crystal.volume(hot) / crystal.volume(COLD)) / 3 / (hot - COLD)
        found[f"alpha_300_{hot:.0f}"] = 1e6 * mean
    return found


def measured() -> dict[str, dict[str, float]]:
    """Measured values by crystal and quantity."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    with MEASURED.open() as stream:
        for row in csv.DictReader(stream):
            found[row["solid"]][row["quantity"]] = float(row["value"])
    return found


def answers(spec: str, solids: Sequence[str], folder: Path) -> dict[str, Any]:
    """Properties by crystal, from the folder where they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {}
    for name in solids:
        path = folder / f"{re.sub(r'[^A-Za-z0-9.+-]', '_', spec)}_{name}.json"
        if not path.exists():
            began = time.process_time()
            host = read_host(HOSTS / f"{FILES[name]}.cif")
            try:
                potential = resolve_potential(spec, host.elements)
                values: dict[str, Any] = properties(name, potential)
            except DefectgenError as error:
                values = {"missing": str(error)}
            values["CPU s"] = time.process_time() - began
            path.write_text(json.dumps(values))
        found[name] = json.loads(path.read_text())
    return found


def error(quantity: str, value: float, truth: float) -> float:
    """Relative; of a volume that of its length. The sign of C14 is that of the axes."""
    ratio = abs(value / truth) if quantity == "C14" else value / truth
    return (ratio ** (1 / 3) if quantity == "volume" else ratio) - 1


def show(spec: str, found: Mapping[str, Mapping[str, Any]], truth: Mapping[str, Mapping[str, float]]) -> None:
    """One table for a potential."""
    for name, values in found.items():
        missing = f"  {values['missing']}" if "missing" in values else ""
        if len(values) > 2 or not missing:
            print(f"\n{name} with {spec}, {values['CPU s']:.0f} CPU s here{missing}")
        for quantity, known in truth[name].items():
            if isinstance(value := values.get(quantity), float):
                print(f"  {quantity:16}{value:10.2f}{known:10.2f}{100 * error(quantity, value, known):+8.1f} %")


def mean_errors(found: Mapping[str, Mapping[str, Any]], truth: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """Mean and largest absolute error of each kind of quantity in percent, and of how many values."""
    row = {}
    for kind, pattern in KINDS.items():
        errors = [
            100 * abs(error(quantity, values[quantity], known))
            for name, values in found.items()
            for quantity, known in truth[name].items()
            if re.fullmatch(pattern, quantity) and isinstance(values.get(quantity), float)
        ]
        finite = [e for e in errors if math.isfinite(e)]
        row[kind] = f"{np.mean(finite):.1f} ({max(finite):.0f}; {len(finite)})" if finite else "-"
    return row


def ranking(found: Mapping[str, Mapping[str, Any]], truth: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """By family of crystals the mean relative error of what forces decide, each crystal and kind alike.

    What a potential has not, for a crystal is unstable with it, counts as an error of 100 %, as does a larger one.
    """
    errors: defaultdict[str, list[float]] = defaultdict(list)
    for name, values in found.items():
        for kind in RANKED:
            known = {q: v for q, v in truth[name].items() if re.fullmatch(KINDS[kind], q)}
            each = [abs(error(q, values[q], v)) if isinstance(values.get(q), float) else 1.0 for q, v in known.items()]
            if each:
                errors[crystal_family(read_host(HOSTS / f"{FILES[name]}.cif").elements)].append(
                    float(np.mean(np.minimum(np.nan_to_num(each, nan=1.0), 1.0)))
                )
    return {family: round(float(np.mean(values)), 3) for family, values in errors.items()}


def main() -> None:
    """Print a table for each potential, and one of their mean errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--potential", nargs="+", default=["auto"])
    parser.add_argument("--solids", nargs="+", choices=[*FILES], default=[*FILES])
    parser.add_argument("--ranking", action="store_true", help="print the errors by family as md/distill/teachers.json")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "out" / "solids")
    options = parser.parse_args()
    truth = measured()
    rows, ranked = {}, {}
    for spec in options.potential:
        found = answers(spec, options.solids, options.output)
        show(spec, found, truth)
        rows[spec], ranked[spec] = mean_errors(found, truth), ranking(found, truth)
    print("\nMean error in percent (largest; of how many values)\n")
    print("| potential | " + " | ".join(KINDS) + " |\n|" + "---|" * (len(KINDS) + 1))
    for spec, row in rows.items():
        print(f"| {spec} | " + " | ".join(row.values()) + " |")
    if options.ranking:
        print(json.dumps(ranked, indent=1))


if __name__ == "__main__":
    main()
