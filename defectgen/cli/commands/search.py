"""The command that searches the low-lying minima of defects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from augment.errors import ConditionError
from defectgen.cli.listing import PoscarOption
from defectgen.cli.options import (
    BlockOption,
    BulkOption,
    DefectNamesOption,
    DispersionOption,
    DistanceOption,
    DopantsOption,
    JsonOption,
    MaxAtomsOption,
    MaxVoidsOption,
    ModelOption,
    OutputOption,
    OverwriteOption,
    PotentialOption,
    RunOrHostArgument,
    SeedOption,
    SlabOption,
    TrustOption,
    WorkersOption,
    defect_changes,
    layer_changes,
    potential_changes,
    say,
    settings_of,
    several,
    show,
)

EvaluationsOption = Annotated[
    int | None, typer.Option("--evaluations", help="force evaluations for each defect, about; 400 by default")
]
SecondOption = Annotated[
    list[str] | None,
    typer.Option("--second", metavar="NAME,...", help="potentials that evaluate every minimum once, to compare"),
]
WindowOption = Annotated[
    float | None, typer.Option("--window", metavar="eV", help="energy above the lowest up to which minima are kept")
]
BarrierOption = Annotated[
    bool,
    typer.Option("--barrier", help="barriers from the ideal geometry to the minima, some hundred evaluations each"),
]
KeepOption = Annotated[int | None, typer.Option("--keep", help="most minima of a defect that are written")]

DEFAULT_EVALUATIONS = 400


def search_command(
    source: RunOrHostArgument,
    defect: DefectNamesOption = None,
    evaluations: EvaluationsOption = None,
    window: WindowOption = None,
    second: SecondOption = None,
    keep: KeepOption = None,
    barrier: BarrierOption = False,
    model: ModelOption = None,
    poscar: PoscarOption = None,
    dopant: DopantsOption = None,
    min_image_distance: DistanceOption = None,
    max_atoms: MaxAtomsOption = None,
    max_voids: MaxVoidsOption = None,
    bulk: BulkOption = False,
    slab: SlabOption = None,
    potential: PotentialOption = None,
    dispersion: DispersionOption = None,
    trust_model: TrustOption = False,
    workers: WorkersOption = None,
    seed: SeedOption = None,
    output: OutputOption = None,
    overwrite: OverwriteOption = False,
    block: BlockOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search all low-lying minima of defects: many starts, symmetry broken on purpose, lowest first."""
    from augment.exchange import write_poscars
    from defectgen.pipeline.search_stage import MINIMA, SUMMARY
    from defectgen.run.folder import RunFolder
    from md.labels.record import read_records

    asked = {
        "search.only": several(defect),
        "search.evaluations": evaluations,
        "search.window": window,
        "search.keep": keep,
        "search.barrier": barrier or None,
        "search.second": several(second),
        "search.model": model,
        "workers": workers,
        **potential_changes(potential, dispersion, trust_model),
    }
    which = defect_changes(dopant, min_image_distance, max_atoms, max_voids, block) | layer_changes(bulk, slab)
    if source.is_dir():
        given = [name for name, value in which.items() if value is not None]
        if given:
            raise ConditionError(f"{source}: its defects are there; {given[0]} can be given with a host only")
        folder = _in_run(source, asked, overwrite=overwrite)
    elif output is None:
        raise ConditionError(f"{source}: a host needs a folder to write to; give it with -o")
    else:
        folder = _from_host(source, {**asked, **which, "seed": seed}, output)
    rows = RunFolder.open(folder).read_lines(SUMMARY)
    if poscar is not None:
        write_poscars(poscar, (record.cell for record in read_records(folder.joinpath(*MINIMA))))
    _report(rows, folder, as_json=as_json)


def _report(rows: list[dict[str, Any]], folder: Path, *, as_json: bool) -> None:
    from defectgen.cli.tables import minima_table

    if as_json:
        for row in rows:
            say(json.dumps(row))
        return
    for row in rows:
        show(*minima_table(row))
    say(f"{folder / 'search'}")


def _in_run(source: Path, asked: dict[str, Any], *, overwrite: bool) -> Path:
    """Search defects of a run."""
    from defectgen.cli.stage import run_stage
    from defectgen.pipeline.search_stage import search_stage
    from defectgen.run.folder import RunFolder

    if RunFolder.open(source).settings.search.evaluations is None and asked["search.evaluations"] is None:
        asked["search.evaluations"] = DEFAULT_EVALUATIONS
    run_stage(source, "search", search_stage, asked, overwrite, quiet=True)
    return source


def _from_host(source: Path, changes: dict[str, Any], output: Path) -> Path:
    """Start a run and search its defects, or go on with it."""
    from defectgen.pipeline.checks import check_engines
    from defectgen.pipeline.run import prepare
    from defectgen.pipeline.search_stage import check_search, search_stage
    from defectgen.pipeline.stages import start_folder
    from defectgen.run.progress import report_notes, report_stage_end

    changes["search.evaluations"] = changes["search.evaluations"] or DEFAULT_EVALUATIONS
    prepared = prepare(settings_of(source, {**changes, "output": output}))
    check_search(prepared)
    check_engines(prepared)
    report_notes([*prepared.notes, *prepared.potential_notes])
    folder = start_folder(prepared)
    with folder.locked():
        if not folder.finished("search"):
            search_stage(prepared, folder)
        report_stage_end("search", folder.times["search"])
    return output
