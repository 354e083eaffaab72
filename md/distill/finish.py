"""From a trained network to a student: checked against its teacher, described, written, and registered."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from augment.cell import DefectCell
from augment.elements import element_symbol
from augment.storage.archive import write_atomically
from md.campaigns.labelling import label
from md.distill.crystal import Crystal
from md.distill.readme import readme
from md.distill.run import Distillation, calculator_of
from md.distill.settings import DistilSettings
from md.distill.validate import (
    errors,
    held_out_cells,
    relaxed_defect_energies,
    validation_summary,
    volume_runs,
    volumes,
)
from md.jobs.sweep import OpenStage
from md.labels.record import Record, read_records, write_records
from md.potentials import Potential
from md.students import save_student
from md.students.accuracy import milliseconds
from md.students.folders import STUDENT_PREFIX

__all__ = ["cells_summary", "crystal_names", "errors_by_config_type", "finish", "student_name"]

_PRESSURE_STEPS = 600
"""Of 2 fs at each temperature and pressure."""

_FRAMES = 10
"""Labelled at each temperature and pressure."""


def student_name(formulas: Sequence[str], dopants: Sequence[str]) -> str:
    """`mace-mgo`, `mace-mgo-nio-al`."""
    return STUDENT_PREFIX + "-".join([*formulas, *sorted(dopants)]).lower()


def finish(
    made: Distillation,
    teacher: Potential,
    folder: Path,
    settings: DistilSettings,
    name: str,
    *,
    workers: int,
    stage: OpenStage,
    minutes: Callable[[], float],
) -> Path:
    """Validate the student and write it to `folder`/student; what the teacher labels for it is kept like the rest.

    Args:
        made: the finished training.
        teacher: who taught.
        folder: of the run.
        settings: of the run.
        name: of the student, `mace-...`.
        workers: processes that label.
        stage: opens the progress of each stage.
        minutes: wall time so far, asked at the end.

    Raises:
        PotentialError: the teacher fails, or what was written does not give the student back.
    """
    calculator = calculator_of(made.student)
    examiner = _Examiner(calculator, teacher, folder, settings, workers, stage)
    tests = examiner.test_records(made)
    names = crystal_names(made.crystals)
    hosts = {
        host: examiner.checks(host, crystal, bulk, defects)
        for host, (crystal, bulk, defects) in zip(names, made.large_cells(), strict=True)
    }
    pristine = made.crystals[0].cells["large"].bulk_cell()
    card = {
        "name": name,
        "elements": _symbols(made),
        "teacher": {"name": teacher.name, "source": teacher.source, "sha256": teacher.sha256},
        "data": {"train": cells_summary(made.records), "test": cells_summary(tests)},
        "training": {**asdict(settings), **made.plan.to_dict()},
        "domain": _domain(made, settings),
        "errors": {
            "train": {"all": asdict(errors(calculator, made.records))},
            "test": errors_by_config_type(calculator, tests),
        },
        "hosts": hosts,
        "milliseconds": {"atoms": len(pristine), "per_evaluation": milliseconds(calculator, pristine.to_ase())},
        "minutes": round(minutes(), 1),
    }
    target = folder / "student"
    save_student(made.student, target, card)
    write_atomically(target / "README.md", readme(json.loads((target / "card.json").read_text())).encode())
    return target


@dataclass(frozen=True, eq=False)
class _Examiner:
    """Holds a student against its teacher."""

    calculator: Any
    teacher: Potential
    folder: Path
    settings: DistilSettings
    workers: int
    stage: OpenStage

    def checks(
        self, host: str, crystal: Crystal, pristine: DefectCell, defects: Sequence[DefectCell]
    ) -> dict[str, Any]:
        """Energies of the relaxed defects of a host, and its volume under heat and pressure, beside the teacher's."""
        settings = self.settings
        with self.stage(f"{host}: relaxations by {self.teacher.name}", "cells") as report:
            where = self.folder / "relaxed"
            energies = relaxed_defect_energies(
                defects, pristine, self.calculator, self.teacher, where, workers=self.workers, progress=report
            )
        climates = [(300.0, 0.0), (settings.max_temperature, 0.0), (settings.max_temperature, settings.max_pressure)]
        medium = crystal.cells["medium"].bulk_cell()
        with self.stage(f"{host}: volumes by the student", "runs") as report:
            report(0, len(climates), "")
            runs = volume_runs(medium, self.calculator, climates, steps=_PRESSURE_STEPS, seed=settings.seed)
        chosen = [frames[:: max(1, len(frames) // _FRAMES)][:_FRAMES] for frames, _ in runs]
        labelled = iter(self._labelled([frame for frames in chosen for frame in frames], f"{host}: pressures"))
        records = [[next(labelled) for _ in frames] for frames in chosen]
        found = validation_summary(energies, volumes(climates, runs, records, self.calculator, medium))
        return {"volume_per_atom": pristine.volume / len(pristine), **found}

    def test_records(self, made: Distillation) -> list[Record]:
        """Cells that no training saw: the student's runs in the large cell, and the teacher's own in the small."""
        done = self.folder / "test_labels.npz"
        if done.exists():
            return read_records(done)
        heat, seed = self.settings.max_temperature, self.settings.seed
        cells: list[DefectCell] = []
        with self.stage("held-out cells", "hosts") as report:
            for count, (crystal, pristine, defects) in enumerate(made.large_cells()):
                report(count, len(made.crystals), crystal.host.formula)
                cells += held_out_cells([pristine, *defects], self.calculator, crystal, heat, seed)
                small = crystal.cells["small"].bulk_cell()
                cells += held_out_cells([small], self.teacher.calculator(), crystal, heat, seed)
        records = self._labelled(cells, "labels of held-out cells")
        write_records(done, records)
        return records

    def _labelled(self, cells: Sequence[DefectCell], what: str) -> list[Record]:
        with self.stage(f"{what} by {self.teacher.name} ({len(cells)} cells)", "batches") as report:
            return label(cells, self.teacher, self.folder / "labels", workers=self.workers, progress=report)


def crystal_names(crystals: Sequence[Crystal]) -> list[str]:
    """Formulas, with the space group where two crystals share one."""
    often = Counter(crystal.host.formula for crystal in crystals)
    hosts = [crystal.host for crystal in crystals]
    return [h.formula if often[h.formula] == 1 else f"{h.formula} ({h.space_group_number})" for h in hosts]


def _symbols(made: Distillation) -> list[str]:
    return [element_symbol(z) for z in made.student.atomic_numbers]


def _domain(made: Distillation, settings: DistilSettings) -> dict[str, Any]:
    from md.potentials.domain import fit_domain

    names = crystal_names(made.crystals)
    hosts = [f"{c.host.formula} (space group {c.host.space_group_number})" for c in made.crystals]
    defects = [[defect.name for defect in found] for _, _, found in made.large_cells()]
    conditions = {
        "host": ", ".join(hosts),
        "charge": 0,
        "defects": dict(zip(names, defects, strict=True)),
        "temperature_K": [0.0, settings.max_temperature],
        "pressure_GPa": [0.0, settings.max_pressure],
        "volume_ratio": dict(zip(names, (list(c.volumes) for c in made.crystals), strict=True)),
    }
    return fit_domain([record.cell for record in made.records], conditions)


def cells_summary(records: Sequence[Record]) -> dict[str, Any]:
    """How many cells there are, of which kinds and sizes, as JSON values."""
    kinds = Counter(record.config_type for record in records)
    sizes = Counter(len(record.cell) for record in records)
    return {
        "cells": len(records),
        "atoms": sum(len(record.cell) for record in records),
        "config_types": dict(sorted(kinds.items())),
        "sizes": {str(size): count for size, count in sorted(sizes.items())},
    }


def errors_by_config_type(calculator: Any, records: Sequence[Record]) -> dict[str, Any]:
    """Errors of a calculator on all records and on those of each config type, as JSON values."""
    groups: dict[str, list[Record]] = {"all": list(records)}
    for record in records:
        groups.setdefault(record.config_type, []).append(record)
    return {kind: asdict(errors(calculator, group)) for kind, group in groups.items()}
