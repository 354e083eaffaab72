"""The whole way: from a host CIF to a report, stage by stage, going on where a stopped run was."""

from __future__ import annotations

from pathlib import Path

from defectgen.pipeline.budget import RunPlan, begun_settings, plan_run
from defectgen.pipeline.checks import check_run
from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.proposal_labels import label_proposals
from defectgen.pipeline.stages import LATER_STAGES, start_folder
from defectgen.run.folder import CUTS, IDENTITY, RunFolder
from defectgen.run.progress import report_notes, report_stage_end
from defectgen.run.settings import Settings


def prepare(settings: Settings) -> PreparedRun:
    """The run of some settings: with the defects of its folder where that has them, else with those to be enumerated.

    Raises:
        ResumeError: the folder belongs to another run.
    """
    if (settings.output / IDENTITY).is_file():
        folder = RunFolder.claim(settings)
        if folder.finished("defects"):
            return PreparedRun.of_folder(folder)
    return PreparedRun.of(settings)


def _planned(settings: Settings) -> RunPlan:
    prepared = prepare(begun_settings(settings))
    check_run(prepared)
    return plan_run(prepared, settings)


def dry_run_lines(settings: Settings) -> list[str]:
    """What a run would make and take, and what it would leave out; nothing is written.

    Raises:
        DefectgenError: a request is not possible.
    """
    plan = _planned(settings)
    unknown = ["no potential here says what an evaluation costs; give --budget"]
    return [*(plan.estimate.lines if plan.estimate else unknown), *plan.cut_lines]


def _wanted(stage: str, settings: Settings) -> bool:
    """Whether a stage is asked for; two are only where their settings say so."""
    if stage == "search":
        return settings.search.evaluations is not None
    return stage != "thermo" or bool(settings.thermo.temperatures)


def run_pipeline(settings: Settings) -> Path:
    """Run every stage that has not finished yet, of what fits into the budget; the path of the report.

    What was left out is said before the first stage and after the last.

    Raises:
        DefectgenError: a request is not possible; nothing has been written then, or what had finished
            before stays and the same settings go on from there.
    """
    plan = _planned(settings)
    prepared = plan.prepared
    report_notes((*plan.lines, *prepared.notes, *prepared.potential_notes))
    folder = start_folder(prepared)
    with folder.locked():
        # A run that goes on has the cut settings in its folder, and plans no cut again.
        if not folder.file(CUTS).is_file():
            folder.write_lines(CUTS, plan.cuts)
        report_stage_end("host", folder.times["host"])
        report_stage_end("defects", folder.times["defects"])
        for stage, function in LATER_STAGES:
            if not _wanted(stage, prepared.settings):
                continue
            if not folder.finished(stage):
                function(prepared, folder)
            elif stage == "generate":
                label_proposals(prepared, folder)
            report_stage_end(stage, folder.times[stage])
    report_notes(f"left out to fit the budget: {line}" for line in plan.left_out)
    return folder.file("report.html")
