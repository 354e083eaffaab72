"""Extended XYZ, written frame by frame with every digit of the labels and put in place only when whole."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from augment.cell import FloatArray
from augment.elements import element_symbol
from md.labels.record import Record

COLUMNS = "species:S:1:pos:R:3:REF_forces:R:3"
"""Per-atom columns: symbol, position (Å), force (eV/Å)."""


def frame_text(record: Record, info: Mapping[str, object], momenta: FloatArray | None = None) -> str:
    """One extended-XYZ frame of a record.

    Floats are written in the shortest form that reads back to the same bits. `REF_stress` is the Voigt vector
    xx, yy, zz, yz, xz, xy in eV/Å³ with ASE's sign, as MACE reads it.

    Args:
        record: the structure and its labels.
        info: further key-value pairs of the comment line; strings, numbers and None (left out).
        momenta: (n, 3) in ASE units, in a column of their own as ASE reads them.
    """
    cell = record.cell
    fields = {
        "Lattice": _vector(cell.cell),
        "Properties": COLUMNS if momenta is None else f"{COLUMNS}:momenta:R:3",
        "pbc": '"T T T"',
        "REF_energy": repr(float(record.energy)),
        "REF_stress": _vector(record.stress),
        "total_charge": str(int(cell.charge)),
        "config_type": quoted(record.config_type),
    }
    fields |= {key: _value(value) for key, value in info.items() if value is not None}
    lines = [str(len(cell)), " ".join(f"{key}={value}" for key, value in fields.items())]
    columns = np.hstack([cell.positions, record.forces, *([] if momenta is None else [momenta])]).tolist()
    for number, row in zip(cell.numbers, columns, strict=True):
        lines.append(" ".join([element_symbol(number), *map(repr, row)]))
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """A string as a quoted value of the comment line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, int | float):
        return repr(value)
    return quoted(str(value))


def _vector(values: FloatArray) -> str:
    return '"' + " ".join(map(repr, np.asarray(values, dtype=float).ravel().tolist())) + '"'


class ExtxyzFile:
    """A stream of frames into a temporary file; `publish` puts the whole file at `path` and gives its SHA-256."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        self._path, self._temporary = path, Path(name)
        self._stream = os.fdopen(handle, "wb")
        self._hash = hashlib.sha256()
        self.frames = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self._temporary.unlink(missing_ok=True)

    def write(self, text: str) -> None:
        """Append one frame."""
        content = text.encode()
        self._stream.write(content)
        self._hash.update(content)
        self.frames += 1

    def publish(self) -> str:
        """Close the file and rename it to its path; returns its SHA-256."""
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        self._temporary.chmod(0o644)
        self._temporary.replace(self._path)
        return self._hash.hexdigest()
