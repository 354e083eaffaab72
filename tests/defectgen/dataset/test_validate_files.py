"""Files that others made: every kind is read, or refused with a reason."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from ase.io import write

from augment.errors import ConditionError, DataError
from defectgen.dataset.dataset import export_dataset
from defectgen.dataset.extxyz import frame_text, read_frames
from defectgen.dataset.frame import Frame
from defectgen.dataset.settings import DatasetSettings
from defectgen.dataset.validation import clean_dataset, validate_dataset
from defectgen.dataset.validation.comment_line import comment_values
from defectgen.dataset.validation.reading import entries_of, split_in_name
from tests.support.emt_frames import good_sets, walk

ONE = frame_text(walk("Cu")[0])


def same(first: Frame, second: Frame) -> bool:
    names = ("numbers", "positions", "cell", "pbc", "energy", "forces", "stress", "charge", "momenta")
    return all(np.array_equal(getattr(first, n), getattr(second, n)) for n in names)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "dataset"
    path.mkdir()
    for split, frames in good_sets().items():
        (path / f"{split}.extxyz").write_text("".join(map(frame_text, frames)), encoding="utf-8")
    return path


UNUSABLE = {
    "empty": b"",
    "blank": b"\n\n  \n",
    "binary": bytes(range(256)) * 40,
    "text": b"this is no dataset\n" * 5,
    "zeros": b"\0" * 4096,
    "html": b"<!DOCTYPE html><html></html>",
    "no atoms": b"0\n\n",
    "huge count": b'99999999999999999999\nLattice="1 0 0 0 1 0 0 0 1"\n',
    "negative": b"-3\n\n",
    "half a frame": ONE[: len(ONE) // 2].encode(),
    "parameters": b'2\nLattice="1 2" Properties=species:S:1:pos:R:3\nCu 0 0 0\nCu 1 1 1\n',
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_file_without_a_usable_frame_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.extxyz"
    path.write_bytes(UNUSABLE[name])
    with pytest.raises(DataError, match=r"bad\.extxyz.*no frame can be used"):
        validate_dataset([path])


@pytest.mark.parametrize("suffix", [".db", ".aselmdb", ".lmdb", ".parquet"])
@pytest.mark.parametrize("name", ["empty", "binary", "text"])
def test_a_damaged_database_is_refused(name: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(UNUSABLE[name])
    with pytest.raises(DataError, match="no frame can be used"):
        validate_dataset([path])


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.extxyz", tmp_path):
        with pytest.raises(DataError, match=r"no such file|no file of frames"):
            validate_dataset([path])
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(DataError, match="run folder"):
        validate_dataset([tmp_path])


def test_one_frame_is_a_dataset(tmp_path: Path) -> None:
    path = tmp_path / "one.extxyz"
    path.write_text(ONE)
    assert not validate_dataset([path]).has_errors


def test_line_ends_of_windows_change_nothing(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert not validate_dataset([folder]).findings


def test_one_damaged_frame_does_not_take_the_others(folder: Path) -> None:
    path = folder / "train.extxyz"
    path.write_text(path.read_text().replace("Cu ", "?? ", 1))
    report = validate_dataset([folder])
    assert report.frames["train"] == len(good_sets()["train"]) - 1
    (finding,) = report.findings
    assert [str(place) for place in finding.examples] == [f"{path}@0"]


def test_frames_are_those_that_the_export_reads(folder: Path, tmp_path: Path) -> None:
    path = folder / "train.extxyz"
    found = [entry.frame for entry in entries_of(path)]
    assert all(frame is not None and same(frame, other) for frame, other in zip(found, read_frames(path), strict=True))
    plain = tmp_path / "plain.xyz"
    write(plain, [frame.to_ase() for frame in walk("Au")], format="extxyz")
    others = [entry.frame for entry in entries_of(plain)]
    assert all(
        frame is not None and same(frame, other) for frame, other in zip(others, read_frames(plain), strict=True)
    )


@pytest.mark.parametrize("kind", ["parquet", "db", "aselmdb"])
def test_every_format_gives_the_same_findings(kind: str, tmp_path: Path) -> None:
    sets = good_sets()
    sets["train"][3] = dataclasses.replace(sets["train"][3], energy=(sets["train"][3].energy or 0) + 30)
    sets["test"].append(sets["train"][5])
    places = [tmp_path / "copy" / f"{split}.{kind}" for split in sets]
    places[0].parent.mkdir()
    for path, frames in zip(places, sets.values(), strict=True):
        _write(path, frames)
    found = {(f.check, f.count) for f in validate_dataset([tmp_path / "copy"]).findings}
    assert {("outliers", 1), ("leakage", 1)} <= found


def _write(path: Path, frames: list[Frame]) -> None:
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = [
            {
                "atomic_numbers": f.numbers.tolist(),
                "positions": f.positions.tolist(),
                "cell": f.cell.tolist(),
                "pbc": f.pbc.tolist(),
                "energy": f.energy,
                "atomic_forces": np.asarray(f.forces).tolist(),
            }
            for f in frames
        ]
        pq.write_table(pa.Table.from_pylist(rows), path)
        return
    from ase.db import connect

    with connect(path) as database:
        for frame in frames:
            database.write(frame.to_ase())


def test_comment_lines_are_read_as_ase_reads_them() -> None:
    from ase.io.extxyz import key_val_str_to_dict

    pairs = (
        "a=1", "b=2.5", 'c="x y"', "d=T", 'e="T F T"', 'f="1 2 3"', 'g="1 2.5 3"', 'Lattice="1 0 0 0 1 0 0 2 1"',
        "h=nan", "i=-inf", "k=abc", "flag", "m=[1,2,3]", "n={1 2}", 'p="a=b"', "q=1,2", "r=300K", "s=T1", 'u="T x"',
        "v=-1_000", "w=e-5", "x=0x10", r'y="a\"b"', "z='single quoted'", "",
    )  # fmt: skip
    for pair in (*pairs, " ".join(pairs)):
        ours, theirs = comment_values(pair), key_val_str_to_dict(pair) if pair else {}
        assert ours.keys() == theirs.keys()
        for key, value in theirs.items():
            assert np.array_equal(ours[key], value) or repr(ours[key]) == repr(value), key


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.xyz", "train"),
        ("mgo_val.extxyz", "valid"),
        ("Test-Set.db", "test"),
        ("data.xyz", ""),
        ("latest.xyz", ""),
    ],
)
def test_splits_are_read_from_names(name: str, split: str) -> None:
    assert split_in_name(Path("/data") / name) == split


def test_isolated_atoms_are_no_frames(folder: Path) -> None:
    path = folder / "train.extxyz"
    atom = Frame(
        np.array([29]), np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, bool), energy=3.5, forces=np.zeros((1, 3))
    )
    path.write_text(path.read_text() + frame_text(atom.with_facts(config_type="IsolatedAtom")))
    report = validate_dataset([folder])
    assert report.isolated == {"Cu": [3.5]}
    assert not report.findings


def poisoned(folder: Path) -> int:
    """Plant one of each fault that leaving out frames mends; returns how many frames have to go."""
    path = folder / "train.extxyz"
    frames = good_sets()["train"]
    spoilt = [
        dataclasses.replace(frames[1], energy=(frames[1].energy or 0) + 30),
        dataclasses.replace(frames[2], forces=np.asarray(frames[2].forces) * 500),
        dataclasses.replace(frames[14], positions=np.zeros_like(frames[14].positions)),
        dataclasses.replace(frames[15], energy=None),
        frames[30],
    ]
    chosen = [f for k, f in enumerate(frames) if k not in (1, 2, 14, 15)]
    path.write_text("".join(map(frame_text, [*chosen, *spoilt])) + "17\nbroken")
    test = folder / "test.extxyz"
    test.write_text(test.read_text() + frame_text(frames[40].with_facts(trajectory="other")))
    return 6


def test_a_cleaned_dataset_has_no_faults_left(folder: Path, tmp_path: Path) -> None:
    gone = poisoned(folder)
    assert validate_dataset([folder]).has_errors
    done = clean_dataset([folder], tmp_path / "out")
    before = {split: len(frames) for split, frames in good_sets().items()}
    assert done.manifest.n_records == sum(before.values()) + 2 - gone
    assert sum(done.manifest.dropped.values()) == gone + 1
    assert {name: done.manifest.frames[name] for name in ("valid", "test")} == {
        "valid": before["valid"],
        "test": before["test"],
    }
    assert not [f for f in validate_dataset([tmp_path / "out"]).findings if f.severity != "note"]
    assert not done.remaining


def test_cleaning_a_good_dataset_takes_nothing(folder: Path, tmp_path: Path) -> None:
    done = clean_dataset([folder], tmp_path / "out")
    assert not done.manifest.dropped
    assert done.manifest.frames == {split: len(frames) for split, frames in good_sets().items()}


def test_cleaning_into_a_folder_of_the_dataset_can_be_repeated(folder: Path) -> None:
    first = clean_dataset([folder], folder / "out").manifest
    assert clean_dataset([folder], folder / "out").manifest == first


def test_cleaning_moves_compositions_whose_elements_train_lacks(folder: Path, tmp_path: Path) -> None:
    path = folder / "test.extxyz"
    path.write_text(path.read_text().replace("\nAu ", "\nNi "))
    done = clean_dataset([folder], tmp_path / "out")
    assert "test" not in done.manifest.frames
    assert any("Ni" in note for note in done.manifest.notes)
    assert not done.remaining


def test_cleaning_leaves_other_folders_alone(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("mine")
    with pytest.raises(DataError, match="holds files"):
        clean_dataset([folder / "train.extxyz"], other)
    assert (other / "thesis.tex").read_text() == "mine"


def test_an_export_in_several_formats_is_one_dataset(folder: Path, tmp_path: Path) -> None:
    export_dataset([folder], tmp_path / "out", DatasetSettings(formats=("extxyz", "parquet"), split="given"))
    report = validate_dataset([tmp_path / "out"])
    assert sum(report.frames.values()) == sum(map(len, good_sets().values()))
    assert not report.findings


def test_the_page_says_what_was_found(folder: Path, tmp_path: Path) -> None:
    poisoned(folder)
    report = validate_dataset([folder])
    for name in ("page.md", "page.html"):
        report.write(tmp_path / name)
        text = (tmp_path / name).read_text()
        assert "leakage" in text
        assert "defectgen export --split host" in text
    with pytest.raises(ConditionError, match=r"\.md or \.html"):
        report.write(tmp_path / "page.pdf")
