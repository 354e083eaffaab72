"""The commands for potentials: those that can be used here and how long they take, and those of other environments."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from defectgen.cli.commands.added_potentials import add_command, remove_command, retest_command
from defectgen.cli.options import JsonOption, say, show

_SIZES = (64, 216)

TimeOption = Annotated[
    bool,
    typer.Option("--time", help="measure each; CPU milliseconds for energy, forces and stress of 64 and 216 atoms"),
]

potentials_app = typer.Typer(
    invoke_without_command=True, no_args_is_help=False, pretty_exceptions_enable=False, add_completion=False
)
"""`potentials` alone lists them, as `potentials list` does."""


@potentials_app.callback()
def potentials_command(context: typer.Context, as_json: JsonOption = False, time: TimeOption = False) -> None:
    """List the potentials that can be used here; add, test and remove those of other environments."""
    if context.invoked_subcommand is None:
        list_command(as_json, time)


@potentials_app.command("list", epilog="Example: defectgen potentials list --json")
def list_command(as_json: JsonOption = False, time: TimeOption = False) -> None:
    """List the potentials that can be used here: what they cover, who evaluates them, how far they hold."""
    from md.potentials import list_potentials

    rows = [_row(status, timed=time) for status in list_potentials()]
    if as_json:
        for row in rows:
            say(json.dumps(row))
    else:
        show(_table(rows, timed=time), "A MACE .model file, a name that mace knows or module:Class of ASE works too.")


for _command, _example in (
    (add_command, "add 7net-mf --python ~/sevenn/bin/python"),
    (retest_command, "test 7net-mf"),
    (remove_command, "remove 7net-mf"),
):
    potentials_app.command(_example.split()[0], epilog=f"Example: defectgen potentials {_example}")(_command)


def _row(status: Any, *, timed: bool) -> dict[str, Any]:
    """One potential as JSON values; `error` instead of the rest where it cannot be used."""
    from md.potentials.mace.models import NETWORKS

    potential = status.potential
    if potential is None:
        return {"name": status.name, "usable": False, "error": status.detail}
    domain = potential.domain
    return {
        "name": potential.name,
        "usable": True,
        "elements": sorted(potential.elements),
        "domain": domain.summary if domain else None,
        "evaluator": potential.evaluator,
        "precision": potential.precision,
        "devices": ["cpu", "cuda"] if potential.kind in NETWORKS else ["cpu"],
        "sha256": potential.sha256,
        "source": potential.source,
        **(_timings(potential) if timed else {}),
    }


def _timings(potential: Any) -> dict[str, float]:
    """`ms_64` and `ms_216`, on one thread."""
    from ase.data import atomic_numbers

    from md.labels.third_party import one_torch_thread
    from md.students.accuracy import milliseconds, timing_cell

    known, calculator = [atomic_numbers[symbol] for symbol in potential.elements], potential.calculator()
    with one_torch_thread(wanted=potential.uses_torch):
        return {
            f"ms_{size}": round(milliseconds(calculator, timing_cell(known, size), repeats=3), 2) for size in _SIZES
        }


def _table(rows: list[dict[str, Any]], *, timed: bool) -> Any:
    from rich.table import Table

    table = Table(title="Potentials", title_justify="left")
    for heading in ("name", "elements", "evaluated by", "holds for"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "name")
    for size in _SIZES if timed else ():
        table.add_column(f"ms, {size}", justify="right")
    for row in rows:
        table.add_row(row["name"], *_cells(row, timed=timed))
    return table


def _cells(row: dict[str, Any], *, timed: bool) -> list[str]:
    """What the table says of a potential after its name."""
    if not row["usable"]:
        return ["", "not usable", row["error"], *([""] * len(_SIZES) if timed else [])]
    elements = row["elements"]
    coverage = " ".join(elements) if len(elements) < 10 else f"{len(elements)} elements"  # noqa: PLR2004  fits a column
    times = [f"{row[f'ms_{size}']:.4g}" for size in _SIZES] if timed else []
    return [coverage, f"{row['evaluator']}, {row['precision']}", _holds_for(row["domain"]), *times]


def _holds_for(domain: dict[str, Any] | None) -> str:
    if domain is None:
        return "what its elements say"
    parts = [str(domain["host"])] if "host" in domain else []
    for key, unit in (("temperature_K", "K"), ("pressure_GPa", "GPa")):
        if key in domain:
            low, high = domain[key]
            parts.append(f"{low:g} to {high:g} {unit}")
    low, high = domain["volume_per_atom"]
    return "; ".join([*parts, f"{low:.1f} to {high:.1f} Å³ an atom"])
