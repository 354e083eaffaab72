"""The command that improves a student on the defects of a run, by labels of what students disagree on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from augment.errors import ConditionError
from defectgen.cli.commands.distill import (
    LabelsOption,
    MaxTemperatureOption,
    RegisterOption,
    TeacherOption,
    TeacherPythonOption,
    TrainingStepsOption,
)
from defectgen.cli.commands.search import EvaluationsOption
from defectgen.cli.options import (
    FolderArgument,
    JsonOption,
    OutputOption,
    SeedOption,
    TrustOption,
    WorkersOption,
    say,
    show,
)

if TYPE_CHECKING:
    from defectgen.improvement import Improved
    from defectgen.run.folder import RunFolder

StudentOption = Annotated[str | None, typer.Option("--student", help="student to improve; that of the run by default")]
CalculatorOption = Annotated[
    str | None,
    typer.Option("--code", help="who calculates; instead of a teacher, vasp, qe, cp2k, gpaw or aims, by inputs to run"),
]
FunctionalOption = Annotated[str, typer.Option("--functional", help="PBE, PBEsol, LDA, r2SCAN or HSE06, by code")]


def improve_command(
    folder: FolderArgument,
    output: OutputOption = None,
    student: StudentOption = None,
    teacher: TeacherOption = None,
    teacher_python: TeacherPythonOption = None,
    trust_model: TrustOption = False,
    code: CalculatorOption = None,
    functional: FunctionalOption = "PBE",
    cycles: Annotated[int, typer.Option("--cycles", help="most cycles; fewer where one does not help")] = 3,
    labels: LabelsOption = 40,
    training_steps: TrainingStepsOption = None,
    max_temperature: MaxTemperatureOption = 1000.0,
    evaluations: EvaluationsOption = None,
    seed: SeedOption = None,
    workers: WorkersOption = None,
    register: RegisterOption = True,
    as_json: JsonOption = False,
) -> None:
    """Improve a student on the defects of a run: label what students dispute, learn it, stop when it stops helping."""
    from defectgen.improvement import ImproveSettings, improve
    from defectgen.pipeline.prepared import PreparedRun
    from defectgen.run.folder import RunFolder
    from defectgen.run.progress import progress
    from md.potentials import resolve_potential
    from md.students import register_folder

    if output is None:
        raise ConditionError("an improvement needs a folder of its own; give it with -o")
    run = RunFolder.open(folder)
    run.require("defects")
    prepared = PreparedRun.of_folder(run)
    elements = {e for defect in prepared.defects for e in defect.cell().to_ase().symbols}
    pupil = resolve_potential(student, elements) if student else prepared.potential
    asked: dict[str, Any] = {
        "cycles": cycles, "labels": labels, "steps": training_steps, "temperature": max_temperature,
        "evaluations": evaluations, "seed": seed,
    }  # fmt: skip
    settings = ImproveSettings(**{name: value for name, value in asked.items() if value is not None})
    if code is not None:
        source, named = _calculations(run, prepared.host.formula, output, code, functional)
    else:
        from md.distill.labelled import CellLabeller
        from md.distill.teacher_choice import AUTO_TEACHER
        from md.distill.teachers import resolve_teacher

        who = resolve_teacher(teacher or AUTO_TEACHER, elements, python=teacher_python, trust=trust_model)
        source, named = CellLabeller(who, output, workers or 2, progress), json.dumps(who.provenance, sort_keys=True)
    made = improve(prepared, pupil, source, named, output, settings, stage=progress)
    if made.kept and register:
        register_folder(output / "student", f"{pupil.name}-improved")
    _report(made, pupil.name, as_json=as_json, registered=register)


def _calculations(run: RunFolder, formula: str, output: Path, code: str, functional: str) -> tuple[Any, str]:
    """Labels by single points of a code."""
    from defectgen.calculations.settings import CalculationSettings
    from defectgen.improvement.labelling import CalculationLabeller

    settings = CalculationSettings(code, functional, relax=False)  # type: ignore[arg-type]  # checked there
    return CalculationLabeller(run, output, formula, settings), json.dumps(settings.to_json(), sort_keys=True)


def _report(made: Improved, student: str, *, as_json: bool, registered: bool) -> None:
    from defectgen.cli.tables import cycles_table

    if as_json:
        say(json.dumps(made.to_dict()))
        return
    show(cycles_table(made.cycles, made.held_out_labels))
    say(f"stopped: {made.stopped}")
    if not made.kept:
        say(f"no cycle helped: {student} stays as it is")
        return
    say(f"student of cycle {made.kept}: {made.folder / 'student'}")
    if registered:
        say(f"registered as {student}-improved")
