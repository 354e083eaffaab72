"""How often, and after how many force evaluations, a search finds the lowest minimum of a defect that any method found.

    OMP_NUM_THREADS=1 python benchmarks/ground_states.py [--case MgO=mace-mgo ...] [--evaluations 400] [--max-atoms 64]
                      [--shakenbreak PYTHON]

Every point defect of each host is searched under one potential, in the cell of the host at rest, by

- `search`: `defectgen search` as it is;
- `search, no model`: the same without the diffusion model, whose share goes to the other starts;
- `bond distortions`: ShakeNBreak's starts, as `augment.distort` makes them, each relaxed to the end, strong ones first;
- `rattles`: random displacements of 0.1 Å from the ideal sites, each relaxed to the end (AIRSS without its cell);
- `ideal sites`: one relaxation;
- `shakenbreak`: what ShakeNBreak itself makes of the neutral defect, with its defaults, each relaxed to the
  end: PYTHON is an interpreter that has it.

Success is an energy within 5 meV of the lowest that any of them found with the largest number of evaluations. Brackets
hold the standard error of a share. Evaluations that tell the model count.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from augment import Defect, point_defects, read_host
from augment.supercells.search import widest_supercell
from defectgen.ground_states import SearchSettings, search
from defectgen.ground_states.starts import Start, distorted_starts
from md.potentials import Potential, resolve_potential
from md.relaxation.relax import relax_structure
from md.relaxation.relaxed_host import RelaxedHost

HOSTS = Path(__file__).parents[1] / "examples" / "hosts"
CASES = (
    "MgO=mace-mgo",
    "Si=mace-si-sic-gaas",
    "GaN=mace-zno-gan",
    "TiO2_rutile=mace-tio2",
    "Al=mace-cu-al-ni",
    "CeO2=mace-ceo2-zro2",
)
SAME_ENERGY, FMAX, STEPS = 0.005, 0.02, 250
SHAKENBREAK = r"""
import contextlib, json, sys, warnings
warnings.filterwarnings("ignore")
from doped.core import DefectEntry
from pymatgen.core import Structure
from pymatgen.entries.computed_entries import ComputedStructureEntry
from shakenbreak.input import Distortions

given = json.load(sys.stdin)
bulk, defect = Structure.from_dict(given["bulk"]), Structure.from_dict(given["defect"])
with contextlib.redirect_stdout(sys.stderr):
    made, _ = Distortions.from_structures([defect], bulk=bulk).apply_distortions(verbose=False)
(entry,) = made.values()
state = entry["charges"][0]["structures"]
found = [state["Unperturbed"], *state["distortions"].values()]
print("STRUCTURES", json.dumps([[[s.specie.Z for s in f], f.cart_coords.tolist()] for f in found]))
"""

SHARES = (0.25, 1.0)
"""Of the evaluations at which success is counted."""


def one_by_one(starts: Iterator[Start], potential: Potential, evaluations: int) -> list[tuple[int, float]]:
    """Evaluations so far and the lowest energy at rest so far, start after start."""
    found, spent, lowest = [], 0, np.inf
    for start in starts:
        end = relax_structure(start.cell, potential, fmax=FMAX, max_steps=STEPS)
        spent += len(end.energies)
        if end.status == "converged":
            lowest = min(lowest, float(end.energies[-1]))
        found.append((spent, lowest))
        if spent >= evaluations:
            break
    return found


def shakenbreak_starts(defect: Defect, python: Path) -> Iterator[Start]:
    """ShakeNBreak's structures in its order; atoms of one element have no names."""
    ideal = defect.cell()
    given = {"bulk": defect.supercell.bulk_cell(), "defect": ideal}
    text = json.dumps({name: cell.to_pymatgen().as_dict() for name, cell in given.items()})
    done = subprocess.run([python, "-c", SHAKENBREAK], input=text, capture_output=True, text=True, check=False)
    line = next((line for line in done.stdout.splitlines() if line.startswith("STRUCTURES ")), None)
    if line is None:
        raise SystemExit(f"{python}: no structures of {defect.name}: {done.stderr[-2000:]}")
    for numbers, coordinates in json.loads(line.partition(" ")[2]):
        positions = np.empty_like(ideal.positions)
        for element in np.unique(ideal.numbers):
            positions[ideal.numbers == element] = np.array(coordinates)[np.array(numbers) == element]
        yield Start("shakenbreak", "", ideal.with_geometry(positions))


