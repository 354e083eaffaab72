"""Finished calculations as labels of a run: each recognised, put into its canonical cell, and kept with who made it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import BULK, FloatArray
from augment.defect import Defect
from augment.errors import DataError, DefectError, DefectgenError
from augment.exchange.registration import Registration, register
from augment.host import Host
from augment.supercell import Supercell
from defectgen.calculations.finding import FoundCalculation, find_calculations
from defectgen.calculations.folder import content_hash
from defectgen.calculations.results.calculation import Calculation
from defectgen.dataset.frame import NINE_OF_SIX, SIX_OF_NINE
from defectgen.run.folder import RunFolder
from md.labels.calculated import (
    CALCULATED_RECORDS,
    CALCULATED_ROWS,
    CalculatedRecord,
    read_calculated,
    write_calculated,
)

_Row = dict[str, Any]

_NUMBERED = re.compile(r": structure (\d+)$")
"""The end of the place of a structure in a file of several."""


@dataclass(frozen=True)
class Labelled:
    """What was read.

    Attributes:
        rows: one of each calculation that was looked at: `where`, and `name`, `charge`, `level`, ... or `left_out`.
        records: how many records the run has now.
    """

    rows: tuple[_Row, ...]
    records: int

    @property
    def left_out(self) -> dict[str, str]:
        """Why calculations are left out, by where they are."""
        return {row["where"]: row["left_out"] for row in self.rows if "left_out" in row}


def label_run(folder: RunFolder, host: Host, supercell: Supercell, sources: Sequence[Path]) -> Labelled:
    """Read finished calculations into a run folder; what was read before stays, and is replaced where read again.

    Args:
        folder: of the run.
        host: its crystal.
        supercell: of its defects, whose axes the cells take where they are of this superlattice.
        sources: folders of calculations, and extended XYZ files.

    Raises:
        DataError: a source is missing, there is no calculation in them, or what the run has is damaged.
    """
    path = folder.file(*CALCULATED_RECORDS.parts)
    known = {str(r.cell.provenance["calculation"]): r for r in (read_calculated(path) if path.is_file() else [])}
    earlier, rows = {row["where"]: row for row in _earlier_rows(folder)}, []
    for found in find_calculations(sources):
        known.pop(str(earlier.get(found.where, {}).get("calculation")), None)
        try:
            record, row = _labelled(found, host, supercell, known.values())
        except DefectgenError as error:
            rows.append({"where": found.where, "left_out": " ".join(str(error).split())})
            continue
        known[str(record.cell.provenance["calculation"])] = record
        rows.append(row)
    if not rows:
        raise DataError(f"{', '.join(map(str, sources))}: no calculation in it; give the folders that the code ran in")
    records = sorted(known.values(), key=_rank)
    if records or path.is_file():
        write_calculated(path, records)
    kept = earlier | {row["where"]: row for row in rows}
    folder.write_lines(str(CALCULATED_ROWS), list(kept.values()))
    return Labelled(tuple(rows), len(records))


def _rank(record: CalculatedRecord) -> tuple[bool, str, str, float]:
    """The pristine cell first, then by defect, level of theory and energy."""
    return record.cell.name != BULK, record.cell.key, str(record.cell.provenance["potential"]), record.energy


def _earlier_rows(folder: RunFolder) -> list[_Row]:
    return folder.read_lines(str(CALCULATED_ROWS)) if folder.file(*CALCULATED_ROWS.parts).is_file() else []


def _labelled(found: FoundCalculation, host: Host, supercell: Supercell, others: Any) -> tuple[CalculatedRecord, _Row]:
    """The record of a calculation and its row.

    Raises:
        DefectgenError: it is left out.
    """
    if found.result is None:
        raise DataError(found.reason)
    result = found.result
    _check_setups(result, others)
    charge = _charge(found, result)
    expected = _expected(found, host)
    registration = register(
        result.lattice,
        result.numbers,
        result.positions,
        host,
        charge=charge,
        expected=None if expected is None else expected.with_charge(charge),
        supercells=[supercell],
    )
    record = _record(found, result, registration)
    row = {
        "where": found.where,
        "name": registration.defect.name,
        "key": registration.defect.key,
        "calculation": record.cell.provenance["calculation"],
        "charge": charge,
        "energy": result.energy,
        "level": result.level.name,
        "code": f"{result.level.code} {result.version}".strip(),
        "max_from_site": round(float(registration.distance.max(initial=0.0)), 4),
    }
    if expected is not None and expected.with_charge(charge).key != registration.defect.key:
        row["went_out_as"] = expected.name
    return record, row


def _charge(found: FoundCalculation, result: Calculation) -> int:
    """The charge of a calculation.

    Raises:
        DataError: its files and the manifest contradict each other, or neither says it.
    """
    asked = None if found.job is None else int(found.job["charge"])
    if asked is not None and result.charge is not None and asked != result.charge:
        raise DataError(
            f"was calculated with a charge of {result.charge:+d} e, and defect.json says {asked:+d}; run it with the "
            "charge, or remove defect.json to have it recognised as it is"
        )
    charge = result.charge if asked is None else asked
    if charge is None:
        raise DataError("its files do not say its charge; put a defect.json with key and charge beside them")
    return charge


def _expected(found: FoundCalculation, host: Host) -> Defect | None:
    """The defect that a manifest says.

    Raises:
        DefectError: it is of another host.
    """
    if found.job is None:
        return None
    try:
        return Defect.from_key(host, str(found.job["key"]))
    except DefectError as error:
        raise DefectError(f"defect.json beside it: {error}") from None


def _check_setups(result: Calculation, others: Any) -> None:
    """Refuse another pseudopotential of an element under the name of one level of theory.

    Raises:
        DataError: a record of this level used another.
    """
    for record in others:
        info = record.cell.provenance
        if info["potential"] != result.level.name:
            continue
        for symbol, setup in result.setups.items():
            used = info["dft"]["setups"].get(symbol, setup)
            if used != setup:
                raise DataError(
                    f"its {symbol} is {setup}, and others of {result.level.name} in this run used {used}: their "
                    "energies cannot be compared; label it into another run folder"
                )


def _record(found: FoundCalculation, result: Calculation, registration: Registration) -> CalculatedRecord:
    """The record, in the order and axes of the canonical cell."""
    level, job = result.level, found.job or {}
    files = content_hash(result.files)
    provenance = {
        "geometry": "dft",
        "status": "converged",
        "start": job.get("start"),
        "potential": level.name,
        "potential_sha256": level.sha256,
        "calculation": ":".join([files, *_NUMBERED.findall(found.where)]),
        "dft": {
            "code": level.code,
            "version": result.version,
            "functional": level.functional,
            "cutoff": level.cutoff,
            "setups": dict(result.setups),
            "files": [path.name for path in result.files],
            "files_sha256": files,
            "inputs_sha256": job.get("structure_sha256"),
            "band_edges": None if result.band_edges is None else list(result.band_edges),
        },
    }
    cell = registration.cell.with_geometry(registration.cell.positions, registration.cell.cell, **provenance)
    moments = result.moments
    return CalculatedRecord(
        cell,
        result.energy,
        None if result.forces is None else registration.vectors(result.forces),
        None if result.stress is None else _turned(result.stress, registration),
        None if moments is None else moments[registration.order],
        "dft_relaxed" if result.relaxed else "dft_single_point",
        None if result.potentials is None else result.potentials[registration.order],
    )


def _turned(stress: FloatArray, registration: Registration) -> FloatArray:
    return np.asarray(registration.tensor(stress[NINE_OF_SIX].reshape(3, 3)).ravel()[SIX_OF_NINE])
