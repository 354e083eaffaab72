"""The command that distils a small, fast potential for one host from a large teacher."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from augment.errors import SettingsError
from defectgen.cli.options import (
    BulkOption,
    DopantsOption,
    JsonOption,
    OutputOption,
    TrustOption,
    WorkersOption,
    say,
    several,
    show,
)

if TYPE_CHECKING:
    from augment import Host
    from md.distill.refinement.settings import RefineSettings
    from md.distill.settings import DistilSettings
    from md.potentials import Potential


HostsArgument = Annotated[
    list[Path],
    typer.Argument(metavar="HOST.cif...", help="CIF of the host crystal; several make one student for all"),
]
TeacherOption = Annotated[
    str | None, typer.Option("--teacher", help="potential that labels; auto: the one measured best for such crystals")
]
TeacherPythonOption = Annotated[
    Path | None, typer.Option("--teacher-python", help="interpreter of another environment, where the teacher is")
]
MaxTemperatureOption = Annotated[
    float, typer.Option("--max-temperature", metavar="K", help="of the dynamics that is learnt")
]
MaxPressureOption = Annotated[
    float, typer.Option("--max-pressure", metavar="GPa", help="of the dynamics that is learnt")
]
LayerCutoffOption = Annotated[
    float,
    typer.Option("--layer-cutoff", metavar="Å", help="reach of a layer; 6 for ionic crystals, at half the speed"),
]
MinutesOption = Annotated[float, typer.Option("--minutes", metavar="MINUTES", help="wall time to aim at on two cores")]
EffortOption = Annotated[
    float | None, typer.Option("--effort", metavar="FRACTION", help="share of the full set of cells")
]
TrainingStepsOption = Annotated[
    int | None, typer.Option("--training-steps", help="steps of training, whatever time they take")
]
LabelAtomsOption = Annotated[
    int | None,
    typer.Option("--max-atoms", help="most atoms in the supercell; of labelled cells: 72, and 16 with --refine"),
]
RefineOption = Annotated[
    str | None,
    typer.Option("--refine", metavar="STUDENT", help="teach this student further, by few labels: mace-mgo"),
]
LabelsOption = Annotated[
    int, typer.Option("--labels", help="cells that the teacher labels; with --refine, or in a cycle")
]
RegisterOption = Annotated[
    bool, typer.Option("--register/--no-register", help="whether it joins your students, which `auto` prefers")
]


def distill_command(
    hosts: HostsArgument,
    output: OutputOption = None,
    dopant: DopantsOption = None,
    teacher: TeacherOption = None,
    teacher_python: TeacherPythonOption = None,
    trust_model: TrustOption = False,
    max_temperature: MaxTemperatureOption = 1500.0,
    max_pressure: MaxPressureOption = 20.0,
    channels: Annotated[int, typer.Option("--channels", help="features of an atom in the student")] = 16,
    layer_cutoff: LayerCutoffOption = 4.5,
    minutes: MinutesOption = 20.0,
    max_atoms: LabelAtomsOption = None,
    effort: EffortOption = None,
    training_steps: TrainingStepsOption = None,
    seed: Annotated[int, typer.Option("--seed", help="seed of everything random")] = 0,
    name: Annotated[str | None, typer.Option("--name", help="name of the student; mace-mgo for MgO by default")] = None,
    refine: RefineOption = None,
    labels: LabelsOption = 200,
    register: RegisterOption = True,
    bulk: BulkOption = False,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Distil a small, fast MACE student for hosts and their defects; run it again to go on where it stopped."""
    from defectgen.run.progress import report_notes
    from md.distill.refinement.settings import REFINE_ATOMS, REFINE_STEPS, RefineSettings
    from md.distill.settings import DISTIL_ATOMS, DistilSettings
    from md.distill.teacher_choice import AUTO_TEACHER
    from md.distill.teachers import resolve_teacher
    from md.students import register_folder

    crystals = _crystals(hosts, bulk)
    for path, crystal in zip(hosts, crystals, strict=True):
        report_notes(f"{path.name}: {note}" for note in crystal.notes)
    own = {element for crystal in crystals for element in crystal.elements}
    dopants = tuple(dict.fromkeys(e for e in several(dopant) or [] if e not in own))
    if refine is not None and dopants:
        raise SettingsError(f"--refine with a dopant ({', '.join(dopants)}): name its crystals as hosts instead")
    asked = teacher or AUTO_TEACHER
    who = resolve_teacher(asked, {*own, *dopants}, python=teacher_python, trust=trust_model)
    if asked == AUTO_TEACHER:
        report_notes([f"the teacher is {who.name}, measured best here for {_family(own)}; --teacher names another"])
    folder, count = output or Path("out") / f"distill_{hosts[0].stem}", workers or 2
    if refine is None:
        settings = DistilSettings(
            dopants, max_temperature, max_pressure, channels, minutes, seed, effort, training_steps,
            max_atoms or DISTIL_ATOMS, layer_cutoff,
        )  # fmt: skip
        student, called = _distilled(crystals, who, folder, settings, name, count)
    else:
        wanted = RefineSettings(
            labels=labels,
            max_atoms=max_atoms or REFINE_ATOMS, steps=training_steps or REFINE_STEPS, seed=seed,
            max_temperature=max_temperature, max_pressure=max_pressure,
        )  # fmt: skip
        student, called = _refined(crystals, refine, who, folder, wanted, name, count)
    where = register_folder(student, called) if register else student
    _report(student, where, as_json, refined=refine is not None)


