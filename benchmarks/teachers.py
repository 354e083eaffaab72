"""Which teacher is best: lattice constants and bulk moduli of 13 solids, and relaxed defects of SrTiO3 against DFT.

    python benchmarks/teachers.py [--only solids|defects] [--teacher defectgen:chgnet]
        [--peer-python PYTHON --teacher sevenn:7net-0] [--defects srtio3_dft_defects.json.gz] [-o FOLDER]

Each teacher works in a process of its own (benchmarks/teacher_worker.py), in the Python given by `--peer-python` where
it is not the project's. What was computed is kept in FOLDER and not computed again.

Lattice constants of the ten cubic solids and their bulk moduli are experimental values with the zero-point expansion
taken off, from Haas, Tran and Blaha, Phys. Rev. B 79, 085104 (2009) and Hao et al., Phys. Rev. B 85, 014111 (2012);
those of SrTiO3, TiO2 and Al2O3 are room-temperature values, so that some 0.2 % of thermal expansion is in them. For
crystals that are not cubic the "lattice constant" compared is the cube root of the volume.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
WORKER = Path(__file__).with_name("teacher_worker.py")
CHGNET_SETS = ("defectgen:chgnet", "defectgen:chgnet-r2scan", "defectgen:chgnet-0.2.0")
NEAR = 5.0
"""Å; atoms closer than this to the defect are compared."""

DEFECTS = ("vac_Sr_0", "vac_Ti_0", "vac_O_0", "as_1_Sr_on_Ti_0", "as_1_Ti_on_Sr_0", "Int_Ti_1_0", "Int_O_1_0")
BROKEN = 2
COLUMNS = 26


@dataclass(frozen=True)
class Solid:
    """A crystal with its experimental lattice constant (Å) and bulk modulus (GPa), and where they are from."""

    structure: str
    constant: float
    modulus: float
    source: str


CORRECTED = "Haas 2009 and Hao 2012, zero-point corrected"
SOLIDS = {
    "Al": Solid("fcc", 4.019, 79.4, CORRECTED),
    "Cu": Solid("fcc", 3.595, 142.0, CORRECTED),
    "Ni": Solid("fcc", 3.509, 188.0, CORRECTED),
    "Si": Solid("diamond", 5.422, 99.2, CORRECTED),
    "SiC": Solid("zincblende", 4.348, 225.0, CORRECTED),
    "GaAs": Solid("zincblende", 5.641, 75.6, CORRECTED),
    "GaN": Solid("zincblende", 4.523, 195.0, CORRECTED),
    "NaCl": Solid("rocksalt", 5.565, 26.6, CORRECTED),
    "MgO": Solid("rocksalt", 4.188, 165.0, CORRECTED),
    "CaO": Solid("rocksalt", 4.781, 115.0, CORRECTED),
    "SrTiO3": Solid("SrTiO3", 3.905, 174.0, "Wyckoff 1963, 300 K; modulus: handbook value"),
    "TiO2": Solid("TiO2_rutile", 0.0, 211.0, "Abrahams and Bernstein 1971; Gerward and Olsen 1997; 300 K"),
    "Al2O3": Solid("Al2O3_corundum", 0.0, 254.4, "Newnham and de Haan 1962; d'Amour et al. 1978; 300 K"),
}


def crystal(name: str) -> Any:
    """ASE atoms of a solid at its experimental size."""
    from ase.build import bulk
    from ase.io import read

    solid = SOLIDS[name]
    path = ROOT / "examples" / "hosts" / f"{solid.structure}.cif"
    return read(path) if path.is_file() else bulk(name, solid.structure, solid.constant, cubic=True)


def task(name: str, kind: str, atoms: Any) -> dict[str, Any]:
    """Work for the worker."""
    arrays = {"cell": atoms.cell.array.tolist(), "positions": atoms.positions.tolist()}
    return {"name": name, "kind": kind, "numbers": atoms.numbers.tolist(), **arrays}


@dataclass(frozen=True)
class DftDefect:
    """A defect that DFT relaxed: its start (ideal sites) and end, matched atom by atom, and where it is.

    Attributes:
        start: ASE atoms on the ideal sites.
        relaxed: (n, 3) DFT positions in the order of `start`, Å.
        near: (n,) whether an atom is within `NEAR` of the defect, in the ideal geometry.
    """

    start: Any
    relaxed: np.ndarray[Any, Any]
    near: np.ndarray[Any, Any]


def dft_defects(path: Path) -> dict[str, DftDefect]:
    """The seven neutral defects of the DFT data."""
    data = json.loads(gzip.decompress(path.read_bytes()))
    entries = {entry["name"]: entry for entry in data["entries"]}
    return {name: _matched(data["hosts"][entries[name]["host"]], entries[name]) for name in DEFECTS}


def _matched(host: dict[str, Any], entry: dict[str, Any]) -> DftDefect:
    """Assign the relaxed atoms to host sites of their species; an atom with no site keeps its own place.

    An extra atom starts where the data put it (its `defect_frac`), as an ideal interstitial or substitution does.
    """
    from ase import Atoms
    from pymatgen.core import Structure
    from scipy.optimize import linear_sum_assignment

    pristine, relaxed = Structure.from_dict(host), Structure.from_dict(entry["relaxed"])
    lattice, numbers = relaxed.lattice, np.array(relaxed.atomic_numbers)
    cost = lattice.get_all_distances(relaxed.frac_coords, pristine.frac_coords)
    wrong = numbers[:, None] != np.array(pristine.atomic_numbers)[None, :]
    # A site of another species is taken only where there is no other: by the impurity itself.
    rows, columns = linear_sum_assignment(np.where(wrong, cost + 100.0, cost))
    start = np.array(relaxed.frac_coords)
    start[rows] = np.array(pristine.frac_coords)[columns]
    unmatched = sorted(set(range(len(numbers))) - set(rows.tolist()))
    start[unmatched] = _ideal(entry)
    centre = _ideal(entry)
    near = lattice.get_all_distances(start, centre[None])[:, 0] < NEAR
    atoms = Atoms(numbers=numbers, scaled_positions=start, cell=lattice.matrix, pbc=True)
    shift = relaxed.frac_coords - start
    return DftDefect(atoms, (start + shift - np.rint(shift)) @ lattice.matrix, near)


def _ideal(entry: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Fractional position of the defect on the grid of ideal sites (twelfths of the 3x3x3 cell)."""
    return np.asarray(np.rint(np.array(entry["defect_frac"]) * 12) / 12)


