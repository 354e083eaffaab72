"""The command that trains the diffusion model on run folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from augment.errors import ConditionError
from defectgen.cli.options import (
    DeviceOption,
    JsonOption,
    OutputOption,
    SeedOption,
    StepsOption,
    WorkersOption,
    say,
    show,
)

if TYPE_CHECKING:
    from defectgen.fine_tuning import TrainedModel

RunsArgument = Annotated[list[Path], typer.Argument(metavar="RUN...", help="run folder; several train one model")]
FromModelOption = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="FOLDER|FILE",
        help="where it comes from; the model to start from, also by name, and none for a new network",
    ),
]
ShareOption = Annotated[
    float, typer.Option("--test-share", metavar="FRACTION", help="share of the defects that is only measured on")
]


def train_command(
    runs: RunsArgument,
    output: OutputOption = None,
    start: FromModelOption = "default",
    steps: StepsOption = None,
    held_out: ShareOption = 0.2,
    device: DeviceOption = None,
    seed: SeedOption = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the diffusion model on the relaxed defects of runs; some are held out first and measured on."""
    from defectgen.fine_tuning import FineTuneSettings, train_on_runs
    from defectgen.run.progress import progress

    if output is None:
        raise ConditionError("a trained model needs a folder of its own; give it with -o")
    asked: dict[str, Any] = {"start": start, "steps": steps, "held_out": held_out, "seed": seed}
    settings = FineTuneSettings(**{name: value for name, value in asked.items() if value is not None})
    made = train_on_runs(
        runs, output, settings, device=None if device in (None, "auto") else device, workers=workers or 2,
        stage=progress,
    )  # fmt: skip
    if made.card:  # the other processes of torchrun have none
        _report(made, as_json=as_json)


def _report(made: TrainedModel, *, as_json: bool) -> None:
    from defectgen.cli.tables import held_out_table
    from defectgen.run.progress import report_notes

    report_notes([f"left out: {line}" for run in made.card["runs"] for line in run["left_out"]])
    if as_json:
        say(json.dumps({"model": str(made.folder), **made.card}))
        return
    show(held_out_table(made.errors))
    if made.card["kept_step"] == 0:
        say("learning did not help on the defects that choose: the weights are those it started from")
    say(f"model: {made.folder}")
