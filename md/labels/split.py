"""The splits of a dataset, and the rule that they share nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from augment.errors import DataError

SPLITS = ("train", "valid", "test")


def check_split(groups_of_split: Mapping[str, Iterable[str]]) -> None:
    """Refuse a split that shares a group: a host, a prototype, a defect or a run.

    Args:
        groups_of_split: the groups of each split, by any names that the frames of one group share.

    Raises:
        DataError: a group is in two splits.
    """
    seen: dict[str, str] = {}
    for split, groups in groups_of_split.items():
        for group in sorted(set(groups)):
            if group in seen:
                raise DataError(
                    f"{group} is in both {seen[group]} and {split}: a model tested there has seen it in training; "
                    "put all of it in one split"
                )
            seen[group] = split
