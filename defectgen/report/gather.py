"""What a run folder holds, read once for its report; a stage that has not run leaves its part empty."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.errors import DataError
from augment.store import read_arrays, read_cells
from defectgen.export.collect import md_archives
from defectgen.run_folder import RunFolder
from md.record import Record, read_records
from md.reference import onto_relaxed_host

Row = dict[str, Any]

FEMTOSECONDS_IN_PICOSECOND = 1000.0


MOST_TIMES = 150
"""Points of a curve over time; longer runs are averaged in blocks."""


@dataclass(frozen=True)
class Course:
    """How one MD point went, averaged in blocks of steps: time (ps), volume (Å³/atom), temperature (K)."""

    times: list[float]
    volumes: list[float]
    temperatures: list[float]


@dataclass(frozen=True)
class RunData:
    """The contents of a run folder.

    Attributes:
        folder: the run folder.
        host: contents of host/host.json; empty if there is none.
        defects: rows of defects/defects.jsonl.
        cells: ideal cells, the pristine supercell first.
        bulk: the pristine supercell relaxed under the potential, or None.
        proposals: generated cells.
        relaxed: records of the relaxed cells.
        relaxations: rows of relax/summary.jsonl.
        points: rows of md/summary.jsonl.
        courses: how each point went, in the order of `points`.
    """

    folder: RunFolder
    host: Row
    defects: Sequence[Row]
    cells: Sequence[DefectCell]
    bulk: Record | None
    proposals: Sequence[DefectCell]
    relaxed: Sequence[Record]
    relaxations: Sequence[Row]
    points: Sequence[Row]
    courses: Sequence[Course]

    @cached_property
    def identity(self) -> Row:
        """Contents of run.json."""
        return self.folder.identity

    @cached_property
    def times(self) -> Row:
        """Contents of stages.json."""
        return self.folder.times

    @cached_property
    def reference(self) -> dict[str, DefectCell]:
        """Ideal cells by key, on the sites of the relaxed host where that is known."""
        if not self.cells or self.bulk is None:
            return {cell.key: cell for cell in self.cells}
        pristine, relaxed = self.cells[0], self.bulk.cell
        return {cell.key: onto_relaxed_host(cell, pristine, relaxed) for cell in self.cells}

    @cached_property
    def potentials(self) -> dict[str, str]:
        """Name and SHA-256 of each potential that labelled something here."""
        records = [*self.relaxed, *([self.bulk] if self.bulk else [])]
        infos = [r.cell.info for r in records if r.cell.info.get("potential")]
        return {str(i["potential"]): str(i.get("potential_sha256", "")) for i in infos}


def read_run(run: Path) -> RunData:
    """Everything that the report shows of a run folder.

    Raises:
        ResumeError: it is no run folder.
        DataError: a file in it is damaged.
    """
    folder = RunFolder.open(run)
    relaxed_host = _records(folder.file("generate", "bulk.npz"))
    return RunData(
        folder=folder,
        host=_object(folder.file("host", "host.json")),
        defects=_rows(folder.file("defects", "defects.jsonl")),
        cells=_cells(folder.file("defects", "cells.npz")),
        bulk=relaxed_host[0] if relaxed_host else None,
        proposals=_cells(folder.file("generate", "cells.npz")),
        relaxed=_records(folder.file("relax", "records.npz")),
        relaxations=_rows(folder.file("relax", "summary.jsonl")),
        points=_rows(folder.file("md", "summary.jsonl")),
        courses=[_course(row, archive) for row, archive in md_archives(run)],
    )


def _course(row: Mapping[str, Any], archive: Path) -> Course:
    arrays = read_arrays(archive)
    try:
        cells = np.asarray(arrays["series_cells"], dtype=float)
        volumes = np.asarray(np.abs(np.linalg.det(cells)), dtype=float) / len(arrays["start_numbers"])
        temperatures = np.asarray(arrays["series_temperatures"], dtype=float)
    except KeyError as error:
        raise DataError(f"{archive}: not an archive of an MD point (no {error}); run md again") from None
    step = float(row["timestep"]) / FEMTOSECONDS_IN_PICOSECOND
    times = np.arange(len(volumes), dtype=np.float64) * step
    block = -(-len(volumes) // MOST_TIMES) or 1
    means = ([round(float(x), 4) for x in block_means(a, block)] for a in (times, volumes, temperatures))
    return Course(*means)


def block_means(values: FloatArray, block: int) -> FloatArray:
    """Means (ceil(n / block),) of consecutive blocks of values (n,); the last may be shorter."""
    starts = np.arange(0, len(values), block)
    return np.asarray(np.add.reduceat(values, starts) / np.diff([*starts, len(values)])) if len(values) else values


def _cells(path: Path) -> list[DefectCell]:
    return read_cells(path) if path.is_file() else []


def _records(path: Path) -> list[Record]:
    return read_records(path) if path.is_file() else []


def _object(path: Path) -> Row:
    rows = _parse(path, [path.read_text(encoding="utf-8")]) if path.is_file() else [{}]
    return rows[0]


def _rows(path: Path) -> list[Row]:
    return _parse(path, path.read_text(encoding="utf-8").splitlines()) if path.is_file() else []


def _parse(path: Path, texts: Sequence[str]) -> list[Row]:
    try:
        return [json.loads(text) for text in texts]
    except ValueError as error:
        raise DataError(f"{path}: damaged ({error}); delete it and run its stage again") from None
