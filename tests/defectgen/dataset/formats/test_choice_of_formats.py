"""A format that cannot be written is refused with the remedy before anything is read, and leaves nothing behind."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from augment.errors import DataError
from defectgen.cli import app
from defectgen.dataset import export_dataset
from defectgen.dataset.extxyz import read_frames
from defectgen.dataset.formats import Contents, open_writers, opener
from defectgen.dataset.settings import FORMAT_NAMES, DatasetSettings
from defectgen.dataset.sources import open_sources
from tests.support.export_runs import make_run
from tests.support.frames import make_frame
from tests.support.optional import optional

PACKAGES = {"parquet": "pyarrow", "generative": "pyarrow", "aselmdb": "lmdb"}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "MgO", "a" * 12, "MgO", (12, 8), 6)


@pytest.mark.parametrize("kind", PACKAGES)
def test_a_missing_package_is_named_with_its_remedy(kind, run, tmp_path, monkeypatch) -> None:
    package = PACKAGES[kind]
    for name in [m for m in sys.modules if m == package or m.startswith((f"{package}.", "defectgen.dataset.formats."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    out = tmp_path / "out"
    with pytest.raises(DataError, match=rf"{kind} needs {package}; pip install 'defectgen\[datasets\]'"):
        export_dataset([run], out, DatasetSettings(formats=(kind,)))
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_ends_with_two(run, tmp_path) -> None:
    result = CliRunner().invoke(app, ["export", str(run), "-o", str(tmp_path / "out"), "-f", "lmbd"])
    assert result.exit_code == 2 or "--format" in str(result.exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", FORMAT_NAMES)
def test_every_format_has_what_opens_it(kind) -> None:
    if kind in PACKAGES:
        optional(PACKAGES[kind])
    assert callable(opener(kind))


@pytest.mark.parametrize("kind", ["nep", "deepmd", "deepmd-mixed"])
def test_a_layer_without_a_period_is_refused_where_the_code_knows_none(kind, tmp_path) -> None:
    frame = replace(make_frame(1), pbc=np.array([True, True, False]))
    with (
        open_writers([kind], tmp_path, Contents({"train": 1}, ["O", "Mg"], ["morse"])) as writers,
        pytest.raises(DataError, match=r"leave (nep|its formats) out"),
    ):
        writers[0].write("train", frame)


def test_nep_refuses_energies_without_digits(tmp_path) -> None:
    frame = replace(make_frame(1), energy=-1e6)
    with (
        open_writers(["nep"], tmp_path, Contents({"train": 1}, ["O", "Mg"], ["morse"])) as writers,
        pytest.raises(DataError, match="single precision"),
    ):
        writers[0].write("train", frame)


def test_matpes_refuses_a_stress_of_some_frames(tmp_path) -> None:
    frames = [make_frame(1), replace(make_frame(2), stress=None)]
    with open_writers(["matpes"], tmp_path, Contents({"train": 2}, ["O", "Mg"], ["morse"])) as writers:
        for frame in frames:
            writers[0].write("train", frame)
        with pytest.raises(DataError, match="1 of 2 frames of train have no stress"):
            writers[0].finish()


def test_every_frame_of_a_file_has_the_same_keys(run, tmp_path) -> None:
    from ase.io import read

    export_dataset([run], tmp_path / "set", DatasetSettings(near=0, held_out=0))
    images = read(tmp_path / "set/train.extxyz", ":")
    assert len({tuple(sorted(atoms.info)) for atoms in images}) == 1
    assert {atoms.info["engine"] for atoms in images} > {"unknown"}
    again = list(read_frames(tmp_path / "set/train.extxyz"))
    assert any("engine" not in frame.facts for frame in again)
    assert not any(value in ("unknown", "") or value != value for f in again for value in f.facts.values())  # noqa: PLR0124


def test_a_dataset_in_many_formats_is_read_once(run, tmp_path) -> None:
    optional("pyarrow")
    optional("lmdb")
    settings = DatasetSettings(formats=FORMAT_NAMES, near=0)
    manifest = export_dataset([run], tmp_path / "all", settings)
    [source] = open_sources([tmp_path / "all"])
    assert len(list(source.frames())) == manifest.n_records
    plain = export_dataset([run], tmp_path / "plain", DatasetSettings(formats=("extxyz", "nep"), near=0))
    [source] = open_sources([tmp_path / "plain"])
    assert len(list(source.frames())) == plain.n_records


def test_croissant_names_every_file_and_column(run, tmp_path) -> None:
    pq = optional("pyarrow.parquet")
    export_dataset([run], tmp_path / "set", DatasetSettings(formats=("parquet",), split="trajectory", near=0))
    folder = tmp_path / "set/parquet"
    metadata = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))
    files = {row["contentUrl"] for row in metadata["distribution"]}
    assert files == {str(path.relative_to(folder)) for path in folder.rglob("*.parquet")}
    columns = pq.read_schema(folder / "data/train.parquet").names
    for records in metadata["recordSet"]:
        assert [field["name"] for field in records["field"]] == columns
        assert all(field["description"] for field in records["field"])


def test_optimade_lines_follow_the_standard(run, tmp_path) -> None:
    manifest = export_dataset([run], tmp_path / "set", DatasetSettings(formats=("optimade",), near=0))
    lines = (tmp_path / "set/optimade/optimade.jsonl").read_text(encoding="utf-8").splitlines()
    header, info, *entries = map(json.loads, lines)
    assert header == {"x-optimade": {"meta": {"api_version": "1.1.0"}}}
    assert info["id"] == "structures"
    assert len(entries) == manifest.n_records
    assert len({entry["id"] for entry in entries}) == len(entries)
    for entry in entries:
        row = entry["attributes"]
        assert row["elements"] == sorted(row["elements"]) == ["Mg", "O"]
        assert sum(row["elements_ratios"]) == pytest.approx(1)
        assert row["chemical_formula_reduced"] in ("MgO", "Mg4O3")
        assert row["chemical_formula_anonymous"] in ("AB", "A4B3")
        own = {name for name in row if name.startswith("_")}
        assert own <= info["properties"].keys()
