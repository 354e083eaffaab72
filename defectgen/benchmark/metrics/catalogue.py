"""The metrics by name: what each measures, in which unit, on which tasks, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Metric:
    """One column of the results.

    Attributes:
        title: for tables.
        unit: empty for shares and ratios.
        better: which way is better.
        meaning: one sentence.
        kinds: of the tasks that have it; empty for those measured on tasks of their own.
        share: shown in per cent.
    """

    title: str
    unit: str
    better: Better
    meaning: str
    kinds: tuple[str, ...] = ()
    share: bool = False


RELAXED_KINDS = ("symmetric", "broken", "free", "pressed")
GEOMETRY_KINDS = (*RELAXED_KINDS, "mean")
ALL_KINDS = (*GEOMETRY_KINDS, "snapshot")

METRICS: Mapping[str, Metric] = {
    "mae_3": Metric("error within 3 Å", "Å", "lower", "mean displacement error of the first structure", GEOMETRY_KINDS),
    "mae_5": Metric("error within 5 Å", "Å", "lower", "mean displacement error of the first structure", GEOMETRY_KINDS),
    "mae_5_mean": Metric("same, mean of n", "Å", "lower", "mean over all structures of a task", GEOMETRY_KINDS),
    "mae_5_best": Metric("same, best of n", "Å", "lower", "smallest over the structures of a task", GEOMETRY_KINDS),
    "cosine": Metric("cosine", "", "higher", "between proposed and true displacements within 5 Å", GEOMETRY_KINDS),
    "metre": Metric(
        "METRe", "", "higher", "references that some structure matches within 5 Å", GEOMETRY_KINDS, share=True
    ),
    "crmse": Metric(
        "cRMSE", "", "lower", "normalised error of the best match, with a penalty for none", GEOMETRY_KINDS
    ),
    "coordination": Metric(
        "coordination", "", "higher", "atoms within 5 Å with the true number", GEOMETRY_KINDS, share=True
    ),
    "volume_error": Metric("volume error", "", "lower", "relative", ("pressed", "mean", "snapshot"), share=True),
    "h_spglib": Metric("H kept, spglib", "", "higher", "structures that contain H", ("symmetric",), share=True),
    "h_moyopy": Metric("H kept, moyopy", "", "higher", "structures that contain H", ("symmetric",), share=True),
    "h_residual": Metric("off H", "Å", "lower", "largest component that leaves the invariant space", ("symmetric",)),
    "breaking_recall": Metric(
        "breaking found",
        "",
        "higher",
        "defects whose lowest geometry is broken and so is a proposal",
        ("free",),
        share=True,
    ),
    "breaking_false": Metric(
        "broken in vain", "", "lower", "first structures broken where the lowest geometry is not", ("free",), share=True
    ),
    "valid": Metric("valid", "", "higher", "structures that meet all constraints below", ALL_KINDS, share=True),
    "composition": Metric("composition", "", "higher", "species and counts as requested", ALL_KINDS, share=True),
    "charge": Metric("charge", "", "higher", "as requested", ALL_KINDS, share=True),
    "placed": Metric(
        "lattice", "", "higher", "lattice vectors are those of the ideal cell strained", ALL_KINDS, share=True
    ),
    "no_overlap": Metric("no overlap", "", "higher", "closest contact above 0.6 covalent radii", ALL_KINDS, share=True),
    "key_kept": Metric(
        "defect kept", "", "higher", "recognised again as the requested defect", RELAXED_KINDS, share=True
    ),
    "diversity": Metric("diversity (PDD)", "Å", "higher", "mean distance between structures of a task", ("free",)),
    "msd_error": Metric("MSD error", "", "lower", "relative, against MD frames", ("snapshot",), share=True),
    "displacement_w1": Metric("displacements, W1", "Å", "lower", "Wasserstein distance to MD", ("snapshot",)),
    "rdf_distance": Metric("RDF distance", "", "lower", "of pair histograms to 6 Å, 0 to 1", ("snapshot",)),
}
"""Metrics of single tasks."""

POOLED: Mapping[str, Metric] = {
    "site_symmetry": Metric(
        "site symmetries", "", "lower", "total variation between proposed and true site symmetries", ("free",)
    ),
}
"""Metrics of the tasks of a host together."""

ENERGY: Mapping[str, Metric] = {
    "steps_saved": Metric("steps saved", "", "higher", "1 - steps from the proposal / steps from ideal", share=True),
    "steps_saved_same": Metric(
        "steps saved, same basin", "", "higher", "where the ideal start's basin is reached", share=True
    ),
    "same_or_lower": Metric("same or lower basin", "", "higher", "than relaxing from the ideal cell", share=True),
    "lower": Metric("lower basin, best of n", "", "higher", "than relaxing from the ideal cell", share=True),
    "best_energy": Metric("best of n", "meV", "lower", "lowest energy less that from the ideal cell"),
}
"""Metrics after relaxation with one potential."""

DFT: Mapping[str, Metric] = {
    "dft_neutral": Metric("error within 5 Å, neutral", "Å", "lower", "mean displacement error to DFT"),
    "dft_charged": Metric("error within 5 Å, charged", "Å", "lower", "mean displacement error to DFT"),
    "dft_match": Metric(
        "match, neutral", "", "higher", "no atom further than 0.25 (V/n)^(1/3) from where DFT has it", share=True
    ),
}
"""Metrics against a set of relaxations by DFT."""

ERRORS = ("mae_3", "mae_5", "mae_5_mean", "mae_5_best", "crmse", "dft_neutral", "dft_charged")
"""Metrics of which the gain over the unrelaxed baseline is given as well."""
