"""Tasks from the labelled cases of a corpus: only what is held out, with the teacher named."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from augment.errors import DataError, DefectgenError
from augment.groups.distortion import Distortion, project, residual
from augment.storage.archive import file_hash
from defectgen.benchmark.metrics.alignment import Alignment, Atoms, align
from defectgen.benchmark.tasks.task import TASK_KINDS, Reference, Task, TaskKind, write_tasks
from defectgen.corpus import Case, Label, read_cases

HELD_OUT_SPLITS = ("valid", "test")
"""Splits that tasks are made of."""

ROUNDING = 1e-4
"""Å; what single precision and the change of axes may leave of a label's symmetry."""

MIN_FRAMES = 2
"""Frames below which a thermal ensemble says nothing about a spread."""


def build_tasks(corpus: Path, output: Path) -> dict[str, Any]:
    """Write the archive of tasks of a corpus and return its manifest.

    The manifest of the corpus (`manifest.json` in its folder, or beside its archive) names the teacher; defects that
    this version cannot express are left out and listed.

    Raises:
        DataError: the corpus or its manifest is missing or damaged, or no case of it is held out.
    """
    cases = [case for case in read_cases(corpus) if case.split in HELD_OUT_SPLITS]
    if not cases:
        raise DataError(f"{corpus}: no case of the splits {' and '.join(HELD_OUT_SPLITS)}")
    tasks: list[Task] = []
    bulks: dict[str, Atoms] = {}
    left_out: dict[str, str] = {}
    for case in cases:
        bulk = bulks.get(case.material_id) or pristine_atoms(case)
        try:
            added = tasks_of(case, align(ideal_of(case), bulk))
        except DefectgenError as error:
            left_out[f"{case.formula}/{case.name}"] = str(error)
            continue
        bulks[case.material_id] = bulk
        tasks += added
    manifest = {**_provenance(corpus), "left_out": left_out, "defects": len({t.defect.key for t in tasks})}
    write_tasks(output, tasks, bulks, manifest)
    return {**manifest, "tasks": len(tasks), "sha256": file_hash(output)}


def tasks_of(case: Case, alignment: Alignment) -> list[Task]:
    """The tasks of one labelled defect, in the order of `TASK_KINDS`; one for each temperature and pressure."""
    groups: dict[tuple[TaskKind, float, float], list[Label]] = {}
    for label in case.labels:
        for kind in _kinds(label):
            groups.setdefault((kind, label.temperature, label.pressure), []).append(label)
    order = list(TASK_KINDS)
    made = []
    for (kind, temperature, pressure), labels in sorted(groups.items(), key=lambda item: order.index(item[0][0])):
        if kind == "snapshot" and len(labels) < MIN_FRAMES:
            continue
        chosen = labels if kind == "snapshot" else sorted(labels, key=lambda x: x.energy)
        made.append(_task(case, alignment, kind, (temperature, pressure), chosen))
    return made


def _kinds(label: Label) -> tuple[TaskKind, ...]:
    """The kinds of task that a label is a reference of."""
    if label.snapshot:
        return ("snapshot",)
    if label.temperature > 0:
        return ("mean",)
    if label.pressure != 0:
        return ("pressed",)
    return ("free", "broken" if label.broken else "symmetric")


def pristine_atoms(case: Case) -> Atoms:
    """The pristine supercell of a case, in its axes."""
    template = case.template
    lattice = template.host_numbers > 0
    return Atoms(template.cell, template.host_numbers[lattice], template.positions[lattice])


def ideal_of(case: Case) -> Atoms:
    """The ideal defective supercell of a case, in its axes."""
    template, n = case.template, case.template.n_atoms
    return Atoms(template.cell, template.numbers[:n], template.positions[:n])


def _task(
    case: Case, alignment: Alignment, kind: TaskKind, conditions: tuple[float, float], labels: Sequence[Label]
) -> Task:
    """One task; its conditions are temperature, K, and pressure, GPa."""
    references = []
    for label in labels:
        state = alignment.state(label.state.displacements, label.state.strain)
        if label.temperature == 0 and not label.broken:
            state = _exactly_symmetric(state, alignment)
        references.append(Reference(state, label.energy, label.broken))
    temperature, pressure = conditions
    at = "".join(f" {value:.4g} {unit}" for value, unit in ((temperature, "K"), (pressure, "GPa")) if value)
    return Task(
        id=f"{case.formula}/{case.material_id}/{case.name}/{kind}{at}",
        material_id=case.material_id,
        split=case.split,
        defect=alignment.defect,
        kind=kind,
        temperature=temperature,
        pressure=pressure,
        references=tuple(references),
    )


def _exactly_symmetric(state: Distortion, alignment: Alignment) -> Distortion:
    """A state without the rounding that the corpus left in it.

    Raises:
        DataError: it is off by more than rounding, so that the alignment or the label is wrong.
    """
    symmetry = alignment.defect.symmetry()
    off = residual(state, symmetry)
    if off > ROUNDING:
        raise DataError(f"{alignment.defect.name}: a label with the whole stabilizer leaves it by {off:.1e} Å")
    return project(state, symmetry)


def _provenance(corpus: Path) -> dict[str, Any]:
    """Teacher, settings and hash of a corpus from its manifest."""
    path = corpus / "manifest.json" if corpus.is_dir() else corpus.with_suffix(".json")
    parts = sorted(corpus.glob("*.npz")) if corpus.is_dir() else [corpus]
    try:
        said: Mapping[str, Any] = json.loads(path.read_text())
        return {
            "corpus_sha256": {part.name: file_hash(part) for part in parts},
            "teacher": said["teacher"],
            "labels": said["settings"],
            "versions": said["versions"],
        }
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: no manifest of the corpus that names its teacher ({error!r})") from None
