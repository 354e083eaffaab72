"""A store gives back what was committed, to the bit, whatever happens to its writer or to its files."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from augment import Defect, find_supercell, point_defects
from augment.distort import bond_distorted, mode_distorted, rattled, strain_distorted
from augment.distort.store import HEADER, ColumnStore, ColumnWriter
from augment.errors import DataError, ResumeError
from tests.support.crystals import host
from tests.support.places import HOSTS


@cache
def defects(name: str) -> tuple[Defect, ...]:
    return tuple(point_defects(find_supercell(host(name), min_image_distance=4.5)))


def every_kind():
    for name in ("MgO", "GaN"):
        for one in defects(name)[:2]:
            yield from mode_distorted(one, 30, 1)
            yield from bond_distorted(one, 20, 2)
            yield from strain_distorted(one, 10, 3)
            yield from rattled(one.cell(), 0.05, 10, 4)


@pytest.fixture
def store(tmp_path) -> Path:
    with ColumnWriter(tmp_path / "copies") as writer:
        for batch in every_kind():
            writer.append(batch)
            if len(batch) == 20:
                writer.commit()
    return tmp_path / "copies"


def test_rows_come_back_as_they_were(store) -> None:
    expected = [(batch, k) for batch in every_kind() for k in range(len(batch))]
    opened = ColumnStore(store)
    assert len(opened) == len(expected) == 280
    assert len(list(store.glob("rows-*"))) > 3
    for row, (batch, k) in zip(opened, expected, strict=True):
        made = batch[k]
        assert (row.name, row.key, row.charge) == (made.name, made.key, made.charge)
        assert np.array_equal(row.numbers, made.numbers)
        assert np.array_equal(row.sites, made.sites)
        assert np.allclose(row.positions, made.positions, rtol=0, atol=3e-7 * np.abs(made.positions).max())
        assert np.allclose(row.cell, made.cell, rtol=0, atol=1e-6)
        assert row.provenance.keys() == made.provenance.keys()
        assert row.provenance["amplitude"] == pytest.approx(made.provenance["amplitude"], rel=1e-6)
        for key in ("kind", "irrep", "subgroup", "multiplicity", "seed", "index", "versions", "host"):
            assert row.provenance[key] == made.provenance[key]


def test_rows_are_reached_by_number_slice_and_column(store) -> None:
    opened = ColumnStore(store)
    assert opened[-1].key == opened[279].key
    assert [c.provenance["index"] for c in opened[5:25:10]] == [5, 15]
    assert opened[280:] == []
    for wrong in (280, -281):
        with pytest.raises(IndexError):
            opened[wrong]
    assert opened.column("irrep").tolist() == [c.provenance["irrep"] for c in opened]
    assert opened.column("key").tolist() == [c.key for c in opened]
    assert opened.column("index").tolist() == [c.provenance["index"] for c in opened]
    with pytest.raises(DataError, match="no column 'mood'"):
        opened.column("mood")


def test_batches_give_every_row_once_and_in_order(store) -> None:
    opened = ColumnStore(store)
    cells = [cell for batch in opened.batches() for cell in batch]
    assert len(cells) == len(opened)
    for a, b in zip(cells, opened, strict=True):
        assert a.positions.tobytes() == b.positions.tobytes()
        assert a.provenance == b.provenance


def test_a_store_is_appended_to_and_what_was_read_before_does_not_change(store) -> None:
    before = ColumnStore(store)
    with ColumnWriter(store) as writer:
        assert len(writer) == 280
        for batch in mode_distorted(defects("MgO")[0], 7, 9):
            writer.append(batch)
    assert len(before) == 280
    after = ColumnStore(store)
    assert len(after) == 287
    assert after[282].provenance["seed"] == 9
    assert after[100].positions.tobytes() == before[100].positions.tobytes()


def test_the_same_rows_are_the_same_bytes_and_a_failed_block_commits_nothing(tmp_path) -> None:
    batch = next(iter(bond_distorted(defects("GaN")[0], 40, 0)))
    for name in ("a", "b"):
        with ColumnWriter(tmp_path / name) as writer:
            writer.append(batch)
        time.sleep(1.1 if name == "a" else 0)
    files = [next((tmp_path / name).glob("rows-*")).read_bytes() for name in ("a", "b")]
    assert files[0] == files[1]

    def fail() -> None:
        with ColumnWriter(tmp_path / "a") as writer:
            writer.append(batch)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert len(ColumnStore(tmp_path / "a")) == 40


def test_an_empty_store_is_one_too_and_two_writers_do_not_meet(tmp_path) -> None:
    with ColumnWriter(tmp_path / "s") as writer:
        assert len(ColumnStore(tmp_path / "s")) == 0
        assert list(ColumnStore(tmp_path / "s").batches()) == []
        with pytest.raises(ResumeError, match="another process"):
            ColumnWriter(tmp_path / "s")
        writer.append(next(iter(rattled(defects("MgO")[0].cell(), 0.1, 0, 0)), next(every_kind()))[:0])
    assert len(ColumnStore(tmp_path / "s")) == 0
    assert ColumnStore(tmp_path / "s").column("irrep").size == 0


def test_what_is_no_store_is_refused(tmp_path, store) -> None:
    with pytest.raises(DataError, match="not a store"):
        ColumnStore(tmp_path / "nothing")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "other", tmp_path / "file"):
        with pytest.raises(DataError, match="not a store"):
            ColumnWriter(path)
    (store / HEADER).write_text('{"format": "defectgen columns", "version": 99}')
    with pytest.raises(DataError, match="version"):
        ColumnStore(store)


def everything(path: Path) -> bytes:
    return b"".join(c.positions.tobytes() + repr((c.key, c.cell, c.provenance)).encode() for c in ColumnStore(path))


def test_damage_is_an_error_with_the_path_of_the_file_and_never_a_wrong_row(store) -> None:
    whole, rng = everything(store), np.random.default_rng(0)
    files = sorted(store.glob("rows-*"))
    seen = 0
    for trial in range(60):
        path = files[int(rng.integers(len(files)))]
        content = path.read_bytes()
        broken = bytearray(content)
        if trial % 4 == 0:
            broken = broken[: int(rng.integers(len(broken)))]
        else:
            start = int(rng.integers(len(broken) - 8))
            broken[start : start + 8] = rng.bytes(8)
        path.write_bytes(bytes(broken))
        try:
            assert everything(store) == whole, "damage may hit unused bytes, never change a row"
        except DataError as error:
            assert path.name in str(error)  # noqa: PT017  either outcome is allowed, other errors are not
            seen += 1
        path.write_bytes(content)
    assert seen > 25, "a quarter of the trials cut the file"
    files[0].unlink()
    with pytest.raises(DataError, match="missing"):
        ColumnStore(store)


WRITER = """
import sys
from pathlib import Path
import augment.distort.store as columns
from augment import find_supercell, point_defects, read_host
from augment.distort import rattled
columns.SEGMENT_BYTES = 20_000
cell = point_defects(find_supercell(read_host(Path(sys.argv[2])), min_image_distance=4.5))[0].cell()
with columns.ColumnWriter(Path(sys.argv[1])) as writer:
    print(len(writer), flush=True)
    for batch in rattled(cell, 0.05, 1_000_000, 3, start=len(writer)):
        for k in range(0, len(batch), 16):
            writer.append(batch[k : k + 16])
