"""The command that makes datasets of runs and of other datasets."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from augment.errors import ConditionError, StoppedError
from defectgen.cli.options import JsonOption, MaxForceOption, NearOption, say, say_json, several, show

if TYPE_CHECKING:
    from defectgen.dataset import DatasetSettings

DatasetSourcesArgument = Annotated[
    list[Path], typer.Argument(metavar="RUN|DATASET...", help="run folders, and datasets: extended XYZ, Parquet, ASE")
]
FormatOption = Annotated[
    list[str] | None,
    typer.Option("-f", "--format", metavar="FORMAT,...", help="as what to write it; extxyz by default"),
]
WhereOption = Annotated[
    str | None, typer.Option("--where", help='only frames for which this holds; "pressure > 5 and charge == 0"')
]
SplitOption = Annotated[
    str | None,
    typer.Option(
        "--split",
        help="how train, valid and test are split; auto, host, prototype, elements, defect, trajectory or given",
    ),
]
UncoveredOption = Annotated[
    str | None,
    typer.Option("--uncovered", help="held-out groups with an element that train lacks; refuse, train or drop"),
]


def export_command(
    sources: DatasetSourcesArgument,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="where to write; a folder")] = None,
    formats: FormatOption = None,
    where: WhereOption = None,
    labelled_by: Annotated[
        str | None, typer.Option("--labelled-by", help="only frames that this potential labelled")
    ] = None,
    split: SplitOption = None,
    held_out: Annotated[
        float | None, typer.Option("--held-out", metavar="FRACTION", help="share of each of valid and test")
    ] = None,
    uncovered: UncoveredOption = None,
    seed: Annotated[int | None, typer.Option("--seed", help="seed of everything random; of the split")] = None,
    near: NearOption = None,
    thin: Annotated[bool, typer.Option("--thin", help="space frames of dynamics by their correlation time")] = False,
    max_force: MaxForceOption = None,
    min_contact: Annotated[
        float | None,
        typer.Option("--min-contact", metavar="FRACTION", help="closest atoms, as a share of their shortest contact"),
    ] = None,
    converged: Annotated[bool, typer.Option("--converged", help="leave out relaxations that did not converge")] = False,
    path_frames: Annotated[
        int | None, typer.Option("--path-frames", help="frames of the path of each relaxation")
    ] = None,
    license_: Annotated[str | None, typer.Option("--license", help="licence of the dataset; CC-BY-4.0")] = None,
    leakage: Annotated[
        bool | None, typer.Option("--leakage/--no-leakage", help="look for copies of train frames in what is held out")
    ] = None,
    append: Annotated[bool, typer.Option("--append", help="keep what the dataset holds; its split as well")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a dataset that trainers read with their defaults: chosen, split without leaks, with a card."""
    from defectgen.dataset.settings import dataset_settings

    settings = dataset_settings(
        {
            "formats": several(formats),
            "where": where,
            "potential": labelled_by,
            "split": split,
            "held_out": held_out,
            "uncovered": uncovered,
            "seed": seed,
            "near": near,
            "thin": thin or None,
            "max_force": max_force,
            "min_contact": min_contact,
            "converged": converged or None,
            "path_frames": path_frames,
            "leakage": leakage,
            "license": license_,
        }
    )
    _export(sources, output, settings, append=append, as_json=as_json)


def _export(
    sources: list[Path], output: Path | None, settings: DatasetSettings, *, append: bool, as_json: bool
) -> None:
    """Make the dataset, and say what it holds."""
    from defectgen.cli.tables import dataset_table
    from defectgen.dataset import export_dataset
    from defectgen.run.folder import RunFolder
    from defectgen.run.progress import progress, report_notes
    from md.labels.calculated import CALCULATED_RECORDS

    runs = [source for source in sources if (source / "run.json").is_file()]
    for folder in runs:
        run = RunFolder.open(folder)
        if not run.file(*CALCULATED_RECORDS.parts).is_file():
            run.require("relax", "search")
    if output is None and (len(sources) > 1 or not runs):
        raise ConditionError("a dataset of several sources, or of another dataset, needs a folder; give it with -o")
    target = output or sources[0] / "export"
    try:
        with progress("export", "frames") as report:
            manifest = export_dataset(sources, target, settings, append=append, progress=report)
    except KeyboardInterrupt:
        before = "the dataset that was there is as it was" if target.exists() else "nothing is left of it"
        raise StoppedError(f"stopped; {before}; run the command again for all of it") from None
    report_notes(manifest.notes)
    if as_json:
        say_json([asdict(manifest)])
    else:
        show(*dataset_table(manifest))
        say(f"{target}")
