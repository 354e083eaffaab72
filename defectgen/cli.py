"""The command line: one command a stage, `run` for all of them, errors in one line with exit code 2."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from augment.errors import ConditionError, DefectgenError, ResumeError

app = typer.Typer(
    name="defectgen",
    help="Real crystals: symmetry-distinct defects, their relaxed and thermal structures, their response.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Cif = Annotated[Path, typer.Argument(metavar="HOST.cif", help="CIF of the host crystal")]
Folder = Annotated[Path, typer.Argument(metavar="RUN", help="folder of the run")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="folder to write")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object a line")]
Seed = Annotated[int | None, typer.Option("--seed", help="seed of everything random")]
Workers = Annotated[int | None, typer.Option("--workers", help="processes; results do not depend on it")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace this stage, and drop those after it")]
Dopants = Annotated[
    list[str] | None, typer.Option("--dopant", help="element to substitute and insert; repeat for more")
]
Distance = Annotated[float | None, typer.Option("--min-image-distance", help="between a defect and its image, Å")]
MaxAtoms = Annotated[int | None, typer.Option("--max-atoms", help="most atoms in the supercell")]
MaxVoids = Annotated[int | None, typer.Option("--max-voids", help="interstitial sites to fill, widest first")]
PotentialName = Annotated[str | None, typer.Option("--potential", help="auto, chgnet, mace-mgo or a MACE .model file")]
Trust = Annotated[bool, typer.Option("--trust-model", help="a .model file is a pickle and can run code: trust it")]


@app.command()
def run(
    what: Annotated[Path, typer.Argument(metavar="HOST.cif|SETTINGS.yaml", help="host crystal, or settings")],
    output: Output = None,
    dopant: Dopants = None,
    min_image_distance: Distance = None,
    max_atoms: MaxAtoms = None,
    max_voids: MaxVoids = None,
    potential: PotentialName = None,
    trust_model: Trust = False,
    seed: Seed = None,
    workers: Workers = None,
) -> None:
    """From a host CIF to a report: defects, generation, relaxation, dynamics, dataset."""
    from defectgen.pipeline import run as run_pipeline

    changes = {
        **_defect_changes(dopant, min_image_distance, max_atoms, max_voids),
        "output": output,
        "potential.name": potential,
        "potential.trust": trust_model or None,
        "seed": seed,
        "workers": workers,
    }
    _say(f"report: {run_pipeline(_settings(what, changes))}")


@app.command()
def init(
    path: Annotated[Path, typer.Argument(metavar="SETTINGS.yaml")] = Path("settings.yaml"),
    host: Annotated[Path, typer.Option("--host", help="CIF to write into it")] = Path("host.cif"),
) -> None:
    """Write a commented YAML with every setting of `run`."""
    from defectgen.config import Settings, to_yaml

    if path.exists():
        raise ResumeError(f"{path}: exists already; name another file")
    from augment.store import write_atomically

    write_atomically(path, to_yaml(Settings(host=host, output=Path("out") / host.stem)).encode())
    _say(f"{path}: edit it, then `defectgen run {path}`")


@app.command()
def defects(
    host: Cif,
    output: Output = None,
    dopant: Dopants = None,
    min_image_distance: Distance = None,
    max_atoms: MaxAtoms = None,
    max_voids: MaxVoids = None,
    as_json: Json = False,
    seed: Seed = None,
) -> None:
    """List the symmetry-distinct point defects of a host; with -o, start a run folder with them."""
    from defectgen.stages import build_defects, start_folder

    changes = _defect_changes(dopant, min_image_distance, max_atoms, max_voids)
    settings = _settings(host, {**changes, "output": output, "seed": seed})
    found = build_defects(settings)
    if output is not None:
        start_folder(settings)
    if as_json:
        for defect in found:
            _say(json.dumps(defect.to_dict()))
    else:
        from defectgen.tables import defect_table

        _print(*defect_table(found))


@app.command()
def generate(
    source: Annotated[Path, typer.Argument(metavar="RUN|HOST.cif", help="run folder, or a host to start one")],
    defect: Annotated[list[str] | None, typer.Option("--defect", help="defect to take (name); repeat for more")] = None,
    subgroup: Annotated[
        list[str] | None, typer.Option("--subgroup", help="full, 1, or a symbol; repeat for more")
    ] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="K")] = None,
    pressure: Annotated[float | None, typer.Option("--pressure", help="GPa")] = None,
    samples: Annotated[int | None, typer.Option("-n", "--samples", help="per defect and subgroup")] = None,
    potential: PotentialName = None,
    trust_model: Trust = False,
    seed: Seed = None,
    output: Output = None,
    overwrite: Overwrite = False,
) -> None:
    """Propose relaxed or thermal geometries with the diffusion model."""
    from defectgen.stages import check_conditions, generate_stage, start_folder

    changes = {
        "generate.only": defect or None,
        "generate.subgroups": subgroup or None,
        "generate.temperature": temperature,
        "generate.pressure": pressure,
        "generate.samples": samples,
        "potential.name": potential,
        "potential.trust": trust_model or None,
    }
    if source.is_dir():
        _stage(source, "generate", generate_stage, changes, overwrite)
        return
    if output is None:
        raise ConditionError(f"{source}: a host needs a folder to write to; give it with -o")
    settings = _settings(source, {**changes, "seed": seed, "output": output})
    check_conditions(settings)
    folder = start_folder(settings)
    with folder.locked():
        if not folder.finished("generate"):
            generate_stage(folder)
    _say(f"{output / 'generate'}")


@app.command()
def relax(
    folder: Folder,
    fmax: Annotated[float | None, typer.Option("--fmax", help="force at convergence, eV/Å")] = None,
    max_steps: Annotated[int | None, typer.Option("--max-steps", help="most steps of a relaxation")] = None,
    max_defects: Annotated[int | None, typer.Option("--max-defects", help="relax the first so many defects")] = None,
    workers: Workers = None,
    overwrite: Overwrite = False,
) -> None:
    """Relax the proposals of a run folder with its potential."""
    from defectgen.stages import relax_stage

    changes = {"relax.fmax": fmax, "relax.max_steps": max_steps, "relax.max_defects": max_defects, "workers": workers}
    _stage(folder, "relax", relax_stage, changes, overwrite)


@app.command()
def md(
    folder: Folder,
    temperature: Annotated[str | None, typer.Option("--temperature", help="K, by commas: 300,900")] = None,
    pressure: Annotated[str | None, typer.Option("--pressure", help="GPa, by commas: 0,10")] = None,
    ensemble: Annotated[str | None, typer.Option("--ensemble", help="nve, nvt or npt")] = None,
    engine: Annotated[str | None, typer.Option("--engine", help="ase, lammps, or both by a comma")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="steps per point")] = None,
    timestep: Annotated[float | None, typer.Option("--timestep", help="fs")] = None,
    max_cells: Annotated[
        int | None, typer.Option("--max-cells", help="probe the pristine cell and the first defects")
    ] = None,
    as_json: Json = False,
    workers: Workers = None,
    overwrite: Overwrite = False,
) -> None:
    """Run the relaxed cells of a run folder at a grid of temperatures and pressures."""
    from defectgen.stages import md_stage

    changes = {
        "md.temperatures": _numbers(temperature, "--temperature"),
        "md.pressures": _numbers(pressure, "--pressure"),
        "md.ensemble": ensemble,
        "md.engines": engine.split(",") if engine else None,
        "md.steps": steps,
        "md.timestep": timestep,
        "md.max_cells": max_cells,
        "workers": workers,
    }
    opened = _stage(folder, "md", md_stage, changes, overwrite, quiet=as_json)
    if as_json:
        for row in opened.read_lines("md/summary.jsonl"):
            _say(json.dumps(row))


@app.command()
def export(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="run folders to join")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="folder of the dataset")] = None,
    seed: Annotated[int, typer.Option("--seed", help="of the split by host")] = 0,
) -> None:
    """Export relaxed cells and trajectories as extended XYZ with MACE keys, split by host."""
    from defectgen.export import export_dataset
    from defectgen.run_folder import RunFolder

    for folder in folders:
        RunFolder.open(folder).require("relax")
    target = output or folders[0] / "export"
    if output is None and len(folders) > 1:
        raise ConditionError("several run folders need a folder for the dataset; give it with -o")
    export_dataset(folders, target, seed=seed)
    _say(f"{target}")


@app.command()
def report(folder: Folder) -> None:
    """Write the report of a run folder again."""
    from defectgen.report import write_report
    from defectgen.run_folder import RunFolder

    RunFolder.open(folder)
    _say(f"report: {write_report(folder)}")


@app.command()
def doctor() -> None:
    """Say what is installed, what can be used here, and what to do about the rest."""
    from defectgen.doctor import diagnose, doctor_table

    _print(doctor_table(diagnose()))


def _defect_changes(
    dopants: list[str] | None, distance: float | None, max_atoms: int | None, max_voids: int | None
) -> dict[str, Any]:
    """Settings of the defects stage that the command line gives."""
    return {
        "defects.dopants": dopants or None,
        "defects.min_image_distance": distance,
        "defects.max_atoms": max_atoms,
        "defects.max_voids": max_voids,
    }


def _settings(what: Path, changes: dict[str, Any]) -> Any:
    """Settings of a YAML file or of a CIF with defaults, with the command line's changes."""
    from defectgen.config import Settings, read_settings

    if what.suffix.lower() in {".yaml", ".yml"}:
        settings = read_settings(what)
    else:
        settings = Settings(host=what, output=Path("out") / what.stem)
    return settings.replaced(changes)


