"""How many evaluations relaxations of defects take, by the curvature that the first step of L-BFGS assumes.

    OMP_NUM_THREADS=1 python benchmarks/first_step.py [--case MgO=mace-mgo ...] [--curvature 30 15 10 7]

The first four point defects of each host in a fixed cell of 32 to 64 atoms, from the ideal sites, a rattle, a dimer and
a bond distortion, to 0.02 eV/Å. The ratio is the geometric mean over the starts, against the first curvature; `higher`
counts ends more than 10 meV above that of the first.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from augment import point_defects, read_host
from augment.cell import DefectCell
from augment.supercells.search import widest_supercell
from defectgen.ground_states.starts import distorted_starts
from md.potentials import Potential, resolve_potential
from md.relaxation import relax
from md.relaxation.relaxed_host import RelaxedHost

HOSTS = Path(__file__).parents[1] / "examples" / "hosts"
CASES = (
    "MgO=mace-mgo", "Si=mace-si-sic-gaas", "GaAs=mace-si-sic-gaas", "TiO2_rutile=mace-tio2",
    "SrTiO3=mace-srtio3-batio3", "GaN=mace-zno-gan", "Cu=mace-cu-al-ni", "NaCl=mace-lif-nacl",
)  # fmt: skip
KINDS, DEFECTS, FMAX, STEPS = ("ideal", "rattle", "dimer", "bond distortion"), 4, 0.02, 300


def starts(host: str, potential: Potential) -> Iterator[tuple[str, DefectCell]]:
    """Names and cells to relax."""
    crystal = read_host(HOSTS / f"{host}.cif")
    reference = RelaxedHost.of(crystal, potential)
    supercell = widest_supercell(crystal, min_atoms=32, max_atoms=64)
    for defect in list(islice((d for d in point_defects(supercell, max_voids=1) if d.edits), DEFECTS)):
        by_kind = distorted_starts(reference.on(defect), (), 0)
        for kind in KINDS:
            yield from ((f"{host} {defect.name} {kind}", start.cell) for start in islice(by_kind[kind], 1))


def main() -> None:
    """Print a line a start and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="+", default=CASES, metavar="HOST=POTENTIAL")
    parser.add_argument("--curvature", nargs="+", type=float, default=[30.0, 15.0, 10.0, 7.0], metavar="eV/Å²")
    options = parser.parse_args()
    counts: list[list[int]] = []
    energies: list[list[float]] = []
    for case in options.case:
        host, name = case.split("=")
        potential = resolve_potential(name, read_host(HOSTS / f"{host}.cif").elements)
        for label, cell in starts(host, potential):
            ends = []
            for curvature in options.curvature:
                relax.INITIAL_CURVATURE = curvature  # type: ignore[misc]
                ends.append(relax.relax_structure(cell, potential, fmax=FMAX, max_steps=STEPS))
            counts.append([len(end.energies) for end in ends])
            energies.append([float(end.energies[-1]) for end in ends])
            print(f"{label:40}", *counts[-1], flush=True)
    ratios = np.exp(np.log(np.array(counts) / np.array(counts)[:, :1]).mean(axis=0))
    higher = (np.array(energies) > np.array(energies)[:, :1] + 0.01).sum(axis=0)
    print(f"{len(counts)} starts")
    for curvature, ratio, count in zip(options.curvature, ratios, higher, strict=True):
        print(f"{curvature:5.0f} eV/Å²: {ratio:.3f} times as many evaluations, {count} ends higher")


if __name__ == "__main__":
    main()
