"""The commands that validate and clean datasets."""

import json

import pytest

from defectgen.dataset.extxyz import frame_text
from tests.support.emt_frames import good_sets


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "dataset"
    folder.mkdir()
    for split, frames in good_sets().items():
        (folder / f"{split}.extxyz").write_text("".join(map(frame_text, frames)))
    return folder


@pytest.fixture
def leaking(dataset):
    test = dataset / "test.extxyz"
    test.write_text(test.read_text() + frame_text(good_sets()["train"][5]))
    return dataset


def test_a_good_dataset_has_exit_code_0(call, dataset):
    code, out, _ = call("validate", dataset)
    assert code == 0
    assert "nothing was found" in out


def test_errors_have_exit_code_1_and_say_where(call, leaking, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    code, out, _ = call("validate", leaking)
    assert code == 1
    assert "leakage" in out
    assert "defectgen export --split" in " ".join(out.replace("│", " ").split())


def test_warnings_alone_have_exit_code_0(call, dataset):
    train = dataset / "train.extxyz"
    train.write_text(train.read_text() + frame_text(good_sets()["train"][5]))
    code, out, _ = call("validate", dataset)
    assert code == 0
    assert "exact copies" in " ".join(out.replace("│", " ").split())


def test_json_is_one_object(call, leaking):
    code, out, _ = call("validate", leaking, "--json")
    found = json.loads(out)
    assert code == 1
    assert found["frames"] == {"test": 37, "train": 108, "valid": 36}
    leak = next(f for f in found["findings"] if f["check"] == "leakage" and f["frames"] == 1)
    assert leak["severity"] == "error"
    assert leak["examples"] == [{"file": str(leaking / "test.extxyz"), "frame": 36}]


@pytest.mark.parametrize("name", ["page.md", "page.html"])
def test_a_page_is_written(call, leaking, tmp_path, name):
    code, _, _ = call("validate", leaking, "-o", tmp_path / name)
    assert code == 1
    assert "leakage" in (tmp_path / name).read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "page.pdf"], ".md or .html"),
        (["--potential", "auto"], "defectgen potentials"),
        (["--potential", "nothing-like-it"], "nothing-like-it"),
        (["--potential", "mace-mgo"], "none is periodic, labelled and of its elements"),
    ],
)
def test_what_cannot_be_done_is_said_with_exit_code_2(call, dataset, arguments, words):
    code, _, err = call("validate", dataset, *arguments)
    assert code == 2
    assert words in err


def test_a_file_that_is_no_dataset_has_exit_code_2(call, tmp_path):
    path = tmp_path / "notes.xyz"
    path.write_text("remember the milk\n")
    for command in (["validate", path], ["clean", path, "-o", tmp_path / "out"]):
        code, _, err = call(*command)
        assert code == 2
        assert "no frame can be used" in err
    assert not (tmp_path / "out").exists()


def test_a_potential_that_labelled_the_frames_has_their_zero(call, dataset):
    code, out, _ = call("validate", dataset, "--potential", "emt")
    assert code == 0
    assert "+0.0000 eV an atom" in " ".join(out.replace("│", " ").split())


def test_clean_says_what_it_drops(call, leaking, tmp_path):
    code, out, _ = call("clean", leaking, "-o", tmp_path / "out")
    assert code == 0
    assert "180 frames are left" in out
    assert "leakage" in out
    code, out, _ = call("clean", leaking, "-o", tmp_path / "out", "--json", "-f", "parquet")
    assert json.loads(out)["dropped"] == {"leakage": 1}
    assert (tmp_path / "out/parquet/data/test.parquet").is_file()
