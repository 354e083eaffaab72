"""Points per second of the batched engine against the same points one after the other, on one device.

    OMP_NUM_THREADS=1 python benchmarks/batched.py [--potential mace-mgo] [--device auto] [--atoms 64] [--points 32 ...]

Both ways run the same forward pass, nvt, the same steps; what differs is how many points are in it. A GPU is filled by
some thousand atoms, so that there the ratio should pass 10 at 32 points of 64 atoms; on one core of a CPU, which a
single point fills, it stays near 1. Each size is run once before it is timed.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from ase.build import bulk

from augment.cell import DefectCell
from md.conditions.environment import Environment
from md.dynamics import MdPoint
from md.dynamics.engines.batched.engine import run_batch
from md.potentials import Potential
from md.potentials.device import resolve_device
from md.potentials.mace.models import describe_student

TARGET = 10.0
WARM = 5
"""Steps before the clock starts: TorchScript compiles in the first evaluations."""

LATTICES = {"mace-mgo": ("MgO", "rocksalt", 4.24), "mace-zns-znse": ("ZnS", "zincblende", 5.38)}

Points = list[tuple[MdPoint, DefectCell]]


def points_of(potential: str, atoms: int, count: int, steps: int) -> Points:
    """Points at 300 to 900 K in rattled cells of at least so many atoms."""
    formula, structure, lattice = LATTICES[potential]
    unit = bulk(formula, structure, lattice, cubic=True)
    repeats = next(
        r for r in ((1, 1, 1), (2, 1, 1), (2, 2, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4)) if len(unit) * np.prod(r) >= atoms
    )
    made: Points = []
    for seed, kelvin in enumerate(np.linspace(300, 900, count)):
        rattled = unit * repeats
        rattled.rattle(0.03, seed=seed)
        n = len(rattled)
        numbers = rattled.numbers.astype(np.int64)
        cell = DefectCell("bulk", "benchmark", rattled.cell.array, numbers, rattled.positions, np.arange(n))
        how = {"steps": steps, "interval": steps, "seed": seed}
        made.append((MdPoint.of(cell, Environment(float(kelvin), 0, "nvt"), engine="batched", **how), cell))
    return made


def seconds(points: Points, potential: Potential, device: str, batch: int) -> float:
    """Wall time of all points, so many in a batch."""
    began = time.perf_counter()
    for first in range(0, len(points), batch):
        found = run_batch(points[first : first + batch], potential, device=device)  # type: ignore[arg-type]
        failed = [response.reason for response in found if response.status != "finished"]
        if failed:
            raise SystemExit(f"a point diverged: {failed[0]}")
    return time.perf_counter() - began


def main() -> None:
    """Print points/s both ways for every number of points."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--potential", default="mace-mgo", choices=LATTICES)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--atoms", type=int, default=64)
    parser.add_argument("--points", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--steps", type=int, default=50)
    asked = parser.parse_args()
    potential, device = describe_student(asked.potential), resolve_device(asked.device)
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU, one thread"
    print(f"{asked.potential} in float64 on {name}: {asked.steps} steps of {asked.atoms} atoms, nvt")
    print(f"{'points':>6} {'batched':>12} {'one by one':>12}   ratio   (points/s; target on a GPU: {TARGET:g})")
    for count in asked.points:
        points = points_of(asked.potential, asked.atoms, count, asked.steps)
        for batch in (count, 1):
            seconds(points_of(asked.potential, asked.atoms, batch, WARM), potential, device, batch)
        together, apart = (count / seconds(points, potential, device, batch) for batch in (count, 1))
        print(f"{count:6d} {together:12.3f} {apart:12.3f} {together / apart:7.2f}", flush=True)


if __name__ == "__main__":
    main()
