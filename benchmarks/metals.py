"""Point defects, elasticity and thermal expansion of Cu and Al beside measured and published values.

    python benchmarks/metals.py [--steps 5000] [--elements Cu Al] [--no-dynamics]

Each metal is computed with ASE's EMT, a fit to other properties that is quick and rough, and with an embedded-atom
potential that LAMMPS brings. Two comparisons are made. Beside experiment the row judges the potential. Beside what the
others find with the same copper potential (Mishin et al., Phys. Rev. B 63, 224106 (2001)) the row judges this code: it
must agree. Dynamics are classical, so that expansion below the Debye temperature is too large. Nothing is published of
the aluminium potential: its file names its author, M. I. Mendelev, and no paper.

Values that were looked up, and where:
- expansion and heat capacity at 298 K: CRC Handbook of Chemistry and Physics, as the tables of the elements in
  Wikipedia quote it;
- lattices: Ashcroft and Mermin, Solid State Physics, as `ase.data.reference_states` quotes them;
- the vacancy in copper: Lysogorskiy et al., npj Comput. Mater. 7, 97 (2021), table 1: E_f 1.27, E_m 0.67 to 0.76 eV,
  here their middle. The same table has elastic constants near 0 K: 177, 125 and 81 GPa;
- E_f in aluminium: (0.69 ± 0.03) eV, quenched from near 0 concentration, phys. stat. sol. (b) 75 (1976),
  doi 10.1002/pssb.2220750205;
- of the copper potential: elastic constants by LAMMPS, issue 75 of gitlab.com/atomicrex/atomicrex; lattice and E_f by
  LAMMPS in 256 atoms, 3.6149 Å and 1.272 eV, a report in a public repository that quotes 1.27 eV from the paper.

Values marked * are recalled and could not be looked up: elastic constants at 300 K (Simmons and Wang, Single Crystal
Elastic Constants (1971)) with the bulk modulus from them, E_m in aluminium and the relaxation volumes (Ehrhart in
Landolt-Börnstein III/25 (1991)), and E_m of the copper potential. The relaxation volume of the vacancy in aluminium is
small there; calculations by density functional theory find about -0.3 atomic volumes, as many embedded-atom potentials
do.

The entropy S_f is that at constant volume, S_p that at constant (zero) pressure.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from augment import Defect, conventional_supercell, read_host
from augment.cell import DefectCell
from md.conditions.environment import Environment
from md.dynamics import MdPoint, run_point
from md.energetics import (
    DefectEnergies,
    attempt_frequency,
    constant_pressure_entropy,
    defect_energies,
    formation_entropy,
    migration_barriers,
    normal_modes,
    symmetric_saddle,
)
from md.energetics.barrier import Barrier
from md.estimators import equilibration
from md.estimators.equilibration import equilibrated_mean
from md.observables import Mean, bulk_modulus_from_fluctuations, heat_capacity, thermal_expansion
from md.potentials import Potential, resolve_potential
from md.relaxation.relaxed_host import RelaxedHost

HOSTS = Path(__file__).parents[1] / "examples" / "hosts"

POTENTIALS = {
    "Cu": ("emt", "lammps:eam/alloy Cu_mishin1.eam.alloy"),
    "Al": ("emt", "lammps:eam/fs Al_mm.eam.fs"),
}

MEASURED = {
    "Cu": {
        "a": 3.61, "C11": 168.4, "C12": 121.4, "C44": 75.4, "K": 137.1, "E_f": 1.27, "E_m": 0.715, "dV": -0.25,
        "alpha": 16.5, "C_p": 2.94,
    },
    "Al": {
        "a": 4.05, "C11": 106.8, "C12": 60.7, "C44": 28.2, "K": 76.1, "E_f": 0.69, "E_m": 0.61, "dV": -0.05,
        "alpha": 23.1, "C_p": 2.91,
    },
}  # fmt: skip

PUBLISHED = {
    "Cu_mishin1.eam.alloy": {
        "a": 3.615, "C11": 169.88, "C12": 122.60, "C44": 76.19, "K": 138.36, "E_f": 1.272, "E_m": 0.689,
    },
}  # fmt: skip
"""Of a potential, by others: what this code must give again."""

RECALLED = {
    "Cu": {"C11", "C12", "C44", "K", "dV"},
    "Al": {"C11", "C12", "C44", "K", "E_m", "dV"},
    "Cu_mishin1.eam.alloy": {"E_m"},
}
"""Values above whose source was not seen."""

UNITS = {
    "a": "Å", "C11": "GPa", "C12": "GPa", "C44": "GPa", "K": "GPa", "E_f": "eV", "E_m": "eV", "dV": "atomic volumes",
    "alpha": "1e-6/K", "K_300": "GPa", "C_p": "k_B", "S_f": "k_B", "S_p": "k_B", "nu": "THz",
}  # fmt: skip

TEMPERATURES = (100.0, 300.0, 500.0)


def vacancy_of(element: str, size: int) -> Defect:
    """The vacancy in size^3 conventional cells."""
    from augment import Edit

    supercell = conventional_supercell(read_host(HOSTS / f"{element}.cif"), size * np.eye(3, dtype=np.int64))
    return Defect(supercell, (Edit(0, 0),))


def at_rest(vacancy: Defect, potential: Potential) -> dict[str, float]:
    """Everything at zero temperature."""
    found = defect_energies(vacancy, potential)
    [path] = migration_barriers(vacancy, potential, images=3)
    c = found.elastic.stiffness
    atomic = found.bulk.cell.volume / len(found.bulk.cell)
    return {
        "a": (4 * atomic) ** (1 / 3),
        "C11": c[0, 0],
        "C12": c[0, 1],
        "C44": c[3, 3],
        "K": found.elastic.reuss.bulk,
        "E_f": found.formation.energy,
        "E_m": path.forward,
        "dV": found.relaxation_volume / atomic,
        **vibrations(vacancy, potential, found, path),
    }


def vibrations(vacancy: Defect, potential: Potential, found: DefectEnergies, path: Barrier) -> dict[str, float]:
    """Entropy of formation at 1000 K, and attempt frequency of the jump."""
    from ase import units

    pristine = Defect(vacancy.supercell, ())
    bulk = normal_modes(found.bulk.cell, potential, pristine.symmetry())
    defect = normal_modes(found.defect.cell, potential, vacancy.symmetry())
    _, saddle = symmetric_saddle(path.jump, potential, found.defect.cell)
    top = normal_modes(saddle.cell, potential, path.jump.middle_symmetry)
    return {
        "S_f": formation_entropy(defect, bulk, 1000.0) / units.kB,
        "nu": attempt_frequency(defect, top),
    }


def heated(element: str, potential: Potential, size: int, steps: int) -> dict[str, Mean]:
    """Linear expansion, bulk modulus and heat capacity of the pristine crystal around 300 K, from npt dynamics."""
    supercell = conventional_supercell(read_host(HOSTS / f"{element}.cif"), size * np.eye(3, dtype=np.int64))
    pristine = Defect(supercell, ())
    cell: DefectCell = RelaxedHost.of(supercell.host, potential, fmax=1e-4).place(pristine)
    lengths, found = [], {}
    for temperature in TEMPERATURES:
        environment = Environment(temperature, ensemble="npt")
        point = MdPoint.of(cell, environment, engine="lammps", steps=steps, timestep=2.0, interval=steps)
        response = run_point(point, cell, potential)
        volumes = response.series.volumes
        lengths.append(equilibrated_mean(np.cbrt(volumes)))
        if temperature == 300.0:
            first = equilibration(volumes).start
            found["K_300"] = bulk_modulus_from_fluctuations(volumes[first:], temperature)
            found["C_p"] = heat_capacity(response, first)
    alpha = thermal_expansion(TEMPERATURES, lengths, at=300.0)
    return {"alpha": Mean(1e6 * alpha.value, 1e6 * alpha.error), **found}


def pressure_entropy(values: dict[str, float | Mean]) -> float:
    """Entropy of formation at constant pressure in k_B, with the expansion measured here."""
    from ase import units

    s, k, a, volume = (float(values[name]) for name in ("S_f", "K", "a", "dV"))  # type: ignore[arg-type]
    alpha = values["alpha"]
    volumetric = 3e-6 * (alpha.value if isinstance(alpha, Mean) else alpha)
    return constant_pressure_entropy(s * units.kB, volumetric, k, volume * a**3 / 4) / units.kB


def show(element: str, potential: Potential, values: dict[str, float | Mean]) -> None:
    """One table: ours, what others find with the potential, and experiment."""
    file = potential.name.split()[-1]
    print(f"\n{element} with {potential.name}")
    print(f"{'':8}{'unit':16}{'here':>18}{'of the potential':>18}{'measured':>10}{'off':>8}")
    for name, value in values.items():
        here = f"{value.value:.1f} ± {value.error:.1f}" if isinstance(value, Mean) else f"{value:.3f}"
        number = value.value if isinstance(value, Mean) else value
        truth = MEASURED[element].get(name)
        off = "" if truth is None else f"{100 * (number / truth - 1):+.0f} %"
        theirs, measured = (said(table, of, name) for table, of in ((PUBLISHED, file), (MEASURED, element)))
        print(f"{name:8}{UNITS[name]:16}{here:>18}{theirs:>18}{measured:>10}{off:>8}")


def said(table: dict[str, dict[str, float]], of: str, name: str) -> str:
    """A value of a table as text, with * where it is recalled; nothing where there is none."""
    value = table.get(of, {}).get(name)
    return "" if value is None else f"{value:g}{'*' if name in RECALLED.get(of, ()) else ''}"


def main() -> None:
    """Print every table, with the CPU time that it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--elements", nargs="+", default=list(POTENTIALS), choices=list(POTENTIALS))
    parser.add_argument(
        "--steps", type=int, default=5000, help="of 2 fs at each temperature with EMT, a quarter of those with EAM"
    )
    parser.add_argument("--no-dynamics", action="store_true")
    arguments = parser.parse_args()
    for element in arguments.elements:
        for spec in POTENTIALS[element]:
            began = time.process_time()
            potential = resolve_potential(spec, [element])
            values: dict[str, float | Mean] = dict(at_rest(vacancy_of(element, 3), potential))
            if not arguments.no_dynamics:
                size, steps = (2, arguments.steps) if spec == "emt" else (3, 4 * arguments.steps)
                values |= heated(element, potential, size, steps)
                values["S_p"] = pressure_entropy(values)
            show(element, potential, values)
            print(f"{time.process_time() - began:.0f} CPU s")


if __name__ == "__main__":
    main()
