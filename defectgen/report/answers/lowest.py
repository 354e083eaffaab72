"""The lowest structure of each defect that searches and relaxations found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from defectgen.report.energetics.energies import lowest_records
from defectgen.report.gather import JsonRow, RunData
from defectgen.report.relaxation import IDEAL, start_of, status_of
from defectgen.report.scenes import edited_atoms
from md.labels.record import Record

MAX_SAME = 0.005
"""eV; two ends of relaxations to the usual forces that are nearer than this are of one minimum."""


@dataclass(frozen=True)
class LowestStructure:
    """The lowest structure of a defect.

    Attributes:
        name: of the defect.
        key: of the defect.
        words: what distinguishes it from the ideal sites.
        start: what led to it.
        energy: of its cell, eV.
        gain: eV by which it is below the end of a relaxation from the ideal sites, or without one below the minimum
            that a search found from there; None where neither is known.
        potential: that gave the energy.
        evidence: the section that shows it.
    """

    name: str
    key: str
    words: str
    start: str
    energy: float
    gain: float | None
    potential: str
    evidence: str


def lowest_structures(data: RunData) -> dict[str, LowestStructure]:
    """The lowest structure of each defect by key, in the order of the run; defects without any are left out.

    Where a search and relaxations ended under one potential the lower end counts, and that of the search where both
    are alike. Under two potentials they cannot be compared, and the search counts.
    """
    found: dict[str, LowestStructure] = {}
    searches = {row["key"]: row for row in data.searches if row["minima"]}
    records = lowest_records(data.relaxed)
    for row in data.defects:
        key = row["key"]
        searched = _searched(searches[key]) if key in searches else None
        relaxed = _relaxed(data, records[key]) if key in records else None
        lowest = _lower(searched, relaxed)
        if lowest is not None:
            found[key] = _against_ideal(lowest, data.relaxations)
    return found


def without_structure(data: RunData, lowest: Mapping[str, LowestStructure]) -> list[str]:
    """Names of the defects of which no relaxation converged and no search came to rest, though something was tried."""
    if not data.relaxations and not data.searches:
        return []
    return [str(row["name"]) for row in data.defects if row["key"] not in lowest]


def _lower(searched: LowestStructure | None, relaxed: LowestStructure | None) -> LowestStructure | None:
    if searched is None or relaxed is None:
        return searched or relaxed
    if searched.potential != relaxed.potential:
        return searched
    return relaxed if relaxed.energy < searched.energy - MAX_SAME else searched


def _against_ideal(lowest: LowestStructure, relaxations: Sequence[JsonRow]) -> LowestStructure:
    """With the gain against a relaxation from the ideal sites under the same potential, where there is one."""
    ends = [
        row["energies"][-1]
        for row in relaxations
        if row["key"] == lowest.key and row.get("start") == IDEAL and status_of(row) == "converged"
        if row.get("energies") and row.get("potential", lowest.potential) == lowest.potential
    ]
    return replace(lowest, gain=max(0.0, ends[0] - lowest.energy)) if ends else lowest


def _searched(row: JsonRow) -> LowestStructure:
    """What a search found lowest."""
    lowest = row["minima"][0]
    ideal = [minimum["above"] for minimum in row["minima"] if IDEAL in minimum["found_by"]]
    return LowestStructure(
        row["name"], row["key"], lowest["words"], f"search: {', '.join(lowest['found_by'])}", lowest["energy"],
        min(ideal, default=None), str(row["potential"]), "minima",
    )  # fmt: skip


def _relaxed(data: RunData, record: Record) -> LowestStructure:
    """What relaxations found lowest."""
    from defectgen.ground_states.words import geometry_in_words

    cell = record.cell
    ideal = data.reference[cell.key]
    added = np.flatnonzero(edited_atoms(ideal, data.reference[data.cells[0].key]))
    return LowestStructure(
        cell.name, cell.key, geometry_in_words(ideal, cell.positions, added), start_of(cell.provenance),
        record.energy, None,
        str(cell.provenance.get("potential", "")), "relaxations",
    )  # fmt: skip
