"""The records of a run folder, in an order that does not depend on when each was made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from augment.errors import DataError
from augment.storage.archive import read_arrays
from md.dynamics import MdPoint
from md.labels.frames import frames_from_arrays
from md.labels.record import Record, read_records

PRISTINE_RECORDS = Path("generate/bulk.npz")
RELAXED_RECORDS = Path("relax/records.npz")
SUMMARY = Path("md/summary.jsonl")
POINTS_FOLDER = Path("md/points")

DIVERGED = "diverged"
"""Status of a relaxation whose end a potential cannot be trusted on; never exported."""

_FROM_INFO = ("formula", "start", "potential", "potential_sha256", "potential_precision", "step")
_FROM_MD = ("engine", "ensemble", "temperature", "pressure")


def record_provenance(record: Record) -> dict[str, object]:
    """What the comment line of a record's frame says besides the labels: who made it, of what, and under what.

    Raises:
        DataError: the record does not say which host it is of or which potential labelled it.
    """
    info = record.cell.provenance
    for needed, why in (("host", "it cannot be split by host"), ("potential", "nobody knows who made its labels")):
        if not info.get(needed):
            raise DataError(f"record {record.cell.name} has no {needed!r} in its info: {why}; run its stage again")
    dynamics = info.get("md") or {}
    chosen = {key: info.get(key) for key in _FROM_INFO} | {key: dynamics.get(key) for key in _FROM_MD}
    # Twelve hexadecimal digits can read as a number, even as infinity; with the formula before them they do not.
    host = f"{info.get('formula', 'crystal')}/{info['host']}"
    return {"name": record.cell.name, "defect_key": record.cell.key, "host": host, **chosen}


def trusted_records(run: Path) -> Iterator[Record]:
    """Records of a run that can be trusted: relaxed cells, the pristine one first, then the frames of MD points.

    A relaxation that diverged is left out. Of an MD point that diverged there are only the frames before; the
    first frame of a point is the relaxed cell that it starts from and is left out.

    Raises:
        DataError: the folder holds no records, or an archive is damaged.
    """
    if not (run / RELAXED_RECORDS).is_file() and not (run / SUMMARY).is_file():
        raise DataError(f"{run}: no relaxed cells and no MD points to export; run `defectgen relax {run}` first")
    yield from _relaxed(run)
    for row, archive in md_archives(run):
        yield from _frames(row, archive)


def _relaxed(run: Path) -> Iterator[Record]:
    archives = [run / name for name in (PRISTINE_RECORDS, RELAXED_RECORDS) if (run / name).is_file()]
    seen: set[tuple[str, float, bytes]] = set()
    for record in (r for archive in archives for r in read_records(archive)):
        identity = (record.cell.key, record.energy, record.cell.positions.tobytes())
        if record.cell.provenance.get("status") != DIVERGED and identity not in seen:
            seen.add(identity)
            yield record


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


def _frames(row: Mapping[str, Any], archive: Path) -> Iterator[Record]:
    arrays = read_arrays(archive)
    point = MdPoint.from_json(json.loads(str(arrays["outcome"]))[0])
    frames = frames_from_arrays(arrays, str(archive))
    made_by = {"potential": row["potential"], "potential_sha256": row["potential_sha256"]}
    for index, step in enumerate(arrays["frame_steps"].tolist()):
        if step == 0:
            continue  # the relaxed cell that every point starts from, which is a record already
        yield frames.record(index, f"md_{point.environment.label}", {**made_by, "md": point.json, "step": step})


def distinct_runs(runs: Sequence[Path]) -> list[Path]:
    """The run folders, each once.

    Raises:
        DataError: there is none, one is missing, or one is given twice.
    """
    if not runs:
        raise DataError("no run folder to export; give at least one")
    seen: set[Path] = set()
    for run in runs:
        if not run.is_dir():
            raise DataError(f"{run}: no such run folder")
        if run.resolve() in seen:
            raise DataError(f"{run} is given twice; its records would be in the dataset twice")
        seen.add(run.resolve())
    return list(runs)
