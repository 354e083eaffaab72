"""The whole benchmark: every generator on every task, scored, summed up and written; a stopped run goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from augment.elements import elements_of
from augment.errors import DataError, PotentialError
from augment.groups.distortion import Distortion, apply_distortion
from augment.storage.archive import write_atomically
from augment.storage.claim import claim
from augment.storage.lock import folder_lock
from defectgen.benchmark import complexes, energy
from defectgen.benchmark.generators import UNRELAXED, NamedGenerator, load_generator
from defectgen.benchmark.outputs import IDENTITY, Outcome, collect, item_name
from defectgen.benchmark.results.assemble import OptionalPart, ScoredGenerator, assemble
from defectgen.benchmark.score import Scene, score_task
from defectgen.benchmark.settings import BenchSettings
from defectgen.benchmark.tasks import dft
from defectgen.benchmark.tasks.task import Task, TaskSet, read_tasks
from defectgen.run.progress import progress
from md.jobs.sweep import Progress
from md.potentials import Potential, resolve_potential

RESULTS = "results.json"
SCORES = "scores.jsonl"


OpenProgress = Callable[[str, str], AbstractContextManager[Progress]]
"""Opens a progress bar of a title and a unit."""


def run_benchmark(settings: BenchSettings, bars: OpenProgress = progress) -> dict[str, Any]:
    """Run what is missing, write `results.json`, `scores.jsonl`, plots and page; the results.

    Everything that can be refused is refused before anything is run.

    Raises:
        DefectgenError: a generator, potential, file or setting cannot be used, or the folder is another run's.
    """
    generators = load_all(settings.generators)
    samplers = [complexes.load_sampler(spec) for spec in settings.samplers]
    potential = None if settings.relax is None else resolve_potential(settings.relax, trust=settings.trust)
    whole = read_tasks(settings.tasks)
    tasks = whole.of_split(settings.split)
    chosen = tasks.of_kinds(settings.kinds).few(settings.limit)
    reference = dft.read_dft_sets(settings.dft) if settings.dft else None
    with folder_lock(settings.output):
        claim(settings.output / IDENTITY, {"tasks": whole.sha256, "split": settings.split}, "a benchmark")
        scored = [score_generator(g, chosen, settings, bars) for g in generators]
        parts = [
            energy_part(scored, potential, settings, bars),
            dft_part(generators, reference, settings, bars),
            complex_part(samplers, tasks, potential, settings, bars),
        ]
        results = assemble(settings, whole, chosen, scored, parts)
        _write(settings.output, results, [row for s in scored for row in s.rows()])
    return results


def _write(folder: Path, results: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
    from defectgen.benchmark.results.page import write_page

    write_atomically(folder / RESULTS, (json.dumps(results, indent=1, allow_nan=False) + "\n").encode())
    lines = [json.dumps(row, allow_nan=False) for row in rows]
    write_atomically(folder / SCORES, ("\n".join(lines) + "\n").encode())
    write_page(folder, results, rows)


def load_all(specs: Sequence[str]) -> list[NamedGenerator]:
    """The generators of some texts, the unrelaxed baseline first.

    Raises:
        DefectgenError: one names nothing, or two have one name.
    """
    generators = [load_generator(spec) for spec in dict.fromkeys((UNRELAXED, *specs))]
    names = [g.name for g in generators]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"two generators are named {twice[0]}; rename a folder or a file")
    return generators


def score_generator(
    generator: NamedGenerator, tasks: Sequence[Task], settings: BenchSettings, bars: OpenProgress
) -> ScoredGenerator:
    """Structures of a generator for all tasks, made or read, and their metrics."""
    folder = settings.output / "structures" / generator.name
    with bars(f"generate: {generator.name}", "tasks") as report:
        outcomes = collect(generator, tasks, settings.n, settings.seed, folder, report)
    values = []
    with bars(f"score: {generator.name}", "tasks") as report:
        for done, (task, outcome) in enumerate(zip(tasks, outcomes, strict=True), start=1):
            values.append(score_task(task, outcome.cells, settings.n))
            report(done, len(tasks), task.id)
    return ScoredGenerator(generator, tuple(tasks), tuple(outcomes), tuple(values))


def energy_part(
    scored: Sequence[ScoredGenerator], potential: Potential | None, settings: BenchSettings, bars: OpenProgress
) -> OptionalPart:
    """Relaxations of a few cases from the structures of each generator."""
    if potential is None:
        return OptionalPart("energy", skipped="name a potential with --relax")
    known = potential.elements
    fits = [t for t in scored[0].tasks if known.issuperset(elements_of(t.defect.cell().numbers))]
    cases = energy.choose_cases(fits, settings.relax_cases)
    if not fits:
        return OptionalPart("energy", skipped=f"no chosen task has only elements that {potential.name} covers")
    if not cases:
        return OptionalPart("energy", skipped="none of the chosen tasks is of the kind `free`; give a larger --limit")
    folder = settings.output / "relaxations"
    claim(folder / IDENTITY, {"potential": potential.sha256}, "a folder of relaxations")
    descents: dict[str, list[list[energy.Descent]]] = {}
    with bars("relax", "cases") as report:
        for place, one in enumerate(scored):
            starts = descents[one.generator.name] = []
            for done, case in enumerate(cases, start=1):
                path = folder / one.generator.name / f"{item_name(case.id)}.json"
                starts.append(energy.relax_starts(_starts(one, case, settings.n), potential, path))
                report(place * len(cases) + done, len(scored) * len(cases), f"{one.generator.name}: {case.id}")
    return OptionalPart("energy", cases=cases, potential=potential, descents=descents)


def dft_part(
    generators: Sequence[NamedGenerator], reference: dft.DftSet | None, settings: BenchSettings, bars: OpenProgress
) -> OptionalPart:
    """Errors against a set of DFT relaxations."""
    if reference is None:
        return OptionalPart("dft", skipped="give a file of DFT relaxations with --dft")
    errors: dict[str, list[float]] = {}
    largest: dict[str, list[float]] = {}
    for generator in generators:
        folder = settings.output / "dft" / generator.name
        with bars(f"DFT: {generator.name}", "defects") as report:
            outcomes = collect(generator, reference.tasks, 1, settings.seed, folder, report)
        states = [_first(t, o) for t, o in zip(reference.tasks, outcomes, strict=True)]
        pairs = list(zip(reference.tasks, states, strict=True))
        errors[generator.name] = [dft.dft_error(task, state) for task, state in pairs]
        largest[generator.name] = [dft.dft_largest(task, state) for task, state in pairs]
    return OptionalPart("dft", cases=list(reference.tasks), errors=errors, largest=largest, source=reference)


def complex_part(
    samplers: Sequence[tuple[str, complexes.Sampler]],
    tasks: TaskSet,
    potential: Potential | None,
    settings: BenchSettings,
    bars: OpenProgress,
) -> OptionalPart:
    """Samplers of complexes on the hosts that the potential covers."""
    if not samplers or potential is None:
        return OptionalPart("complexes", skipped="name a sampler with --sampler and a potential with --relax")
    hosts = {task.formula: task.defect.host for task in tasks.tasks}
    scores: dict[str, dict[str, dict[str, float]]] = {name: {} for name, _ in samplers}
    missing = []
    for task in complexes.COMPLEX_TASKS:
        if task.formula not in hosts or not potential.covers(task.elements(hosts[task.formula])):
            missing.append(task.name)
            continue
        ask = complexes.make_request(task, hosts[task.formula], complexes.SAMPLED, settings.seed)
        name = f"{item_name(task.name)}-{potential.sha256[:8]}-{settings.complex_steps}"
        most = complexes.POOL + len(samplers) * complexes.SAMPLED
        with bars(f"complexes: {task.name}", "energies") as report:
            book = complexes.EnergyBook(settings.output / "complexes" / name, potential, settings.complex_steps)
            book.report = partial(_count, report, most)
            for sampler_name, sampler in samplers:
                score = complexes.score_sampler(ask, list(sampler(ask)), book)
                scores[sampler_name][task.name] = asdict(score)
    if len(missing) == len(complexes.COMPLEX_TASKS):
        raise PotentialError(f"{potential.name} covers none of the complexes: {'; '.join(missing)}")
    return OptionalPart("complexes", potential=potential, complexes=scores, missing=missing)


def _count(report: Progress, most: int, known: int) -> None:
    report(min(known, most), most, "")


def _starts(scored: ScoredGenerator, case: Task, n: int) -> list[Any]:
    """The structures of one case in the ideal cell, the ideal geometry for those that are missing."""
    scene = Scene(case.defect)
    outcome = scored.outcomes[[t.id for t in scored.tasks].index(case.id)]
    states = [scene.place(cell) or scene.still for cell in outcome.cells] or [scene.still]
    return [apply_distortion(scene.ideal, Distortion(s.displacements, np.zeros((3, 3)))) for s in states[:n]]


def _first(task: Task, outcome: Outcome) -> Distortion | None:
    return Scene(task.defect).place(outcome.cells[0]) if outcome.cells else None
