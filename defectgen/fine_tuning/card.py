"""The card of a model that learnt from runs: data, split, start, and who labelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from defectgen.corpus.cases import Case
from defectgen.fine_tuning.geometries import RunGeometries
from defectgen.fine_tuning.settings import FineTuneSettings
from defectgen.model.weights import Model
from defectgen.training.description import learnt_elements

__all__ = ["model_card"]


def model_card(
    runs: Sequence[RunGeometries], cases: Sequence[Case], start: Model | None, settings: FineTuneSettings
) -> dict[str, Any]:
    """JSON values that do not depend on how the training went."""
    known = set() if start is None else start.elements
    potentials = {run.potential.sha256: run.potential for run in runs}
    teacher = {"teacher": next(iter(potentials.values())).provenance} if len(potentials) == 1 else {}
    labellers = sorted({one.labeller for run in runs for one in run.defects})
    return {
        "elements": sorted(known | set(learnt_elements(cases))),
        "started_from": None if start is None else {"name": start.name, "sha256": start.sha256},
        **teacher,
        "runs": [_run(run) for run in runs],
        "labels_by": labellers,
        "split": {
            "by": "defect, with its charges and equivalent copies",
            "seed": settings.seed,
            **{split: _names(cases, split) for split in ("train", "valid", "test")},
        },
        "licence": f"learnt from labels by {', '.join(labellers)}, whose licences apply",
        "limits": "Best for other defects of these hosts under the same potential; on other hosts it may be worse than "
        "the model that it started from.",
    }


def _run(run: RunGeometries) -> dict[str, Any]:
    return {
        "folder": run.path.name,
        "host": run.host.formula,
        "host_hash": run.host.hash,
        "potential": run.potential.provenance,
        "defects": len(run.defects),
        "geometries": run.sources,
        "left_out": list(run.left_out),
    }


def _names(cases: Sequence[Case], split: str) -> list[str]:
    """The defects of a split: name and key."""
    return sorted({f"{case.name} {case.template.key}" for case in cases if case.split == split})
