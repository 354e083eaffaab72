"""The command line: one command a stage, `run` for all of them, errors in one line with exit code 2."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from augment.errors import DefectgenError, ResumeError, StoppedError
from defectgen.cli.commands.bench import bench_command
from defectgen.cli.commands.defects import defects_command
from defectgen.cli.commands.dft.inputs import inputs_command
from defectgen.cli.commands.dft.label import label_command
from defectgen.cli.commands.distill import distill_command
from defectgen.cli.commands.energetics.levels import levels_command
from defectgen.cli.commands.energetics.thermo import thermo_command
from defectgen.cli.commands.export import export_command
from defectgen.cli.commands.generate import generate_command
from defectgen.cli.commands.image import image_command
from defectgen.cli.commands.learning.improve import improve_command
from defectgen.cli.commands.learning.train import train_command
from defectgen.cli.commands.md import md_command
from defectgen.cli.commands.planar import planar_command
from defectgen.cli.commands.potentials import potentials_app, potentials_command
from defectgen.cli.commands.search import search_command
from defectgen.cli.commands.solutions.impurities import impurities_command
from defectgen.cli.commands.validate import clean_command, validate_command
from defectgen.cli.options import (
    BlockOption,
    BulkOption,
    DeviceOption,
    DispersionOption,
    DistanceOption,
    DopantsOption,
    FolderArgument,
    JsonOption,
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
    potential_changes,
    say,
    say_json,
    settings_of,
    show,
)
from defectgen.cli.stage import run_stage
from defectgen.cli.version import version_lines

PROGRAM = "defectgen"

INTERRUPTED = 130
"""Exit code of a command that was interrupted, as shells have it."""

app = typer.Typer(
    name=PROGRAM,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    add_completion=True,
)


def run_command(
    what: Annotated[
        Path, typer.Argument(metavar="HOST.cif|SETTINGS.yaml", help="CIF of the host crystal, or settings")
    ],
    output: OutputOption = None,
    dopant: DopantsOption = None,
    min_image_distance: DistanceOption = None,
    max_atoms: MaxAtomsOption = None,
    max_voids: MaxVoidsOption = None,
    bulk: BulkOption = False,
    slab: SlabOption = None,
    potential: PotentialOption = None,
    dispersion: DispersionOption = None,
    device: DeviceOption = None,
    trust_model: TrustOption = False,
    seed: SeedOption = None,
    workers: WorkersOption = None,
    block: BlockOption = None,
    budget: Annotated[str | None, typer.Option("--budget", help="time that it may take: 10min, 2h, none")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what it would make, and make nothing")] = False,
) -> None:
    """From a host CIF to a report: defects, generation, relaxation, dynamics, dataset."""
    from defectgen.pipeline.run import dry_run_lines, run_pipeline

    changes = {
        **defect_changes(dopant, min_image_distance, max_atoms, max_voids, block),
        **layer_changes(bulk, slab),
        "output": output,
        **potential_changes(potential, dispersion, trust_model),
        "potential.device": device,
        "seed": seed,
        "workers": workers,
        "budget": budget,
    }
    settings = settings_of(what, changes)
    if dry_run:
        say(*dry_run_lines(settings))
    else:
        say(f"report: {run_pipeline(settings)}")


def init_command(
    path: Annotated[Path, typer.Argument(metavar="SETTINGS.yaml", help="file to write")] = Path("settings.yaml"),
    host: Annotated[Path, typer.Option("--host", metavar="HOST.cif", help="CIF of the host crystal")] = Path(
        "host.cif"
    ),
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
    fmax: Annotated[float | None, typer.Option("--fmax", metavar="eV/Å", help="force at convergence")] = None,
    max_steps: Annotated[int | None, typer.Option("--max-steps", help="most steps of a relaxation or a point")] = None,
    max_defects: Annotated[int | None, typer.Option("--max-defects", help="only the first so many defects")] = None,
    device: DeviceOption = None,
    workers: WorkersOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
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
    done = run_stage(folder, "relax", relax_stage, changes, overwrite, quiet=as_json)
    rows = done.read_lines("relax/summary.jsonl")
    if as_json:
        say_json(rows)
    else:
        show(relax_table(rows))


def report_command(
    folder: FolderArgument,
    pdf: Annotated[bool, typer.Option("--pdf", help="print it as PDF too, with an installed Chromium")] = False,
) -> None:
    """Write the report of a run folder again."""
    from defectgen.report import write_pdf, write_report
    from defectgen.run.folder import RunFolder

    RunFolder.open(folder)
    page = write_report(folder)
    say(f"report: {page}")
    if pdf:
        say(f"report: {write_pdf(page)}")


def doctor_command(as_json: JsonOption = False) -> None:
    """Say what is installed, what can be used here, and what to do about the rest."""
    from defectgen.cli.commands.doctor import diagnose, doctor_table

    checks = diagnose()
    if as_json:
        say_json(asdict(check) for check in checks)
    else:
        show(doctor_table(checks))


@app.callback(invoke_without_command=True)
def about(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="print the version and exit")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="with --version: the libraries, and the potentials with their hashes")
    ] = False,
) -> None:
    """Real crystals: symmetry-distinct defects, their relaxed and thermal structures, their response."""
    if version:
        say(*version_lines(verbose=verbose))
        raise typer.Exit
    if context.invoked_subcommand is None:
        say(context.get_help())
        raise typer.Exit(2)


_COMMANDS: dict[str, tuple[tuple[Callable[..., None], str], ...]] = {
    "Everything in a row": (
        (run_command, "run MgO.cif -o out --dopant Al"),
        (init_command, "init settings.yaml"),
    ),
    "Crystals and defects": (
        (defects_command, "defects MgO.cif --dopant Al"),
        (impurities_command, "impurities CeO2.cif --concentration Gd_Ce=0.25 --compensate v_O"),
        (planar_command, "planar MgO.cif --surface 1,1,0"),
    ),
    "Structures and their response": (
        (generate_command, "generate MgO.cif --defect v_O -n 4 -o out"),
        (search_command, "search MgO.cif --defect O_i_Td -o out"),
        (relax_command, "relax out"),
        (md_command, "md out --temperature 300,900 --pressure 0,10"),
        (thermo_command, "thermo out --temperature 900,1200"),
    ),
    "Calculations of electrons": (
        (inputs_command, "inputs out --code vasp --select 50"),
        (label_command, "label out --from out/inputs/vasp"),
        (levels_command, "levels out --dielectric 9.8 --limits limits.json"),
    ),
    "Datasets and reports": (
        (export_command, "export out1 out2 -o dataset --license CC-BY-4.0"),
        (validate_command, "validate train.extxyz -o findings.html"),
        (clean_command, "clean dataset -o cleaned"),
        (report_command, "report out --pdf"),
        (image_command, "image out --kind stem,xrd"),
    ),
    "Models and potentials": (
        (potentials_command, "potentials --time"),
        (distill_command, "distill MgO.cif --dopant Al"),
        (train_command, "train out -o model"),
        (improve_command, "improve out --teacher chgnet-r2scan -o improved"),
        (bench_command, "bench -g default -g my:generator"),
        (doctor_command, "doctor"),
    ),
}
"""The commands by what they are for, each with an example."""

_APPS: dict[str, typer.Typer] = {}
"""Each command alone, by its name."""

for _panel, _group in _COMMANDS.items():
    for _command, _example in _group:
        _name, _epilog = _command.__name__.removesuffix("_command"), f"Example: defectgen {_example}"
        if _command is potentials_command:
            app.add_typer(potentials_app, name=_name, rich_help_panel=_panel, epilog=_epilog)
            _APPS[_name] = potentials_app
        else:
            app.command(_name, rich_help_panel=_panel, epilog=_epilog)(_command)
            _APPS[_name] = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
            _APPS[_name].command(_name, epilog=_epilog)(_command)


def _run(words: Sequence[str]) -> None:
    """Run what the command line says; a command that is named first is built alone, which halves the time of --help."""
    if words and words[0] in _APPS:
        _APPS[words[0]](args=list(words[1:]), prog_name=f"{PROGRAM} {words[0]}")
    else:
        app(prog_name=PROGRAM)


def main() -> None:
    """Entry point: user errors become one line on the standard error stream and exit code 2."""
    try:
        _run(sys.argv[1:])
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
