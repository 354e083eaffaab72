"""The command that reads finished calculations into a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from augment.errors import DataError
from defectgen.cli.options import FolderArgument, JsonOption, say, say_json, show

FromOption = Annotated[
    list[Path],
    typer.Option(
        "--from",
        metavar="FOLDER|FILE",
        help="where it comes from; folders of calculations, extended XYZ, and entries of doped and pymatgen",
    ),
]

EntriesOption = Annotated[
    Path | None, typer.Option("--entries", help="file to write; DefectEntry JSON of all calculations of the run")
]


def label_command(
    folder: FolderArgument, sources: FromOption, entries: EntriesOption = None, as_json: JsonOption = False
) -> None:
    """Read finished calculations (VASP, QE, CP2K, GPAW, FHI-aims) as DFT labels of the defects of a run."""
    from defectgen.calculations.entries import write_entries
    from defectgen.calculations.labelling import label_run
    from defectgen.pipeline.prepared import PreparedRun
    from defectgen.run.folder import RunFolder
    from defectgen.run.progress import report_notes
    from md.labels.calculated import CALCULATED_RECORDS, read_calculated

    run = RunFolder.open(folder)
    run.require("defects")
    prepared = PreparedRun.of_folder(run)
    with run.locked():
        done = label_run(run, prepared.host, prepared.supercell, sources)
    report_notes(f"left out: {where}: {reason}" for where, reason in done.left_out.items())
    if as_json:
        say_json(done.rows)
    else:
        _show(done.rows)
        say(f"{done.records} records of calculations; `defectgen export {folder}` makes a dataset of them")
    if entries is not None and done.records:
        write_entries(entries, read_calculated(run.file(*CALCULATED_RECORDS.parts)), prepared.host)
    if len(done.left_out) == len(done.rows):
        raise DataError(f"none of {len(done.rows)} calculations could be read; the reasons are above")


def _show(rows: tuple[dict[str, object], ...]) -> None:
    from rich.table import Table

    table = Table(title="calculations", title_justify="left")
    for heading in ("defect", "charge", "energy (eV)", "level of theory", "went out as"):
        table.add_column(heading, no_wrap=True)
    for row in (row for row in rows if "left_out" not in row):
        charge, energy = f"{row['charge']:+d}", f"{row['energy']:.4f}"
        table.add_row(str(row["name"]), charge, energy, str(row["level"]), str(row.get("went_out_as", "")))
    show(table)
