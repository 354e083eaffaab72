"""How the stage is run in a folder that may have it, and a report, already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.thermo.requests import check_thermo
from defectgen.pipeline.thermo.stage import RESULT, thermo_stage
from defectgen.run.folder import RunFolder
from defectgen.run.progress import report_notes, report_stage_end
from defectgen.run.settings import differences


def run_thermo(
    path: Path, changes: dict[str, Any], temperatures: Sequence[float], *, overwrite: bool = False
) -> tuple[dict[str, Any], bool]:
    """The thermodynamics of a run folder with some settings changed, and whether they were there already.

    Energies that were computed before are used again. A report that is there is written anew.

    Args:
        path: of the run folder.
        changes: settings by their dotted names; None leaves one as it is.
        temperatures: K; where neither the folder nor the changes have some.
        overwrite: run again what has finished.

    Raises:
        DefectgenError: a request is not possible; the folder is as it was then, but for what was computed.
    """
    folder = RunFolder.open(path)
    if not folder.settings.thermo.temperatures and not changes.get("thermo.temperatures"):
        changes = {**changes, "thermo.temperatures": list(temperatures)}
    settings = folder.settings.replaced(changes)
    check_thermo(settings.thermo)
    same = not differences(folder.settings, settings)
    if folder.finished("thermo") and same and not overwrite:
        return folder.read_json(RESULT), True
    prepared = PreparedRun.of_folder(RunFolder(path, settings))
    report_notes([*prepared.notes, *prepared.potential_notes])
    with folder.locked():
        had_report = folder.finished("report")
        thermo_stage(prepared, RunFolder(path, settings))
        folder.store(settings)
        report_stage_end("thermo", folder.times["thermo"])
        if had_report:
            from defectgen.report import write_report

            write_report(path)
    return folder.read_json(RESULT), False
