"""What is written in each format is what its own library reads: geometry, energy, forces, and stress with its sign."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from defectgen.dataset.formats import Contents, open_writers
from defectgen.dataset.frame import NINE_OF_SIX, Frame
from defectgen.dataset.settings import FORMAT_NAMES
from tests.support.frames import make_frames
from tests.support.optional import optional

GPA = 160.21766208
SPLITS = ("train", "valid", "test")


@pytest.fixture(scope="module")
def frames() -> dict[str, list[Frame]]:
    made = make_frames(9)
    return {"train": made[:5], "valid": made[5:7], "test": made[7:]}


@pytest.fixture(scope="module")
def folder(frames, tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("set"), frames, FORMAT_NAMES)


def write(folder: Path, frames: dict[str, list[Frame]], formats: Any) -> Path:
    for kind in formats:
        optional("pyarrow" if kind in ("parquet", "generative") else "lmdb" if kind == "aselmdb" else "numpy")
    contents = Contents({split: len(rows) for split, rows in frames.items()}, ["O", "Mg"], ["morse"])
    with open_writers(formats, folder, contents) as writers:
        for split, rows in frames.items():
            for frame in rows:
                for writer in writers:
                    writer.write(split, frame.with_facts(split=split))
        for writer in writers:
            writer.finish()
    return folder


Reading = tuple[Any, Any, Any, Any, Any, Any]
"""Numbers, positions, cell, energy, forces, and (6,) stress in eV/Å³ with ASE's sign, as a reader gives them."""


def of_atoms(atoms: Any) -> Reading:
    labels = atoms.calc.results
    return atoms.numbers, atoms.positions, atoms.cell.array, labels["energy"], labels["forces"], labels["stress"]


def read_extxyz(folder: Path, split: str) -> Iterator[Reading]:
    from ase.io import read

    return map(of_atoms, read(folder / f"{split}.extxyz", ":"))


def read_nep(folder: Path, split: str) -> Iterator[Reading]:
    from ase.io import read

    rows = read(folder / "nep" / ("train.xyz" if split == "train" else "test.xyz"), ":", format="extxyz")
    return map(of_atoms, rows if split == "train" else rows[:2] if split == "valid" else rows[2:])


def read_aselmdb(folder: Path, split: str) -> Iterator[Reading]:
    optional("ase_db_backends")
    from ase.db import connect

    where = folder / "aselmdb" / {"valid": "val"}.get(split, split) / "data.0000.aselmdb"
    with connect(where, readonly=True, use_lock_file=False) as database:
        rows = [row.toatoms() for row in database.select()]
    return map(of_atoms, rows)


def read_ase_db(folder: Path, split: str) -> Iterator[Reading]:
    from ase.db import connect

    database = connect(folder / "ase-db" / f"{split}.db")
    return (of_atoms(database.get(index + 1).toatoms()) for index in range(len(database)))


def read_grace(folder: Path, split: str) -> Iterator[Reading]:
    with gzip.open(folder / "grace" / f"{split}_000.pkl.gz") as stream:
        table = pickle.load(stream)  # noqa: S301  written a moment ago
    for _, row in table.iterrows():
        atoms = row["ase_atoms"]
        yield atoms.numbers, atoms.positions, atoms.cell.array, row["energy"], row["forces"], row["stress"]


def read_matpes(folder: Path, split: str) -> Iterator[Reading]:
    from pymatgen.core import Structure

    with gzip.open(folder / "matpes" / f"{split}.json.gz") as stream:
        documents = json.load(stream)
    for row in documents:
        structure = Structure.from_dict(row["structure"])
        stress = -np.array(row["stress"]) / 10 / GPA  # VASP's kbar, positive under compression
        cell, numbers = structure.lattice.matrix, structure.atomic_numbers
        yield numbers, structure.cart_coords, cell, row["energy"], row["forces"], voigt(stress)


def read_metatrain(folder: Path, split: str) -> Iterator[Reading]:
    where = folder / "metatrain" / split
    ends, shapes = np.load(where / "na.npy"), {"x": (3,), "c": (3, 3), "forces": (3,), "stress": (3, 3), "energy": ()}
    columns = {name: np.fromfile(where / f"{name}.bin", "f4").reshape(-1, *s) for name, s in shapes.items()}
    numbers = np.fromfile(where / "a.bin", "i4")
    assert int(np.load(where / "ns.npy")) == len(ends) - 1
    for k, (start, end) in enumerate(pairwise(ends)):
        atoms = slice(start, end)
        row = {name: columns[name][k] for name in ("c", "energy", "stress")}
        forces = columns["forces"][atoms]
        yield numbers[atoms], columns["x"][atoms], row["c"], row["energy"], forces, voigt(row["stress"])


def read_mace(folder: Path, split: str) -> Iterator[Reading]:
    h5py = optional("h5py")
    name = {"train": "train/train_0.h5", "valid": "val/val_0.h5", "test": "test/all_test.h5"}[split]
    with h5py.File(folder / "mace-hdf5" / name) as file:
        batch = file["config_batch_0"]
        for k in range(len(batch)):
            group = batch[f"config_{k}"]
            labels = group["properties"]
            geometry = (group[key][()] for key in ("atomic_numbers", "positions", "cell"))
            yield (*geometry, *(labels[key][()] for key in ("energy", "forces", "stress")))


def read_parquet(folder: Path, split: str) -> Iterator[Reading]:
    for row in optional("pyarrow.parquet").read_table(folder / "parquet/data" / f"{split}.parquet").to_pylist():
        geometry = (row["numbers"], row["positions"], row["cell"])
        yield (*geometry, row["energy"], row["forces"], voigt(row["stress"]))


