"""What the dataset card says of the frames: counts, ranges and quantiles.

Rows are counted by the numbers of their categories: text of a million frames would take more memory than all else.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augment.elements import element_number
from defectgen.dataset.card.sampling import ends_of, sampling_of
from defectgen.dataset.fields import FIELD_NAMES
from defectgen.dataset.splits import Split
from defectgen.dataset.survey import Survey

if TYPE_CHECKING:
    import pandas as pd

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)

ADDED = ("head", "config_weight", "split")
"""Fields that the writer of a dataset adds."""

_RANGES = (
    "energy_per_atom", "energy_above_pristine", "max_force", "mean_stress", "temperature", "volume_per_atom", "n_atoms",
    "contact", "correlation_time",
)  # fmt: skip


def statistics_of(survey: Survey, split: Split) -> dict[str, Any]:
    """JSON values of what the frames of a dataset are, how many of each, and in what ranges."""
    stays = split.labels != ""
    table, labels = (survey.table, split.labels) if stays.all() else (survey.table[stays], split.labels[stays])
    return {
        "records": {name: _counts(table.loc[labels == name, ["config_type"]], "config_type") for name in split.names},
        "hosts": _hosts(table, labels),
        "prototypes": _counts(table, "prototype"),
        "defects": _counts(table, "name"),
        "kinds": _kinds(table, labels),
        "sampling": sampling_of(table),
        "ends": ends_of(table),
        "fields": [name for name in FIELD_NAMES if name in ADDED or table[name].notna().any()],
        "defect_types": _counts(table, "defect_type"),
        "elements": _elements(table),
        "potentials": _potentials(table),
        "engines": _counts(table, "engine"),
        "charges": sorted({int(charge) for charge in table["charge"].dropna()}),
        "temperatures": _values(table, "temperature"),
        "md_pressures": _values(table, "pressure"),
        "frame_intervals": _values(table, "frame_interval"),
        "ranges": {name: _range(table[name]) for name in _RANGES if table[name].notna().any()},
        "separable": separable(table["composition"].unique()),
    }


def _counts(table: pd.DataFrame, name: str) -> dict[str, int]:
    """Frames with each value of a column, by value."""
    return dict(sorted((text, count) for _, (text,), count in _combinations(table, [name]) if text))


def _combinations(
    table: pd.DataFrame, names: list[str], *others: NDArray[Any]
) -> Iterator[tuple[int, tuple[str, ...], int]]:
    """Each combination of texts in some columns and of other values: its first row, the texts, and how many rows.

    Args:
        table: with columns of text.
        names: of the columns; a text that is not known is empty.
        others: (n,) values beside them.
    """
    number = np.zeros(len(table), dtype=np.int64)
    for values in (*(table[name].cat.codes.to_numpy() for name in names), *others):
        _, value = np.unique(values, return_inverse=True)
        _, number = np.unique(number * (value.max(initial=0) + 1) + value, return_inverse=True)
    _, first, counts = np.unique(number, return_index=True, return_counts=True)
    rows = table[names].iloc[first].astype(object)
    texts = rows.where(rows.notna(), "").itertuples(index=False, name=None)
    yield from sorted(
        (int(row), tuple(map(str, text)), int(count)) for row, text, count in zip(first, texts, counts, strict=True)
    )


def _values(table: pd.DataFrame, name: str) -> list[float]:
    return sorted({float(value) for value in table[name].dropna()})


def _range(column: pd.Series[Any]) -> dict[str, Any]:
    values = column.dropna().to_numpy(dtype=float)
    return {
        "smallest": float(values.min()),
        "largest": float(values.max()),
        "quantiles": {str(q): float(np.quantile(values, q)) for q in QUANTILES},
    }


def _hosts(table: pd.DataFrame, labels: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    """Each host crystal with its prototype, its frames and the splits that they are in."""
    rows: Counter[tuple[str, str, str]] = Counter()
    for first, (host, formula, prototype), count in _combinations(table, ["host", "formula", "prototype"], labels):
        rows[host or formula, prototype, str(labels[first])] += count
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    for (host, prototype, label), count in sorted(rows.items()):
        formula, _, digest = host.partition("/")
        new = {"formula": formula, "hash": digest, "prototype": prototype, "records": 0, "splits": []}
        row = merged.setdefault((host, prototype), new)
        row["records"] += count
        row["splits"].append(label)
    return list(merged.values())


def _kinds(table: pd.DataFrame, labels: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    """Each defect of each host, with its sites, symmetry and copies, and its frames in each split."""
    names = ["formula", "prototype", "name", "defect_type", "wyckoff", "site_symmetry", "stabilizer"]
    copies = table["degeneracy"].fillna(0).to_numpy(dtype=int)
    merged: dict[tuple[str, ...], dict[str, Any]] = {}
    for first, row, count in _combinations(table, names, copies, labels):
        label = str(labels[first])
        new: dict[str, Any] = {**dict(zip(names, row, strict=True)), "degeneracy": None, "records": {}}
        found = merged.setdefault(row, new)
        found["degeneracy"] = found["degeneracy"] or int(copies[first]) or None
        found["records"][label] = found["records"].get(label, 0) + count
    return [merged[key] for key in sorted(merged)]


def _elements(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """For each element the frames that hold it, and its atoms in them."""
    found: dict[str, dict[str, int]] = {}
    for _, (text,), frames in _combinations(table, ["composition"]):
        for symbol, count in amounts(text).items():
            row = found.setdefault(symbol, {"records": 0, "atoms": 0})
            row["records"] += frames
            row["atoms"] += frames * count
    return {symbol: found[symbol] for symbol in sorted(found, key=lambda s: element_number(s) or 0)}


def _potentials(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = ((*texts, count) for _, texts, count in _combinations(table, ["potential", "potential_sha256"]))
    return [{"name": name, "sha256": sha256, "records": count} for name, sha256, count in sorted(rows) if name]


def amounts(composition: str) -> dict[str, int]:
    """Atoms of each element in a composition, `O26Mg27`."""
    return {symbol: int(count) for symbol, count in re.findall(r"([A-Z][a-z]?)(\d+)", composition)}


def separable(compositions: list[str]) -> bool:
    """Whether compositions determine the atomic energies of all elements: as many independent as elements."""
    contents = [amounts(str(text)) for text in sorted(compositions)]
    elements = sorted({symbol for content in contents for symbol in content})
    matrix = np.array([[content.get(symbol, 0) for symbol in elements] for content in contents])
    return len(matrix) > 0 and int(np.linalg.matrix_rank(matrix)) == len(elements)