def displacement_error(defect: DftDefect, positions: np.ndarray[Any, Any]) -> float:
    """Mean distance (Å) between relaxed positions and DFT's, near the defect, the mean shift of the cell taken off."""
    difference = positions - defect.relaxed
    cell = defect.start.cell.array
    fractional = difference @ np.linalg.inv(cell)
    difference = (fractional - np.rint(fractional)) @ cell
    difference -= difference[~defect.near].mean(axis=0)
    return float(np.linalg.norm(difference[defect.near], axis=1).mean())


def starts(name: str, defect: DftDefect) -> dict[str, Any]:
    """Where relaxations start: the ideal sites, and two copies with the neighbours of the defect displaced.

    The displacements (0.25 Å, fading over 3 Å) break every symmetry; the lowest energy of the three counts as "broken".
    """
    found = {f"{name}/ideal": defect.start}
    distances = np.linalg.norm(defect.start.positions - defect.start.positions[defect.near].mean(axis=0), axis=1)
    for seed in range(BROKEN):
        rng, atoms = np.random.default_rng(seed), defect.start.copy()
        fade = np.exp(-((distances / 3.0) ** 2))[:, None]
        atoms.positions += 0.25 * fade * rng.normal(size=atoms.positions.shape)
        found[f"{name}/broken{seed}"] = atoms
    return found


