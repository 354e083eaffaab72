"""The main job on five hosts of different crystal systems, and its numbers beside published ones.

    OMP_NUM_THREADS=1 python benchmarks/hosts.py FOLDER [HOST ...] [--potential NAME]

Runs `defectgen run` with fewer cells and shorter dynamics than the default, so that CHGNet gets through on two cores;
a run that was stopped goes on. The last lines are the table of the README.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from defectgen.pipeline.run import run_pipeline
from defectgen.run.folder import RunFolder
from defectgen.run.settings import Settings
from md.labels.record import read_records

HOSTS = Path(__file__).parents[1] / "examples" / "hosts"
QUICK = {
    "defects.max_voids": 1,
    "relax.max_defects": 2,
    "relax.max_steps": 120,
    "md.temperatures": [300.0],
    "md.engines": ["ase", "lammps"],
    "md.steps": 120,
    "md.max_cells": 1,
}


@dataclass(frozen=True)
class Published:
    """Published bulk modulus of a host at 300 K.

    Attributes:
        bulk_modulus: GPa.
        source: where it comes from.
        changes: settings for this host beside `QUICK`.
    """

    bulk_modulus: float
    source: str
    changes: tuple[tuple[str, object], ...] = ()


PUBLISHED = {
    "MgO": Published(160.2, "Speziale et al., J. Geophys. Res. 106, 515 (2001)"),
    "TiO2_rutile": Published(
        211.0, "Gerward and Olsen, J. Appl. Cryst. 30, 259 (1997)", (("relax.max_defects", 3), ("md.max_cells", 2))
    ),
    "GaN": Published(188.0, "Xia et al., Phys. Rev. B 47, 12925 (1993)"),
    "Al2O3_corundum": Published(
        254.4, "d'Amour et al., J. Appl. Phys. 49, 4411 (1978)", (("defects.min_image_distance", 6.5),)
    ),
    "ZrO2_monoclinic": Published(212.0, "Desgreniers and Lagarec, Phys. Rev. B 59, 8467 (1999)"),
}


def job(name: str, out: Path, potential: str) -> Path:
    """Run one host, or go on with it; its folder."""
    settings = Settings(host=HOSTS / f"{name}.cif", output=out / name)
    run_pipeline(settings.replaced({**QUICK, **dict(PUBLISHED[name].changes), "potential.name": potential}))
    return out / name


def row(name: str, path: Path) -> str:
    """One line of the table."""
    folder = RunFolder.open(path)
    host = folder.read_json("host", "host.json")
    known = PUBLISHED[name]
    bulk = read_records(folder.file("generate", "bulk.npz"))[0].cell
    published = abs(np.linalg.det(np.array(host["lattice"]))) / host["atoms_conventional"]
    volume = bulk.volume / len(bulk)
    points = [p for p in folder.read_lines("md/summary.jsonl") if p["cell"] == "bulk" and p["status"] == "finished"]
    moduli = [secant_modulus([p for p in points if p["engine"] == engine]) for engine in ("ase", "lammps")]
    relaxations = folder.read_lines("relax/summary.jsonl")
    ended = sum(r["status"] == "converged" for r in relaxations)
    seconds = sum(stage["seconds"] for stage in folder.times.values())
    potential = points[0]["potential"] if points else "?"
    return (
        f"{name:15} {host['space_group_symbol']:9} {potential:13} {len(bulk):4d} "
        f"{volume:8.3f} {published:8.3f} {100 * (volume / published - 1):+6.1f} % "
        f"{moduli[0]:7.0f} {moduli[1]:7.0f} {known.bulk_modulus:7.0f}  {ended:3d}/{len(relaxations):<3d} "
        f"{folder.times['md']['diverged']:2d}/{folder.times['md']['points']:<3d} {seconds / 60:6.1f} min"
    )


def secant_modulus(points: list[dict[str, float]]) -> float:
    """-V dP/dV between the lowest and the highest pressure of one engine, GPa; NaN without two pressures."""
    ordered = sorted(points, key=lambda p: p["pressure"])
    if len(ordered) < 2 or ordered[0]["pressure"] == ordered[-1]["pressure"]:
        return float("nan")
    low, high = ordered[0], ordered[-1]
    return -low["volume"] * (high["pressure"] - low["pressure"]) / (high["volume"] - low["volume"])


def main() -> None:
    """Run the hosts named, or all, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for one run folder a host")
    parser.add_argument("hosts", nargs="*", help=f"of {', '.join(PUBLISHED)}; all by default")
    parser.add_argument("--potential", default="auto")
    asked = parser.parse_args()
    names = asked.hosts or list(PUBLISHED)
    folders = {name: job(name, asked.folder, asked.potential) for name in names}
    print(
        f"{'host':15} {'group':9} {'potential':13} {'n':>4} {'V relax.':>8} {'V publ.':>8} {'':8} "
        f"{'B ase':>7} {'B lmp':>7} {'B publ.':>7}  {'relaxed':7} {'div.':6} {'time':>9}"
    )
    for name, folder in folders.items():
        print(row(name, folder))
    print("V in Å³ per atom at 0 K; B in GPa, the secant from 0 to 10 GPa of NPT at 300 K, so above B at 0 GPa.")
    for name in names:
        print(f"{name}: B from {PUBLISHED[name].source}; V from the CIF's source (examples/hosts/README.md)")


if __name__ == "__main__":
    main()
