"""The command for dynamics: the relaxed cells of a run folder, or any structures, at temperatures and pressures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from augment.elements import elements_of
from augment.errors import ConditionError
from defectgen.cli.options import (
    BlockOption,
    BulkOption,
    DeviceOption,
    DispersionOption,
    JsonOption,
    OutputOption,
    OverwriteOption,
    PotentialOption,
    SeedOption,
    SourcesArgument,
    StepsOption,
    TrustOption,
    WorkersOption,
    layer_changes,
    numbers,
    potential_changes,
    say,
    show,
)
from defectgen.cli.stage import run_stage

ALL_DIVERGED = 1
"""Exit code where every point diverged: their rows are written, and there is nothing in them to use."""

TemperaturesOption = Annotated[
    str | None,
    typer.Option(
        "--temperature", metavar="K,...", help="temperature; 300,900, or schedules: ramp(300,900,5ps)+quench(300)"
    ),
]
PressuresOption = Annotated[
    str | None,
    typer.Option("--pressure", metavar="GPa,...", help="pressure; 0,10, schedules, or components xx/yy/zz/yz/xz/xy"),
]
EnsembleOption = Annotated[
    str | None,
    typer.Option(
        "--ensemble", help="what is held; nve, nvt, npt, npt-aniso (axes), npt-full (all strains), npt-plane (layers)"
    ),
]
TensionsOption = Annotated[
    str | None,
    typer.Option(
        "--tension",
        metavar="N/m,...",
        help="of a layer in npt-plane, positive where it is pulled; 0,5, or schedules",
    ),
]
StrainOption = Annotated[
    str | None,
    typer.Option(
        "--strain-rate", metavar="AXIS:1/ps", help="strain along an axis; a:0.001, with npt-aniso, nvt or nve"
    ),
]

EnginesOption = Annotated[
    str | None,
    typer.Option("--engine", metavar="ENGINE,...", help="lammps, ase or batched; of several the others check"),
]
CheckOption = Annotated[
    str | None,
    typer.Option("--check", help="engine that repeats the first point with another seed; or none, as for files"),
]
TrajectoryOption = Annotated[
    str | None, typer.Option("--trajectory", help="write each point's frames too; extxyz, traj (ASE) or dump (LAMMPS)")
]
TimestepOption = Annotated[
    float | None, typer.Option("--timestep", metavar="fs", help="time step; by the lightest atom without it")
]
CellsOfRunOption = Annotated[
    int | None,
    typer.Option("--max-cells", help="only the first so many cells of a run; the pristine one is the first"),
]
ShardOption = Annotated[
    str | None, typer.Option("--shard", metavar="I/N", help="do one share of the points; 0/N to (N-1)/N")
]


PrecisionOption = Annotated[
    str | None,
    typer.Option(
        "--precision",
        help="errors at which a point ends: of volume, relative, and of energy, eV/atom: 0.001,0.002",
    ),
]


def md_command(
    sources: SourcesArgument,
    temperature: TemperaturesOption = None,
    pressure: PressuresOption = None,
    ensemble: EnsembleOption = None,
    tension: TensionsOption = None,
    strain: StrainOption = None,
    engine: EnginesOption = None,
    check: CheckOption = None,
    steps: StepsOption = None,
    precision: PrecisionOption = None,
    max_steps: Annotated[int | None, typer.Option("--max-steps", help="most steps of a relaxation or a point")] = None,
    timestep: TimestepOption = None,
    sample: Annotated[int | None, typer.Option("--sample", metavar="STEPS", help="steps between stored frames")] = None,
    max_cells: CellsOfRunOption = None,
    seed: SeedOption = None,
    potential: PotentialOption = None,
    dispersion: DispersionOption = None,
    device: DeviceOption = None,
    trust_model: TrustOption = False,
    output: OutputOption = None,
    shard: ShardOption = None,
    deck: Annotated[bool, typer.Option("--deck", help="write input for your own LAMMPS; nothing is run")] = False,
    trajectory: TrajectoryOption = None,
    bulk: BulkOption = False,
    block: BlockOption = None,
    as_json: JsonOption = False,
    workers: WorkersOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Run cells at a grid of temperatures and pressures; an interrupted run goes on where it stopped.

    Points that diverge are rows like others; where all of them do, the exit code is 1.
    """
    from md.conditions.schedule_text import split_list

    written = _trajectory_writer(trajectory)
    changes = {
        "md.temperatures": None if temperature is None else split_list(temperature),
        "md.pressures": _pressures(pressure, ensemble),
        "md.ensemble": ensemble,
        "md.tensions": None if tension is None else split_list(tension),
        "md.strain": strain,
        "md.engines": None if engine is None else [name.strip() for name in engine.split(",")],
        "md.check": check,
        **_length(steps, precision, max_steps),
        "md.timestep": timestep,
        "md.sample": sample,
        "md.max_cells": max_cells,
        "potential.device": device,
        "workers": workers,
    }
    if len(sources) == 1 and sources[0].is_dir():
        given = {"seed": seed, "potential": potential, "dispersion": dispersion, "output": output, "shard": shard}
        _refuse_options_of_files(sources[0], **given, bulk=bulk or None, block=block)
        rows = _run_folder(sources[0], changes, overwrite, quiet=as_json)
        written(sources[0] / "md")
    else:
        chosen = potential_changes(potential, dispersion, trust_model)
        changes |= {**chosen, **layer_changes(bulk, None), "md.check": check or "none", "seed": seed}
        rows = _files(sources, changes, block, output, shard, deck=deck)
        written(None if deck else output)
    _print(rows, as_json=as_json)


