"""The stage that searches the low-lying minima of the defects of a run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from augment.cell import FloatArray
from augment.defect import Defect
from augment.elements import elements_of
from defectgen.ground_states import SearchResult, SearchSettings, search
from defectgen.ground_states.same_geometry import wrapped
from defectgen.model.weights import load_model
from defectgen.pipeline.prepared import PreparedRun
from defectgen.run.folder import RunFolder
from defectgen.run.progress import progress, report_notes
from md.campaigns.labelling import CONFIG_TYPE
from md.labels.record import Record, write_records
from md.potentials import Potential, resolve_potential

MINIMA, SUMMARY = ("search", "minima.npz"), "search/summary.jsonl"
"""Records of the minima, lowest first of each defect, and what each search found and took."""

SEARCH_MINIMUM = "search_minimum"
"""Config type of the records."""


def search_stage(prepared: PreparedRun, folder: RunFolder) -> dict[str, Any]:
    """Search every defect that is asked for; the minima of one are tried for the next on the same sites.

    Raises:
        DataError: no start of a defect comes to rest.
        PotentialError: a potential is missing, or does not cover an element.
    """
    began, asked = time.monotonic(), prepared.settings.search
    how = SearchSettings(
        evaluations=asked.evaluations or SearchSettings.evaluations, fmax=asked.fmax, window=asked.window,
        use_model=asked.use_model, seed=prepared.settings.seed,
    )  # fmt: skip
    others, defects = second_potentials(prepared), _wanted(prepared)
    reference = prepared.reference(folder)
    results: list[SearchResult] = []
    for count, defect in enumerate(defects):
        report_notes([f"search {count + 1} of {len(defects)}: {defect.name}"])
        name = hashlib.sha256(defect.key.encode()).hexdigest()[:12]
        results.append(
            search(
                defect, prepared.potential, on=reference, settings=how,
                model=asked.model or prepared.settings.generate.model,
                carried=carried_over(reference.on(defect), results), others=others,
                barriers=asked.keep if asked.barrier else 0,
                folder=folder.file("search", "items", f"{defect.name}-{name}"),
                workers=prepared.settings.workers, stage=progress,
            )
        )  # fmt: skip
    write_records(folder.file(*MINIMA), [r for result in results for r in minima_records(result, asked.keep)])
    folder.write_lines(SUMMARY, [result.to_dict() for result in results])
    counts = {
        "defects": len(results),
        "minima": sum(len(result.minima) for result in results),
        "evaluations": sum(result.evaluations for result in results),
    }
    if asked.barrier:
        counts["barrier_evaluations"] = sum(result.path_evaluations for result in results)
    folder.finish("search", time.monotonic() - began, counts)
    return counts


def check_search(prepared: PreparedRun) -> None:
    """Check what a search asks for before anything is written.

    Raises:
        ConditionError: a name is none of the host's defects.
        PotentialError: a potential to compare with is missing, or does not cover an element.
        DataError: there is no such model.
    """
    _wanted(prepared)
    second_potentials(prepared)
    asked = prepared.settings.search
    if asked.use_model and asked.model is not None:
        load_model(asked.model)


def second_potentials(prepared: PreparedRun) -> list[Potential]:
    """The potentials that every minimum is evaluated with once."""
    elements = elements_of(z for defect in _wanted(prepared) for z in defect.cell().numbers)
    return [resolve_potential(name, elements) for name in prepared.settings.search.second]


def _wanted(prepared: PreparedRun) -> Sequence[Defect]:
    """The defects that are named, or those that proposals are made for."""
    only = prepared.settings.search.only
    return prepared.named(only) if only else prepared.chosen


def minima_records(result: SearchResult, keep: int) -> list[Record]:
    """The lowest minima as records that say what they are."""
    found = []
    for rank, minimum in enumerate(result.minima[:keep]):
        cell = minimum.record.cell
        facts: dict[str, Any] = {
            CONFIG_TYPE: SEARCH_MINIMUM, "start": f"search #{rank} ({minimum.source})", "subgroup": minimum.subgroup,
            "status": "converged", "above": minimum.above, "words": minimum.words,
        }  # fmt: skip
        if minimum.path is not None:
            facts |= {"barrier": minimum.path.words, "barrier_evaluations": minimum.path.evaluations}
            if minimum.path.forward is not None:
                facts |= {"barrier_forward": minimum.path.forward, "barrier_reverse": minimum.path.reverse}
        found.append(
            Record(
                cell.with_geometry(cell.positions, **facts), minimum.record.energy, minimum.record.forces,
                minimum.record.stress, SEARCH_MINIMUM,
            )
        )  # fmt: skip
    return found


def carried_over(defect: Defect, results: Sequence[SearchResult]) -> list[FloatArray]:
    """Displacements of the minima of other defects on the same sites, with as many atoms: another dopant there."""
    ideal = defect.cell()
    found = []
    for result in results:
        other = result.defect.cell()
        if np.array_equal(other.sites, ideal.sites) and result.defect.key != defect.key:
            found += [wrapped(m.record.cell.positions - other.positions, ideal.cell) for m in result.minima]
    return found
