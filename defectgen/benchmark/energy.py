"""What is left to do after a generator: relaxations of its structures with one fixed protocol, against the ideal start.

Every start is relaxed in the fixed cell, without imposed symmetry, by `md.relaxation.relax` (L-BFGS) to 0.05 eV/Å. The
ideal cell is relaxed the same way; where symmetry holds it at a saddle point, a proposal that breaks it ends lower.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from augment.cell import DefectCell
from augment.storage.archive import write_atomically
from defectgen.benchmark.metrics.catalogue import ENERGY
from defectgen.benchmark.tasks.task import Task
from md.potentials import Potential
from md.relaxation.relax import relax_structure

BENCHMARK_FMAX = 0.05
"""eV/Å; largest force left."""

MAX_STEPS = 300
"""Steps after which a relaxation counts as failed."""

BASIN = 0.01
"""eV; energies closer than this are of one basin."""


@dataclass(frozen=True)
class Descent:
    """How a relaxation ended: energy, eV (NaN where there is none), steps taken, whether it converged.

    A minimum outside what the potential says it has learnt counts as not converged: its energy means nothing.
    """

    energy: float
    steps: int
    converged: bool


def energy_scores(descents: Sequence[Descent], ideal: Descent) -> dict[str, float]:
    """Metrics of `ENERGY` of one case.

    With E_0 and N_0 of the ideal start, E_1 and N_1 of the first structure, E_k of all that converged, and d = `BASIN`:
    steps_saved = 1 - N_1 / N_0, steps_saved_same the same where |E_1 - E_0| < d (the way to another basin may be longer
    than to the saddle point on which the ideal start ends); same_or_lower = [E_1 <= E_0 + d];
    lower = [min_k E_k < E_0 - d]; best_energy = min_k E_k - E_0 in meV. NaN where the ideal start did not converge, or
    needed no step to save.

    Args:
        descents: from the structures of a generator, the best guess first; at least one.
        ideal: from the ideal cell.
    """
    if not ideal.converged:
        return dict.fromkeys(ENERGY, float("nan"))
    first = descents[0]
    saved = 1.0 - first.steps / ideal.steps if ideal.steps else float("nan")
    same = first.converged and abs(first.energy - ideal.energy) < BASIN
    best = min((d.energy for d in descents if d.converged), default=float("nan"))
    return {
        "steps_saved": saved,
        "steps_saved_same": saved if same else float("nan"),
        "same_or_lower": float(first.converged and first.energy <= ideal.energy + BASIN),
        "lower": float(best < ideal.energy - BASIN),
        "best_energy": 1000.0 * (best - ideal.energy),
    }


def win_share(mine: Sequence[float], theirs: Sequence[float]) -> float:
    """Share of cases in which the best of one's structures ends lower than the other's by more than `BASIN`, eV."""
    both = [(a, b) for a, b in zip(mine, theirs, strict=True) if np.isfinite(a) and np.isfinite(b)]
    return float(np.mean([a < b - BASIN for a, b in both])) if both else float("nan")


def choose_cases(tasks: Sequence[Task], count: int) -> list[Task]:
    """So many `free` tasks, one of each host in turn, in the order of the tasks."""
    turns: dict[str, int] = {}
    ranked = []
    for place, task in enumerate(t for t in tasks if t.kind == "free"):
        turn = turns[task.material_id] = turns.get(task.material_id, -1) + 1
        ranked.append((turn, place, task))
    return [task for _, _, task in sorted(ranked, key=lambda row: row[:2])[:count]]


def relax_starts(
    starts: Sequence[DefectCell], potential: Potential, path: Path, progress: Callable[[int, int], None] | None = None
) -> list[Descent]:
    """Relax each start, equal ones once; finished ones are read from a file that is written after each.

    Raises:
        PotentialError: an element is not covered.
    """
    done: dict[str, Descent] = {}
    if path.exists():
        done = {key: _descent(row) for key, row in json.loads(path.read_text()).items()}
    names = [_fingerprint(start) for start in starts]
    for count, (name, start) in enumerate(zip(names, starts, strict=True), start=1):
        if name not in done:
            done[name] = descend(start, potential)
            rows = {key: _row(descent) for key, descent in done.items()}
            write_atomically(path, json.dumps(rows, sort_keys=True).encode())
        if progress is not None:
            progress(count, len(starts))
    return [done[name] for name in names]


def descend(start: DefectCell, potential: Potential, *, max_steps: int = MAX_STEPS) -> Descent:
    """Relax one structure with the fixed protocol.

    Raises:
        PotentialError: an element is not covered.
    """
    result = relax_structure(start, potential, fmax=BENCHMARK_FMAX, max_steps=max_steps)
    energy = float(result.record.energy) if result.record is not None else float("nan")
    return Descent(energy, result.steps, result.status == "converged" and not result.outside)


def _fingerprint(cell: DefectCell) -> str:
    import hashlib

    content = cell.numbers.tobytes() + cell.cell.tobytes() + cell.positions.tobytes()
    return hashlib.sha256(content).hexdigest()[:16]


def _row(descent: Descent) -> dict[str, object]:
    return {**asdict(descent), "energy": descent.energy if np.isfinite(descent.energy) else None}


def _descent(row: dict[str, float | None]) -> Descent:
    energy = float("nan") if row["energy"] is None else float(row["energy"])
    return Descent(energy, int(row["steps"] or 0), bool(row["converged"]))
