"""The commands that look for faults in anybody's dataset, and that write what is left without them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from augment.errors import PotentialError, StoppedError
from defectgen.cli.commands.export import FormatOption, SplitOption
from defectgen.cli.options import JsonOption, MaxForceOption, NearOption, TrustOption, say, several, show

if TYPE_CHECKING:
    from defectgen.dataset.validation import Cleaned, Finding

HAS_ERRORS = 1
"""Exit code of a validation that found errors."""

DatasetArgument = Annotated[
    list[Path], typer.Argument(metavar="DATASET...", help="extended XYZ, ASE databases or Parquet: files or folders")
]


def validate_command(
    paths: DatasetArgument,
    potential: Annotated[
        str | None, typer.Option("--potential", help="potential that evaluates; a few frames, to find units and signs")
    ] = None,
    trust_model: TrustOption = False,
    as_json: JsonOption = False,
    page: Annotated[
        Path | None, typer.Option("-o", "--output", help="where to write; a page, FILE.md or FILE.html")
    ] = None,
) -> None:
    """Look for faults in anybody's dataset: units, leaks, duplicates, outliers, labels; exit code 1 for errors."""
    from defectgen.dataset.validation import validate_dataset
    from defectgen.dataset.validation.report import check_page
    from defectgen.run.progress import progress

    if page is not None:
        check_page(page)
    chosen = _potential(potential, trust=trust_model)
    try:
        with progress("validate", "frames") as report:
            found = validate_dataset(paths, chosen, progress=report)
    except KeyboardInterrupt:
        raise StoppedError("stopped; nothing was written") from None
    if page is not None:
        found.write(page)
    if as_json:
        say(found.to_json())
    else:
        show(*_findings(found.summary, found.findings))
        if page is not None:
            say(str(page))
    if found.has_errors:
        raise typer.Exit(HAS_ERRORS)


def clean_command(
    paths: DatasetArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="where to write; a folder")],
    formats: FormatOption = None,
    split: SplitOption = None,
    near: NearOption = None,
    max_force: MaxForceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a dataset without its duplicates, outliers, overlaps and unusable frames, and say what was dropped."""
    from defectgen.dataset.validation import clean_dataset
    from defectgen.run.progress import progress, report_notes

    changes = {"formats": several(formats), "split": split, "near": near, "max_force": max_force}
    try:
        with progress("clean", "frames") as report:
            done = clean_dataset(paths, output, changes, progress=report)
    except KeyboardInterrupt:
        before = "the dataset that was there is as it was" if output.exists() else "nothing is left of it"
        raise StoppedError(f"stopped; {before}; run the command again for all of it") from None
    report_notes([*done.manifest.notes, *_isolated(done)])
    if as_json:
        _say_json(done)
    else:
        show(*_cleaned(done))
        say(str(output))


def _potential(name: str | None, *, trust: bool) -> Any:
    """The potential of a name.

    Raises:
        PotentialError: there is none of this name, or it is `auto`, which depends on what is asked of it.
    """
    if name is None:
        return None
    from md.potentials import resolve_potential

    if name == "auto":
        raise PotentialError("--potential auto: name one that `defectgen potentials` lists")
    return resolve_potential(name, trust=trust)


def _isolated(done: Cleaned) -> list[str]:
    """A line on the energies of free atoms, which are in no split."""
    known = {symbol: values[0] for symbol, values in done.isolated.items() if values}
    if not known:
        return []
    pairs = ", ".join(f"{symbol} {value:.8g}" for symbol, value in known.items())
    return [f"isolated atoms are no frames and were left out; their energies, for E0s: {pairs} eV"]


def _findings(summary: str, findings: Sequence[Finding]) -> list[Any]:
    from rich.table import Table
    from rich.text import Text

    if not findings:
        return [f"{summary}; nothing was found"]
    table = Table(title=Text(summary), title_justify="left", show_lines=True)
    table.add_column("", no_wrap=True)
    for heading in ("found", "what to do"):
        table.add_column(heading, overflow="fold")
    colours = {"error": "bold red", "warning": "yellow", "note": "cyan"}
    for finding in findings:
        places = f"\nfirst: {finding.examples[0]}" if finding.examples else ""
        what = Text(f"{finding.check}: {finding.what}{places}")
        table.add_row(Text(finding.severity, colours[finding.severity]), what, Text(finding.advice))
    return [table]


def _cleaned(done: Cleaned) -> list[Any]:
    from rich.table import Table

    table = Table(title=f"{done.manifest.n_records} frames are left", title_justify="left")
    table.add_column("left out because of")
    table.add_column("frames", justify="right")
    for reason, count in done.manifest.dropped.items():
        table.add_row(reason, str(count))
    still = [finding for finding in done.remaining if finding.severity != "note"]
    return [table, *(_findings("what leaving frames out does not mend", still) if still else [])]


def _say_json(done: Cleaned) -> None:
    import json

    content = {
        "frames": done.manifest.frames,
        "dropped": done.manifest.dropped,
        "isolated_atoms": {symbol: list(values) for symbol, values in done.isolated.items()},
        "remaining": [finding.to_dict() for finding in done.remaining],
    }
    say(json.dumps(content, ensure_ascii=False))
