"""What a run folder holds, read once for its report; a stage that has not run leaves its part empty."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.linalg import inv

from augment.cell import DefectCell
from augment.errors import DataError
from augment.storage.archive import read_cells
from defectgen.run.folder import CUTS, RunFolder
from md.labels.calculated import CALCULATED_RECORDS, CalculatedRecord, read_calculated
from md.labels.record import Record, read_records

JsonRow = dict[str, Any]

DATA = "data"
"""Role of the points whose frames are data; rows of older runs have none, and are."""


@dataclass(frozen=True)
class RunData:
    """The contents of a run folder.

    Attributes:
        folder: the run folder.
        host: contents of host/host.json; empty if there is none.
        defects: rows of defects/defects.jsonl.
        cells: ideal cells, the pristine supercell first.
        placed: the same on the sites of the relaxed host; none where it is not known.
        bulk: the pristine supercell relaxed under the potential, or None.
        proposals: generated cells.
        relaxed: records of the relaxed cells.
        relaxations: rows of relax/summary.jsonl.
        searches: rows of search/summary.jsonl.
        minima: records of the minima that searches kept, lowest first of each defect.
        points: rows of md/summary.jsonl that are data.
        checks: those that are checks by a second engine.
        curves: rows of md/curves.jsonl, in the order of `points`; empty ones where there is none.
        calculated: records of calculations of electrons.
        levels: content of levels/levels.json, empty where it is not there.
        thermo: contents of thermo/thermo.json; empty if there is none.
        cuts: what was left out to fit the budget and has not been asked for since, a line each.
    """

    folder: RunFolder
    host: JsonRow
    defects: Sequence[JsonRow]
    cells: Sequence[DefectCell]
    placed: Sequence[DefectCell]
    bulk: Record | None
    proposals: Sequence[DefectCell]
    relaxed: Sequence[Record]
    relaxations: Sequence[JsonRow]
    searches: Sequence[JsonRow]
    minima: Sequence[Record]
    points: Sequence[JsonRow]
    checks: Sequence[JsonRow]
    curves: Sequence[JsonRow]
    calculated: Sequence[CalculatedRecord] = ()
    levels: JsonRow = field(default_factory=dict)
    thermo: JsonRow = field(default_factory=dict)
    cuts: Sequence[str] = ()

    @cached_property
    def identity(self) -> JsonRow:
        """Contents of run.json."""
        return self.folder.identity

    @cached_property
    def times(self) -> JsonRow:
        """Contents of stages.json."""
        return self.folder.times

    @cached_property
    def reference(self) -> dict[str, DefectCell]:
        """Ideal cells by key, on the sites of the relaxed host where that is known.

        Of a run that searched and placed no defect only the relaxed lattice is known: sites are strained with it.
        """
        cells = [*self.cells, *self.placed]
        if self.minima and not self.placed:
            lattice = self.minima[0].cell.cell
            cells = [cell.with_geometry(cell.positions @ inv(cell.cell) @ lattice, lattice) for cell in cells]
        return {cell.key: cell for cell in cells}

    @cached_property
    def potentials(self) -> dict[str, str]:
        """Name and SHA-256 of each potential that labelled something here."""
        records = [*self.relaxed, *([self.bulk] if self.bulk else []), *self.minima]
        infos = [r.cell.provenance for r in records if r.cell.provenance.get("potential")]
        return {str(i["potential"]): str(i.get("potential_sha256", "")) for i in infos}


def read_run(run: Path) -> RunData:
    """Everything that the report shows of a run folder.

    Raises:
        ResumeError: it is no run folder.
        DataError: a file in it is damaged.
    """
    folder = RunFolder.open(run)
    rows = _rows(folder.file("md", "summary.jsonl"))
    points = [row for row in rows if row.get("role", DATA) == DATA]
    curves = {str(row["id"]): row for row in _rows(folder.file("md", "curves.jsonl"))}
    bulk = _records(folder.file("generate", "bulk.npz"))
    return RunData(
        folder=folder,
        host=_object(folder.file("host", "host.json")),
        defects=_rows(folder.file("defects", "defects.jsonl")),
        cells=_cells(folder.file("defects", "cells.npz")),
        placed=_cells(folder.file("generate", "ideal.npz")),
        bulk=bulk[0] if bulk else None,
        proposals=_cells(folder.file("generate", "cells.npz")),
        relaxed=_records(folder.file("relax", "records.npz")),
        relaxations=_rows(folder.file("relax", "summary.jsonl")),
        searches=_rows(folder.file("search", "summary.jsonl")),
        minima=_records(folder.file("search", "minima.npz")),
        points=points,
        checks=[row for row in rows if row.get("role", DATA) != DATA],
        curves=[curves.get(str(point.get("id")), {}) for point in points],
        calculated=_calculated(folder.file(*CALCULATED_RECORDS.parts)),
        levels=_object(folder.file("levels", "levels.json")),
        thermo=_object(folder.file("thermo", "thermo.json")),
        cuts=[cut["line"] for cut in _rows(folder.file(CUTS)) if _setting(folder, cut["setting"]) == cut["kept"]],
    )


def _setting(folder: RunFolder, name: str) -> Any:
    """The value that a setting of the folder has now, by its dotted name, as JSON knows it."""
    value: Any = folder.settings.model_dump(mode="json")
    for part in name.split("."):
        value = value[part]
    return value


def _cells(path: Path) -> list[DefectCell]:
    return read_cells(path) if path.is_file() else []


def _records(path: Path) -> list[Record]:
    return read_records(path) if path.is_file() else []


def _calculated(path: Path) -> list[CalculatedRecord]:
    return read_calculated(path) if path.is_file() else []


def _object(path: Path) -> JsonRow:
    rows = _parse(path, [path.read_text(encoding="utf-8")]) if path.is_file() else [{}]
    return rows[0]


def _rows(path: Path) -> list[JsonRow]:
    return _parse(path, path.read_text(encoding="utf-8").splitlines()) if path.is_file() else []


def _parse(path: Path, texts: Sequence[str]) -> list[JsonRow]:
    try:
        return [json.loads(text) for text in texts]
    except ValueError as error:
        raise DataError(f"{path}: damaged ({error}); delete it and run its stage again") from None
