"""How a command runs one stage in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from defectgen.cli.options import say


def run_stage(
    path: Path, stage: str, function: Any, changes: dict[str, Any], overwrite: bool, *, quiet: bool = False
) -> Any:
    """Run one stage in a run folder with some settings changed; the folder."""
    from defectgen.pipeline.checks import check_engines, check_environments
    from defectgen.pipeline.prepared import PreparedRun
    from defectgen.pipeline.stages import check_inputs
    from defectgen.run.folder import RunFolder
    from defectgen.run.progress import report_notes, report_stage_end

    folder = RunFolder.open(path)
    # Before anything of the folder is replaced.
    prepared = PreparedRun.of_folder(RunFolder(path, folder.settings.replaced(changes)))
    check_environments(prepared)
    check_engines(prepared)
    check_inputs(stage, folder)
    report_notes([*prepared.notes, *prepared.potential_notes])
    with folder.locked():
        folder = folder.with_changes(stage, changes, overwrite=overwrite)
        if folder.finished(stage):
            if not quiet:
                say(f"{stage} has finished already; --overwrite runs it again")
        else:
            function(prepared, folder)
            report_stage_end(stage, folder.times[stage])
            if not quiet:
                say(f"{path / stage}")
    return folder
