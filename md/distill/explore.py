"""Cells that students find: the ends and ways of their relaxations, and moments of their dynamics where two disagree.

Query by committee (Seung, Opper and Sompolinsky, 1992): two students that learnt the same cells from different random
weights differ where the cells said too little; those are the cells that the teacher is asked about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from ase.data import atomic_numbers

from augment.cell import BULK, DefectCell, FloatArray
from augment.defects.split_interstitials import split_interstitials
from augment.distort import shortest_distance, strained
from augment.errors import DefectgenError
from md.distill.crystal import Crystal, atoms_apart
from md.distill.curriculum import SMALL_CELL_WEIGHT, ideal_defects, with_config_type
from md.distill.network.graphs import ENERGY_WEIGHT
from md.labels.evaluator import Divergence, Evaluator

__all__ = ["disagreement", "explored_cells", "hot_frames", "pressure_run", "query", "relaxed_path"]

EXPLORATION_FMAX = 0.03
"""eV/Å; where a relaxation for learning ends."""

_PATH = 3
"""Cells stored of a relaxation, the last included."""

_STEP, _STRIDE = 2.0, 25
"""fs, and steps between frames: half a period of a fast mode apart."""

_FRICTION = 0.01
"""1/fs."""

_BULK_RUNS = 2
"""Exploring runs of each pristine cell."""

_SWELLING, _SWOLLEN = 400, 5
"""Steps of each exploring run at zero pressure, and the moments stored of it."""

_MAX_FORCE = 30.0
"""eV/Å; a student that says more than this has left the crystal."""


def relaxed_path(cell: DefectCell, calculator: Any, steps: int = 40) -> list[DefectCell]:
    """A few geometries on the way to the student's minimum at fixed cell, the last one included."""
    from ase.optimize import FIRE

    atoms = cell.to_ase()
    atoms.calc = calculator
    path: list[FloatArray] = []
    optimizer = FIRE(atoms, logfile=None, maxstep=0.1)
    try:
        path.extend(atoms.get_positions() for _ in optimizer.irun(fmax=EXPLORATION_FMAX, steps=steps))
    except (ArithmeticError, Divergence, DefectgenError):
        path = path[:1]
    chosen = np.unique(np.rint(np.geomspace(1, len(path), _PATH)).astype(int)) - 1
    made = [cell.with_geometry(path[i], geometry="relaxation") for i in chosen]
    return [moved for moved in made if _is_crystal(moved, cell)]


def hot_frames(
    cell: DefectCell, calculator: Any, temperature: float, frames: int, rng: np.random.Generator
) -> Iterator[DefectCell]:
    """Moments of a Langevin run at fixed cell and temperature (K); it ends early where the student fails."""
    from ase import units
    from ase.md.langevin import Langevin
    from ase.md.velocitydistribution import thermalize_momenta

    atoms = cell.to_ase()
    atoms.calc = calculator
    thermalize_momenta(atoms, temperature_K=temperature, rng=rng)
    friction = _FRICTION / units.fs
    run = Langevin(atoms, _STEP * units.fs, temperature_K=temperature, friction=friction, fixcm=False, rng=rng)
    for _ in range(frames):
        run.run(_STRIDE)
        moved = cell.with_geometry(atoms.get_positions(), geometry="dynamics", temperature=temperature)
        if np.abs(atoms.get_forces()).max() > _MAX_FORCE or not _is_crystal(moved, cell):
            return
        yield moved


