"""Every relaxation of a run as records: all ends, the lowest marked, in the order of the summary."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from augment.cell import DefectCell
from augment.errors import DataError
from md.campaigns.relax_and_md import relax_all
from md.campaigns.relaxation_records import lowest_of_each, relaxation_records
from md.labels.record import Record, write_records
from md.potentials import Potential
from md.relaxation.relax import Relaxation, RelaxSettings, relax_structure

HOW = RelaxSettings(fmax=0.05, max_steps=5, path_frames=4)
STARTS = ((0.02, "ideal"), (0.12, "generated m-3m #0"), (0.16, "generated 1 #0"))


def starts_of(cells: Sequence[DefectCell]) -> list[DefectCell]:
    rng = np.random.default_rng(4)
    return [
        cell.with_geometry(cell.positions + rng.normal(scale=size, size=(len(cell), 3)), start=name)
        for cell in cells
        for size, name in STARTS
    ]


def relaxed_run(run: Path, starts: Sequence[DefectCell], emt: Potential, bulk: DefectCell) -> list[Relaxation]:
    """What the relax stage leaves, with some starts relaxed earlier than others."""
    items = run / "relax" / "items"
    relax_all(list(starts)[::-2], emt, items, HOW, workers=1)
    relaxations = relax_all(starts, emt, items, HOW, workers=1)
    pristine = relax_structure(bulk, emt)
    assert pristine.record is not None
    write_records(run / "generate" / "bulk.npz", [pristine.record])
    rows = [{**pristine.summary(), "start": "ideal"}]
    rows += [{**r.summary(), "start": r.start.provenance["start"]} for r in relaxations]
    write_rows(run, rows)
    return relaxations


def write_rows(run: Path, rows: list[dict]) -> None:
    (run / "relax" / "summary.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def rows_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "relax" / "summary.jsonl").read_text().splitlines()]


def ends(records: Sequence[Record]) -> list[Record]:
    return [record for record in records if record.config_type != "relaxation_path"]


def content(records: Sequence[Record], path: Path) -> bytes:
    write_records(path, records)
    return path.read_bytes()


@pytest.fixture
def cells(copper: DefectCell) -> list[DefectCell]:
    from dataclasses import replace

    return [replace(copper, name=name, key=name) for name in ("first", "second")]


@pytest.fixture
def run(tmp_path: Path, cells: list[DefectCell], emt: Potential, copper: DefectCell) -> Path:
    folder = tmp_path / "run"
    relaxed_run(folder, starts_of(cells), emt, copper)
    return folder


def test_all_ends_and_some_of_each_path_come_in_the_order_of_the_summary(run: Path) -> None:
    records = list(relaxation_records(run, 3))
    rows = rows_of(run)
    assert [(r.cell.key, r.cell.provenance["start"], r.energy) for r in ends(records)] == [
        (row["key"], row["start"], row["energies"][-1]) for row in rows
    ]
    assert {r.cell.provenance["status"] for r in ends(records)} == {"converged", "not_converged"}, "the case at hand"
    assert {r.config_type for r in ends(records)} == {"relaxed", "unconverged"}
    by_id: dict[str, list[Record]] = {}
    for record in records:
        by_id.setdefault(record.cell.provenance.get("relaxation_id", "pristine"), []).append(record)
    assert len(by_id) == len(rows)
    for (name, group), row in zip(by_id.items(), rows, strict=True):
        *path, end = group
        assert end.cell.provenance["step"] == row["steps"]
        assert len(path) == (0 if name == "pristine" else min(3, len(path)))
        assert [r.energy for r in path] == [row["energies"][r.cell.provenance["step"]] for r in path]
        assert all("lowest" not in r.cell.provenance for r in path)
        assert [r.cell.provenance["step"] for r in path[:1]] == [0] * len(path[:1])
    assert sum(map(len, by_id.values())) > 2 * len(rows)


def test_the_lowest_of_each_defect_is_marked(run: Path) -> None:
    found = ends(list(relaxation_records(run)))
    for key in {record.cell.key for record in found}:
        mine = [r for r in found if r.cell.key == key]
        [lowest] = [r for r in mine if r.cell.provenance["lowest"]]
        assert lowest.energy == min(r.energy for r in mine)


def test_the_order_does_not_depend_on_when_or_where_each_was_made(
    run: Path, tmp_path: Path, cells: list[DefectCell], emt: Potential, copper: DefectCell
) -> None:
    expected = content(list(relaxation_records(run)), tmp_path / "a.npz")
    for age, path in enumerate(sorted((run / "relax" / "items").glob("*.npz"))):
        os.utime(path, (age * 1e6, 1e9 - age * 1e6))
    assert content(list(relaxation_records(run)), tmp_path / "b.npz") == expected
    other = tmp_path / "other"
    relax_all(starts_of(cells), emt, other / "relax" / "items", HOW, workers=1)
    relaxed_run(other, starts_of(cells), emt, copper)
    assert content(list(relaxation_records(other)), tmp_path / "c.npz") == expected


def test_diverged_ends_are_told_and_never_lowest(
    tmp_path: Path, cells: list[DefectCell], emt: Potential, copper: DefectCell
) -> None:
    starts = starts_of(cells)
    overlapping = starts[0].positions.copy()
    overlapping[1] = overlapping[0] + [0.1, 0, 0]
    starts[0] = starts[0].with_geometry(overlapping)
    relaxations = relaxed_run(tmp_path, starts, emt, copper)
    assert relaxations[0].status == "diverged"
    assert len(ends(list(relaxation_records(tmp_path)))) == len(rows_of(tmp_path)) - 1  # its start fails the guards
    rows = [{"key": "a", "status": status, "energies": e} for status, e in (("diverged", [-9.0]), ("converged", [1.0]))]
    assert lowest_of_each(rows) == [1]
    assert lowest_of_each([*rows, rows[1]]) == [1]
    assert lowest_of_each([{**rows[0], "energies": []}]) == []


def test_rows_that_share_a_relaxation_give_it_once_and_strangers_do_not_come(
    run: Path, cells: list[DefectCell], emt: Potential, tmp_path: Path
) -> None:
    before = list(relaxation_records(run))
    relax_all(starts_of(cells)[:1], emt, run / "relax" / "items", RelaxSettings(fmax=0.5), workers=1)
    rows = rows_of(run)
    write_rows(run, [*rows, rows[-1]])
    after = list(relaxation_records(run))
    assert content(after, tmp_path / "a.npz") == content(before, tmp_path / "b.npz")


def test_a_missing_or_damaged_archive_is_named(run: Path, tmp_path: Path) -> None:
    first, second, *_ = sorted((run / "relax" / "items").glob("*.npz"))
    whole = first.read_bytes()
    first.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=first.name):
        list(relaxation_records(run))
    first.write_bytes(whole)
    second.unlink()
    with pytest.raises(DataError, match="no archive of the relaxation of"):
        list(relaxation_records(run))
    with pytest.raises(DataError, match="defectgen relax"):
        list(relaxation_records(tmp_path / "nowhere"))
