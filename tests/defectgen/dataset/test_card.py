"""The card: a header that Hugging Face takes, numbers that are those of the frames, problems that are really there."""

from __future__ import annotations

import copy
import hashlib
import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from augment.storage.archive import file_hash
from defectgen.dataset import DatasetManifest, export_dataset
from defectgen.dataset.card.commands import TRAINERS, train_commands
from defectgen.dataset.card.header import header, size_category, spdx
from defectgen.dataset.card.labellers import labeller_of
from defectgen.dataset.card.pictures import PICTURE
from defectgen.dataset.card.problems import known_problems
from defectgen.dataset.card.sampling import independent_frames
from defectgen.dataset.card.text import card_text
from defectgen.dataset.fields import FIELDS
from defectgen.dataset.settings import DatasetSettings
from md.students import student_card
from tests.support.export_runs import make_run

METALS, ANIONS = {"Mg": 12, "Ca": 20, "Sr": 38}, {"O": 8, "S": 16, "Se": 34}
HOSTS = [
    (f"{METALS[metal]:06x}{ANIONS[anion]:06x}", f"{metal}{anion}", (METALS[metal], ANIONS[anion]))
    for metal in METALS
    for anion in ANIONS
]
NAMES = {"MACE", "SevenNet", "NequIP", "fairchem", "matgl", "DeePMD", "NEP", "metatrain", "GRACE", "Orb"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DatasetManifest]:
    folder = tmp_path_factory.mktemp("card")
    runs = [make_run(folder / formula, host, formula, numbers) for host, formula, numbers in HOSTS]
    settings = DatasetSettings(
        formats=("extxyz", "parquet"), license="cc-by-4.0", split="host", held_out=0.3, uncovered="train"
    )
    manifest = export_dataset(runs, folder / "out", settings)
    assert len(manifest.frames) > 1
    return folder / "out", manifest


def changed(manifest: DatasetManifest, **statistics: Any) -> DatasetManifest:
    return replace(manifest, statistics={**copy.deepcopy(manifest.statistics), **statistics})


