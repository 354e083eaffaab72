"""The command that measures generators on the frozen held-out tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from defectgen.cli.options import JsonOption, TrustOption, say, several, show

GeneratorsOption = Annotated[
    list[str] | None,
    typer.Option(
        "-g", "--generator", help="what is measured; a baseline, a model, a folder, or module:function; repeat for more"
    ),
]
TaskKindsOption = Annotated[
    list[str] | None,
    typer.Option("--kind", metavar="KIND,...", help="which kinds; symmetric, broken, free, pressed, mean, snapshot"),
]
SamplersOption = Annotated[
    list[str] | None,
    typer.Option("--sampler", help="what draws complexes; uniform, point-charges, or module:function; needs --relax"),
]


def bench_command(
    generator: GeneratorsOption = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="where to write; a folder, and to go on from")] = Path(
        "bench"
    ),
    samples: Annotated[int, typer.Option("-n", "--samples", help="how many to make; of each task")] = 4,
    seed: Annotated[int, typer.Option("--seed", help="seed of everything random")] = 0,
    subset: Annotated[str, typer.Option("--subset", help="which tasks; test, or valid while you develop")] = "test",
    tasks: Annotated[Path | None, typer.Option("--tasks", help="archive of tasks instead of the shipped one")] = None,
    kind: TaskKindsOption = None,
    limit: Annotated[
        int | None, typer.Option("--limit", help="stop after so many; tasks, of all hosts alike, for a quick look")
    ] = None,
    relax: Annotated[
        str | None, typer.Option("--relax", metavar="POTENTIAL", help="also relax some structures with this potential")
    ] = None,
    relax_cases: Annotated[int, typer.Option("--relax-cases", help="defects to relax, one of each host in turn")] = 10,
    trust_model: TrustOption = False,
    sampler: SamplersOption = None,
    complex_steps: Annotated[int, typer.Option("--complex-steps", help="steps of relaxation of each complex")] = 0,
    dft: Annotated[
        list[Path] | None, typer.Option("--dft", help="file of DFT relaxations to compare with; repeat for more")
    ] = None,
    write_tasks: Annotated[
        Path | None, typer.Option("--write-tasks", metavar="FILE.xyz", help="write the ideal cells and stop")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure generators of defective crystals on held-out hosts, beside baselines."""
    if write_tasks is not None:
        _write(write_tasks, tasks, subset)
        return
    from defectgen.benchmark.run import run_benchmark
    from defectgen.benchmark.settings import BenchSettings

    settings = BenchSettings(
        output=output,
        generators=tuple(generator or ["default"]),
        tasks=tasks,
        split=subset,
        n=samples,
        seed=seed,
        kinds=tuple(several(kind) or ()),
        limit=limit,
        relax=relax,
        relax_cases=relax_cases,
        trust=trust_model,
        samplers=tuple(sampler or ()),
        complex_steps=complex_steps,
        dft=tuple(dft or ()),
    )
    results = run_benchmark(settings)
    if as_json:
        say(json.dumps(results))
        return
    show(*bench_tables(results))
    say(f"{output / 'benchmark.html'}")


def bench_tables(results: dict[str, Any]) -> list[Any]:
    """What the terminal shows of results."""
    from rich.table import Table

    from defectgen.benchmark.results.table import COMPLEX_HEAD, complex_rows, failure_lines, summary_line, table_rows

    table = Table(title="DefectBench", title_justify="left", caption_justify="left")
    table.add_column("")
    for generator in results["generators"]:
        table.add_column(generator["name"], justify="right")
    section = ""
    for row in table_rows(results):
        if row.section != section:
            table.add_section()
            table.add_row(f"[bold]{row.section}")
            section = row.section
        table.add_row(f"  {row.title}", *(cell.replace("[", "\\[") or "–" for cell in row.cells))
    shown: list[Any] = [summary_line(results), table]
    rows = complex_rows(results)
    if rows:
        samplers = Table(*COMPLEX_HEAD, title="Complexes", title_justify="left")
        for line in rows:
            samplers.add_row(*(cell.replace("[", "\\[") for cell in line))
        shown.append(samplers)
    return [*shown, *failure_lines(results), *(f"{name} left out: {why}" for name, why in results["skipped"].items())]


def _write(path: Path, tasks: Path | None, split: str) -> None:
    from defectgen.benchmark.folder import write_requests
    from defectgen.benchmark.tasks.task import read_tasks

    count = write_requests(path, read_tasks(tasks).of_split(split))
    say(f"{path}: {count} tasks; move the atoms, keep the info, then defectgen bench --generator {path}")
