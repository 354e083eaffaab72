"""The whole way: from a host CIF to a report, stage by stage, going on where a stopped run was."""

from __future__ import annotations

from pathlib import Path

from defectgen.pipeline.checks import check_conditions
from defectgen.pipeline.stages import export_stage, generate_stage, md_stage, relax_stage, report_stage, start_folder
from defectgen.run.progress import tell_stage
from defectgen.run.settings import Settings

LATER_STAGES = (
    ("generate", generate_stage),
    ("relax", relax_stage),
    ("md", md_stage),
    ("export", export_stage),
    ("report", report_stage),
)


def run(settings: Settings) -> Path:
    """Run every stage that has not finished yet; the path of the report.

    Raises:
        DefectgenError: something asked for is not possible; nothing has been written then, or what had finished
            before stays and the same settings go on from there.
    """
    check_conditions(settings)
    folder = start_folder(settings)
    with folder.locked():
        tell_stage("host", folder.times["host"])
        tell_stage("defects", folder.times["defects"])
        for stage, function in LATER_STAGES:
            if not folder.finished(stage):
                function(folder)
            tell_stage(stage, folder.times[stage])
    return folder.file("report.html")
