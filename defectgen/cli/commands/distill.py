"""The command that distils a small, fast potential for one host from a large teacher."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from defectgen.cli.options import (
    BulkOption,
    DopantsOption,
    OutputOption,
    TrustOption,
    WorkersOption,
    say,
    several,
)

if TYPE_CHECKING:
    from augment import Host


HostsArgument = Annotated[
    list[Path],
    typer.Argument(metavar="HOST.cif...", help="CIF of the host crystal; several make one student for all"),
]
TeacherOption = Annotated[
    str | None, typer.Option("--teacher", help="potential that labels; the r2SCAN weights of CHGNet by default")
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
    max_atoms: Annotated[int, typer.Option("--max-atoms", help="most atoms in the supercell; of labelled cells")] = 72,
    effort: EffortOption = None,
    training_steps: TrainingStepsOption = None,
    seed: Annotated[int, typer.Option("--seed", help="seed of everything random")] = 0,
    name: Annotated[str | None, typer.Option("--name", help="name of the student; mace-mgo for MgO by default")] = None,
    register: RegisterOption = True,
    bulk: BulkOption = False,
    workers: WorkersOption = None,
) -> None:
    """Distil a small, fast MACE student for hosts and their defects; run it again to go on where it stopped."""
    from defectgen.run.progress import progress, report_notes
    from md.distill.finish import finish, student_name
    from md.distill.run import distil
    from md.distill.settings import DistilSettings
    from md.distill.teachers import TEACHER, resolve_teacher
    from md.students import register_folder

    began = time.monotonic()
    crystals = _crystals(hosts, bulk)
    for path, crystal in zip(hosts, crystals, strict=True):
        report_notes(f"{path.name}: {note}" for note in crystal.notes)
    own = {element for crystal in crystals for element in crystal.elements}
    foreign = several(dopant) or []
    settings = DistilSettings(
        tuple(dict.fromkeys(e for e in foreign if e not in own)), max_temperature, max_pressure,
        channels, minutes, seed, effort, training_steps, max_atoms, layer_cutoff,
    )  # fmt: skip
    who = resolve_teacher(teacher or TEACHER, {*own, *settings.dopants}, python=teacher_python, trust=trust_model)
    folder, count = output or Path("out") / f"distill_{hosts[0].stem}", workers or 2
    made = distil(crystals, who, folder, settings, workers=count, stage=progress)
    called = name or student_name([crystal.formula for crystal in crystals], settings.dopants)
    student = finish(
        made, who, folder, settings, called,
        workers=count, stage=progress, minutes=lambda: (time.monotonic() - began) / 60,
    )  # fmt: skip
    say(f"student: {student}")
    if register:
        say(f"registered as {called}: {register_folder(student, called)}")


def _crystals(hosts: list[Path], bulk: bool) -> list[Host]:
    """The hosts of CIFs; a layer is refused, as its student would be one of squeezed vacuum."""
    from defectgen.run.host import bulk_crystal
    from defectgen.run.settings import PlanarSettings

    settings = PlanarSettings(layer="bulk" if bulk else "auto")
    return [bulk_crystal(path, settings, "a student is distilled from") for path in hosts]
