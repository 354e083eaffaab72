"""Splits by host: all records of a host crystal fall in one of train, valid and test."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from augment.errors import DataError

SPLITS = ("train", "valid", "test")

HELD_OUT_FRACTION = 0.1
"""Share of the hosts that go to each of valid and test, at least one host each from three hosts on."""


def split_hosts(hosts: Iterable[str], seed: int = 0) -> dict[str, str]:
    """Split of each host: a map from host hash to `train`, `valid` or `test`.

    One host goes to train; two give train and valid; from three on there is at least one host in each split. The
    order of the hosts is that of the SHA-256 of seed and host, so that it does not depend on the order of the runs.
    """
    ordered = sorted(set(hosts), key=lambda host: hashlib.sha256(f"{seed}:{host}".encode()).digest())
    n = len(ordered)
    held_out = max(1, round(HELD_OUT_FRACTION * n))
    n_valid = held_out if n > 1 else 0
    n_test = held_out if n > len(SPLITS) - 1 else 0
    ends = ("valid",) * n_valid + ("test",) * n_test
    names = ends + ("train",) * (n - len(ends))
    return dict(zip(ordered, names, strict=True))


def check_split(hosts_of_split: Mapping[str, Iterable[str]]) -> None:
    """Refuse a split that shares a host.

    Args:
        hosts_of_split: the hosts of each split, by hash, or by any names that two records of one host share.

    Raises:
        DataError: a host is in two splits.
    """
    seen: dict[str, str] = {}
    for split, hosts in hosts_of_split.items():
        for host in sorted(set(hosts)):
            if host in seen:
                raise DataError(
                    f"host {host} is in both {seen[host]} and {split}: a model tested there has seen the crystal; "
                    "put all records of a host in one split"
                )
            seen[host] = split
