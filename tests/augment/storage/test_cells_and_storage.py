"""Defect cells are checked when made, and stored so that neither a kill nor a damaged file goes unseen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from augment import DefectCell, find_supercell, point_defects
from augment.distort import rattle, shortest_distance, strained
from augment.errors import ConditionError, DataError
from augment.storage.archive import (
    ARCHIVE_FORMAT,
    cells_to_arrays,
    read_arrays,
    read_cells,
    write_arrays,
    write_atomically,
    write_cells,
)
from tests.support.crystals import host


@pytest.fixture(scope="module")
def cells() -> list[DefectCell]:
    supercell = find_supercell(host("MgO"), min_image_distance=6.0)
    return [supercell.bulk_cell(), *(d.with_charge(d.charges[-1]).cell() for d in point_defects(supercell))]


def test_cells_come_back_as_they_were(cells, tmp_path) -> None:
    write_cells(tmp_path / "a" / "cells.npz", cells)
    for before, after in zip(cells, read_cells(tmp_path / "a" / "cells.npz"), strict=True):
        assert (after.name, after.key, after.charge, dict(after.provenance)) == (
            before.name,
            before.key,
            before.charge,
            dict(before.provenance),
        )
        for column in ("cell", "numbers", "positions", "sites"):
            assert np.array_equal(getattr(after, column), getattr(before, column))


def test_no_cells_are_an_archive_too_and_the_same_cells_the_same_bytes(cells, tmp_path) -> None:
    write_cells(tmp_path / "none.npz", [])
    assert read_cells(tmp_path / "none.npz") == []
    write_cells(tmp_path / "one.npz", cells)
    time.sleep(1.1)
    write_cells(tmp_path / "two.npz", cells)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_an_archive_that_is_missing_or_damaged_is_an_error_with_its_path(cells, tmp_path) -> None:
    path = tmp_path / "cells.npz"
    with pytest.raises(DataError, match=r"cells\.npz: no such file"):
        read_cells(path)
    write_cells(path, cells)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for cut in (0, 1, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"cells\.npz"):
            read_cells(path)
    for _ in range(150):
        broken = bytearray(whole)
        start = rng.integers(len(whole) - 40)
        broken[start : start + 40] = rng.bytes(40)
        path.write_bytes(bytes(broken))
        try:
            read_cells(path)
        except DataError as error:
            assert "cells.npz" in str(error)  # noqa: PT017  harmless damage is allowed, other errors are not


def test_an_archive_of_another_kind_or_format_is_refused(cells, tmp_path) -> None:
    path = tmp_path / "cells.npz"
    write_arrays(path, {"a": np.arange(3)})
    with pytest.raises(DataError, match="not an archive of defect cells"):
        read_cells(path)
    write_arrays(path, {**cells_to_arrays(cells), "format": np.array(ARCHIVE_FORMAT + 1)})
    with pytest.raises(DataError, match="format"):
        read_cells(path)
    np.savez(path, a=np.array([{"pickled": 1}], dtype=object))
    with pytest.raises(DataError):
        read_arrays(path)


def test_a_writer_that_is_killed_leaves_the_old_file_or_the_new_one(tmp_path) -> None:
    path = tmp_path / "data"
    old, new = b"old" * 500_000, b"new" * 500_000
    code = "import sys; from pathlib import Path; from augment.storage.archive import write_atomically\n"
    code += "while True:\n  for b in (b'new', b'old'): write_atomically(Path(sys.argv[1]), b * 500_000)\n"
    write_atomically(path, old)
    for delay in (0.0, 0.02, 0.05):
        writer = subprocess.Popen([sys.executable, "-c", code, str(path)])
        while path.stat().st_mtime_ns == (before := path.stat().st_mtime_ns) and writer.poll() is None and delay == 0:
            time.sleep(0.01)
            if path.stat().st_mtime_ns != before:
                break
        time.sleep(delay + 1.0)
        assert writer.poll() is None, "the writer is at work"
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        assert path.read_bytes() in (old, new)


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch) -> None:
    path = tmp_path / "data"
    write_atomically(path, b"old")

    def fail(_) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["data"]
    assert path.read_bytes() == b"old"


def test_shapes_and_numbers_that_do_not_fit_are_refused(cells) -> None:
    good = cells[0]
    for positions in (good.positions[:-1], good.positions * np.nan):
        with pytest.raises(DataError):
            good.with_geometry(positions)
    with pytest.raises(DataError):
        good.with_geometry(good.positions, np.eye(2))
    with pytest.raises(DataError):
        DefectCell("x", "k", good.cell, good.numbers, good.positions, good.sites[:-1])


def test_cells_become_objects_of_ase_and_pymatgen(cells) -> None:
    for cell in cells:
        atoms, structure = cell.to_ase(), cell.to_pymatgen()
        assert np.array_equal(atoms.positions, cell.positions)
        assert atoms.pbc.all()
        assert atoms.info["defect_key"] == cell.key
        assert structure._charge == cell.charge
        assert [s.specie.Z for s in structure] == cell.numbers.tolist()
        assert structure.volume == pytest.approx(cell.volume)


@pytest.mark.parametrize("sigma", [0.0, 0.05, 0.15, 0.4])
def test_a_rattle_keeps_the_minimum_distance_and_the_centre(cells, sigma) -> None:
    cell = cells[1]
    limit = 0.75 * shortest_distance(cell)
    moved = rattle(cell, sigma, 11, min_distance=limit)
    assert shortest_distance(moved) >= limit
    assert np.allclose((moved.positions - cell.positions).mean(axis=0), 0, atol=1e-12)
    assert np.array_equal(moved.numbers, cell.numbers)
    assert moved.provenance["seed"] == 11
    assert np.array_equal(moved.positions, rattle(cell, sigma, 11, min_distance=limit).positions), "one seed, same bits"
    if sigma:
        assert not np.array_equal(moved.positions, rattle(cell, sigma, 12, min_distance=limit).positions)
    if sigma == 0.05:
        assert np.std(moved.positions - cell.positions) == pytest.approx(sigma, rel=0.25)


def test_rattles_and_strains_that_cannot_be_are_refused(cells) -> None:
    for sigma in (-0.1, float("nan")):
        with pytest.raises(ConditionError):
            rattle(cells[0], sigma, 0)
    with pytest.raises(ConditionError, match="Å apart"):
        rattle(cells[0], 0.05, 0, min_distance=3.0)
    for strain in (-2 * np.eye(3), np.full((3, 3), np.nan)):
        with pytest.raises(ConditionError):
            strained(cells[0], strain)


def test_a_strain_moves_cell_and_atoms_alike(cells) -> None:
    strain = np.array([[0.01, 0.002, 0], [0.002, -0.02, 0], [0, 0, 0.03]])
    moved = strained(cells[1], strain)
    assert moved.volume == pytest.approx(cells[1].volume * np.linalg.det(np.eye(3) + strain))
    inverse = np.linalg.inv(moved.cell)
    assert np.allclose(moved.positions @ inverse, cells[1].positions @ np.linalg.inv(cells[1].cell))


def test_the_shortest_distance_is_that_of_brute_force(cells) -> None:
    cell = cells[2]
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3) @ cell.cell
    every = np.linalg.norm(cell.positions[:, None, None] - cell.positions[None, :, None] + shifts, axis=-1)
    assert shortest_distance(cell) == pytest.approx(every[every > 1e-6].min())