def _length(steps: int | None, precision: str | None, max_steps: int | None) -> dict[str, Any]:
    """Settings of how long a point runs; the command line says it in one way."""
    errors = numbers(precision, "--precision") or []
    if steps is not None and (errors or max_steps is not None):
        raise ConditionError(
            "--steps says how long points run, --precision and --max-steps let errors say it; give one"
        )
    if len(errors) > 2:  # noqa: PLR2004  volume and energy
        raise ConditionError(f"--precision {precision!r}: give one or two numbers, of the volume and of the energy")
    by_errors = bool(errors) or max_steps is not None
    of_volume, of_energy, *_ = [*errors, None, None]
    values = {"precision": of_volume, "energy_precision": of_energy, "max_steps": max_steps}
    return {"md.steps": "none" if by_errors else steps, **{f"md.{name}": value for name, value in values.items()}}


def _pressures(given: str | None, ensemble: str | None) -> list[str] | None:
    """The pressures of the command line: none to hold where an ensemble without a barostat is requested."""
    from md.conditions.schedule_text import split_list

    if given is not None:
        return split_list(given)
    return ["0"] if ensemble in {"nve", "nvt", "npt-plane"} else None


def _trajectory_writer(kind: str | None) -> Callable[[Path | None], object]:
    """What writes the trajectories of the points in a folder into it; nothing where no format is requested."""
    if kind is None:
        return lambda _folder: None
    from defectgen.dataset.trajectory import check_format, write_trajectories

    chosen = check_format(kind)

    def write(folder: Path | None) -> None:
        if folder is not None:
            points = folder / "points"
            write_trajectories(points if points.is_dir() else folder, folder / "trajectories", chosen)

    return write


def _refuse_options_of_files(folder: Path, **given: object) -> None:
    """A run folder has these from the settings it began with."""
    for name, value in given.items():
        if value is not None:
            raise ConditionError(f"--{name} is for structure files; {folder} goes on as it began")


def _run_folder(folder: Path, changes: dict[str, Any], overwrite: bool, *, quiet: bool) -> list[dict[str, Any]]:
    from defectgen.pipeline.stages import md_stage

    opened = run_stage(folder, "md", md_stage, changes, overwrite, quiet=quiet)
    rows: list[dict[str, Any]] = opened.read_lines("md/summary.jsonl")
    return rows


def _files(
    paths: list[Path],
    changes: dict[str, Any],
    block: str | None,
    output: Path | None,
    shard: str | None,
    *,
    deck: bool,
) -> list[dict[str, Any]]:
    """Run the structures of files in a folder: a file a point, and the rows in summary.jsonl where all are done."""
    from defectgen.pipeline.md_grid import empty_cells, md_points, run_points, timestep_lines, vacuum_note, with_check
    from defectgen.run.folder import IDENTITY
    from defectgen.run.progress import report_notes
    from defectgen.run.settings import Settings
    from defectgen.run.structure_files import read_structure_files, write_rows
    from md.jobs.sweep import Shard
    from md.observables import curves, summary
    from md.potentials import resolve_potential

    if output is None:
        raise ConditionError("structure files need a folder to write to; give it with -o")
    if (output / IDENTITY).is_file():
        raise ConditionError(f"{output}: belongs to a run of `defectgen run`; give another folder with -o")
    settings = Settings(host=paths[0], output=output).replaced(changes)
    part = None if shard is None else Shard.parse(shard)
    structures = read_structure_files(paths, block)
    cells = [structure.cell for structure in structures]
    symbols = elements_of(z for cell in cells for z in cell.numbers)
    empty = empty_cells(settings, cells)
    points = []
    for structure, vacuum in zip(structures, empty, strict=True):
        points += md_points(settings, [structure.cell], {structure.cell.name: structure.atoms}, vacuum=vacuum)
    points = with_check(settings, points)
    potential = resolve_potential(settings.potential.spec, symbols, trust=settings.potential.trust, like=cells[0])
    report_notes(line for structure in structures for line in structure.lines)
    report_notes(vacuum_note(cell.name, settings) for cell, vacuum in zip(cells, empty, strict=True) if vacuum)
    report_notes(timestep_lines(settings, points))
    if deck:
        return _decks(points, potential, output)
    device = settings.potential.device
    responses = run_points(points, potential, output, workers=settings.workers, device=device, shard=part)
    rows = [summary(response) for response in responses]
    if part is None:
        write_rows(output / "curves.jsonl", [curves(response) for response in responses])
        write_rows(output / "summary.jsonl", rows)
    return rows


def _decks(points: list[Any], potential: Any, output: Path) -> list[dict[str, Any]]:
    from md.dynamics import write_deck

    for point, cell in points:
        say(str(write_deck(point, cell, potential, output / point.label.replace(" ", "_"))))
    return []


def _print(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print a line a point, and end with a code of its own where all of them diverged."""
    if as_json:
        for row in rows:
            say(json.dumps(row))
    elif rows:
        from defectgen.cli.tables import md_table
        from defectgen.report.response.engine_checks import check_lines

        show(md_table(rows), *check_lines(rows))
    if rows and all(row["status"] == "diverged" for row in rows):
        raise typer.Exit(ALL_DIVERGED)
