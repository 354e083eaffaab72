"""Columns of a survey: what is not known stays unknown, whatever a file has in its place."""

import numpy as np
import pytest

from defectgen.dataset.columns import column_of


@pytest.mark.parametrize("unknown", [None, float("nan"), np.nan, "word"])
def test_what_is_no_number_is_unknown(unknown):
    column = column_of("integer")
    column.extend([3, unknown, np.int32(4), 5.0])
    found = column.joined()
    assert found.isna().tolist() == [False, True, False, False]
    assert [int(v) for v in found[~found.isna()]] == [3, 4, 5]


def test_flags_are_three_valued():
    column = column_of("flag")
    column.extend([True, None, False])
    column.extend([np.True_])
    assert column.joined().to_numpy(dtype=object, na_value=None).tolist() == [True, None, False, True]


def test_text_is_sorted_and_may_be_missing():
    column = column_of("text")
    column.extend(["b", None, "a"])
    column.extend(["b"])
    found = column.joined()
    assert list(found.categories) == ["a", "b"]
    assert found.codes.tolist() == [1, -1, 0, 1]
