"""What the relaxations of a run folder have for a training set: every end, and some geometries on the way to each.

The summary of the relaxations says their order, and their archives hold the geometries. Nothing here loads a
potential: an archive says itself who made its labels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from augment.errors import DataError
from augment.storage.archive import cells_from_arrays, read_arrays
from md.labels.record import Record, read_records
from md.relaxation.path import path_from_arrays

RELAXATION_ROWS = Path("relax/summary.jsonl")
RELAXATION_ITEMS = Path("relax/items")
PRISTINE_END = Path("generate/bulk.npz")

Row = Mapping[str, Any]
_Identity = tuple[str, str, str, tuple[float, ...], str]
"""Key, start, status, energies and settings: what a row of the summary and an archive have in common."""


def relaxation_records(run: Path, path_frames: int = 4) -> Iterator[Record]:
    """Records of every relaxation of a run folder, in the order of `relax/summary.jsonl`, whenever each was made.

    For each relaxation there are first up to `path_frames` geometries of its path, then its end. `config_type` is
    `relaxation_path`, and of ends `relaxed`, `unconverged` (the steps ran out) or `diverged` (the last good geometry
    before a guard stopped it). The provenance of each says `status` (`converged`, `not_converged` or `diverged`),
    `step`, `start` (`ideal`, or which proposal), `relaxation_id` (one for all records of a relaxation: its archive) and
    `relaxation` (the settings); that of ends also `lowest`: whether it is the lowest end of its defect, as in
    `relax/records.npz`. The pristine crystal comes first, which is an end without a path.

    A relaxation that two rows share comes once; one whose start fails the guards has no records; a run of a version
    that kept no paths has ends alone.

    Args:
        run: the run folder.
        path_frames: geometries of each path, at most as many as `relax.path_frames` of its settings kept.

    Raises:
        DataError: the relax stage has not finished, or an archive is missing or damaged.
    """
    rows = relaxation_rows(run)
    best = set(lowest_of_each(rows))
    archives = _archives(run)
    pristine = {r.cell.key: r for r in read_records(run / PRISTINE_END)} if (run / PRISTINE_END).is_file() else {}
    seen: set[_Identity] = set()
    for index, row in enumerate(rows):
        identity, lowest = _identity_of_row(row), index in best
        if archives.get(identity):
            yield from _records(archives[identity].pop(0), row, path_frames, lowest=lowest)
        elif row["key"] in pristine:
            yield _saying(pristine.pop(row["key"]), lowest=lowest, start=row["start"])
        elif identity not in seen and row["energies"]:
            raise DataError(
                f"{run / RELAXATION_ITEMS}: no archive of the relaxation of {row['name']} from {row['start']}; "
                "run relax again with --overwrite"
            )
        seen.add(identity)


def relaxation_rows(run: Path) -> list[Row]:
    """The rows of the summary of a run's relaxations.

    Raises:
        DataError: there is none, or it is damaged.
    """
    path = run / RELAXATION_ROWS
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); run `defectgen relax {run}` first") from None


def lowest_of_each(rows: Sequence[Row]) -> list[int]:
    """Places of the lowest end of each defect, by order of defects; of ties the first, none that diverged."""
    best: dict[str, int] = {}
    for index, row in enumerate(rows):
        if row["status"] == "diverged" or not row["energies"]:
            continue
        known = best.get(row["key"])
        if known is None or row["energies"][-1] < rows[known]["energies"][-1]:
            best[row["key"]] = index
    return list(best.values())


def _archives(run: Path) -> dict[_Identity, list[Path]]:
    """The archives of a run by what they hold, those of the same by name."""
    found: dict[_Identity, list[Path]] = {}
    for path in sorted((run / RELAXATION_ITEMS).glob("*.npz")):
        found.setdefault(_identity_of_archive(path), []).append(path)
    return found


def _identity_of_row(row: Row) -> _Identity:
    return _identity(row["key"], row["start"], row["status"], row["energies"], row.get("settings"))


def _identity(key: object, start: object, status: object, energies: Sequence[float], settings: object) -> _Identity:
    return str(key), str(start), str(status), tuple(energies), json.dumps(settings, sort_keys=True)


def _identity_of_archive(path: Path) -> _Identity:
    """What an archive holds, without reading its frames."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            columns = {name.removeprefix("start_"): arrays[name] for name in arrays.files if name.startswith("start_")}
            status, _, settings, *_ = json.loads(str(arrays["outcome"]))
            energies = arrays["step_energies"].tolist()
    except (OSError, ValueError, KeyError, IndexError, EOFError, BadZipFile) as error:
        raise DataError(f"{path}: not a whole archive of a relaxation ({error}); delete it, run relax again") from None
    [start] = cells_from_arrays(columns, str(path))
    return _identity(start.key, start.provenance.get("start"), status, energies, settings)


def _records(archive: Path, row: Row, path_frames: int, *, lowest: bool) -> Iterator[Record]:
    path = path_from_arrays(read_arrays(archive), str(archive))
    made_by = {"potential": row["potential"], "potential_sha256": row["potential_sha256"]}
    known = {**made_by, **path.provenance, "relaxation_id": archive.stem}
    path = replace(path, provenance=known)
    yield from path.spread(path_frames)
    if path.end is not None:
        yield _saying(path.end, lowest=lowest)


def _saying(record: Record, **more: object) -> Record:
    """A record whose provenance says more."""
    return replace(record, cell=record.cell.with_geometry(record.cell.positions, record.cell.cell, **more))
