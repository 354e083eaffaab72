"""How near the minima that a search finds come to geometries that density functional theory relaxed.

    OMP_NUM_THREADS=1 python benchmarks/dft_minima.py SET.json.gz [...] --potential NAME --out FOLDER

For every neutral defect of each set (the form that `defectgen bench --dft` reads) the host is relaxed with the
potential, the defect is searched in its cell, and the error of a geometry is the mean displacement error within 5 Å of
the defect, Å, of its nearest copy: of the unrelaxed defect, of the relaxation from the ideal sites, of the lowest
minimum, and of the best of the eight lowest. A geometry matches where its largest distance from that of DFT, in units
of the cube root of the volume per atom, is below 0.25 (ML-PEG's protocol for split vacancies). FOLDER keeps what is
done; the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from augment import Defect
from augment.cell import DefectCell
from augment.errors import DefectgenError
from augment.exchange.registration import register
from augment.storage.archive import write_atomically
from defectgen.benchmark.metrics.placement import place
from defectgen.benchmark.tasks.dft import MATCH_DISTANCE, dft_error, dft_largest, read_dft
from defectgen.benchmark.tasks.task import Task
from defectgen.ground_states import SearchSettings, search
from md.potentials import Potential, resolve_potential
from md.relaxation.relax import relax_structure
from md.relaxation.relaxed_host import RelaxedHost

MINIMA = 8


def errors_of(task: Task, ideal: DefectCell, cell: DefectCell) -> tuple[float, float]:
    """Mean error within 5 Å, and the largest distance over the cube root of the volume per atom, of the nearest copy.

    Args:
        task: with DFT's geometry.
        ideal: the defect in the relaxed host.
        cell: the geometry, in the order of `ideal`.
    """
    states = [place(cell.cell, cell.numbers, cell.positions, ideal)]
    supercell = task.defect.supercell
    try:
        copy = register(
            cell.cell, cell.numbers, cell.positions, supercell.host, expected=task.defect, supercells=[supercell]
        ).cell
        states.append(place(copy.cell, copy.numbers, copy.positions, task.defect.cell()))
    except DefectgenError:
        pass  # an atom is far from every site, so that there is no other copy to look at
    return min(dft_error(task, state) for state in states), min(dft_largest(task, state) for state in states)


def measured(task: Task, reference: RelaxedHost, potential: Potential, settings: SearchSettings, folder: Path) -> Any:
    """What a search and a plain relaxation of one defect give."""
    defect: Defect = reference.on(task.defect)
    ideal, began = defect.cell(), time.process_time()
    plain = relax_structure(ideal, potential, fmax=settings.fmax, max_steps=250)
    found = search(task.defect, potential, on=reference, settings=settings, folder=folder)
    minima = []
    for minimum in found.minima[:MINIMA]:
        error, largest = errors_of(task, ideal, minimum.record.cell)
        minima.append(
            {"above": minimum.above, "error": error, "largest": largest, "words": minimum.words,
             "found_by": minimum.found_by}
        )  # fmt: skip
    return {
        "id": task.id,
        "unrelaxed": dft_error(task, None),
        "plain": errors_of(task, ideal, plain.cell),
        "plain_above": float(plain.energies[-1]) - found.lowest.record.energy,
        "minima": minima,
        "evaluations": found.evaluations,
        "cpu_s": time.process_time() - began,
    }


def main() -> None:
    """Print a line a defect and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET.json.gz")
    parser.add_argument("--potential", default="auto")
    parser.add_argument("--evaluations", type=int, default=400)
    parser.add_argument("--no-model", action="store_true", help="without the diffusion model")
    parser.add_argument("--out", type=Path, default=Path("out/dft_minima"))
    options = parser.parse_args()
    settings = SearchSettings(evaluations=options.evaluations, use_model=not options.no_model)
    for path in options.sets:
        rows: list[Any] = []
        references: dict[str, RelaxedHost] = {}
        for number, task in enumerate(t for t in read_dft(path).tasks if t.defect.charge == 0):
            host = task.defect.supercell.host
            potential = resolve_potential(options.potential, host.elements)
            name = f"{path.name.split('.')[0]}_{number}_{potential.name}_{settings.evaluations}_{settings.use_model}"
            file = options.out / f"{name}.json"
            if not file.exists():
                reference = references.setdefault(task.material_id, RelaxedHost.of(host, potential))
                file.parent.mkdir(parents=True, exist_ok=True)
                row = measured(task, reference, potential, settings, options.out / name)
                write_atomically(file, json.dumps(row).encode())
            rows.append(json.loads(file.read_text()))
            print(line(rows[-1]), flush=True)
        print_means(path.name, rows)


def line(row: dict[str, Any]) -> str:
    """One defect: errors in Å."""
    best = min(row["minima"], key=lambda minimum: minimum["error"])
    return (
        f"{row['id']:34} unrelaxed {row['unrelaxed']:.3f}  "
        f"relaxed {row['plain'][0]:.3f} (+{row['plain_above']:.2f} eV)  "
        f"lowest {row['minima'][0]['error']:.3f}  best of {len(row['minima'])} {best['error']:.3f} "
        f"(+{best['above']:.2f} eV, largest {best['largest']:.2f}, {best['words']}, by {'/'.join(best['found_by'])})  "
        f"{row['evaluations']} evaluations, {row['cpu_s']:.0f} CPU s"
    )


def print_means(name: str, rows: list[dict[str, Any]]) -> None:
    """Means over the defects, each beside the unrelaxed one."""
    unrelaxed = np.array([row["unrelaxed"] for row in rows])
    for kind, values, largest in (
        ("relaxed from the ideal sites", [r["plain"][0] for r in rows], [r["plain"][1] for r in rows]),
        ("lowest minimum", [r["minima"][0]["error"] for r in rows], [r["minima"][0]["largest"] for r in rows]),
        (
            f"best of {MINIMA}",
            [min(m["error"] for m in r["minima"]) for r in rows],
            [min(m["largest"] for m in r["minima"]) for r in rows],
        ),
    ):
        mean = float(np.mean(values))
        match = float(np.mean(np.array(largest) < MATCH_DISTANCE))
        print(
            f"{name}: {kind}: mean error {mean:.3f} Å ({1 - mean / unrelaxed.mean():.0%} below unrelaxed "
            f"{unrelaxed.mean():.3f}), match {match:.0%}, mean largest {np.mean(largest):.2f}"
        )


if __name__ == "__main__":
    main()
