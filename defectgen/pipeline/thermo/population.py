"""Supercells of a run's crystal as it is in equilibrium: numbers by chance, geometries at rest under its potential."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augment.defect import Defect
from augment.errors import ConditionError
from augment.exchange import write_extxyz
from augment.storage.missing import did_you_mean
from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.thermo.requests import check_thermo
from defectgen.pipeline.thermo.run_records import RunRecords, run_records
from defectgen.pipeline.thermo.stage import KEPT, STOICHIOMETRIC, thermo_model
from defectgen.run.folder import RunFolder
from defectgen.run.progress import progress, report_notes
from defectgen.thermodynamics.cache import ResultCache
from defectgen.thermodynamics.equilibrium import Equilibrium
from defectgen.thermodynamics.population import draw_supercells
from md.campaigns.relax_and_md import relax_all
from md.labels.record import Record, write_records
from md.relaxation.relax import RelaxSettings
from md.relaxation.relaxed_host import pristine

POPULATION = "population"
"""Folder of the supercells in a run."""


@dataclass(frozen=True)
class PopulationRequest:
    """Which equilibrium, and how many supercells of it.

    Attributes:
        supercells: how many are drawn.
        temperature: K.
        pressure: on the crystal, GPa.
        condition: name of a limit of the chemical potentials, or `stoichiometric`; the latter of a compound, else the
            only one.
        seed: of the random generator.
    """

    supercells: int
    temperature: float
    pressure: float = 0.0
    condition: str | None = None
    seed: int = 0


def draw_population(path: str | Path, request: PopulationRequest) -> dict[str, Any]:
    """Supercells with the defects that the crystal of a run holds, in `population/` of its folder.

    `cells.npz` are records with energies and forces, `cells.extxyz` the same geometries, one of each distinct
    supercell; `population.json`, which is returned, says how often each was drawn.

    Args:
        path: of a run folder with relaxed or searched defects.
        request: which equilibrium, and how many.

    Raises:
        ConditionError: there is no such equilibrium, or its defects do not fit into the supercell.
        DataError: nothing is relaxed.
    """
    folder = RunFolder.open(Path(path))
    changes = {"thermo.temperatures": [request.temperature], "thermo.pressures": [request.pressure]}
    settings = folder.settings.replaced(changes)
    check_thermo(settings.thermo)
    prepared = PreparedRun.of_folder(RunFolder(folder.path, settings))
    report_notes([*prepared.notes, *prepared.potential_notes])
    with folder.locked():
        reference = prepared.reference(folder)
        records = run_records(prepared, folder, reference)
        model = thermo_model(prepared, records, reference, ResultCache(folder.file(KEPT), prepared.potential))
        made = model.open(request.temperature, request.pressure)
        if len(model.sites.composition) > 1 and request.condition in {None, STOICHIOMETRIC}:
            made = [model.closed(request.temperature, request.pressure)]
        closed = (STOICHIOMETRIC,) if len(model.sites.composition) > 1 else ()
        equilibrium = _chosen(made, request.condition, closed)
        known = {each.defect.key: each.defect for each in records.lowest if each.defect.key in equilibrium.per_cell}
        supercell = reference.on(pristine(prepared.supercell)).supercell
        drawn = draw_supercells(list(known.values()), equilibrium.per_cell, supercell, request.supercells, request.seed)
        return _kept(folder, prepared, records, drawn, equilibrium, request)


def _chosen(made: Sequence[Equilibrium], condition: str | None, closed: tuple[str, ...]) -> Equilibrium:
    """The equilibrium of a condition, of those that were made; `closed` can be asked for too."""
    names = list(dict.fromkeys([*(each.condition for each in made), *closed]))
    if condition is None and len(made) == 1:
        return made[0]
    found = [each for each in made if each.condition == condition]
    if not names:
        raise ConditionError(
            "no equilibrium is known: no limit of the chemical potentials; `defectgen thermo` says why"
        )
    if condition is None:
        raise ConditionError(f"the crystal has several conditions; name one of {', '.join(names)}")
    if not found:
        raise ConditionError(
            f"no condition {condition!r}; {did_you_mean(condition, names)}give one of {', '.join(names)}"
        )
    return found[0]


def _kept(
    folder: RunFolder,
    prepared: PreparedRun,
    records: RunRecords,
    drawn: Counter[Defect],
    equilibrium: Equilibrium,
    request: PopulationRequest,
) -> dict[str, Any]:
    """Relax what has no geometry yet, and write all."""
    at_rest = {each.defect.key: each.record for each in records.lowest}
    at_rest[pristine(prepared.supercell).key] = records.bulk
    several = [defect for defect in drawn if defect.key not in at_rest]
    how = RelaxSettings(prepared.settings.relax.fmax, prepared.settings.relax.max_steps)
    with progress("supercells with several defects", "relaxations") as report:
        done = relax_all(
            [defect.cell() for defect in several], prepared.potential, folder.file(POPULATION, "relaxations"),
            how, workers=prepared.settings.workers, progress=report,
        )  # fmt: skip
    at_rest |= {d.key: r.record for d, r in zip(several, done, strict=True) if r.record is not None}
    rows, found = [], []
    for defect, times in drawn.most_common():
        record = at_rest.get(defect.key)
        rows.append(_row(defect, times, record))
        if record is not None:
            facts: dict[str, Any] = {"drawn": times, "condition": equilibrium.condition}
            cell = record.cell.with_geometry(record.cell.positions, **facts)
            found.append(Record(cell, record.energy, record.forces, record.stress, record.config_type))
    result = {
        "condition": equilibrium.condition,
        "temperature": request.temperature,
        "pressure": request.pressure,
        "seed": request.seed,
        "supercells": request.supercells,
        "per_cell": dict(equilibrium.per_cell),
        "cells": rows,
    }
    write_records(folder.file(POPULATION, "cells.npz"), found)
    folder.file(POPULATION, "cells.extxyz").unlink(missing_ok=True)
    write_extxyz(folder.file(POPULATION, "cells.extxyz"), (record.cell for record in found))
    folder.write_json(f"{POPULATION}/population.json", result)
    return result


def _row(defect: Defect, times: int, record: Record | None) -> dict[str, Any]:
    return {
        "name": defect.name if defect.edits else "pristine",
        "key": defect.key,
        "defects": len(defect.edits),
        "drawn": times,
        "energy": None if record is None else record.energy,
    }
