"""Tables of ASE atoms for GRACE (tensorpotential), pickled by pandas as its input file expects them.

`tensorpotential/cli/data.py` reads one file or a list of files with the columns `ase_atoms`, `energy` (eV), `forces`
(eV/Å) and `stress` (eV/Å³, ASE's order and sign). A pickle is read as a whole, so each holds a bounded number.
"""

from __future__ import annotations

import gzip
import pickle
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from defectgen.dataset.formats.writer import Contents, SplitWriter, split_writer
from defectgen.dataset.frame import Frame

MAX_ROWS = 5_000
"""Frames in a file: what is held in memory at once."""

_PROTOCOL = 4
"""Of the pickles: what every supported Python reads."""


class GracePart:
    """The files of one split, `train_000.pkl.gz` and so on.

    Args:
        folder: of the dataset in this format.
        split: its name.
    """

    def __init__(self, folder: Path, split: str) -> None:
        self._folder, self._split = folder, split
        self._rows: list[dict[str, Any]] = []
        self._files = 0

    def write(self, frame: Frame) -> None:
        """Append a frame, and write a file when there are enough."""
        self._rows.append(_table_row(frame))
        if len(self._rows) >= MAX_ROWS:
            self._flush()

    def finish(self) -> None:
        """Write the last file."""
        if self._rows:
            self._flush()

    def close(self) -> None:
        """Forget what waits."""
        self._rows.clear()

    def _flush(self) -> None:
        import numpy as np
        import pandas as pd

        columns = {name: np.empty(len(self._rows), dtype=object) for name in self._rows[0]}
        for name, column in columns.items():
            column[:] = [row[name] for row in self._rows]
        # GRACE comes with pandas 2, which cannot read the text columns of pandas 3: all but numbers are objects.
        table = pd.DataFrame(columns, dtype=object)
        table["energy"] = table["energy"].astype(float)
        table.columns = pd.Index(list(columns), dtype=object)
        path = self._folder / f"{self._split}_{self._files:03d}.pkl.gz"
        with path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as stream:
            pickle.dump(table, stream, protocol=_PROTOCOL)
        self._rows, self._files = [], self._files + 1


def _table_row(frame: Frame) -> dict[str, Any]:
    from ase import Atoms

    atoms = Atoms(numbers=frame.numbers, positions=frame.positions, cell=frame.cell, pbc=frame.pbc)
    stress = {} if frame.stress is None else {"stress": frame.stress}
    return {"ase_atoms": atoms, "energy": frame.energy, "forces": frame.forces, **stress, "name": frame.text("name")}


def open_grace(folder: Path, contents: Contents) -> AbstractContextManager[SplitWriter]:
    """A writer of `train_000.pkl.gz` and so on."""
    return split_writer(contents, lambda split: GracePart(folder, split))
