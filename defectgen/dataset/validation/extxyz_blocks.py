"""Reading anybody's extended XYZ frame by frame, so that a damaged frame does not take the others with it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import orjson
from numpy.typing import NDArray

from augment.elements import element_number
from defectgen.dataset.validation.comment_line import comment_values
from defectgen.dataset.validation.entries import Entry, make_entry

MAX_FRAME_ATOMS = 10_000_000
"""A count above this is no count of atoms: the line is of something else."""

_ALIASES = {"force": "force", "pos": "positions", "species": "symbols", "Z": "numbers", "species_id": "numbers"}
_STRUCTURE = frozenset({"positions", "symbols", "numbers"})
_TYPES: dict[str, Any] = {"R": float, "I": np.int64, "S": str, "L": str}


def extxyz_entries(path: Path) -> Iterator[Entry]:
    """The frames of a file; after a line that should be a count of atoms and is none, nothing more is read."""
    with path.open(encoding="utf-8", errors="replace") as stream:
        number = 0
        while (count := _count(stream)) is not None:
            if isinstance(count, str):
                yield Entry(number, None, count)
                return
            lines = [stream.readline() for _ in range(count + 1)]
            if not lines[-1]:
                yield Entry(number, None, f"the file ends within this frame of {count} atoms")
                return
            yield _entry(number, lines)
            number += 1


def _count(stream: TextIO) -> int | str | None:
    """The number of atoms of the next frame, what stands there instead, or None at the end of the file."""
    line = stream.readline()
    while line and not line.strip():
        line = stream.readline()
    if not line:
        return None
    text = line.strip()
    if not text.isascii() or not text.isdigit() or int(text[:12]) > MAX_FRAME_ATOMS:
        shown = text[:40].encode("ascii", "replace").decode()
        return f"{shown!r} stands where the number of atoms should; nothing after it can be read"
    return int(text)


def _entry(number: int, lines: list[str]) -> Entry:
    try:
        info = comment_values(lines[0])
        columns = _columns(str(info.pop("Properties", "species:S:1:pos:R:3")))
        arrays = _arrays(lines[1:], columns)
        lattice = info.pop("Lattice", None)
        cell = np.zeros((3, 3)) if lattice is None else np.array(lattice, dtype=float).reshape(3, 3).T.copy()
        pbc = np.broadcast_to(np.array(info.pop("pbc", lattice is not None), dtype=bool), (3,)).copy()
        numbers = _numbers(arrays)
        positions = arrays["positions"]
    except Exception as error:  # noqa: BLE001  whatever the text provokes
        return Entry(number, None, f"not readable as extended XYZ ({type(error).__name__}: {error})")
    values = {**info, **{name: array for name, array in arrays.items() if name not in _STRUCTURE}}
    return make_entry(number, numbers, positions, cell, pbc, values)


@lru_cache(maxsize=256)
def _columns(properties: str) -> tuple[tuple[str, str, int], ...]:
    """Name, type and width of each column."""
    parts = properties.split(":")
    if len(parts) % 3:
        raise ValueError(f"Properties={properties} is no list of name:type:width")
    return tuple(
        (_ALIASES.get(name, name), kind, int(width))
        for name, kind, width in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    )


def _arrays(lines: list[str], columns: tuple[tuple[str, str, int], ...]) -> dict[str, Any]:
    """The columns of the atoms by name; all numbers of a frame are converted at once."""
    width = sum(column[2] for column in columns)
    words = [line.split() for line in lines]
    for row, line in enumerate(words):
        if len(line) < width:
            raise ValueError(f"atom {row} has {len(line)} columns of {width}")
    arrays: dict[str, Any] = {}
    read: dict[str, tuple[list[Any], str]] = {}
    start = 0
    for name, kind, size in columns:
        block = [line[start : start + size] for line in words] if size > 1 else [line[start] for line in words]
        repeated = next((other for other, (text, kind_) in read.items() if text == block and kind_ == kind), None)
        arrays[name] = _converted(block, kind) if repeated is None else arrays[repeated]
        read[name] = (block, kind)
        start += size
    return arrays


def _converted(block: list[Any], kind: str) -> NDArray[Any]:
    if kind == "L":
        return np.asarray(np.char.upper(np.array(block, dtype=str)).astype("<U1") == "T")
    if kind == "R":
        return _floats(block)
    return np.array(block, dtype=_TYPES[kind])


def _floats(block: list[Any]) -> NDArray[np.float64]:
    """Numbers from their text; what JSON does not know, such as nan and 1., is left to NumPy, five times slower."""
    flat = not block or isinstance(block[0], str)
    rows = block if flat else [",".join(row) for row in block]
    try:
        numbers = np.array(orjson.loads(f"[{','.join(rows)}]"), dtype=float)
        return numbers if flat else numbers.reshape(len(block), -1)
    except orjson.JSONDecodeError:
        return np.array(block, dtype=float)


def _numbers(arrays: dict[str, Any]) -> NDArray[np.int64]:
    if "numbers" in arrays:
        return np.asarray(arrays["numbers"], dtype=np.int64)
    known = {symbol: element_number(symbol.capitalize()) for symbol in set(arrays["symbols"].tolist())}
    unknown = sorted(symbol for symbol, number in known.items() if number is None)
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is no element")
    return np.array([known[symbol] for symbol in arrays["symbols"].tolist()], dtype=np.int64)