def pressure_run(
    cell: DefectCell, calculator: Any, temperature: float, pressure: float, steps: int, seed: int
) -> tuple[list[DefectCell], bool]:
    """Frames of a run at constant temperature (K) and pressure (GPa), and whether it stayed a crystal."""
    from ase import units
    from ase.md.nose_hoover_chain import IsotropicMTKNPT
    from ase.md.velocitydistribution import thermalize_momenta

    atoms = cell.to_ase()
    atoms.calc = calculator
    # Twice the temperature, of which a crystal at rest in its minimum takes half as potential energy.
    thermalize_momenta(atoms, temperature_K=2 * temperature, rng=np.random.default_rng([seed, 7]))
    run = IsotropicMTKNPT(
        atoms, 2 * units.fs, temperature_K=temperature, pressure_au=pressure * units.GPa,
        tdamp=50 * units.fs, pdamp=200 * units.fs,
    )  # fmt: skip
    frames: list[DefectCell] = []
    for _ in range(steps // 20):
        run.run(20)
        frame = with_config_type(cell.with_geometry(atoms.get_positions(), atoms.cell.array.copy()), "bulk_pressure")
        if not 1 / 1.4 < frame.volume / cell.volume < 1.4:  # noqa: PLR2004  melted, torn or collapsed
            return frames[len(frames) // 4 :], False
        frames.append(frame)
    return frames[len(frames) // 4 :], True


def disagreement(cell: DefectCell, committee: Sequence[Any]) -> float:
    """Largest difference of a force between the first two students, eV/Å."""
    first, second = (Evaluator(cell.numbers, c, cell.volume, np.inf)(cell.positions, cell.cell) for c in committee[:2])
    return float(np.linalg.norm(first.forces - second.forces, axis=1).max())


def explored_cells(
    crystal: Crystal,
    dopants: Sequence[str],
    committee: Sequence[Any],
    temperature: float,
    effort: float,
    turn: int,
    rng: np.random.Generator,
) -> list[DefectCell]:
    """Relaxations of every defect of a host, and the moments of hot runs on which the students disagree.

    Args:
        crystal: the relaxed host.
        dopants: element symbols to put in.
        committee: calculators of two students.
        temperature: highest, K.
        effort: share of the full number of moments.
        turn: of the exploration.
        rng: of volumes, temperatures and velocities.
    """
    large, medium = ([d.cell() for d in ideal_defects(crystal.cells[s], dopants)] for s in ("large", "medium"))
    split = split_interstitials(crystal.cells["medium"], [atomic_numbers[e] for e in crystal.host.elements])
    found = [with_config_type(c, "defect_relaxation") for cell in large for c in relaxed_path(cell, committee[0])]
    for cell in [*medium, *(defect.cell() for defect in split)]:
        path = relaxed_path(cell, committee[0])[1:]
        found += [with_config_type(moved, "defect_relaxation", SMALL_CELL_WEIGHT) for moved in path]
    pristine = [crystal.cells[size].bulk_cell() for size in ("small", "medium", "large")] * _BULK_RUNS
    for cells, frames, weight in ((pristine, 6, 1.0), (medium, 4, SMALL_CELL_WEIGHT), (large, 2, 1.0)):
        weighted = [with_config_type(cell, "", weight) for cell in cells]
        found += query(weighted, committee, crystal, temperature, max(1, round(effort * frames)), rng)
    for heat in (temperature / 2, temperature):
        # Where a student is too soft its crystal swells without end; the teacher must see that.
        swollen, _ = pressure_run(crystal.cells["medium"].bulk_cell(), committee[0], heat, 0.0, _SWELLING, turn)
        found += swollen[:: max(1, len(swollen) // max(1, round(_SWOLLEN * effort)))]
    return found


def query(
    cells: Sequence[DefectCell],
    committee: Sequence[Any],
    crystal: Crystal,
    temperature: float,
    per_cell: int,
    rng: np.random.Generator,
) -> list[DefectCell]:
    """Of a hot run of the first student from each cell the moments on which the two disagree most.

    Args:
        cells: where the runs begin.
        committee: calculators of two students.
        crystal: gives the range of volumes.
        temperature: highest, K; each run draws its own.
        per_cell: moments stored of each run.
        rng: of volumes, temperatures and velocities.
    """
    found = []
    for cell in cells:
        ratio = rng.uniform(crystal.volumes[0] + 0.02, crystal.volumes[1] - 0.02)
        start = strained(cell, (ratio ** (1 / 3) - 1) * np.eye(3))
        heat = temperature * rng.uniform(0.3, 1.15)
        frames = list(hot_frames(start, committee[0], heat, 3 * per_cell, rng))
        frames.sort(key=lambda frame: -disagreement(frame, committee))
        weight = float(cell.provenance.get(ENERGY_WEIGHT, 1.0))
        kind = "bulk_dynamics" if cell.name == BULK else "defect_dynamics"
        found += [with_config_type(frame, kind, weight) for frame in frames[:per_cell]]
    return found


def _is_crystal(moved: DefectCell, start: DefectCell) -> bool:
    return bool(np.isfinite(moved.positions).all()) and atoms_apart(moved, shortest_distance(start))