def _family(elements: set[str]) -> str:
    from md.distill.teacher_choice import crystal_family, ranked_teachers

    others = [f"{one.name} {one.error:.0%}" for one in ranked_teachers(elements)]
    return f"{crystal_family(elements)}s, by mean error {', '.join(others)}"


def _report(student: Path, where: Path, as_json: bool, *, refined: bool) -> None:
    """Print a student's card, or where it is, with a table of what a refinement changed."""
    from defectgen.cli.tables import refinement_table

    card = json.loads((student / "card.json").read_text(encoding="utf-8"))
    if as_json:
        say(json.dumps({**card, "folder": str(where)}))
        return
    if refined:
        show(*refinement_table(card))
    say(f"student: {student}")
    if where != student:
        say(f"registered as {card['name']}: {where}")


def _distilled(
    crystals: list[Host], teacher: Potential, folder: Path, settings: DistilSettings, name: str | None, workers: int
) -> tuple[Path, str]:
    """Folder and name of a student made from the start."""
    from defectgen.run.progress import progress
    from md.distill.finish import finish, student_name
    from md.distill.run import distil

    began = time.monotonic()
    made = distil(crystals, teacher, folder, settings, workers=workers, stage=progress)
    called = name or student_name([crystal.formula for crystal in crystals], settings.dopants)
    student = finish(
        made, teacher, folder, settings, called,
        workers=workers, stage=progress, minutes=lambda: (time.monotonic() - began) / 60,
    )  # fmt: skip
    return student, called


def _refined(
    crystals: list[Host], name: str, teacher: Potential, folder: Path, settings: RefineSettings, new: str | None,
    workers: int,
) -> tuple[Path, str]:  # fmt: skip
    """Folder and name of a student taught further."""
    from defectgen.run.progress import progress
    from md.distill.refinement.finish import finish_refinement
    from md.distill.refinement.run import refine
    from md.potentials import resolve_potential

    began = time.monotonic()
    before = resolve_potential(name, {element for crystal in crystals for element in crystal.elements})
    made = refine(crystals, before, teacher, folder, settings, workers=workers, stage=progress)
    called = new or f"{name}-refined"
    student = finish_refinement(
        made, before, teacher, folder, settings, called, minutes=lambda: (time.monotonic() - began) / 60
    )
    return student, called


def _crystals(hosts: list[Path], bulk: bool) -> list[Host]:
    """The hosts of CIFs; a layer is refused, as its student would be one of squeezed vacuum."""
    from defectgen.run.host import bulk_crystal
    from defectgen.run.settings import PlanarSettings

    settings = PlanarSettings(layer="bulk" if bulk else "auto")
    return [bulk_crystal(path, settings, "a student is distilled from") for path in hosts]
