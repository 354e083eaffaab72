"""Validation of anybody's dataset: read once, then checked for what makes trainers fail or learn what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from augment.elements import element_number, elements_in
from defectgen.dataset.validation.checks import CHECKS
from defectgen.dataset.validation.checks.reevaluation import reevaluation
from defectgen.dataset.validation.finding import SEVERITIES, Finding
from defectgen.dataset.validation.observations import Observations, observe
from defectgen.dataset.validation.reading import files_of
from defectgen.dataset.validation.report import ValidationReport


def validate_dataset(
    paths: Sequence[Path], potential: Any | None = None, progress: Callable[[float, int, str], None] | None = None
) -> ValidationReport:
    """Check a dataset: extended XYZ, ASE databases (SQLite, LMDB) or Parquet, files or folders of them.

    Every frame is read once; what is held of each is a row of numbers, so that memory is bounded by them.

    Args:
        paths: files and folders of one dataset.
        potential: to evaluate a few frames with; without one units and signs are judged by finite differences between
            frames that are close to one another.
        progress: called with frames done, frames in all (0 while unknown), and what is going on.

    Raises:
        DataError: a path is missing, or no frame can be used.
        PotentialError: the potential covers none of the frames.
    """
    report = progress or (lambda _done, _total, _what: None)
    files = files_of(paths)
    observed = observe(files, lambda done: report(done, 0, "reading"))
    report(len(observed), len(observed), "checking")
    return report_of(observed, findings_of(observed, potential), potential)


def findings_of(observed: Observations, potential: Any | None = None) -> list[Finding]:
    """The findings of all checks, the worst first.

    Raises:
        PotentialError: the potential covers none of the frames.
    """
    found = [finding for check in CHECKS for finding in check(observed)]
    if potential is not None:
        found += reevaluation(observed, potential)
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def report_of(observed: Observations, findings: Sequence[Finding], potential: Any | None = None) -> ValidationReport:
    """The report of some findings."""
    names, counts = np.unique(observed.splits, return_counts=True)
    elements = frozenset().union(*map(elements_in, observed.survey.table["composition"].cat.categories))
    return ValidationReport(
        files=observed.files,
        frames=dict(zip(names.tolist(), counts.tolist(), strict=True)),
        elements=sorted(elements, key=lambda symbol: element_number(symbol) or 0),
        isolated=observed.isolated,
        potential="" if potential is None else potential.name,
        findings=findings,
    )
