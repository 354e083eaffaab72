"""Numbers of defects beside measured ones: vacancies in metals near melting, Schottky and Frenkel energies of salts.

    OMP_NUM_THREADS=1 python benchmarks/thermodynamics.py [--only metals salts] [--atoms 108] [--steps 4000] [-o FOLDER]

Metals: at 0.9 of the melting temperature the lattice is that of the quasi-harmonic crystal (least E + F_vib over
lattice constants; classical oscillators). There a vacancy is relaxed, its normal modes are taken, and thermodynamic
integration adds what is anharmonic, for the vacancy and for the crystal. What was computed is kept in FOLDER.

Measured: differential dilatometry, c = exp(S/k) exp(-H/kT). Al: Simmons and Balluffi, Phys. Rev. 117, 52 (1960), S
2.4 k and H 0.76 eV. Cu: the same, Phys. Rev. 129, 1533 (1963), S 1.5 k and H 1.17 eV; Hehenkamp (J. Phys. Chem.
Solids 55, 907 (1994)) found several times as many.

Salts: the energy of a Schottky pair, or of an anion Frenkel pair, from three kinds of cell: each defect alone in a
neutral cell, both as far apart as the cell lets them, and both next to each other. Measured pairs are charged and far
apart. Electrons go from one to the other only within a cell, so that the second column is what comes nearest to them,
less what attracts them there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import units

from augment import Edit, point_defects, read_host
from augment.cell import DefectCell
from augment.defect import Defect
from augment.distort.single import strained
from augment.errors import DefectgenError
from augment.supercells.search import widest_supercell
from md.energetics import anharmonic_free_energy, hessian, minimum, normal_modes
from md.potentials import Potential, resolve_potential
from md.relaxation.relaxed_host import RelaxedHost, pristine

HOSTS = Path(__file__).parents[1] / "examples" / "hosts"

SHARE_OF_MELTING = 0.9


@dataclass(frozen=True)
class Metal:
    """A metal with its potential and its measured vacancies.

    Attributes:
        potential: as `resolve_potential` takes it.
        melting: K.
        measured: share of sites that are vacant at a temperature, by each measurement.
    """

    potential: str
    melting: float
    measured: dict[str, Callable[[float], float]]


def arrhenius(entropy: float, enthalpy: float) -> Callable[[float], float]:
    """Share of vacant sites at a temperature; entropy in k, enthalpy in eV."""
    return lambda temperature: float(np.exp(entropy - enthalpy / (units.kB * temperature)))


METALS = {
    "Cu": (
        Metal(
            "lammps:eam/alloy Cu_mishin1.eam.alloy", 1357.8,
            {"Simmons and Balluffi 1963": arrhenius(1.5, 1.17)},
        ),
    ),
    "Al": (
        Metal("lammps:eam/fs Al_mm.eam.fs", 933.5, {"Simmons and Balluffi 1960": arrhenius(2.4, 0.76)}),
        Metal("lammps:eam/alloy Al_zhou.eam.alloy", 933.5, {"Simmons and Balluffi 1960": arrhenius(2.4, 0.76)}),
    ),
}  # fmt: skip

STRAINS = np.linspace(0.0, 0.03, 7)
"""Linear, from the lattice at rest, that the quasi-harmonic lattice is sought among."""


@dataclass(frozen=True)
class Vacancy:
    """Free energies of formation of a vacancy, eV.

    Attributes:
        lattice: constant at the temperature over that at rest.
        at_rest: energy in the lattice at rest.
        energy: energy in the warm lattice.
        vibrations: harmonic, classical.
        anharmonic: by thermodynamic integration; None where an atom left its site.
        error: its standard error.
    """

    lattice: float
    at_rest: float
    energy: float
    vibrations: float
    anharmonic: float | None
    error: float | None


def vacancy(element: str, potential: Potential, temperature: float, atoms: int, steps: int) -> Vacancy:
    """The free energy of formation of a vacancy in a fixed cell of the warm lattice."""
    host = read_host(HOSTS / f"{element}.cif")
    reference = RelaxedHost.of(host, potential, fmax=1e-4)
    supercell = widest_supercell(host, min_atoms=atoms, max_atoms=atoms)
    crystal = reference.on(pristine(supercell))

    defect = next(d for d in point_defects(crystal.supercell, kinds=["vacancy"]) if d.name == f"v_{element}")
    share = (len(crystal.cell()) - 1) / len(crystal.cell())

    def whole(strain: float) -> float:
        cell = strained(crystal.cell(), strain * np.eye(3))
        record = minimum(cell, potential, 1e-4, symmetry=crystal.symmetry())
        modes = normal_modes(record.cell, potential, crystal.symmetry())
        return record.energy + modes.classical_free_energy(temperature)

    fit = np.polynomial.Polynomial.fit(STRAINS, [whole(s) for s in STRAINS], 4)
    fine = np.linspace(STRAINS[0], STRAINS[-1], 3001)
    strain = float(fine[np.argmin(fit(fine))])

    def formation(strain: float) -> tuple[float, DefectCell, DefectCell]:
        cells = [strained(d.cell(), strain * np.eye(3)) for d in (defect, crystal)]
        records = [
            minimum(cell, potential, 1e-4, symmetry=d.symmetry())
            for cell, d in zip(cells, (defect, crystal), strict=True)
        ]
        return records[0].energy - share * records[1].energy, records[0].cell, records[1].cell

    at_rest, _, _ = formation(0.0)
    energy, with_vacancy, without = formation(strain)
    modes = [normal_modes(c, potential, d.symmetry()) for c, d in ((with_vacancy, defect), (without, crystal))]
    # An atom carries three mean modes, here and in the reservoir.
    modes_share = 3 * len(with_vacancy) - 3
    per_mode = modes[1].classical_free_energy(temperature) / len(modes[1].frequencies)
    vibrations = modes[0].classical_free_energy(temperature) - per_mode * modes_share
    try:
        found = [
            anharmonic_free_energy(c, hessian(c, potential, d.symmetry()), potential, temperature, steps=steps).value
            for c, d in ((with_vacancy, defect), (without, crystal))
        ]
        anharmonic = found[0].value - share * found[1].value
        error = float(np.hypot(found[0].error, share * found[1].error))
    except DefectgenError as problem:
        print(f"  no integration: {problem}")
        anharmonic = error = None
    return Vacancy(1 + strain, at_rest, energy, vibrations, anharmonic, error)


def metals(folder: Path, atoms: int, steps: int) -> None:
    """Print the table of vacancies."""
    print("| metal, potential | T, K | E at rest, eV | E warm | F harmonic | anharmonic | vacancies | measured |")
    for element, several in METALS.items():
        for metal in several:
            temperature = SHARE_OF_MELTING * metal.melting
            potential = resolve_potential(metal.potential, [element])
            kept = folder / f"{element}-{potential.name.split()[-1]}-{atoms}-{steps}.json"
            began = time.process_time()
            if kept.is_file():
                found = Vacancy(**json.loads(kept.read_text(encoding="utf-8")))
            else:
                found = vacancy(element, potential, temperature, atoms, steps)
                kept.write_text(json.dumps(vars(found)), encoding="utf-8")
            _print_metal(element, metal, potential, temperature, found)
            print(f"  {time.process_time() - began:.0f} s CPU")


def _print_metal(element: str, metal: Metal, potential: Potential, temperature: float, found: Vacancy) -> None:
    kt = units.kB * temperature
    harmonic = found.energy + found.vibrations
    shares = [np.exp(-harmonic / kt)]
    words = ""
    if found.anharmonic is not None:
        shares.append(np.exp(-(harmonic + found.anharmonic) / kt))
        words = f"{found.anharmonic:.3f} ± {found.error:.3f}"
    numbers = ", ".join(f"{share:.1e}" for share in shares)
    measured = "; ".join(f"{value(temperature):.1e} ({who})" for who, value in metal.measured.items())
    print(
        f"| {element}, {potential.name} | {temperature:.0f} | {found.at_rest:.3f} | {found.energy:.3f} | "
        f"{found.vibrations:.3f} | {words} | {numbers} | {measured} |  lattice x {found.lattice:.4f}"
    )


@dataclass(frozen=True)
class Salt:
    """A crystal with a pair of defects that keeps its formula.

    Attributes:
        file: of its CIF.
        kind: of the pair.
        pair: names of the two defects.
        potentials: that claim it.
        published: energies of the charged pair far apart, eV, with their sources.
    """

    file: str
    kind: str
    pair: tuple[str, str]
    potentials: tuple[str, ...]
    published: str


SALTS = (
    Salt(
        "MgO", "Schottky", ("v_Mg", "v_O"),
        ("mace-mgo", "mace-mgo-cao-nio", "mace-mgo-cao-pbesol", "chgnet-r2scan", "chgnet"),
        "6.88, LDA (De Vita et al., Phys. Rev. Lett. 68, 3319 (1992))",
    ),
    Salt(
        "NaCl", "Schottky", ("v_Na", "v_Cl"), ("mace-lif-nacl", "chgnet-r2scan", "chgnet"),
        "2.44, measured (Nadler and Rossel, phys. stat. sol. (a) 18, 711 (1973))",
    ),
    Salt(
        "CaF2", "anion Frenkel", ("v_F", "F_i"), ("chgnet-r2scan", "chgnet"),
        "2.71, measured (Jacobs and Ong, J. Phys. Colloques 37, C7-331 (1976))",
    ),
)  # fmt: skip

SALT_ATOMS = (60, 100)


def salts(folder: Path) -> None:
    """Print the table of pairs."""
    print("| pair, potential | atoms | alone in neutral cells, eV | far apart in one cell | Å | nearest | published |")
    for salt in SALTS:
        for spec in salt.potentials:
            kept = folder / f"{salt.file}-{spec}.json"
            if not kept.is_file():
                kept.write_text(json.dumps(_pair_energies(salt, spec)), encoding="utf-8")
            found = json.loads(kept.read_text(encoding="utf-8"))
            numbers = (f"{found[key]:.2f}" for key in ("alone", "far", "distance", "near"))
            print(
                f"| {salt.file} {salt.kind}, {spec} | {found['atoms']} | {' | '.join(numbers)} | {salt.published} |",
                flush=True,
            )


def _pair_energies(salt: Salt, spec: str) -> dict[str, float]:
    host = read_host(HOSTS / f"{salt.file}.cif")
    potential = resolve_potential(spec, host.elements)
    reference = RelaxedHost.of(host, potential)
    supercell = reference.on(
        pristine(widest_supercell(host, min_atoms=SALT_ATOMS[0], max_atoms=SALT_ATOMS[1]))
    ).supercell
    bulk = minimum(pristine(supercell).cell(), potential, 0.02).energy
    found = {}
    for name in salt.pair:
        options = [d for d in point_defects(supercell, kinds=["vacancy", "interstitial"]) if d.name.startswith(name)]
        found[name] = min(options, key=lambda d: len(d.name))

    def energy(defect: Defect) -> float:
        return minimum(defect.cell(), potential, 0.02).energy - bulk

    first, second = (found[name].edits[0] for name in salt.pair)
    orbit = supercell.host.site_orbit[np.arange(len(supercell.sites.numbers)) // supercell.index]
    places = np.flatnonzero(orbit == orbit[second.site])
    apart = supercell.distances(np.append(first.site, places))[0, 1:]
    far, near = (
        Defect(supercell, (first, Edit(int(places[k]), second.number))) for k in (apart.argmax(), apart.argmin())
    )
    # What a Schottky pair takes is put back as a formula unit of the crystal; a Frenkel pair takes nothing.
    atoms = len(pristine(supercell).cell())
    unit = 2 * bulk / atoms if "Schottky" in salt.kind else 0.0
    return {
        "atoms": atoms, "alone": sum(energy(d) for d in found.values()) + unit, "far": energy(far) + unit,
        "distance": float(apart.max()), "near": energy(near) + unit,
    }  # fmt: skip


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=["metals", "salts"], choices=["metals", "salts"])
    parser.add_argument("--atoms", type=int, default=108)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("-o", "--output", type=Path, default=Path("thermodynamics"))
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    if "metals" in asked.only:
        metals(asked.output, asked.atoms, asked.steps)
    if "salts" in asked.only:
        salts(asked.output)


if __name__ == "__main__":
    main()
