"""The command that writes inputs of calculations for the defects of a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from augment.errors import ConditionError
from defectgen.cli.options import (
    BlockOption,
    DefectNamesOption,
    DistanceOption,
    DopantsOption,
    JsonOption,
    MaxAtomsOption,
    MaxVoidsOption,
    OutputOption,
    RunOrHostArgument,
    defect_changes,
    say,
    say_json,
    settings_of,
    several,
)

INPUTS_FOLDER = "inputs"
"""In a run folder: of all calculations, one folder a code."""

CodeOption = Annotated[str, typer.Option("--code", help="who calculates; vasp, qe, cp2k, gpaw or aims")]
ChargesOption = Annotated[
    list[str] | None,
    typer.Option("--charges", metavar="NAME=Q,...", help="charge states of a defect; v_O=0,1,2, may be repeated"),
]
StartOption = Annotated[str, typer.Option("--start", help="geometry to begin with; auto, relaxed, proposed or ideal")]
SelectOption = Annotated[int | None, typer.Option("--select", help="only so many geometries, each in all charges")]
OrderOption = Annotated[str, typer.Option("--by", help="which ones --select takes; diverse or lowest")]
PseudoOption = Annotated[
    list[str] | None,
    typer.Option("--pseudopotential", metavar="ELEMENT=NAME,...", help="files for qe, names for cp2k"),
]
DataFolderOption = Annotated[
    Path | None,
    typer.Option("--data-folder", help="UPF files of qe, or species defaults of aims (light, tight)"),
]


def inputs_command(
    source: RunOrHostArgument,
    code: CodeOption,
    output: OutputOption = None,
    defect: DefectNamesOption = None,
    charges: ChargesOption = None,
    start: StartOption = "auto",
    minima: Annotated[int, typer.Option("--minima", help="how many minima of each defect, lowest first")] = 1,
    select: SelectOption = None,
    by: OrderOption = "diverse",
    functional: Annotated[str, typer.Option("--functional", help="PBE, PBEsol, LDA, r2SCAN or HSE06, by code")] = "PBE",
    cutoff: Annotated[
        float | None, typer.Option("--plane-wave-cutoff", metavar="eV", help="plane waves, or the grid of cp2k")
    ] = None,
    spacing: Annotated[
        float | None, typer.Option("--kpoint-spacing", metavar="1/Å", help="largest distance of k-points, with the 2π")
    ] = None,
    single_point: Annotated[bool, typer.Option("--single-point", help="no relaxation: labels of the geometry")] = False,
    max_force: Annotated[float, typer.Option("--fmax", metavar="eV/Å", help="force at convergence")] = 0.02,
    spin: Annotated[str, typer.Option("--spin", help="auto, always or never")] = "auto",
    pseudopotential: PseudoOption = None,
    data_folder: DataFolderOption = None,
    dopant: DopantsOption = None,
    min_image_distance: DistanceOption = None,
    max_atoms: MaxAtomsOption = None,
    max_voids: MaxVoidsOption = None,
    block: BlockOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write inputs of DFT calculations: one folder a defect and charge state, and the pristine cell."""
    from defectgen.calculations.settings import CalculationSettings

    settings = CalculationSettings(
        code=code,  # type: ignore[arg-type]  # checked there
        functional=functional,
        cutoff=cutoff,
        kpoint_spacing=spacing,
        relax=not single_point,
        max_force=max_force,
        spin=spin,  # type: ignore[arg-type]
        pseudopotentials=_pairs(pseudopotential),
        data_folder=data_folder,
    )
    if data_folder is not None and not data_folder.is_dir():
        raise ConditionError(f"{data_folder}: no such folder; give that of the UPF files or species defaults")
    wanted = _Wanted(start, minima, select, by, several(defect), _charges(charges))
    which = defect_changes(dopant, min_image_distance, max_atoms, max_voids, block)
    _write(source, output, which, settings, wanted, as_json=as_json)