"""


def test_a_writer_killed_at_any_moment_leaves_all_committed_rows_and_the_next_goes_on(tmp_path) -> None:
    path, moments = tmp_path / "killed", random.Random(1)
    path.mkdir()
    rows = files = 0
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(HOSTS / "MgO.cif")], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert int(process.stdout.readline()) == rows, "goes on after the last committed row"
        deadline = time.monotonic() + 60
        while len(list(path.glob("rows-*.h5"))) <= files and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2 * moments.random())
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        opened = ColumnStore(path)
        assert len(opened) > rows, "the writer has committed something within a minute"
        rows, files = len(opened), len(list(path.glob("rows-*.h5")))
    cell = next(iter(opened.batches())).parent
    expected = np.concatenate([b.displacements for b in rattled(cell, 0.05, rows, 3)]).astype(np.float32)
    found = np.concatenate([b.displacements for b in opened.batches()]).astype(np.float32)
    assert np.array_equal(found, expected)
    (path / ".rows-half.h5.tmp").write_bytes(b"torn")
    with ColumnWriter(path) as writer:
        assert len(writer) == rows
    assert not list(path.glob(".rows-*")), "what the killed writers left is cleared"


def test_the_example_fills_a_store(tmp_path) -> None:
    script = HOSTS.parent / "distorted_copies.py"
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 31
    assert "mode       A1g keeps m-3m" in done.stdout
    assert len(ColumnStore(tmp_path / "copies")) == 3000


def test_a_copy_of_a_store_is_a_store(store, tmp_path) -> None:
    shutil.copytree(store, tmp_path / "elsewhere")
    assert everything(store) == everything(tmp_path / "elsewhere")
