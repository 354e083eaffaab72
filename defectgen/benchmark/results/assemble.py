"""The results as JSON values: everything but `timings` is the same for the same inputs and seed."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from augment.versions import versions
from defectgen.benchmark.energy import BENCHMARK_FMAX, MAX_STEPS, Descent, energy_scores, win_share
from defectgen.benchmark.generators import UNRELAXED, NamedGenerator
from defectgen.benchmark.metrics.catalogue import ENERGY, ERRORS, METRICS
from defectgen.benchmark.metrics.intervals import Estimate, gain_estimate, host_estimate
from defectgen.benchmark.metrics.symmetry import total_variation
from defectgen.benchmark.outputs import Outcome
from defectgen.benchmark.score import Scene, site_symmetries
from defectgen.benchmark.settings import BenchSettings
from defectgen.benchmark.tasks.dft import MATCH_DISTANCE, DftSet, split_by_charge
from defectgen.benchmark.tasks.task import TASK_KINDS, Task, TaskSet
from md.potentials import Potential

SCHEMA = 1
"""Version of the layout of the results."""

RESULT_LIBRARIES = ("defectgen", "numpy", "scipy", "spglib", "moyopy", "ase", "pymatgen", "torch")


@dataclass(frozen=True, eq=False)
class ScoredGenerator:
    """A generator with its outcomes and metrics on every task, in the order of the tasks."""

    generator: NamedGenerator
    tasks: tuple[Task, ...]
    outcomes: tuple[Outcome, ...]
    values: tuple[Mapping[str, float], ...]

    def rows(self) -> Iterator[dict[str, Any]]:
        """One JSON object a task: generator, task, kind, host, metrics, and the error if it failed."""
        for task, outcome, values in zip(self.tasks, self.outcomes, self.values, strict=True):
            metrics = {name: _json(value) for name, value in values.items()}
            row = {"generator": self.generator.name, "task": task.id, "kind": task.kind, "host": task.formula}
            yield {**row, "structures": len(outcome.cells), "error": outcome.error, "metrics": metrics}

    def of_kind(self, kind: str) -> list[int]:
        """Places of the tasks of a kind."""
        return [k for k, task in enumerate(self.tasks) if task.kind == kind]

    @cached_property
    def site_symmetry(self) -> dict[str, float]:
        """By host, distance of the distributions of site symmetries of its `free` tasks."""
        places = self.of_kind("free")
        tasks = [self.tasks[k] for k in places]
        states = []
        for k in places:
            scene, cells = Scene(self.tasks[k].defect), self.outcomes[k].cells
            states.append((scene.place(cells[0]) if cells else None) or scene.still)
        return {host: total_variation(*pair) for host, pair in site_symmetries(tasks, states).items()}


@dataclass(frozen=True, eq=False)
class OptionalPart:
    """One optional part of the benchmark: what it found, or why it was left out.

    Attributes:
        name: `energy`, `dft` or `complexes`.
        skipped: why it was left out; empty if it was not.
        cases: its tasks.
        potential: that made its energies.
        descents: relaxations of each case by generator.
        errors: of each case by generator, Å.
        largest: distances of each case by generator, over the cube root of the volume per atom.
        source: of the reference.
        complexes: scores by sampler and task.
        missing: tasks that could not be run.
    """

    name: str
    skipped: str = ""
    cases: Sequence[Task] = ()
    potential: Potential | None = None
    descents: Mapping[str, Sequence[Sequence[Descent]]] = field(default_factory=dict)
    errors: Mapping[str, Sequence[float]] = field(default_factory=dict)
    largest: Mapping[str, Sequence[float]] = field(default_factory=dict)
    source: DftSet | None = None
    complexes: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    missing: Sequence[str] = ()


def assemble(
    settings: BenchSettings,
    whole: TaskSet,
    tasks: Sequence[Task],
    scored: Sequence[ScoredGenerator],
    parts: Sequence[OptionalPart],
) -> dict[str, Any]:
    """The results of a run; see `docs/benchmark.md` for the layout."""
    base = scored[0]
    by_name = {part.name: part for part in parts}
    return {
        "schema": SCHEMA,
        "benchmark": "DefectBench",
        "tasks": _tasks_json(settings, whole, tasks),
        "settings": {name: getattr(settings, name) for name in ("n", "seed", "kinds", "limit")},
        "versions": versions(*RESULT_LIBRARIES),
        "generators": [_generator_json(one, base, by_name) for one in scored],
        "energy": _energy_json(by_name["energy"]),
        "dft": _dft_json(by_name["dft"]),
        "complexes": _complexes_json(by_name["complexes"]),
        "skipped": {part.name: part.skipped for part in parts if part.skipped},
        "timings": {"machine": _machine(), "generators": {one.generator.name: _cost(one) for one in scored}},
    }


def task_metrics(scored: ScoredGenerator, base: ScoredGenerator) -> dict[str, dict[str, Any]]:
    """Estimates by kind of task and metric, with the gain over the unrelaxed baseline for errors."""
    estimates: dict[str, dict[str, Any]] = {}
    for kind in TASK_KINDS:
        places = scored.of_kind(kind)
        hosts = [scored.tasks[k].formula for k in places]
        for name, metric in METRICS.items():
            if kind in metric.kinds:
                values = [scored.values[k].get(name, float("nan")) for k in places]
                reference = [base.values[k].get(name, float("nan")) for k in places]
                _add(estimates.setdefault(kind, {}), name, values, reference, hosts)
    pooled = scored.site_symmetry
    if pooled:
        _add(estimates["free"], "site_symmetry", list(pooled.values()), list(base.site_symmetry.values()), list(pooled))
    return {kind: metrics for kind, metrics in estimates.items() if metrics}


def _add(
    into: dict[str, Any], name: str, values: Sequence[float], reference: Sequence[float], hosts: Sequence[str]
) -> None:
    """Put the estimate of a metric where there is one."""
    estimate = host_estimate(values, hosts)
    if estimate is None:
        return
    into[name] = _estimate_json(estimate)
    if name in ERRORS:
        gain = gain_estimate(values, reference, hosts)
        into[name]["below_unrelaxed"] = None if gain is None else _estimate_json(gain)


def _generator_json(one: ScoredGenerator, base: ScoredGenerator, parts: Mapping[str, OptionalPart]) -> dict[str, Any]:
    failures = {t.id: o.error for t, o in zip(one.tasks, one.outcomes, strict=True) if o.error}
    name = one.generator.name
    return {
        "name": name,
        "identity": one.generator.identity,
        "provenance": dict(one.generator.provenance),
        "failures": failures,
        "metrics": task_metrics(one, base),
        "energy": _energy_metrics(parts["energy"], name),
        "dft": _dft_metrics(parts["dft"], name),
    }


def _energy_metrics(part: OptionalPart, name: str) -> dict[str, Any]:
    if name not in part.descents:
        return {}
    pairs = zip(part.descents[name], part.descents[UNRELAXED], strict=True)
    scores = [energy_scores(ends, ideal[0]) for ends, ideal in pairs]
    hosts = [case.formula for case in part.cases]
    estimates: dict[str, Any] = {}
    for metric in ENERGY:
        _add(estimates, metric, [s[metric] for s in scores], [0.0] * len(scores), hosts)
    best = {other: _best(rows) for other, rows in part.descents.items()}
    duels = {other: _json(win_share(best[name], energies)) for other, energies in best.items() if other != name}
    return {**estimates, "lower_than": duels}


def _best(rows: Sequence[Sequence[Descent]]) -> list[float]:
    """Lowest energy of each case, eV; NaN where nothing converged."""
    return [min((d.energy for d in row if d.converged), default=float("nan")) for row in rows]


def _dft_metrics(part: OptionalPart, name: str) -> dict[str, Any]:
    """Estimates over defects; they are of one host, so each defect (with its charges) is taken as a unit instead."""
    if name not in part.errors:
        return {}
    errors = dict(zip([t.id for t in part.cases], part.errors[name], strict=True))
    base = dict(zip([t.id for t in part.cases], part.errors[UNRELAXED], strict=True))
    estimates: dict[str, Any] = {}
    for metric, tasks in split_by_charge(part.cases).items():
        units = [t.defect.with_charge(0).key for t in tasks]
        _add(estimates, metric, [errors[t.id] for t in tasks], [base[t.id] for t in tasks], units)
    largest = dict(zip([t.id for t in part.cases], part.largest[name], strict=True))
    neutral = split_by_charge(part.cases)["dft_neutral"]
    matches = [float(largest[t.id] < MATCH_DISTANCE) for t in neutral]
    _add(estimates, "dft_match", matches, matches, [t.defect.key for t in neutral])
    return {**estimates, "defects": {key: _json(value) for key, value in errors.items()}}


def _tasks_json(settings: BenchSettings, whole: TaskSet, tasks: Sequence[Task]) -> dict[str, Any]:
    return {
        "version": whole.manifest["version"],
        "sha256": whole.sha256,
        "split": settings.split,
        "count": len(tasks),
        "kinds": {kind: sum(t.kind == kind for t in tasks) for kind in TASK_KINDS},
        "hosts": sorted({t.formula for t in tasks}),
        "teacher": whole.manifest["teacher"],
        "corpus_sha256": whole.manifest["corpus_sha256"],
    }


def _energy_json(part: OptionalPart) -> dict[str, Any] | None:
    if part.potential is None or part.skipped:
        return None
    return {
        "potential": part.potential.provenance,
        "fmax": BENCHMARK_FMAX,
        "max_steps": MAX_STEPS,
        "cases": [case.id for case in part.cases],
    }


def _dft_json(part: OptionalPart) -> dict[str, Any] | None:
    if part.source is None:
        return None
    return {"sha256": part.source.sha256, "count": len(part.cases), "left_out": part.source.left_out}


def _complexes_json(part: OptionalPart) -> dict[str, Any] | None:
    if part.potential is None or part.skipped:
        return None
    scores = {
        name: {task: {key: _json(value) for key, value in row.items()} for task, row in rows.items()}
        for name, rows in part.complexes.items()
    }
    return {"potential": part.potential.provenance, "samplers": scores, "not_covered": list(part.missing)}


def _cost(one: ScoredGenerator) -> dict[str, float | None]:
    """CPU seconds and memory; of the whole run, not of single tasks, because the first call loads the model."""
    structures = sum(len(o.cells) for o in one.outcomes)
    valid = sum(v["valid"] * len(o.cells) for v, o in zip(one.values, one.outcomes, strict=True))
    cpu = float(np.sum([o.cpu for o in one.outcomes]))
    peaks = np.array([o.peak for o in one.outcomes])
    return {
        "structures": structures,
        "cpu_per_structure": _json(cpu / structures if structures else float("nan")),
        "cpu_per_valid": _json(cpu / valid if valid else float("nan")),
        "median_task_peak_MB": _json(float(np.median(peaks))) if np.isfinite(peaks).all() and len(peaks) else None,
        "largest_task_peak_MB": _json(float(np.max(peaks))) if np.isfinite(peaks).all() and len(peaks) else None,
    }


def _machine() -> dict[str, Any]:
    import os

    return {"processor": platform.machine(), "system": platform.system(), "cores": os.cpu_count()}


def _estimate_json(estimate: Estimate) -> dict[str, Any]:
    return {name: _json(value) if isinstance(value, float) else value for name, value in asdict(estimate).items()}


def _json(value: float) -> float | None:
    return float(f"{value:.8g}") if np.isfinite(value) else None
