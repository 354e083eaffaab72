"""Items of any shapes come back from their columns; a damaged column is refused."""

from typing import Any

import numpy as np
import pytest

from augment.errors import DataError
from augment.storage.columns import from_columns, to_columns

ROWS = [["a", 1], ["b", None]]
ITEMS = [{"x": np.arange(6).reshape(2, 3), "y": np.zeros((0, 3))}, {"x": np.ones((1, 1)), "y": np.ones((2, 3))}]


def pair(row: list[Any], columns: Any) -> tuple[list[Any], dict[str, np.ndarray]]:
    return row, dict(columns)


def test_items_come_back_with_their_shapes_beside_others() -> None:
    arrays = {**to_columns(ROWS, ITEMS), **to_columns(ROWS[:1], ITEMS[:1], "others.")}
    plain = {name: array for name, array in arrays.items() if not name.startswith("others.")}
    for (row, columns), expected, item in zip(from_columns(plain, pair, "here", "items"), ROWS, ITEMS, strict=True):
        assert row == expected
        assert all(np.array_equal(columns[name], item[name]) for name in item)
    assert len(from_columns(arrays, pair, "here", "items", "others.")) == 1
    assert from_columns(plain, pair, "here", "items", "others.") == []


@pytest.mark.parametrize("name", ["meta", "x.shape"])
def test_a_missing_or_damaged_column_is_refused(name: str) -> None:
    arrays = to_columns(ROWS, ITEMS)
    arrays[name] = arrays[name][:0] if name == "x.shape" else np.array(["{"])
    with pytest.raises(DataError, match="here: not an archive of items"):
        from_columns(arrays, pair, "here", "items")
