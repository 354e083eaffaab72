"""Labels of proposals: each evaluated once with the potential of the run, whenever that is requested."""

from __future__ import annotations

from augment.cell import DefectCell
from augment.storage.archive import read_cells
from defectgen.pipeline.prepared import PreparedRun
from defectgen.run.folder import RunFolder
from defectgen.run.progress import progress, report_notes
from md.campaigns.labelling import CONFIG_TYPE, label_each
from md.labels.record import Record, write_records

LABELLED = ("generate", "labelled.npz")
"""Records of the proposals that have a label, in their order; `config_type` is `proposal`."""

BATCHES = ("generate", "labels")
"""Batches of labels, from which a stopped run goes on."""

PROPOSAL = "proposal"


def label_proposals(prepared: PreparedRun, folder: RunFolder) -> dict[str, int]:
    """Write the records of the proposals, if the settings ask for them and they are not there; how many there are.

    Proposals that are no matter have none, and are named on the standard error stream.

    Raises:
        PotentialError: an element is not covered, or the potential fails.
    """
    path = folder.file(*LABELLED)
    if not prepared.settings.generate.label or path.is_file():
        return {}
    cells = [_as_proposal(cell) for cell in read_cells(folder.file("generate", "cells.npz"))]
    with progress("label", "batches of proposals") as report:
        found = label_each(
            cells, prepared.potential, folder.file(*BATCHES), workers=prepared.settings.workers, progress=report
        )
    records = [one for one in found if isinstance(one, Record)]
    report_notes(
        f"{cell.name} ({cell.provenance['start']}) has no label: {reason}"
        for cell, reason in zip(cells, found, strict=True)
        if isinstance(reason, str)
    )
    write_records(path, records)
    return {"labelled": len(records), "without_label": len(cells) - len(records)}


def _as_proposal(cell: DefectCell) -> DefectCell:
    return cell.with_geometry(cell.positions, cell.cell, **{CONFIG_TYPE: PROPOSAL})
