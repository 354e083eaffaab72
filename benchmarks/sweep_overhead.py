"""What a sweep costs besides the dynamics, and a step of each engine: python benchmarks/sweep_overhead.py.

CPU time of this process and its children, so that other work on the machine does not count.
"""

import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from augment.cell import DefectCell
from md.campaigns.relax_and_md import grid, md_all
from md.conditions.environment import Environment
from md.dynamics import MdPoint, run_point
from md.potentials import Potential, resolve_potential

os.environ["OMP_NUM_THREADS"] = "1"

STEPS = 1000
EAM = "lammps:eam/alloy Cu_mishin1.eam.alloy"


def cpu(work: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds of some work, child processes included."""

    def used() -> float:
        both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in both)

    before, began = used(), time.perf_counter()
    work()
    return used() - before, time.perf_counter() - began


def copper(repeats: int) -> DefectCell:
    """A cubic cell of 4 n³ atoms of Cu."""
    from augment import conventional_supercell, read_host

    host = read_host(Path(__file__).parents[1] / "examples" / "hosts" / "Cu.cif")
    return conventional_supercell(host, [[repeats, 0, 0], [0, repeats, 0], [0, 0, repeats]]).bulk_cell()


def overhead(cell: DefectCell, potential: Potential) -> None:
    """CPU time a point takes in a sweep, more than its bare run."""
    points = grid([cell], [Environment(300.0 + k) for k in range(8)], ["lammps"], steps=STEPS, timestep=2.0)
    run_point(*points[0], potential)
    bare = cpu(lambda: [run_point(*point, potential) for point in points])
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            swept = cpu(lambda: md_all(points, potential, Path(folder), workers=workers))  # noqa: B023
            again = cpu(lambda: md_all(points, potential, Path(folder), workers=workers))  # noqa: B023
        extra = 1000 * (swept[0] - bare[0]) / len(points)
        print(
            f"{len(cell)} atoms, {STEPS} steps, {workers} workers: a point takes {1000 * bare[0] / len(points):.0f} ms "
            f"of CPU on its own, {extra:.0f} ms more in a sweep, {1000 * again[0] / len(points):.1f} ms once finished"
        )


def steps(cell: DefectCell, potential: Potential, engine: str, count: int) -> None:
    """CPU time of a step."""
    point = MdPoint.of(cell, Environment(300.0), engine=engine, steps=count, timestep=2.0)
    seconds, _ = cpu(lambda: run_point(point, cell, potential))
    print(f"{len(cell)} atoms, {potential.name}, {engine}: {1000 * seconds / count:.2f} ms of CPU a step")


def main() -> None:
    """Print everything."""
    eam, emt = resolve_potential(EAM, ["Cu"]), resolve_potential("emt", ["Cu"])
    overhead(copper(2), eam)
    for repeats, few in ((2, 100), (5, 30)):
        cell = copper(repeats)
        steps(cell, eam, "lammps", STEPS)
        steps(cell, eam, "ase", few)
        steps(cell, emt, "lammps", few)
        steps(cell, emt, "ase", few)


if __name__ == "__main__":
    main()
