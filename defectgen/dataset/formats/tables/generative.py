"""Relaxed defect structures for generative models: csv with CIFs, CIF files, and Parquet, each with its ideal cell.

`train.csv`, `val.csv` and `test.csv` with the columns `material_id` and `cif` are what MatterGen
(`CrystalDataset.from_csv`), CDVAE and DiffCSP read; other columns are properties to condition on.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from augment.cell import DefectCell, FloatArray
from augment.errors import DataError
from augment.exchange import cif_text
from defectgen.dataset.fields import FIELDS
from defectgen.dataset.formats.parquet import TableFile
from defectgen.dataset.formats.writer import Contents
from defectgen.dataset.frame import Frame
from defectgen.dataset.survey import composition

ENDS = "relaxed"
"""`config_type` of the frames that are written; all others are on their way somewhere."""

SPLIT_STEMS = {"train": "train", "valid": "val", "test": "test"}

FACTS = (
    "name", "formula", "prototype", "host", "defect_key", "defect_type", "edits", "wyckoff", "site_symmetry",
    "stabilizer", "degeneracy", "subgroup", "start", "lowest", "temperature", "pressure", "energy_above_pristine",
    "potential", "potential_sha256", "split",
)  # fmt: skip
"""Columns that are facts of the frame."""

TEXTS = ("material_id", "cif", "ideal_cif", "composition", "n_atoms", "charge", "energy", *FACTS)
"""Columns of the csv files."""

_ROWS = 1_000
_KINDS = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "flag": pa.bool_()}
_KIND_OF = {field.name: _KINDS[field.kind] for field in FIELDS}
_OWN = {"n_atoms": pa.int64(), "charge": pa.int64(), "energy": pa.float64()}
_VECTORS = pa.list_(pa.list_(pa.float64(), 3))
_CELL = pa.list_(pa.list_(pa.float64(), 3), 3)

STRUCTURE_SCHEMA = pa.schema(
    [
        *(pa.field(name, _OWN.get(name, _KIND_OF.get(name, pa.string()))) for name in TEXTS),
        pa.field("numbers", pa.list_(pa.int32())),
        *(pa.field(name, _VECTORS) for name in ("positions", "ideal_positions")),
        *(pa.field(name, _CELL) for name in ("cell", "ideal_cell")),
    ]
)
"""Å, eV, K, GPa; atoms of the ideal and the relaxed cell are in the same order."""


class StructurePart:
    """The files of one split.

    Args:
        folder: of the dataset in this format.
        stem: name of the files, `train`.
    """

    def __init__(self, folder: Path, stem: str) -> None:
        self._cifs = folder / "cif"
        self._cifs.mkdir(exist_ok=True)
        self._text = (folder / f"{stem}.csv").open("w", encoding="utf-8", newline="")
        self._rows = csv.DictWriter(self._text, TEXTS, extrasaction="ignore", lineterminator="\n")
        self._rows.writeheader()
        self._table = TableFile(folder / f"{stem}.parquet", STRUCTURE_SCHEMA, _ROWS)

    def write(self, frame: Frame) -> None:
        """Append a structure to all files."""
        row = structure_row(frame)
        (self._cifs / f"{row['material_id']}.cif").write_text(row["cif"], encoding="utf-8")
        self._rows.writerow(row)
        self._table.write(row)

    def finish(self) -> None:
        """Write what waits."""
        self._table.finish()

    def close(self) -> None:
        """Close the files."""
        self._text.close()
        self._table.close()


class GenerativeWriter:
    """Relaxed ends of each split; frames of other kinds are passed over.

    Args:
        folder: of the dataset in this format.
        stack: closes the files.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._parts: dict[str, StructurePart] = {}

    def write(self, split: str, frame: Frame) -> None:
        """Append a frame to its split if it is a relaxed end."""
        if frame.facts.get("config_type") != ENDS:
            return
        if split not in self._parts:
            self._parts[split] = self._stack.enter_context(closing(StructurePart(self._folder, SPLIT_STEMS[split])))
        self._parts[split].write(frame)

    def finish(self) -> None:
        """Finish every split.

        Raises:
            DataError: there was no relaxed end.
        """
        if not self._parts:
            raise DataError("no frame is a relaxed end; the format generative holds nothing else: leave it out")
        for part in self._parts.values():
            part.finish()


@contextmanager
def open_generative(folder: Path, contents: Contents) -> Iterator[GenerativeWriter]:  # noqa: ARG001
    """A writer of `train.csv`, `train.parquet` and so on, and of `cif/ID.cif`."""
    with ExitStack() as stack:
        yield GenerativeWriter(folder, stack)


def structure_row(frame: Frame) -> dict[str, Any]:
    """One row: the relaxed and the ideal structure, and what is known of the defect; None for what is not."""
    positions, cell = frame.ideal or (None, None)
    return {
        "material_id": material_id(frame),
        "cif": _cif(frame, frame.positions, frame.cell),
        "ideal_cif": None if positions is None or cell is None else _cif(frame, positions, cell),
        "composition": composition(frame.numbers),
        "n_atoms": len(frame),
        "charge": frame.charge,
        "energy": frame.energy,
        **{name: frame.facts.get(name) for name in FACTS},
        "numbers": frame.numbers.astype(np.int32),
        "positions": frame.positions,
        "cell": frame.cell,
        "ideal_positions": positions,
        "ideal_cell": cell,
    }


def material_id(frame: Frame) -> str:
    """A name that is the same wherever this structure is exported: the defect's, and twelve digits of a hash."""
    digest = hashlib.blake2b(frame.text("defect_key").encode(), digest_size=6)
    for array in (frame.numbers, frame.positions, frame.cell):
        digest.update(np.ascontiguousarray(array).tobytes())
    name = "".join(c if c.isalnum() or c in "_-" else "-" for c in frame.text("name") or composition(frame.numbers))
    return f"{name}-{digest.hexdigest()}"


def _cif(frame: Frame, positions: FloatArray, cell: FloatArray) -> str:
    """CIF in P1 of a geometry of the atoms of a frame."""
    name, key = frame.text("name") or composition(frame.numbers), frame.text("defect_key")
    sites = np.arange(len(frame))
    return cif_text(DefectCell(name, key, cell, frame.numbers, positions, sites, frame.charge))
