"""The values on the comment line of extended XYZ: plain lines at once, others as ASE reads them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

_PAIR = re.compile(r'([^\s="\'{}\[\]\\]+)=(?:"([^"\\]*)"|([^\s="\'{}\[\]\\]+))(?:\s+|$)')
_SPLIT = re.compile(r"[\s,]+")
_MATRICES = frozenset({"Lattice", "stress", "virial"})
_FLAGS = {word: word[0] in "tT" for word in ("T", "F", "true", "false", "True", "False", "TRUE", "FALSE")}
_TEXT = frozenset({"Properties", "config_type", "name", "uid"})
_LETTERS = re.compile(r"[A-Za-df-z_/(]")
"""Of which no number has any, but for nan, inf and E."""


def comment_values(line: str) -> dict[str, Any]:
    """Values by key: numbers, arrays of them, flags, text.

    ASE takes a fifth of a millisecond for each line, letter by letter; what is not `key=value key="values"` is left to
    it all the same.

    Raises:
        ValueError: a lattice or stress does not have nine numbers.
    """
    text = line.strip()
    found: dict[str, Any] = {}
    end = 0
    while end < len(text):
        match = _PAIR.match(text, end)
        if match is None or match[1] in found:
            return _as_ase_reads(text)
        key, quoted, plain = match.groups()
        found[key] = _value(key, plain if quoted is None else quoted)
        end = match.end()
    return found


def _as_ase_reads(text: str) -> dict[str, Any]:
    from ase.io.extxyz import key_val_str_to_dict

    return dict(key_val_str_to_dict(text)) if text else {}


def _value(key: str, text: str) -> Any:
    if key in _TEXT and key not in _MATRICES:
        return text
    words = _SPLIT.split(text.strip()) if " " in text or "," in text else [text]
    if all(word in _FLAGS for word in words):
        flags = [_FLAGS[word] for word in words]
        return flags[0] if len(flags) == 1 else flags
    numbers = _numbers(words)
    if key in _MATRICES:
        return _matrix(key, numbers)
    if numbers is None:
        return text
    return numbers if len(numbers) > 1 else numbers[0]


def _numbers(words: list[str]) -> Any:
    """An array of integers or floating-point numbers; None where a word is neither."""
    if len(words[0]) > 4 and _LETTERS.match(words[0]):  # noqa: PLR2004  longer than -inf
        return None
    try:
        return np.array([int(word) for word in words])
    except (ValueError, OverflowError):
        pass
    try:
        return np.array([float(word) for word in words])
    except ValueError:
        return None


def _matrix(key: str, numbers: Any) -> Any:
    if numbers is None or len(numbers) != 9:  # noqa: PLR2004  a matrix
        raise ValueError(f"{key} is not nine numbers")
    return numbers.reshape(3, 3).T
