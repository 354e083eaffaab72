"""The text of a CIF and its data blocks: bounded in size, parsed by gemmi, and looked up in any spelling of a tag."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gemmi
import numpy as np

from augment.errors import CifError
from augment.storage.missing import no_such_file

MAX_BYTES = 2_000_000
COORDINATES = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")
ABSENT = frozenset({"", "?", "."})
"""Values that say nothing: unknown, and not applicable."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"))
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\((\d*)\))?")


@dataclass(frozen=True)
class CifBlock:
    """One data block.

    Attributes:
        name: without `data_`.
        columns: values by tag; tags are in lower case and without dots (`_atom_site_fract_x`).
    """

    name: str
    columns: Mapping[str, tuple[str, ...]]

    def column(self, *tags: str) -> tuple[str, ...]:
        """Values of the first of the tags that the block has; none where it has none."""
        return next((self.columns[tag] for tag in tags if tag in self.columns), ())

    def value(self, *tags: str) -> str:
        """The first value of these tags that says something; empty where none does."""
        values = (value for tag in tags for value in self.columns.get(tag, ())[:1])
        return next((value for value in values if value not in ABSENT), "")


def read_text(path: Path) -> str:
    """Text of a file that is small enough to be the CIF of one crystal.

    Raises:
        CifError: it is missing, too large, binary, or cannot be read.
    """
    if path.is_dir():
        raise CifError("a folder, not a CIF; name the file")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CifError(f"larger than {MAX_BYTES // 1_000_000} MB; give the CIF of one crystal, without reflections")
        content = path.read_bytes()
    except FileNotFoundError:
        raise CifError(no_such_file(path)) from None
    except (OSError, ValueError) as error:
        raise CifError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if content.startswith(_UTF16):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content:
        raise CifError("a binary file, not a CIF")
    return content.decode("utf-8-sig", errors="replace")


def atom_blocks(text: str) -> list[CifBlock]:
    """The data blocks that hold atoms; templates whose atoms are question marks only do not.

    Raises:
        CifError: the text is no CIF, or none of its blocks holds atoms.
    """
    if not re.search(r"^\s*data_", text, flags=re.MULTILINE | re.IGNORECASE):
        raise CifError("not a CIF (no data_ block); give a crystallographic information file")
    holders = [block for block in _parse(text) if any(tag in block.columns for tag in COORDINATES)]
    if not holders:
        raise CifError("holds no atoms (no _atom_site_fract_x loop); give a CIF with fractional coordinates")
    filled = [block for block in holders if not _is_template(block)]
    if not filled:
        raise CifError("holds no atoms: its atom lists are question marks only; fill them in")
    return filled


def block_named(blocks: Iterable[CifBlock], name: str) -> CifBlock:
    """The block of a name, with or without `data_`, in any case.

    Raises:
        CifError: there is none, or there are several.
    """
    blocks = list(blocks)
    wanted = name.lower().removeprefix("data_")
    chosen = [block for block in blocks if block.name.lower() == wanted]
    if len(chosen) != 1:
        raise CifError(f"has no block {name!r} with atoms; give one of {', '.join(block.name for block in blocks)}")
    return chosen[0]


def number_of(text: str, what: str) -> float:
    """A CIF number, without its uncertainty in parentheses.

    Raises:
        CifError: the text is none; `what` says of what it is the value.
    """
    match = _NUMBER.fullmatch(text)
    value = float(match[1]) if match else np.inf
    if not np.isfinite(value):
        raise CifError(f"{what} is {text!r}, not a number; correct it")
    return value


def uncertainty_of(text: str) -> float:
    """Standard uncertainty that stands in parentheses behind a CIF number, 0 where there is none."""
    match = _NUMBER.fullmatch(text)
    if not match or not match[2]:
        return 0.0
    mantissa, _, exponent = match[1].lower().partition("e")
    decimals = len(mantissa.partition(".")[2]) - int(exponent or 0)
    return min(float(match[2]), 1e9) * 10.0 ** -max(min(decimals, 300), -300)


def _parse(text: str) -> list[CifBlock]:
    try:
        document = gemmi.cif.read_string(_ascii(text))
    except Exception as error:  # noqa: BLE001  whatever the parser raises of its input
        place = re.match(r"string:(\d+)(?::\d+\(\d+\))?:?\s*(.*)", " ".join(str(error).split()))
        what = f"line {place[1]}: {place[2]}" if place else f"{error}"
        raise CifError(f"not a readable CIF: a loop or a quotation is damaged ({what})") from None
    return [CifBlock(block.name.strip(), _columns(block)) for block in document]


def _columns(block: gemmi.cif.Block) -> dict[str, tuple[str, ...]]:
    columns: dict[str, tuple[str, ...]] = {}
    for item in block:
        pair: Any = item.pair  # which gemmi's own annotations call an object
        if pair is not None:
            _add(columns, pair[0], (pair[1],))
        elif item.loop is not None:
            width, values = item.loop.width(), item.loop.values
            for k, tag in enumerate(item.loop.tags):
                _add(columns, tag, list(values)[k::width])
    return columns


def _add(columns: dict[str, tuple[str, ...]], tag: str, raw: Iterable[str]) -> None:
    """Put values under a tag in its one spelling; the same tag in two spellings must have the same values."""
    name = tag.lower().replace(".", "_")
    values = tuple(gemmi.cif.as_string(v).strip() if v not in ABSENT else v for v in raw)
    if columns.setdefault(name, values) != values:
        raise CifError(f"{tag} stands in it twice, with different values; remove one")


def _ascii(text: str) -> str:
    """The text in the characters that a CIF may have; minus signs and subscripts of a typesetter are understood."""
    plain = unicodedata.normalize("NFKC", text.translate(_DASHES))
    return re.sub(r"[^\t\n\r\x20-\x7e]", "x", plain)


def _is_template(block: CifBlock) -> bool:
    """Whether every coordinate of a block is a question mark."""
    values = [value for tag in COORDINATES for value in block.column(tag)]
    return bool(values) and set(values) == {"?"}
