"""The frames of a run folder, in an order that does not depend on when each was made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from augment.cell import BULK, DefectCell, FloatArray
from augment.errors import DataError
from augment.storage.archive import read_arrays, read_cells
from defectgen.dataset.frame import Frame, FrameFact, frame_of
from md.campaigns.relaxation_records import RELAXATION_ROWS, relaxation_records
from md.dynamics import MdPoint
from md.labels.calculated import CALCULATED_RECORDS, CalculatedRecord, read_calculated
from md.labels.frames import frames_from_arrays
from md.labels.record import Record, read_records

PRISTINE_RECORDS = Path("generate/bulk.npz")
RELAXED_RECORDS = Path("relax/records.npz")
DEFECTS = Path("defects/defects.jsonl")
LABELLED_PROPOSALS = Path("generate/labelled.npz")
SEARCH_MINIMA = Path("search/minima.npz")
IDEAL_CELLS = Path("generate/ideal.npz")
SUMMARY = Path("md/summary.jsonl")
POINTS_FOLDER = Path("md/points")

DIVERGED = "diverged"
"""Status of a relaxation whose end a potential cannot be trusted on; never exported."""

Facts = dict[str, FrameFact | None]


def record_facts(record: Record | CalculatedRecord) -> Facts:
    """What a record says of itself besides the labels: what it is, who labelled it, and under what.

    Raises:
        DataError: the record does not say which host it is of or which potential labelled it.
    """
    info = record.cell.provenance
    for needed, why in (("host", "it cannot be split by host"), ("potential", "nobody knows who made its labels")):
        if not info.get(needed):
            raise DataError(f"record {record.cell.name} has no {needed!r} in its info: {why}; run its stage again")
    formula, dynamics = str(info.get("formula", "crystal")), info.get("md") or {}
    _, form, edits, _ = record.cell.key.split("/")
    prototype = info.get("prototype")
    return {
        "config_type": record.config_type,
        "name": record.cell.name,
        "formula": formula,
        "prototype": prototype,
        # Twelve hexadecimal digits can read as a number, even as infinity; with the formula before them they do not.
        "host": f"{formula}/{info['host']}",
        "defect_key": record.cell.key,
        "defect_type": "pristine" if edits == BULK else info.get("type"),
        "edits": edits,
        "subgroup": info.get("subgroup"),
        "start": info.get("start"),
        "status": info.get("status"),
        "parent": "/".join((formula, prototype or info["host"], form, edits)),
        "step": info.get("step"),
        **_conditions(info, dynamics),
        "potential": info["potential"],
        "potential_sha256": info.get("potential_sha256"),
        "potential_precision": info.get("potential_precision"),
    }


def _conditions(info: Mapping[str, Any], dynamics: Mapping[str, Any]) -> Facts:
    """Engine, ensemble, temperature and pressure of a frame of dynamics, or those of the request of a proposal."""
    asked = dynamics or {key: info.get(key) for key in ("temperature", "pressure") if info.get("subgroup")}
    step = float(dynamics["timestep"]) if dynamics else 0.0
    return {
        "time": info["step"] * step if dynamics else None,
        "frame_interval": dynamics["interval"] * step if dynamics else None,
        **{key: dynamics.get(key) for key in ("engine", "ensemble")},
        **{key: asked.get(key) for key in ("temperature", "pressure")},
    }


@dataclass(frozen=True)
class RunSource:
    """A run folder as a source of frames.

    Attributes:
        path: the folder.
        path_frames: geometries of the way of each relaxation.
    """

    path: Path
    path_frames: int = 4

    def __str__(self) -> str:
        return str(self.path)

    def check(self) -> None:
        """Refuse a folder without anything to export.

        Raises:
            DataError: it is missing, or holds no labelled cells.
        """
        if not self.path.is_dir():
            raise DataError(f"{self.path}: no such run folder")
        made = (RELAXED_RECORDS, SUMMARY, SEARCH_MINIMA, CALCULATED_RECORDS)
        if not any((self.path / name).is_file() for name in made):
            raise DataError(
                f"{self.path}: no relaxed cells, no minima and no MD points to export; "
                f"run `defectgen relax {self.path}` first, or `defectgen label` where calculations are there"
            )

    def frames(self) -> Iterator[Frame]:
        """Ends and steps of relaxations, the pristine one first; proposals; minima; frames of dynamics; calculations.

        A relaxation that diverged is left out. Of a point that diverged there are only the frames before; the first
        frame of a point is the relaxed cell that it starts from and is left out. Points that a second engine ran as a
        check have the role `check`; of a run of an old version these are the points of all engines but the first.

        Raises:
            DataError: the folder holds no records, or an archive is damaged.
        """
        self.check()
        for record, more in chain(self._relaxed(), self._proposed(), self._searched(), self._dynamics()):
            facts = record_facts(record) | more
            yield replace(frame_of(record, self._described(facts, record)), ideal=self._ideal_of(record))
        for calculated in self._calculated:
            facts = record_facts(calculated) | {"start": calculated.cell.provenance.get("start")}
            frame = frame_of(calculated, self._described(facts, calculated))
            yield replace(frame, ideal=self._ideal_of(calculated))

    @cached_property
    def _calculated(self) -> list[CalculatedRecord]:
        """Records of calculations of electrons, read by `defectgen label`."""
        path = self.path / CALCULATED_RECORDS
        return read_calculated(path) if path.is_file() else []

    def _described(self, facts: Facts, record: Record | CalculatedRecord) -> Facts:
        """Facts with those of the defect's own table, and its energy against the pristine cell."""
        row = self._defects.get(f"{record.cell.key.rpartition('/q')[0]}/q+0", {})
        reference = self._pristine.get((record.cell.key.split("/")[1], str(facts["potential"])))
        return facts | {
            "defect_type": row.get("type") or facts["defect_type"],
            "wyckoff": row.get("wyckoff"),
            "site_symmetry": row.get("site_symmetry"),
            "stabilizer": row.get("point_group"),
            "degeneracy": row.get("degeneracy"),
            "energy_above_pristine": None if reference is None else record.energy - reference,
            "run": self.path.name,
        }

    @cached_property
    def _defects(self) -> dict[str, dict[str, Any]]:
        """Rows of the table of defects, by key."""
        path = self.path / DEFECTS
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        return {row["key"]: row for row in map(json.loads, lines)}

    @cached_property
    def _pristine(self) -> dict[tuple[str, str], float]:
        """Energies of the pristine supercells at rest, eV, by superlattice and potential."""
        archives = [self.path / name for name in (PRISTINE_RECORDS, RELAXED_RECORDS)]
        records: list[Record | CalculatedRecord] = [
            r for path in archives if path.is_file() for r in read_records(path)
        ]
        records = [r for r in (*records, *self._calculated) if r.cell.name == BULK]
        return {(r.cell.key.split("/")[1], str(r.cell.provenance.get("potential"))): r.energy for r in records}

    @cached_property
    def ideal(self) -> dict[str, DefectCell]:
        """Ideal geometries on the relaxed host, by key; none in a folder of an old version."""
        path = self.path / IDEAL_CELLS
        return {cell.key: cell for cell in read_cells(path)} if path.is_file() else {}

    def _ideal_of(self, record: Record | CalculatedRecord) -> tuple[FloatArray, FloatArray] | None:
        """Ideal positions and cell of the defect of a record, atom by atom, where the folder has them."""
        cell = self.ideal.get(f"{record.cell.key.rpartition('/q')[0]}/q+0")
        if cell is None or not np.array_equal(cell.numbers, record.cell.numbers):
            return None
        return cell.positions, cell.cell

    def _relaxed(self) -> Iterator[tuple[Record, Facts]]:
        if not (self.path / RELAXATION_ROWS).is_file():
            yield from self._lowest()
            return
        for record in relaxation_records(self.path, self.path_frames):
            info = record.cell.provenance
            run = f"relaxation-{info['relaxation_id']}" if "relaxation_id" in info else None
            if record.config_type != DIVERGED and info.get("status") != DIVERGED:
                yield record, {"lowest": info.get("lowest"), "trajectory": run}

    def _proposed(self) -> Iterator[tuple[Record, Facts]]:
        path = self.path / LABELLED_PROPOSALS
        for record in read_records(path) if path.is_file() else ():
            yield record, {}

    def _searched(self) -> Iterator[tuple[Record, Facts]]:
        path = self.path / SEARCH_MINIMA
        for record in read_records(path) if path.is_file() else ():
            yield record, {"lowest": record.cell.provenance.get("above") == 0.0}

    def _lowest(self) -> Iterator[tuple[Record, Facts]]:
        """The lowest ends alone, of a folder that says nothing of the others."""
        archives = [self.path / name for name in (PRISTINE_RECORDS, RELAXED_RECORDS)]
        seen: set[tuple[str, float, bytes]] = set()
        for record in (r for path in archives if path.is_file() for r in read_records(path)):
            identity = (record.cell.key, record.energy, record.cell.positions.tobytes())
            if record.cell.provenance.get("status") != DIVERGED and identity not in seen:
                seen.add(identity)
                yield record, {"lowest": True}

    def _dynamics(self) -> Iterator[tuple[Record, Facts]]:
        points = md_archives(self.path)
        for row, archive in points:
            role = row.get("role") or ("data" if row["engine"] == points[0][0]["engine"] else "check")
            memory = row.get("correlation_time")
            more: Facts = {"trajectory": f"md-{row['id']}", "correlation_time": memory, "role": role}
            for record in _records_of_point(row, archive):
                yield record, more


