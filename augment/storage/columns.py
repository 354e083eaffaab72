"""Many items in one archive by columns: a line of JSON each, and all arrays of a name one after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from augment.errors import DataError

__all__ = ["from_columns", "to_columns"]

Columns = Mapping[str, NDArray[Any]]
Item = TypeVar("Item")

_ROWS = "meta"


def to_columns(rows: Sequence[Sequence[Any]], items: Sequence[Columns], prefix: str = "") -> dict[str, NDArray[Any]]:
    """Arrays of many items with the same names, raveled one after the other, with `NAME.shape` for each.

    Args:
        rows: JSON values of each item.
        items: arrays of each item.
        prefix: of every name, so that items of several kinds fit in one archive.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for name in items[0] if items else ():
        parts = [item[name] for item in items]
        arrays[name] = np.concatenate([part.ravel() for part in parts])
        arrays[f"{name}.shape"] = np.array([part.shape for part in parts])
    arrays[_ROWS] = np.array([json.dumps(row) for row in rows], dtype=np.str_)
    return {f"{prefix}{name}": array for name, array in arrays.items()}


def from_columns(
    arrays: Columns, make: Callable[[list[Any], Columns], Item], where: str, what: str, prefix: str = ""
) -> list[Item]:
    """Inverse of `to_columns`; none where the archive holds nothing with that prefix.

    Args:
        arrays: of the archive.
        make: an item from its JSON values and its arrays.
        where: source, in errors.
        what: the items are, in errors.
        prefix: of the names that count.

    Raises:
        DataError: a column is missing or damaged.
    """
    own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    try:
        rows = [json.loads(str(text)) for text in (own[_ROWS] if own or not prefix else ())]
        columns = {name: _split(own[name], own[f"{name}.shape"]) for name in own if f"{name}.shape" in own}
        return [make(row, {name: parts[i] for name, parts in columns.items()}) for i, row in enumerate(rows)]
    except (KeyError, ValueError, IndexError) as error:
        raise DataError(f"{where}: not an archive of {what} ({error})") from None


def _split(flat: NDArray[Any], shapes: NDArray[Any]) -> list[NDArray[Any]]:
    sizes = np.prod(shapes, axis=1)
    ends = np.cumsum(sizes)
    return [flat[end - size : end].reshape(shape) for size, end, shape in zip(sizes, ends, shapes, strict=True)]
