"""One SQLite database of ASE for each split, as Orb reads it: ids 1 to N without gaps, labels in double precision."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from ase.db import connect
from ase.db.row import AtomsRow

from defectgen.dataset.formats.databases.rows import row_name
from defectgen.dataset.formats.writer import Contents, SplitWriter, split_writer
from defectgen.dataset.frame import Frame

QUERIED = ("config_type", "defect_type", "host", "engine", "temperature", "pressure", "potential")
"""Facts that `ase db train.db defect_type=vacancy` can ask for; all facts are in the data of each row."""


class SqlitePart:
    """The database of one split.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = connect(path, type="db", append=False, use_lock_file=False)
        self._database.__enter__()  # one transaction for all rows
        self._rows = 0

    def write(self, frame: Frame) -> None:
        """Append a frame as the next row."""
        self._rows += 1
        facts = {name: frame.facts[name] for name in QUERIED if name in frame.facts}
        self._database.write(sqlite_row(frame, self._rows), data={**frame.facts, "charge": frame.charge}, **facts)

    def finish(self) -> None:
        """Commit, and take out when each row was written, so that the same frames give the same bytes."""
        self._database.__exit__(None, None, None)
        connection = sqlite3.connect(self._path)
        with connection:
            connection.execute("UPDATE systems SET mtime = 0.0")
        connection.close()

    def close(self) -> None:
        """Close the file, without the rows if they are not finished."""
        if self._database.connection is not None:
            self._database.connection.close()
            self._database.connection = None


def sqlite_row(frame: Frame, index: int) -> AtomsRow:
    """A frame as a row of ASE, number `index` of its database."""
    labels = {"energy": frame.energy, "free_energy": frame.energy, "forces": frame.forces, "stress": frame.stress}
    row: dict[str, Any] = {
        "numbers": frame.numbers,
        "positions": np.asarray(frame.positions, dtype=float),
        "cell": frame.cell,
        "pbc": frame.pbc,
        "unique_id": row_name(frame, index),
        "ctime": 0.0,
        "user": "",
        "calculator": "unknown",
        "calculator_parameters": {},
    }
    return AtomsRow({**row, **{name: label for name, label in labels.items() if label is not None}})


def open_ase_db(folder: Path, contents: Contents) -> AbstractContextManager[SplitWriter]:
    """A writer of `train.db` and so on."""
    return split_writer(contents, lambda split: SqlitePart(folder / f"{split}.db"))
