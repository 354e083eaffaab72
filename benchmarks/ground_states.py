"""How often, and after how many force evaluations, a search finds the lowest minimum of a defect that any method found.

    OMP_NUM_THREADS=1 python benchmarks/ground_states.py [--case MgO=mace-mgo ...] [--evaluations 400] [--max-atoms 64]
                      [--shakenbreak PYTHON] [--json FILE] [--courses FILE ...]

Every point defect of each host is searched under one potential, in the cell of the host at rest, by

- `search`: `defectgen search` as it is;
- `search, no model`: the same without the diffusion model, whose share goes to the other starts;
- `bond distortions`: ShakeNBreak's starts, as `augment.distort` makes them, each relaxed to the end, strong ones first;
- `rattles`: random displacements of 0.1 Å from the ideal sites, each relaxed to the end;
- `ideal sites`: one relaxation;
- the peers of `ground_state_peers.py`: random placing of the atoms around the defect (AIRSS), displacements that keep a
  subgroup, one class in turn, and ASE's basin hopping and minima hopping;
- `shakenbreak`: what ShakeNBreak itself makes of the neutral defect, with its defaults, each relaxed to the
  end: PYTHON is an interpreter that has it.

Success is an energy within 5 meV of the lowest that any of them found with the largest number of evaluations. Brackets
hold Wilson's 95 % interval of a share. Evaluations that tell the model count. `--json` keeps the courses, and
`--courses` counts with those that were kept.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import chain
from pathlib import Path

import numpy as np
from ground_state_peers import (
    Course,
    basin_hopping,
    minima_hopping,
    random_placing,
    relaxed_in_turn,
    shakenbreak_starts,
    subgroup_enumeration,
)

from augment import Defect, point_defects, read_host
from augment.supercells.search import widest_supercell
from defectgen.benchmark.complexes import wilson_interval
from defectgen.ground_states import SearchSettings, search
from defectgen.ground_states.starts import Start, distorted_starts
from md.potentials import Potential, resolve_potential
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
SAME_ENERGY = 0.005
"""eV"""

SHARES = (0.25, 1.0)
"""Of the evaluations at which success is counted."""

PEERS = {
    "random placing": random_placing,
    "subgroups": subgroup_enumeration,
    "basin hopping": basin_hopping,
    "minima hopping": minima_hopping,
}


def courses(
    defect: Defect, on: RelaxedHost, potential: Potential, most: int, shakenbreak: list[Start] | None
) -> dict[str, Course]:
    """Of each method the lowest energies after numbers of evaluations."""
    placed = on.on(defect)

    def plain(*kinds: str) -> Course:
        by_kind = distorted_starts(placed, (), 0)
        return relaxed_in_turn(placed.cell(), chain(*(by_kind[kind] for kind in kinds)), potential, most)

    found = {
        "ideal sites": plain("ideal"),
        "rattles": plain("rattle"),
        "bond distortions": plain("dimer", "bond distortion"),
    }
    found |= {name: peer(placed, potential, most) for name, peer in PEERS.items()}
    if shakenbreak is not None:
        found["shakenbreak"] = relaxed_in_turn(placed.cell(), iter(shakenbreak), potential, most)
    for name, use_model in (("search, no model", False), ("search", True)):
        found[name] = []
        for share in SHARES:
            how = SearchSettings(evaluations=max(100, round(share * most)), use_model=use_model)
            result = search(defect, potential, on=on, settings=how)
            found[name].append((result.evaluations, result.lowest.record.energy))
    return found


def lowest_within(course: Course, evaluations: float) -> float:
    """Lowest energy after at most so many evaluations; a search may take a fifth more than it was told."""
    return min((energy for spent, energy in course if spent <= 1.2 * evaluations), default=np.inf)


def main() -> None:
    """Print a table of shares, and of evaluations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="*", default=CASES, metavar="HOST=POTENTIAL")
    parser.add_argument("--evaluations", type=int, default=400)
    parser.add_argument("--max-atoms", type=int, default=64)
    parser.add_argument("--shakenbreak", type=Path, metavar="PYTHON")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the courses go")
    parser.add_argument("--courses", nargs="+", type=Path, default=(), metavar="FILE", help="of --json, to count with")
    options = parser.parse_args()
    every: list[dict[str, Course]] = [course for path in options.courses for course in json.loads(path.read_text())]
    for case in options.case:
        host, name = case.split("=")
        began = time.process_time()
        crystal = read_host(HOSTS / f"{host}.cif")
        potential = resolve_potential(name, crystal.elements)
        on = RelaxedHost.of(crystal, potential)
        supercell = widest_supercell(crystal, min_atoms=options.max_atoms // 2, max_atoms=options.max_atoms)
        defects = [d for d in point_defects(supercell, max_voids=2) if d.edits]
        shaken: list[list[Start]] | list[None] = [None] * len(defects)
        if options.shakenbreak is not None:
            shaken = shakenbreak_starts([on.on(defect) for defect in defects], options.shakenbreak)
        for defect, starts in zip(defects, shaken, strict=True):
            course = courses(defect, on, potential, options.evaluations, starts)
            every.append(course)
            if options.json is not None:
                options.json.write_text(json.dumps(every))
            best = min(lowest_within(each, np.inf) for each in course.values())
            gaps = ", ".join(f"{k} {lowest_within(v, np.inf) - best:.3f} ({v[-1][0]})" for k, v in course.items())
            print(f"{host} {defect.name}: eV above the lowest (evaluations): {gaps}", flush=True)
        print(f"{host} with {name}: {supercell.n_atoms} atoms, {time.process_time() - began:.0f} CPU s", flush=True)
    print_shares(every, options.evaluations)


def print_shares(every: list[dict[str, Course]], evaluations: int) -> None:
    """Of each method the share of successes after numbers of evaluations."""
    limits = [*(round(share * evaluations) for share in SHARES), np.inf]
    lowest = [min(lowest_within(each, np.inf) for each in course.values()) for course in every]
    print(f"\n{len(every)} defects; lowest minimum found within {1000 * SAME_ENERGY:.0f} meV after so many evaluations")
    print(f"{'':20}" + "".join(f"{limit:>16}" for limit in limits[:-1]) + f"{'any number':>16}")
    for method in every[0]:
        row = []
        for limit in limits:
            ends = (lowest_within(course[method], limit) for course in every)
            share = float(np.mean([end <= least + SAME_ENERGY for end, least in zip(ends, lowest, strict=True)]))
            low, high = wilson_interval(share, len(every))
            row.append(f"{share:.0%} ({low:.0%}-{high:.0%})")
        print(f"{method:20}" + "".join(f"{text:>16}" for text in row))


if __name__ == "__main__":
    main()