def test_the_header_is_yaml_that_names_every_table_once(made: tuple[Path, DatasetManifest]) -> None:
    out, manifest = made
    text = (out / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\n")
    values = yaml.safe_load(text.split("---\n")[1])
    assert values == header(manifest)
    assert values["license"] == "cc-by-4.0"
    assert values["size_categories"] == ["n<1K"]
    data = values["configs"][0]["data_files"]
    assert [row["split"] for row in data] == [{"valid": "validation"}.get(s, s) for s in manifest.frames]
    assert all((out / row["path"]).is_file() for row in data)


@pytest.mark.parametrize(
    ("license_", "expected"),
    [
        ("CC-BY-4.0", {"license": "cc-by-4.0"}),
        ("mit", {"license": "mit"}),
        ("ODbL-1.0", {"license": "odbl"}),
        ("CC-BY-3.0-AT", {"license": "other", "license_name": "CC-BY-3.0-AT"}),
        ("ask me", {"license": "other", "license_name": "ask me"}),
        (DatasetSettings().license, {"license": "unknown"}),
    ],
)
def test_licences(made: tuple[Path, DatasetManifest], license_: str, expected: dict[str, str]) -> None:
    values = header(replace(made[1], license=license_))
    assert {key: values[key] for key in values if key.startswith("license")} == expected
    problem = " ".join(known_problems(replace(made[1], license=license_)))
    assert ("licence" in problem) == (spdx(license_) is None)


def test_without_tables_the_hub_is_told_not_to_look_for_them(made: tuple[Path, DatasetManifest]) -> None:
    only = {name: digest for name, digest in made[1].files.items() if name.endswith("xyz")}
    values = header(replace(made[1], files=only))
    assert values["viewer"] is False
    assert "configs" not in values
    assert [size_category(n) for n in (999, 1000, 99_999, 10**6, 10**8)] == [
        "n<1K", "1K<n<10K", "10K<n<100K", "1M<n<10M", "n>10M",
    ]  # fmt: skip


def test_the_card_and_its_picture_have_the_same_bytes_every_time(
    made: tuple[Path, DatasetManifest], tmp_path: Path
) -> None:
    out, manifest = made
    runs = [out.parent / formula for _, formula, _ in HOSTS]
    export_dataset(runs, tmp_path / "again", DatasetSettings.model_validate(manifest.settings))
    for name in ("README.md", PICTURE):
        assert (
            hashlib.sha256((out / name).read_bytes()).digest()
            == hashlib.sha256((tmp_path / "again" / name).read_bytes()).digest()
        )
    from PIL import Image

    with Image.open(out / PICTURE) as picture:
        assert min(picture.size) > 300
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 10


def test_every_section_and_every_number_of_frames_is_there(made: tuple[Path, DatasetManifest]) -> None:
    out, manifest = made
    text = (out / "README.md").read_text(encoding="utf-8")
    for title in ("Known problems", "Contents", "Defects", "Distributions", "Who made the labels", "Sampling", "Splits",
                  "Filters and duplicates", "Train on it", "Fields", "Cite"):  # fmt: skip
        assert f"\n## {title}\n" in text
    assert "| all | " + " | ".join(str(n) for n in manifest.frames.values()) + " |" in text
    kinds = manifest.statistics["kinds"]
    assert sum(sum(kind["records"].values()) for kind in kinds) == manifest.n_records
    assert f"]({PICTURE})" in text
    fields = manifest.statistics["fields"]
    assert {"potential", "temperature", "split"} <= set(fields)
    assert "wyckoff" not in fields  # these runs have no table of defects
    assert all((f"\n| {f.name} |" in text) == (f.name in fields) for f in FIELDS)


def test_known_problems_are_those_of_the_numbers(made: tuple[Path, DatasetManifest]) -> None:
    manifest = made[1]
    row = {
        "kind": "md",
        "runs": 1,
        "frames": 9,
        "interval": 1.0,
        "correlation_time": 5.0,
        "close": 8,
        "independent": 1.0,
    }
    whole = replace(manifest, frames=dict.fromkeys(("train", "valid", "test"), 30))
    quiet = changed(whole, sampling=[], engines={"ase": 1}, ends={"converged": 3}, charges=[0], separable=True)
    cases = {
        "different zeros": changed(quiet, potentials=[{"name": n, "sha256": "", "records": 1} for n in "ab"]),
        "8 of 9 frames of dynamics": changed(quiet, sampling=[row]),
        "do not know the correlation time": changed(quiet, sampling=[{**row, "close": 0, "correlation_time": None}]),
        "2 frames are of relaxations that did not converge": changed(quiet, ends={"converged": 3, "not_converged": 2}),
        "Nothing is held out": replace(quiet, frames={"train": 9}),
        "There is no test set": replace(quiet, frames={"train": 9, "valid": 30}),
        "too few to separate the elements": changed(quiet, separable=False),
        "Some cells are charged": changed(quiet, charges=[-1, 0]),
        "same trajectory twice": changed(quiet, engines={"ase": 1, "lammps": 1}),
        "This split leaks": replace(
            quiet, leakage={"leaks": True, "verdict": "This split leaks: 1", "train_copies": 0}
        ),
        "No licence was chosen": replace(quiet, license=DatasetSettings().license),
        "No frame says who": changed(quiet, potentials=[]),
    }
    before = " ".join(known_problems(quiet))
    for problem, poisoned in cases.items():
        assert problem not in before
        assert problem in " ".join(known_problems(poisoned)), problem
    known = replace(cases["too few to separate the elements"], atomic_energies={"morse": {"O": 1.0}})
    assert "too few to separate" not in " ".join(known_problems(known))


def test_a_student_is_known_by_its_weights_and_not_by_its_name() -> None:
    card = student_card("mace-mgo")
    known = labeller_of("mace-mgo", card["weights"]["sha256"], 7)
    errors = {what: error for what, error, _ in known.errors}
    assert (
        errors["energy against the teacher, mean absolute"]
        == f"{1000 * card['errors']['test']['all']['energy']:.2f} meV/atom"
    )
    assert errors["bulk moduli of the teacher 7net-mf, mean"] == "11.9 %"
    impostor = labeller_of("mace-mgo", "0" * 64, 7)
    assert impostor.errors == ()
    assert "other weights" in impostor.theory
    assert "Not known" in labeller_of("my-model", "0" * 64, 7).theory
    assert "7net-mf" in labeller_of("mace-mgo+d3bj", "0" * 64, 7).theory
    assert "Dispersion by D3BJ is on top" in labeller_of("mace-mgo+d3bj", "0" * 64, 7).theory
    assert "Density functional theory by gpaw, functional PBEsol" in labeller_of("gpaw:PBEsol", "", 1).theory
    assert "learnt from r2scan labels" in labeller_of("TensorNet-MatPES-r2SCAN-v2025.1", "", 1).theory
    chgnet = labeller_of("chgnet-r2scan", "", 1)
    assert "r2SCAN" in chgnet.theory
    assert {"0.4 %", "14.4 %", "16.76 meV/atom"} <= {error for _, error, _ in chgnet.errors}


def test_independent_frames_are_never_more_than_there_are() -> None:
    import pandas as pd

    def rows(interval: float, memory: float) -> pd.DataFrame:
        return pd.DataFrame(
            {"time": interval * np.arange(11), "correlation_time": memory, "trajectory": pd.Categorical(["run"] * 11)}
        )

    assert independent_frames(rows(100.0, 1.0)) == 11
    assert independent_frames(rows(10.0, 25.0)) == pytest.approx(3)
    assert independent_frames(rows(10.0, 1e9)) == pytest.approx(1)
    assert independent_frames(rows(10.0, np.nan)) is None


def test_every_trainer_has_a_command_on_files_that_exist(made: tuple[Path, DatasetManifest]) -> None:
    out, manifest = made
    commands = train_commands(manifest)
    assert set(commands) == NAMES
    for name, command in commands.items():
        named = {f"{split}.extxyz" for split in ("train", "valid", "test") if f"{split}.extxyz" in command}
        assert all((out / file).is_file() for file in named), name
        assert "train" in command
    assert train_commands(replace(manifest, settings={**manifest.settings, "formats": ["parquet"]})) == {}
    assert "was not written" in card_text(replace(manifest, settings={**manifest.settings, "formats": ["parquet"]}))


def test_the_card_says_which_commands_a_test_has_run(made: tuple[Path, DatasetManifest]) -> None:
    text = card_text(made[1])
    for trainer in TRAINERS:
        block = text.split(f"### {trainer.name}\n\n")[1].split("```")[0]
        assert trainer.package in block
        assert ("Not run by a test here: needs" in block) == (trainer.name == "NEP")


def test_an_inner_validation_set_is_never_empty(made: tuple[Path, DatasetManifest]) -> None:
    for frames, share in ((4, 0.5), (7, 0.29), (20, 0.1), (10**6, 0.1)):
        manifest = replace(made[1], frames={"train": frames})
        assert f"--valid_fraction={share} " in train_commands(manifest)["MACE"]
        assert int(frames * share) >= 2


@pytest.mark.parametrize("splits", [("train",), ("train", "valid"), ("train", "test"), ("train", "valid", "test")])
def test_commands_name_only_splits_that_there_are_and_their_files_parse(
    made: tuple[Path, DatasetManifest], splits: tuple[str, ...]
) -> None:
    manifest = replace(made[1], frames=dict.fromkeys(splits, 30), atomic_energies={})
    for command in train_commands(manifest).values():
        for split in {"valid", "test"} - set(splits):
            assert f"{split}.extxyz" not in command
        for part in command.split("cat > ")[1:]:
            name, text = part.split(" <<'END'\n", 1)
            text = text.split("END\n")[0]
            if name.endswith(".yaml"):
                assert yaml.safe_load(text)
            elif name.endswith(".json"):
                assert json.loads(text)
            else:
                compile(text, name, "exec")


def test_baselines_go_into_the_commands_only_where_they_are_whole(made: tuple[Path, DatasetManifest]) -> None:
    energies = {"O": -1.5, "Mg": -2.5, "S": -3.0, "Ca": -3.5, "Se": -4.0, "Sr": -4.5}
    whole = replace(made[1], atomic_energies={"morse": energies})
    options = shlex.split(train_commands(whole)["MACE"])
    assert "--E0s={8:-1.5,12:-2.5,16:-3.0,20:-3.5,34:-4.0,38:-4.5}" in options
    assert json.dumps(energies) in train_commands(whole)["GRACE"]
    for partial in ({}, {"morse": {"O": -1.5}}, {"a": energies, "b": {"O": 2.0}}):
        command = train_commands(replace(made[1], atomic_energies=partial))
        assert "--E0s=average" in command["MACE"]
        assert "reference_energy: auto" in command["GRACE"]


def test_the_files_of_the_manifest_are_what_they_were(made: tuple[Path, DatasetManifest]) -> None:
    out, manifest = made
    assert all(file_hash(out / name) == digest for name, digest in manifest.files.items())
    assert {who["name"] for who in manifest.labellers} == {"morse"}