def answers(teacher: str, tasks: list[dict[str, Any]], python: str, folder: Path) -> dict[str, Any]:
    """Results of a teacher by task, from the folder where they are there and from a worker where not."""
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / (teacher.replace(":", "_") + ".jsonl")
    known = {r["name"]: r for r in map(json.loads, store.read_text().splitlines())} if store.exists() else {}
    missing = [t for t in tasks if t["name"] not in known]
    if missing:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        if teacher.startswith("defectgen:"):
            environment["PYTHONPATH"] = str(ROOT)
        feed = "".join(json.dumps(t) + "\n" for t in missing)
        with store.open("a") as stream:
            subprocess.run(
                [python, str(WORKER), teacher], input=feed, text=True, stdout=stream, env=environment, check=True
            )
        known = {r["name"]: r for r in map(json.loads, store.read_text().splitlines())}
    return known


def print_solids(teacher: str, found: dict[str, Any]) -> None:
    """The table of one teacher, and its mean errors."""
    print(f"\n{teacher}: lattice constants and bulk moduli")
    print(f"{'':8}{'a':>8}{'exp.':>8}{'error':>9}{'B':>8}{'exp.':>8}{'error':>9}  source of the experiment")
    errors = []
    for name, solid in SOLIDS.items():
        atoms = crystal(name)
        size = (atoms.get_volume() / len(atoms)) ** (1 / 3)
        constant = solid.constant or atoms.cell.lengths()[0]
        found_constant = constant * found[name]["volume"] ** (1 / 3) / size
        error = found_constant / constant - 1, found[name]["modulus"] / solid.modulus - 1
        errors.append(error)
        print(
            f"{name:8}{found_constant:8.3f}{constant:8.3f}{error[0]:+9.2%}{found[name]['modulus']:8.1f}"
            f"{solid.modulus:8.1f}{error[1]:+9.1%}  {solid.source}"
        )
    mean = np.abs(errors).mean(axis=0)
    print(f"mean absolute error: {mean[0]:.2%} of a, {mean[1]:.1%} of B")


def print_defects(table: dict[str, dict[str, Any]], defects: dict[str, DftDefect]) -> None:
    """Mean displacement errors near each defect, for every teacher."""
    print(f"\nSrTiO3, neutral defects: mean distance from DFT within {NEAR:g} Å of the defect, Å; in brackets from the")
    print("lowest of three starts, two of them with broken symmetry")
    print(f"{'':18}{'unrelaxed':>10}" + "".join(f"{teacher:>{COLUMNS}}" for teacher in table))
    sums = []
    for name, defect in defects.items():
        row = [displacement_error(defect, defect.start.positions)]
        for found in table.values():
            every = [r for task_name, r in found.items() if task_name.startswith(name + "/")]
            lowest = min(every, key=lambda r: r["energy"])
            ends = (found[f"{name}/ideal"], lowest)
            row += [displacement_error(defect, np.array(end["positions"])) for end in ends]
        sums.append(row)
        print(_line(name, row))
    print(_line("mean", np.mean(sums, axis=0).tolist()))


def _line(name: str, row: list[float]) -> str:
    pairs = [f"{a:.3f} ({b:.3f})" for a, b in zip(row[1::2], row[2::2], strict=True)]
    return f"{name:18}{row[0]:10.3f}" + "".join(f"{pair:>{COLUMNS}}" for pair in pairs)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("solids", "defects"))
    parser.add_argument("--teacher", action="append")
    parser.add_argument("--peer-python", default=sys.executable, help="for teachers that are not the project's")
    parser.add_argument("--defects", type=Path, help="srtio3_dft_defects.json.gz")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/teachers"))
    options = parser.parse_args()
    teachers = options.teacher or CHGNET_SETS
    defects = dft_defects(options.defects) if options.defects and options.only != "solids" else {}
    table = {}
    for teacher in teachers:
        tasks = [task(n, "eos", crystal(n)) for n in SOLIDS] if options.only != "defects" else []
        tasks += [task(n, "relax", a) for name, d in defects.items() for n, a in starts(name, d).items()]
        python = sys.executable if teacher.startswith("defectgen:") else options.peer_python
        table[teacher] = answers(teacher, tasks, python, options.output)
        if options.only != "defects":
            print_solids(teacher, table[teacher])
    if defects:
        print_defects(table, defects)


if __name__ == "__main__":
    main()
