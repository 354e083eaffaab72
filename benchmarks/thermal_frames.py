"""Thermal frames of the shipped model beside molecular dynamics of its teacher, ensemble by ensemble.

    OMP_NUM_THREADS=1 python benchmarks/thermal_frames.py [COUNT]     # ensembles of the test hosts, all by default

For each thermal task of DefectBench: the mean-square displacement of dynamics with its standard error (five blocks),
the same of frames that the model draws, harmonic and learnt, over that of dynamics, the error of the mean volume, and
the CPU seconds of sixteen frames over those of the dynamics (its steps times one evaluation of the teacher).
"""

from __future__ import annotations

import sys
import time
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from augment.cell import DefectCell, FloatArray
from defectgen.benchmark.metrics.thermal import volume_error
from defectgen.benchmark.score import Scene
from defectgen.benchmark.tasks.ensembles import ReferenceDynamics
from defectgen.benchmark.tasks.task import ENSEMBLE, Task, read_tasks
from defectgen.energy_surface import harmonic_ensemble
from defectgen.generation.geometries import generate
from md.potentials import Potential, resolve_potential
from md.potentials.chgnet.weights import DEFAULT

BLOCKS = 5
MAX_EVALUATIONS_OF = {"harmonic": harmonic_ensemble.MAX_EVALUATIONS, "learnt": 0}
"""Evaluations that a Hessian may take; without any the network draws the frames, with the forces as input features."""


def squares(frames: FloatArray) -> FloatArray:
    """(f,) mean-square displacement of the atoms in each of some frames (f, n, 3), Å²."""
    return np.asarray((frames**2).sum(axis=2).mean(axis=1))


def seconds_of_evaluation(cell: DefectCell, potential: Potential) -> float:
    """CPU seconds of forces and energy on a cell."""
    atoms = cell.to_ase()
    atoms.calc = potential.calculator()
    atoms.get_forces()
    start, count = time.process_time(), 5
    for _ in range(count):
        atoms.rattle(1e-3)
        atoms.get_forces()
    return (time.process_time() - start) / count


def compare(task: Task, potential: Potential) -> dict[str, Any]:
    """One row of the table."""
    scene = Scene(task.defect)
    true = np.array([r.state.displacements for r in task.references])
    strains = np.array([r.state.strain for r in task.references])
    blocks = [b.mean() for b in np.array_split(squares(true), BLOCKS)]
    row: dict[str, Any] = {
        "md": squares(true).mean(),
        "error": np.std(blocks, ddof=1) / np.sqrt(BLOCKS) / squares(true).mean(),
    }
    for name, most in MAX_EVALUATIONS_OF.items():
        start = time.process_time()
        asked = {"temperature": task.temperature, "pressure": task.pressure, "snapshot": True}
        with patch.object(harmonic_ensemble, "MAX_EVALUATIONS", most):
            cells = generate([task.defect], n=ENSEMBLE, seed=0, **asked)
        row[f"{name} seconds"] = time.process_time() - start
        states = [state for state in map(scene.place, cells) if state is not None]
        row[name] = squares(np.array([s.displacements for s in states])).mean() / row["md"]
        row[f"{name} volume"] = volume_error(np.array([s.strain for s in states]), strains)
        row[f"{name} is"] = cells[0].provenance["fluctuations"]
    row["cost"] = row["harmonic seconds"] / (
        ReferenceDynamics().steps * seconds_of_evaluation(task.defect.cell(), potential)
    )
    return row


def main() -> None:
    """Print the table and its quantiles."""
    torch.set_num_threads(1)
    potential = resolve_potential(DEFAULT)
    tasks = [t for t in read_tasks().of_split("test").tasks if t.kind == "snapshot"]
    rows = []
    still = np.zeros((1, 3, 3))
    swollen = [volume_error(still, np.array([r.state.strain for r in task.references])) for task in tasks]
    print(f"volume in dynamics off that of the relaxed host: {np.mean(swollen):.1%} in the mean")
    print(f"{'':44}{'<u2> MD, Å²':>18}{'harmonic':>10}{'learnt':>8}{'volume, %':>11}{'learnt':>8}{'cost':>8}")
    for task in tasks[: int(sys.argv[1]) if sys.argv[1:] else None]:
        row = compare(task, potential)
        rows.append(row)
        name = task.id.replace(f"/{task.material_id}", "").replace("/snapshot", "")
        remark = "" if row["harmonic is"] == "harmonic" else " (no Hessian)"
        print(
            f"{name[:44]:44}{row['md']:10.4f} ± {row['error']:4.0%}{row['harmonic']:10.2f}{row['learnt']:8.2f}"
            f"{100 * row['harmonic volume']:11.2f}{100 * row['learnt volume']:8.2f}{row['cost']:8.3f}{remark}",
            flush=True,
        )
    for name in MAX_EVALUATIONS_OF:
        found = np.array([row[name] for row in rows])
        low, middle, high = np.quantile(found, [0.16, 0.5, 0.84])
        off, volume = np.abs(found - 1), 100 * np.array([row[f"{name} volume"] for row in rows])
        print(
            f"{name}: {middle:.2f} of MD in the median, {low:.2f} to {high:.2f}; off by {np.median(off):.0%} in the "
            f"median, within 10 % in {(off <= 0.1).mean():.0%}; volume off by {volume.mean():.2f} %"
        )
    print(f"standard error of MD itself: {np.median([row['error'] for row in rows]):.0%} in the median")
    print(f"cost of {ENSEMBLE} frames over that of MD: {np.median([row['cost'] for row in rows]):.3f} in the median")


if __name__ == "__main__":
    main()
