"""The records of a run folder, in an order that does not depend on when each was made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from augment.errors import DataError
from md.record import Record, read_records

RELAXED = Path("relax/records.npz")
POINTS = Path("md/points")

BAD_STATUS = frozenset({"diverged", "failed", "bad"})
"""Values of a record's `status` whose geometry a potential cannot be trusted on; never exported."""

_PROVENANCE = (
    "host",
    "formula",
    "geometry",
    "potential",
    "potential_sha256",
    "potential_precision",
    "engine",
    "ensemble",
    "temperature",
    "pressure",
    "step",
)


def provenance(record: Record) -> dict[str, object]:
    """What the comment line of a record's frame says besides the labels: who made it, of what, and under what.

    Raises:
        DataError: the record does not say which host it is of or which potential labelled it.
    """
    info = record.cell.info
    for needed, why in (("host", "it cannot be split by host"), ("potential", "nobody knows who made its labels")):
        if not info.get(needed):
            raise DataError(f"record {record.cell.name} has no {needed!r} in its info: {why}; run its stage again")
    chosen = {key: info.get(key) for key in _PROVENANCE}
    return {"name": record.cell.name, "defect_key": record.cell.key, **chosen}


def archives(run: Path) -> list[Path]:
    """The archives of a run that hold records: relaxed cells, then MD points by file name.

    Raises:
        DataError: the folder holds none.
    """
    relaxed = [run / RELAXED] if (run / RELAXED).is_file() else []
    found = [*relaxed, *sorted((run / POINTS).glob("*.npz"))]
    if not found:
        raise DataError(f"{run}: no relaxed cells and no MD points to export; run `defectgen relax` there first")
    return found


def trusted_records(run: Path) -> Iterator[Record]:
    """Records of a run whose frames are good: what diverged is left out, its last good frames are kept.

    Raises:
        DataError: the folder holds no records, or an archive is damaged.
    """
    for archive in archives(run):
        for record in read_records(archive):
            if record.cell.info.get("status") not in BAD_STATUS and record.cell.info.get("good", True):
                yield record


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
