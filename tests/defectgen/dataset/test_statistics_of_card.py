"""What the card counts is what a plain loop over the rows counts, in less memory than their text would take."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest

from defectgen.dataset.card.statistics import statistics_of
from defectgen.dataset.columns import column_of
from defectgen.dataset.fields import FIELDS, MEASURES
from defectgen.dataset.splits import Split
from defectgen.dataset.survey import SKETCH, Survey

MAX_BYTES = 100
"""Of memory for a frame while the card is counted; a list of text takes eight for each column, and 60 for each copy."""

CHOICES: dict[str, tuple[Any, ...]] = {
    "formula": ("MgO", "CaO", None),
    "host": ("MgO/01", "CaO/02", None),
    "prototype": ("AB_cF8_225_a_b", None),
    "name": ("v_O", "v_Mg", "i_O", None),
    "defect_type": ("vacancy", "interstitial"),
    "wyckoff": ("a", "b", None),
    "site_symmetry": ("m-3m", None),
    "stabilizer": ("m-3m", "4mm"),
    "degeneracy": (0, 1, 27, None),
    "config_type": ("md_300K_0GPa", "relaxed", None),
    "engine": ("ase", "lammps", None),
    "potential": ("morse", "mace", None),
    "potential_sha256": ("ab", None),
    "composition": ("O26Mg27", "O27Mg27", "O1"),
}


def survey_of(n: int) -> Survey:
    """Rows whose text and copies are drawn at random, some of them unknown."""
    rng, columns = np.random.default_rng(0), {}
    for field in (*FIELDS, *MEASURES):
        column, choices = column_of(field.kind), CHOICES.get(field.name)
        if choices is not None:
            column.extend([choices[k] for k in rng.integers(len(choices), size=n)])
        elif field.name in {"energy_per_atom", "max_force"}:
            column.extend(rng.normal(size=n).tolist())
        else:
            column.extend([None] * n)
        columns[field.name] = column.joined()
    return Survey(pd.DataFrame(columns), np.arange(n, dtype=np.uint64), np.zeros((n, SKETCH), dtype=np.float32))


def split_of(n: int) -> Split:
    labels = np.random.default_rng(1).choice(["train", "valid", "test", ""], size=n)
    return Split("defect", labels, {})


def plain(survey: Survey, split: Split) -> tuple[list[dict[str, Any]], Counter[Any]]:
    """The rows that stay, as dictionaries, and how many there are of each host in each split."""
    rows = survey.table.astype(object).where(survey.table.notna(), None).to_dict("records")
    stay = [{**row, "split": str(label)} for row, label in zip(rows, split.labels, strict=True) if label]
    hosts = Counter((row["host"] or row["formula"] or "", row["prototype"] or "") for row in stay)
    return stay, hosts


@pytest.mark.parametrize("n", [1, 7, 3000])
def test_counts_are_those_of_a_plain_loop(n: int) -> None:
    survey, split = survey_of(n), Split("defect", np.array(["train"]), {}) if n == 1 else split_of(n)
    found, (rows, hosts) = statistics_of(survey, split), plain(survey, split)
    for key, name in (("prototypes", "prototype"), ("defects", "name"), ("engines", "engine")):
        assert found[key] == dict(sorted(Counter(row[name] for row in rows if row[name]).items()))
    for label in split.names:
        of_split = Counter(row["config_type"] for row in rows if row["split"] == label and row["config_type"])
        assert found["records"][label] == of_split
    merged = {(row["formula"] + "/" * bool(row["hash"]) + row["hash"], row["prototype"]): row for row in found["hosts"]}
    assert {key: row["records"] for key, row in merged.items()} == hosts
    for (host, prototype), row in merged.items():
        same = [r for r in rows if (r["host"] or r["formula"] or "", r["prototype"] or "") == (host, prototype)]
        assert row["splits"] == sorted({r["split"] for r in same})
    labelled = Counter((row["potential"], row["potential_sha256"] or "") for row in rows if row["potential"])
    assert {(row["name"], row["sha256"]): row["records"] for row in found["potentials"]} == labelled
    assert found["elements"].get("Mg", {"atoms": 0})["atoms"] == 27 * sum("Mg27" in row["composition"] for row in rows)


def test_a_defect_has_the_copies_that_its_first_frame_knows() -> None:
    survey, split = survey_of(3000), split_of(3000)
    names = ("formula", "prototype", "name", "defect_type", "wyckoff", "site_symmetry", "stabilizer")
    records: Counter[Any] = Counter()
    copies: dict[Any, int] = {}
    for row in plain(survey, split)[0]:
        key = tuple(row[name] or "" for name in names)
        records[key, row["split"]] += 1
        if row["degeneracy"]:
            copies.setdefault(key, row["degeneracy"])
    found = statistics_of(survey, split)["kinds"]
    assert len(found) > 100
    keys = [tuple(row[name] for name in names) for row in found]
    assert keys == sorted(keys)
    for key, row in zip(keys, found, strict=True):
        assert row["degeneracy"] == copies.get(key)
        assert row["records"] == {label: records[key, label] for label in split.names if records[key, label]}


def test_counting_takes_less_memory_than_text() -> None:
    n = 50_000
    survey, split = survey_of(n), Split("defect", np.full(n, "train"), {})
    statistics_of(survey, split)  # what is imported and cached at the first call is no part of it
    tracemalloc.start()
    statistics_of(survey, split)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    text = [survey.table[name].astype(object).map(str).tolist() for name in CHOICES]
    _, as_text = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MAX_BYTES * n
    assert as_text - before > MAX_BYTES * n
    assert len(text[0]) == n
