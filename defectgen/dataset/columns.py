"""Columns of a table that grow by parts, as small as what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from defectgen.dataset.fields import Kind


class GrowingColumn(Protocol):
    """The values of one field; what is not known is None."""

    def extend(self, values: Sequence[Any]) -> None:
        """Append values."""

    def joined(self) -> Any:
        """All values as an array of NumPy or pandas; what was appended is given back."""


class TextColumn:
    """Text, each once, and a number for each value."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._parts: list[NDArray[np.signedinteger[Any]]] = []

    def extend(self, values: Sequence[Any]) -> None:
        """Append values."""
        known = self._numbers
        codes = [-1 if v is None else known.setdefault(v if type(v) is str else str(v), len(known)) for v in values]
        self._parts.append(np.array(codes, dtype=np.min_scalar_type(-len(known) - 1)))

    def joined(self) -> Any:
        """A categorical array whose categories are sorted."""
        import pandas as pd

        texts = sorted(self._numbers)
        rank = np.empty(len(texts) + 1, dtype=np.min_scalar_type(-len(texts) - 1))
        rank[[self._numbers[text] for text in texts]] = np.arange(len(texts))
        rank[-1] = -1
        codes = rank[_joined(self._parts, np.int8)]
        return pd.Categorical.from_codes(codes, categories=pd.Index(texts, dtype=None if texts else object))


class NumberColumn:
    """Numbers; NaN is what is not known."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.float64]] = []

    def extend(self, values: Sequence[Any] | NDArray[np.float64]) -> None:
        """Append values."""
        known = values if isinstance(values, np.ndarray) else [np.nan if v is None else v for v in values]
        self._parts.append(np.asarray(known, dtype=float))

    def joined(self) -> Any:
        """A float array."""
        return _joined(self._parts, np.float64)


class MaskedColumn:
    """Integers or flags, and which of them are known.

    Args:
        kind: of the field.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._parts: list[Any] = []
        self._unknown: list[NDArray[np.bool_]] = []

    def extend(self, values: Sequence[Any]) -> None:
        """Append values."""
        dtype = np.int64 if self._kind == "integer" else np.bool_
        known = [v if _is_number(v) else None for v in values]
        self._parts.append(np.array([v or 0 for v in known], dtype=dtype))
        self._unknown.append(np.array([v is None for v in known], dtype=bool))

    def joined(self) -> Any:
        """A masked array of pandas."""
        import pandas as pd

        unknown = _joined(self._unknown, np.bool_)
        if self._kind == "integer":
            return pd.arrays.IntegerArray(_joined(self._parts, np.int64), unknown)
        return pd.arrays.BooleanArray(_joined(self._parts, np.bool_), unknown)


def column_of(kind: Kind) -> GrowingColumn:
    """An empty column of a kind."""
    if kind == "text":
        return TextColumn()
    return NumberColumn() if kind == "number" else MaskedColumn(kind)


def _is_number(value: Any) -> bool:
    """Whether a value is one: files of others have NaN, or words, where nothing is known."""
    return isinstance(value, int | float | np.number | np.bool_) and value == value  # noqa: PLR0124  NaN is not itself


def _joined(parts: list[Any], dtype: Any) -> NDArray[Any]:
    """The parts in one array; their memory is given back."""
    whole = np.concatenate([np.zeros(0, dtype=dtype), *parts])
    parts.clear()
    return whole