def _stage(
    path: Path, stage: str, function: Any, changes: dict[str, Any], overwrite: bool, *, quiet: bool = False
) -> Any:
    """Run one stage in a run folder with some settings changed; the folder."""
    from defectgen.run_folder import RunFolder
    from defectgen.stages import check_environments

    folder = RunFolder.open(path)
    # Before anything of the folder is replaced.
    check_environments(folder.settings.replaced(changes))
    with folder.locked():
        folder = folder.with_changes(stage, changes, overwrite=overwrite)
        if folder.finished(stage):
            if not quiet:
                _say(f"{stage} has finished already; --overwrite runs it again")
        else:
            function(folder)
            if not quiet:
                _say(f"{path / stage}")
    return folder


def _numbers(text: str | None, option: str) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ConditionError(f"{option} {text!r}: give numbers separated by commas, such as 300,900") from None


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _print(*renderables: Any) -> None:
    from rich.console import Console

    console = Console()
    for renderable in renderables:
        console.print(renderable)


def main() -> None:
    """Entry point: user errors become one line on the standard error stream and exit code 2."""
    try:
        app()
    except DefectgenError as error:
        sys.stderr.write(f"defectgen: {' '.join(str(error).split())}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("defectgen: stopped; the same command goes on from here\n")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        sys.stderr.write(f"defectgen: {error.filename or ''}: {error.strerror}; finished work is kept\n")
        sys.exit(2)
