"""All checks of a dataset: each looks at what was observed and gives its findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from defectgen.dataset.validation.checks import (
    consistency,
    copies,
    electrons,
    energies,
    geometry,
    labels,
    leakage,
    outliers,
)
from defectgen.dataset.validation.finding import Finding
from defectgen.dataset.validation.observations import Observations

DatasetCheck = Callable[[Observations], Iterator[Finding]]

CHECKS: tuple[DatasetCheck, ...] = (
    labels.unusable_frames,
    labels.missing_labels,
    labels.sets_of_labels,
    labels.other_energies,
    labels.hidden_labels,
    consistency.consistency,
    energies.energies_per_atom,
    outliers.implausible_stress,
    outliers.outliers,
    outliers.placeholders,
    energies.families,
    energies.conditioning,
    geometry.overlaps,
    geometry.lattices,
    geometry.net_forces,
    copies.duplicates,
    copies.contradictions,
    leakage.leaked_copies,
    leakage.leaked_groups,
    leakage.related_frames,
    leakage.missing_elements,
    leakage.split_names,
    electrons.charges,
    electrons.magnetism,
)
"""In the order in which a reader wants them: can it be read, are the numbers right, do the frames fit together."""

__all__ = ["CHECKS", "DatasetCheck"]