def voigt(stress: Any) -> np.ndarray:
    return np.asarray(stress).ravel()[[0, 4, 8, 5, 2, 1]]


READ: dict[str, tuple[Callable[[Path, str], Iterator[Reading]], float]] = {
    "extxyz": (read_extxyz, 0.0),
    "nep": (read_nep, 0.0),
    "aselmdb": (read_aselmdb, 0.0),
    "ase-db": (read_ase_db, 0.0),
    "grace": (read_grace, 0.0),
    "matpes": (read_matpes, 1e-12),
    "metatrain": (read_metatrain, 1e-6),  # single precision
    "mace-hdf5": (read_mace, 0.0),
    "parquet": (read_parquet, 0.0),
}


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("kind", READ)
def test_each_format_gives_back_geometry_and_labels(kind, split, folder, frames) -> None:
    read, tolerance = READ[kind]
    back = list(read(folder, split))
    assert len(back) == len(frames[split])
    for frame, row in zip(frames[split], back, strict=True):
        ours = (frame.numbers, frame.positions, frame.cell, frame.energy, frame.forces, frame.stress)
        for ours_one, one in zip(ours, row, strict=True):
            np.testing.assert_allclose(one, ours_one, rtol=tolerance, atol=tolerance)


def systems(folder: Path) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Numbers, (F, n), and arrays of each DeePMD system."""
    for raw in sorted(folder.rglob("type.raw")):
        arrays = {path.stem: np.load(path) for path in (raw.parent / "set.000").iterdir()}
        symbols = (raw.parent / "type_map.raw").read_text().split()
        types = np.loadtxt(raw, dtype=int)
        table = np.array([{"O": 8, "Mg": 12}[symbol] for symbol in symbols])
        shown = arrays.get("real_atom_types", np.tile(types, (len(arrays["energy"]), 1)))
        yield table[shown], arrays


@pytest.mark.parametrize("kind", ["deepmd", "deepmd-mixed"])
@pytest.mark.parametrize("split", SPLITS)
def test_systems_of_deepmd_hold_every_frame_with_its_virial(kind, split, folder, frames) -> None:
    found = {}
    for numbers, arrays in systems(folder / kind / split):
        for k, energy in enumerate(arrays["energy"]):
            found[float(energy)] = (numbers[k], {name: array[k] for name, array in arrays.items()})
    assert len(found) == len(frames[split])
    for frame in frames[split]:
        numbers, row = found[frame.energy]
        order = np.lexsort((np.arange(len(frame)), frame.numbers)) if kind == "deepmd" else np.arange(len(frame))
        np.testing.assert_array_equal(numbers, frame.numbers[order])
        np.testing.assert_array_equal(row["coord"].reshape(-1, 3), frame.positions[order])
        np.testing.assert_array_equal(row["force"].reshape(-1, 3), frame.forces[order])
        np.testing.assert_array_equal(row["box"].reshape(3, 3), frame.cell)
        tension = -row["virial"].reshape(3, 3) / frame.volume
        np.testing.assert_allclose(tension, frame.stress[NINE_OF_SIX].reshape(3, 3), rtol=1e-12)


def test_the_virial_of_deepmd_is_what_a_strain_costs(frames) -> None:
    from tests.support.export_runs import morse_labels

    frame, step = frames["train"][1], 1e-5
    energies = []
    for strain in (-step, step):
        stretch = np.diag([1 + strain, 1, 1])
        energies.append(morse_labels(frame.cell @ stretch, frame.positions @ stretch)[0])
    assert frame.virial[0, 0] == pytest.approx(-(energies[1] - energies[0]) / (2 * step), rel=1e-3)


@pytest.mark.parametrize("kind", FORMAT_NAMES)
def test_the_same_frames_give_the_same_bytes(kind, frames, tmp_path) -> None:
    first, second = (write(tmp_path / name, frames, [kind]) for name in "ab")
    contents = [{p.relative_to(d): p.read_bytes() for p in d.rglob("*") if p.is_file()} for d in (first, second)]
    assert contents[0] == contents[1]
    assert contents[0]


def test_data_of_aselmdb_never_hide_the_labels(folder, frames) -> None:
    optional("ase_db_backends")
    from ase.db import connect

    where = folder / "aselmdb/train"
    with connect(where / "data.0000.aselmdb", readonly=True, use_lock_file=False) as database:
        rows = list(database.select())
    assert not {"energy", "forces", "stress", "free_energy"} & set().union(*(row.data for row in rows))
    assert [row.data["charge"] for row in rows] == [frame.charge for frame in frames["train"]]
    with np.load(where / "metadata.npz") as numbers:
        assert numbers["natoms"].tolist() == [len(frame) for frame in frames["train"]]
        assert numbers["charge"].tolist() == [frame.charge for frame in frames["train"]]
        assert set(numbers) == {"natoms", "charge", "spin"}
    assert not list(where.glob("*lock*"))


def test_ids_of_an_ase_database_have_no_gaps(folder, frames) -> None:
    from ase.db import connect

    rows = list(connect(folder / "ase-db/train.db").select())
    assert [row.id for row in rows] == list(range(1, len(frames["train"]) + 1))
    assert rows[0].forces.dtype == rows[0].positions.dtype == np.float64
    assert len(list(connect(folder / "ase-db/train.db").select(defect_type="vacancy"))) == 3


def test_parquet_keeps_the_ideal_geometry(folder, frames) -> None:
    optional("pyarrow")
    from defectgen.dataset.sources.files import read_parquet as frames_of

    back = list(frames_of(folder / "parquet/data/train.parquet"))
    for frame, again in zip(frames["train"], back, strict=True):
        np.testing.assert_array_equal(again.ideal[0], frame.ideal[0])
        np.testing.assert_array_equal(again.ideal[1], frame.ideal[1])
