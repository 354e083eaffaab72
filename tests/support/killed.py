"""Runs that a test kills: importable by name, so that a process made afresh can find them."""

import multiprocessing
from pathlib import Path

import numpy as np
from ase.build import bulk

from md.campaigns.relax_and_md import md_all
from md.conditions.environment import Environment, Strain
from md.conditions.schedule import constant, quench, ramp
from md.dynamics import MdPoint
from md.potentials import resolve_potential
from tests.support.cells import cell_of

CHECKPOINT = 7

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "md.campaigns.relax_and_md",
        "md.dynamics.engines.ase",
        "md.dynamics.engines.lammps",
        "md.dynamics.engines.mtk",
        "ase.build",
        "pytest",
    ]
)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.npz"))}


def points(steps: int = 60) -> list[tuple[MdPoint, object]]:
    """Every ensemble in both engines, with schedules among them; checkpoints do not fall on frames."""
    cell = cell_of(bulk("Cu", "fcc", 3.60, cubic=True))
    cell.positions[:] += np.random.default_rng(0).normal(scale=0.05, size=(4, 3))
    environments = [
        Environment(300, 0, "nve"),
        Environment(300, 0, "nvt"),
        Environment(300, 1),
        Environment(300, 1, "npt-full"),
        Environment(300, 1, "npt-aniso", Strain("b", 0.1)),
        Environment(constant(300, 40.0).then(quench(600)).then(ramp(600, 300, 40.0)), ramp(0, 3, 77.0), "npt-full"),
    ]
    how = {"steps": steps, "timestep": 2.0, "interval": 5, "checkpoint": CHECKPOINT}
    return [
        (MdPoint.of(cell, environment, engine=engine, **how), cell)
        for environment in environments
        for engine in ("ase", "lammps")
    ]


def work(folder: Path, steps: int = 60) -> None:
    """Run all points in this process."""
    md_all(points(steps), resolve_potential("emt"), folder, workers=1)
