"""The command line: one command a stage, `run` for all of them, errors in one line with exit code 2."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from augment.errors import DefectgenError, ResumeError, StoppedError
from defectgen.cli.bench import bench_command
from defectgen.cli.defects import defects_command
from defectgen.cli.distill import distill_command
from defectgen.cli.export import export_command
from defectgen.cli.generate import generate_command
from defectgen.cli.impurities import impurities_command
from defectgen.cli.md import md_command
from defectgen.cli.options import (
    BlockOption,
    BulkOption,
    DeviceOption,
    DistanceOption,
    DopantsOption,
    FolderArgument,
    MaxAtomsOption,
    MaxVoidsOption,
    OutputOption,
    OverwriteOption,
    PotentialOption,
    SeedOption,
    SlabOption,
    TrustOption,
    WorkersOption,
    defect_changes,
    layer_changes,
    say,
    settings_of,
    show,
)
from defectgen.cli.planar import planar_command
from defectgen.cli.potentials import potentials_command
from defectgen.cli.stage import run_stage
from defectgen.cli.validate import clean_command, validate_command

INTERRUPTED = 130
"""Exit code of a command that was interrupted, as shells have it."""

app = typer.Typer(
    name="defectgen",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def run_command(
    what: Annotated[Path, typer.Argument(metavar="HOST.cif|SETTINGS.yaml", help="host crystal, or settings")],
    output: OutputOption = None,
    dopant: DopantsOption = None,
    min_image_distance: DistanceOption = None,
    max_atoms: MaxAtomsOption = None,
    max_voids: MaxVoidsOption = None,
    bulk: BulkOption = False,
    slab: SlabOption = None,
    potential: PotentialOption = None,
    device: DeviceOption = None,
    trust_model: TrustOption = False,
    seed: SeedOption = None,
    workers: WorkersOption = None,
    block: BlockOption = None,
) -> None:
    """From a host CIF to a report: defects, generation, relaxation, dynamics, dataset."""
    from defectgen.pipeline.run import run_pipeline

    changes = {
        **defect_changes(dopant, min_image_distance, max_atoms, max_voids, block),
        **layer_changes(bulk, slab),
        "output": output,
        "potential.name": potential,
        "potential.device": device,
        "potential.trust": trust_model or None,
        "seed": seed,
        "workers": workers,
    }
    say(f"report: {run_pipeline(settings_of(what, changes))}")


def init_command(
    path: Annotated[Path, typer.Argument(metavar="SETTINGS.yaml")] = Path("settings.yaml"),
    host: Annotated[Path, typer.Option("--host", help="CIF to write into it")] = Path("host.cif"),
) -> None:
    """Write a commented YAML with every setting of `run`."""
    from defectgen.run.settings import Settings, to_yaml

    if path.exists():
        raise ResumeError(f"{path}: exists already; name another file")
    from augment.storage.archive import write_atomically

    write_atomically(path, to_yaml(Settings(host=host, output=Path("out") / host.stem)).encode())
    say(f"{path}: edit it, then `defectgen run {path}`")


def relax_command(
    folder: FolderArgument,
    fmax: Annotated[float | None, typer.Option("--fmax", help="force at convergence, eV/Å")] = None,
    max_steps: Annotated[int | None, typer.Option("--max-steps", help="most steps of a relaxation")] = None,
    max_defects: Annotated[int | None, typer.Option("--max-defects", help="relax the first so many defects")] = None,
    device: DeviceOption = None,
    workers: WorkersOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Relax the proposals of a run folder with its potential."""
    from defectgen.cli.tables import relax_table
    from defectgen.pipeline.stages import relax_stage

    changes = {
        "relax.fmax": fmax,
        "relax.max_steps": max_steps,
        "relax.max_defects": max_defects,
        "potential.device": device,
        "workers": workers,
    }
    done = run_stage(folder, "relax", relax_stage, changes, overwrite)
    show(relax_table(done.read_lines("relax/summary.jsonl")))


def report_command(folder: FolderArgument) -> None:
    """Write the report of a run folder again."""
    from defectgen.report import write_report
    from defectgen.run.folder import RunFolder

    RunFolder.open(folder)
    say(f"report: {write_report(folder)}")


def doctor_command() -> None:
    """Say what is installed, what can be used here, and what to do about the rest."""
    from defectgen.cli.doctor import diagnose, doctor_table

    show(doctor_table(diagnose()))


def _show_version(asked: bool) -> None:
    """Print the version where it is asked for, and end there."""
    if asked:
        from importlib.metadata import version

        say(f"defectgen {version('defectgen')}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Real crystals: symmetry-distinct defects, their relaxed and thermal structures, their response."""


for _command in (
    run_command,
    init_command,
    defects_command,
    impurities_command,
    planar_command,
    generate_command,
    relax_command,
    md_command,
    export_command,
    validate_command,
    clean_command,
    report_command,
    bench_command,
    distill_command,
    potentials_command,
    doctor_command,
):
    app.command(_command.__name__.removesuffix("_command"))(_command)


def main() -> None:
    """Entry point: user errors become one line on the standard error stream and exit code 2."""
    try:
        app()
    except DefectgenError as error:
        sys.stderr.write(f"defectgen: {' '.join(str(error).split())}\n")
        sys.exit(INTERRUPTED if isinstance(error, StoppedError) else 2)
    except (KeyboardInterrupt, SystemExit) as stopped:
        # Typer turns an interrupt of a command into an exit without a word.
        if isinstance(stopped, SystemExit) and stopped.code != INTERRUPTED:
            raise
        sys.stderr.write("defectgen: stopped; the same command goes on from here\n")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        sys.stderr.write(f"defectgen: {error.filename or ''}: {error.strerror}; finished work is kept\n")
        sys.exit(2)