class _Wanted:
    """What is asked of the geometries, checked."""

    def __init__(
        self,
        start: str,
        minima: int,
        select: int | None,
        order: str,
        only: list[str] | None,
        charges: dict[str, tuple[int, ...]],
    ) -> None:
        from defectgen.calculations.jobs import Order, StartChoice

        for option, value, known in (("--start", start, get_args(StartChoice)), ("--by", order, get_args(Order))):
            if value not in known:
                raise ConditionError(f"{option} {value!r}; give {', '.join(known)}")
        if minima < 1 or (select is not None and select < 1):
            raise ConditionError("--minima and --select count geometries; give 1 or more")
        self.start: Any = start
        self.order: Any = order
        self.minima, self.select, self.only, self.charges = minima, select, only, charges


def _write(
    source: Path,
    output: Path | None,
    which: dict[str, Any],
    settings: Any,
    wanted: _Wanted,
    *,
    as_json: bool,
) -> None:
    from dataclasses import asdict

    from defectgen.calculations.folder import write_inputs
    from defectgen.calculations.jobs import calculation_jobs, charge_states, starting_cells
    from defectgen.run.progress import report_notes

    prepared, folder = _run(source, output, which, wanted.only)
    charges = charge_states(prepared.chosen, wanted.charges)
    cells = starting_cells(folder, wanted.start, wanted.minima)
    jobs = calculation_jobs(cells, charges, select=wanted.select, order=wanted.order)
    in_run = output is None or not source.is_dir()
    target = folder.file(INPUTS_FOLDER, settings.code) if in_run else Path(str(output))
    host = {"formula": prepared.host.formula, "hash": prepared.host.hash, "run": str(folder.path)}
    done = write_inputs(target, jobs, settings, host)
    if prepared.host.has_vacuum and any(job.cell.charge for job in jobs):
        report_notes(["charged cells of a layer: their energy depends on the vacuum and needs a correction for it"])
    if as_json:
        say_json([{**asdict(done), "folder": str(done.folder)}])
    else:
        kept = f", {len(done.present)} were there with the same inputs" if done.present else ""
        say(f"{len(done.written)} calculations written{kept}; README.md says what is assumed", str(done.folder))


def _run(source: Path, output: Path | None, which: dict[str, Any], only: list[str] | None) -> tuple[Any, Any]:
    """The run of a folder, or the one that a host starts, with the defects that are wanted."""
    from defectgen.pipeline.prepared import PreparedRun
    from defectgen.pipeline.run import prepare
    from defectgen.pipeline.stages import start_folder
    from defectgen.run.folder import RunFolder

    changes = {"generate.only": only}
    if source.suffix.lower() != ".cif":
        given = [name for name, value in which.items() if value is not None]
        if given:
            raise ConditionError(f"{source}: its defects are there; {given[0]} can be given with a host only")
        folder = RunFolder.open(source)
        folder.require("defects")
        return PreparedRun.of_folder(RunFolder(folder.path, folder.settings.replaced(changes))), folder
    if output is None:
        raise ConditionError(f"{source}: a host needs a folder for its run; give it with -o")
    prepared = prepare(settings_of(source, {**which, "output": output}))
    folder = start_folder(prepared)
    return PreparedRun.of_folder(RunFolder(folder.path, folder.settings.replaced(changes))), folder


def _pairs(given: list[str] | None) -> dict[str, str]:
    """Names by element.

    Raises:
        ConditionError: a text is no pair.
    """
    pairs = {}
    for text in several(given) or []:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise ConditionError(f"--pseudopotential {text!r}: give ELEMENT=NAME, such as Mg=Mg.pbe.UPF")
        pairs[name.strip()] = value.strip()
    return pairs


def _charges(given: list[str] | None) -> dict[str, tuple[int, ...]]:
    """Charges by name of a defect, each option one defect.

    Raises:
        ConditionError: a text is no such list.
    """
    found = {}
    for text in given or []:
        name, equals, values = text.rpartition("=")
        try:
            found[name.strip()] = tuple(dict.fromkeys(int(part) for part in values.split(",")))
        except ValueError:
            equals = ""
        if not (equals and name):
            raise ConditionError(f"--charges {text!r}: give a defect and whole charges, such as v_O=0,1,2")
    return found
