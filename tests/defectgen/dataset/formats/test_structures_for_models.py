"""Relaxed structures for generative models: csv that reads as CIFs, ideal geometry beside it, and nothing else."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from augment.errors import DataError
from defectgen.dataset.formats import Contents, open_writers
from defectgen.dataset.frame import Frame
from tests.support.frames import make_frame, make_frames
from tests.support.optional import optional

optional("pyarrow")


def write(folder: Path, frames: list[Frame]) -> Path:
    with open_writers(["generative"], folder, Contents({"train": len(frames)}, ["O", "Mg"], ["morse"])) as writers:
        for frame in frames:
            writers[0].write("train", frame)
        writers[0].finish()
    return folder / "generative"


def test_the_csv_holds_relaxed_ends_alone_with_both_cells(tmp_path) -> None:
    from pymatgen.core import Structure

    frames = make_frames(6)
    folder = write(tmp_path, frames)
    with (folder / "train.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    ends = [frame for frame in frames if frame.facts["config_type"] == "relaxed"]
    assert len(rows) == len(ends) == 3
    for row, frame in zip(rows, ends, strict=True):
        for text, positions, cell in (("cif", frame.positions, frame.cell), ("ideal_cif", *frame.ideal)):
            structure = Structure.from_str(row[text], fmt="cif")
            assert structure.atomic_numbers == tuple(frame.numbers) or list(structure.atomic_numbers) == list(
                frame.numbers
            )
            assert structure.lattice.volume == pytest.approx(abs(np.linalg.det(cell)))
            distance = structure.distance_matrix
            gaps = positions[:, None] - positions[None]
            fractional = gaps @ np.linalg.inv(cell)
            nearest = np.linalg.norm((fractional - np.rint(fractional)) @ cell, axis=-1)
            close = nearest < 2.0  # where the nearest image is that of rounding
            np.testing.assert_allclose(distance[close], nearest[close], atol=1e-6)
        assert (folder / "cif" / f"{row['material_id']}.cif").read_text(encoding="utf-8") == row["cif"]
        for name in ("wyckoff", "site_symmetry", "stabilizer", "subgroup", "defect_key"):
            assert row[name] == str(frame.facts[name])
        assert int(row["degeneracy"]) == 4
        assert float(row["temperature"]) == 300
    assert len({row["material_id"] for row in rows}) == 3


def test_parquet_holds_the_same_structures_as_arrays(tmp_path) -> None:
    pq = optional("pyarrow.parquet")
    frames = [make_frame(seed) for seed in range(3)]
    rows = pq.read_table(write(tmp_path, frames) / "train.parquet").to_pylist()
    for row, frame in zip(rows, frames, strict=True):
        np.testing.assert_array_equal(row["positions"], frame.positions)
        np.testing.assert_array_equal(row["ideal_positions"], frame.ideal[0])
        np.testing.assert_array_equal(row["ideal_cell"], frame.ideal[1])


def test_a_dataset_without_relaxed_ends_says_so(tmp_path) -> None:
    with pytest.raises(DataError, match="leave it out"):
        write(tmp_path, [make_frame(0, kind="md_300K_0GPa")])


def test_names_of_structures_stay_when_others_come(tmp_path) -> None:
    frames = [make_frame(seed) for seed in range(4)]
    few, all_of_them = ({p.name for p in (write(tmp_path / str(n), frames[:n]) / "cif").iterdir()} for n in (2, 4))
    assert few < all_of_them