def courses(
    defect: Defect, on: RelaxedHost, potential: Potential, most: int, shakenbreak: Path | None
) -> dict[str, list[tuple[int, float]]]:
    """Of each method the lowest energies after numbers of evaluations."""
    placed = on.on(defect)

    def plain(*kinds: str) -> list[tuple[int, float]]:
        by_kind = distorted_starts(placed, (), 0)
        return one_by_one(chain(*(by_kind[kind] for kind in kinds)), potential, most)

    found = {
        "ideal sites": plain("ideal"),
        "rattles": plain("rattle"),
        "bond distortions": plain("dimer", "bond distortion"),
    }
    if shakenbreak is not None:
        found["shakenbreak"] = one_by_one(shakenbreak_starts(placed, shakenbreak), potential, most)
    for name, use_model in (("search, no model", False), ("search", True)):
        found[name] = []
        for share in SHARES:
            how = SearchSettings(evaluations=max(100, round(share * most)), use_model=use_model)
            result = search(defect, potential, on=on, settings=how)
            found[name].append((result.evaluations, result.lowest.record.energy))
    return found


def lowest_within(course: list[tuple[int, float]], evaluations: float) -> float:
    """Lowest energy after at most so many evaluations; a search may take a fifth more than it was told."""
    return min((energy for spent, energy in course if spent <= 1.2 * evaluations), default=np.inf)


def main() -> None:
    """Print a table of shares, and of evaluations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="+", default=CASES, metavar="HOST=POTENTIAL")
    parser.add_argument("--evaluations", type=int, default=400)
    parser.add_argument("--max-atoms", type=int, default=64)
    parser.add_argument("--shakenbreak", type=Path, metavar="PYTHON")
    options = parser.parse_args()
    every: list[dict[str, list[tuple[int, float]]]] = []
    for case in options.case:
        host, name = case.split("=")
        began = time.process_time()
        crystal = read_host(HOSTS / f"{host}.cif")
        potential = resolve_potential(name, crystal.elements)
        on = RelaxedHost.of(crystal, potential)
        supercell = widest_supercell(crystal, min_atoms=options.max_atoms // 2, max_atoms=options.max_atoms)
        for defect in (d for d in point_defects(supercell, max_voids=2) if d.edits):
            course = courses(defect, on, potential, options.evaluations, options.shakenbreak)
            every.append(course)
            best = min(lowest_within(each, np.inf) for each in course.values())
            gaps = ", ".join(f"{k} {lowest_within(v, np.inf) - best:.3f} ({v[-1][0]})" for k, v in course.items())
            print(f"{host} {defect.name}: eV above the lowest (evaluations): {gaps}", flush=True)
        print(f"{host} with {name}: {supercell.n_atoms} atoms, {time.process_time() - began:.0f} CPU s", flush=True)
    print(f"\n{len(every)} defects; lowest minimum found within {1000 * SAME_ENERGY:.0f} meV after so many evaluations")
    print(f"{'':20}" + "".join(f"{round(share * options.evaluations):>14}" for share in SHARES) + f"{'any number':>14}")
    for method in every[0]:
        row = []
        for limit in (*(share * options.evaluations for share in SHARES), np.inf):
            hit = [
                lowest_within(course[method], limit)
                <= min(lowest_within(each, np.inf) for each in course.values()) + SAME_ENERGY
                for course in every
            ]
            share = float(np.mean(hit))
            row.append(f"{share:.0%} ({np.sqrt(share * (1 - share) / len(hit)):.0%})")
        print(f"{method:20}" + "".join(f"{text:>14}" for text in row))


if __name__ == "__main__":
    main()