def md_archives(run: Path) -> list[tuple[Mapping[str, Any], Path]]:
    """Rows of md/summary.jsonl in order, each with the archive of its point; none where md has not run.

    Raises:
        DataError: the archive of a point is missing or damaged.
    """
    if not (run / SUMMARY).is_file():
        return []
    archives = {_point_of(path).id: path for path in sorted((run / POINTS_FOLDER).glob("*.npz"))}
    pairs = []
    for text in (run / SUMMARY).read_text(encoding="utf-8").splitlines():
        row = json.loads(text)
        if row["id"] not in archives:
            raise DataError(f"{run / POINTS_FOLDER}: no archive of the point {row['cell']} {row['id']}; run md again")
        pairs.append((row, archives[row["id"]]))
    return pairs


def _point_of(archive: Path) -> MdPoint:
    """The point of an archive, without reading its frames."""
    try:
        with archive.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return MdPoint.from_json(json.loads(str(arrays["outcome"]))[0])
    except (OSError, ValueError, KeyError, IndexError, EOFError, BadZipFile) as error:
        raise DataError(f"{archive}: not a whole archive of an MD point ({error}); run md again") from None


def _records_of_point(row: Mapping[str, Any], archive: Path) -> Iterator[Record]:
    arrays = read_arrays(archive)
    point = MdPoint.from_json(json.loads(str(arrays["outcome"]))[0])
    frames = frames_from_arrays(arrays, str(archive))
    made_by = {"potential": row["potential"], "potential_sha256": row["potential_sha256"]}
    for index, step in enumerate(arrays["frame_steps"].tolist()):
        if step == 0:
            continue  # the relaxed cell that every point starts from, which is a record already
        yield frames.record(index, f"md_{point.environment.label}", {**made_by, "md": point.json, "step": step})


@dataclass(frozen=True)
class RecordSource:
    """Records in memory as a source of frames.

    Attributes:
        records: labelled cells.
    """

    records: Sequence[Record]

    def __str__(self) -> str:
        return f"{len(self.records)} records"

    def check(self) -> None:
        """Refuse records that do not say their host or their potential."""
        for record in self.records:
            record_facts(record)

    def frames(self) -> Iterator[Frame]:
        """The records, as frames in their order."""
        for record in self.records:
            yield frame_of(record, record_facts(record))
