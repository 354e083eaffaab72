"""A training on a run: held-out defects decide nothing, a stopped one ends with the same bits, and it makes a model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from augment import Defect
from augment.errors import DataError, ResumeError, SettingsError
from augment.storage.archive import read_arrays, write_arrays
from defectgen.fine_tuning import FineTuneSettings, train_on_runs
from defectgen.fine_tuning import run as run_module
from defectgen.fine_tuning.geometries import geometries_of
from defectgen.fine_tuning.labelled import labels_of
from defectgen.generation.geometries import generate
from defectgen.model.weights import load_model
from defectgen.run.folder import RunFolder
from defectgen.training.loop import Training
from md.relaxation.relaxed_host import RelaxedHost

SHORT = {"steps": 8, "batch": 2, "check": 4}


@pytest.fixture(scope="module")
def trained(run, tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "model"
    return train_on_runs([run], folder, FineTuneSettings(start=tiny, **SHORT))


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_a_model_is_a_folder_without_code_that_everything_takes(trained, run):
    suffixes = {path.suffix for path in trained.folder.iterdir()} - {""}
    assert suffixes == {".safetensors", ".json", ".svg"}
    model = load_model(str(trained.folder))
    assert {"Cu"} < model.elements <= {"Cu", "Ag", "Au", "Ni", "Al"}, "those that were held out are not learnt"
    found = geometries_of(run)
    defect = found.defects[0].defect
    (cell,) = generate([defect], model=str(trained.folder), forces="none", corrections=0)
    (default,) = generate([defect], forces="none", corrections=0)
    assert cell.provenance["model_sha256"] == model.sha256 != default.provenance["model_sha256"]


def test_the_card_says_what_was_held_out_and_how_well_it_went(trained):
    card = trained.card
    splits = [set(card["split"][name]) for name in ("train", "valid", "test")]
    assert sum(map(len, splits)) == len(set.union(*splits)) == 5
    assert all(splits)
    assert set(card["errors"]["all"]) >= {"unrelaxed", "without_learning", "before", "after"}
    assert card["labels_by"] == ["emt"]
    assert card["teacher"]["potential"] == "emt"
    assert [step for step, _ in card["held_out"]] == [2, 4, 6, 8]
    curve = json.loads((trained.folder / "curve.json").read_text())
    assert [step for step, _ in curve["error"]["by_step"]] == [0, 2, 4, 6, 8]
    assert card["kept_step"] == min(curve["error"]["by_step"], key=lambda pair: pair[1])[0]


class Killed(BaseException):
    """What a kill does."""


@pytest.mark.parametrize("last", [3, 6])
def test_a_stopped_training_ends_with_the_same_bits(trained, run, tiny, tmp_path, monkeypatch, last):
    settings, whole = FineTuneSettings(start=tiny, **SHORT), Training.run

    def stopped(self, **how):
        whole(self, until=last, **how)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Training, "run", stopped)
        with pytest.raises(Killed):
            train_on_runs([run], tmp_path / "model", settings)
    assert not (tmp_path / "model" / "model.json").exists()
    with pytest.raises(DataError, match="no trained model in it"):
        load_model(str(tmp_path / "model"))
    done = train_on_runs([run], tmp_path / "model", settings)
    assert weights(done.folder) == weights(trained.folder)
    assert not (done.folder / "training").exists()


def test_weights_that_did_not_become_better_are_those_of_the_start(run, tiny, tmp_path, monkeypatch):
    def worse_each_time(_pairs, _bridge):
        calls = iter(range(1, 100))
        return lambda _network: float(next(calls))

    monkeypatch.setattr(run_module, "error_of_displacements", worse_each_time)
    made = train_on_runs([run], tmp_path / "model", FineTuneSettings(start=tiny, **SHORT))
    assert made.card["kept_step"] == 0
    before, after = load_model(tiny).network.state_dict(), made.model.network.state_dict()
    assert all((before[name] == after[name]).all() for name in before)


def moved_labels(split: str):
    """Cases as they are, but the geometries of one split pushed by a tenth of an Å."""
    from dataclasses import replace

    from augment.groups.distortion import Distortion

    original = run_module.with_splits

    def changed(cases, split_of):
        made = original(cases, split_of)
        pushed = []
        for case in made:
            u = np.zeros((case.template.n_atoms, 3))
            u[0, 0] = 0.1 if case.split == split else 0.0
            labels = [replace(x, state=x.state + Distortion(u, np.zeros((3, 3)))) for x in case.labels]
            pushed.append(replace(case, labels=tuple(labels)))
        return pushed

    return changed


@pytest.mark.parametrize("split", ["train", "test"])
def test_what_is_held_out_decides_nothing(trained, run, tiny, tmp_path, monkeypatch, split):
    monkeypatch.setattr(run_module, "with_splits", moved_labels(split))
    made = train_on_runs([run], tmp_path / "model", FineTuneSettings(start=tiny, **SHORT))
    assert (weights(made.folder) == weights(trained.folder)) == (split == "test")
    assert made.card["data_sha256"] != trained.card["data_sha256"]


def test_the_same_call_again_is_done_and_another_is_refused(trained, run, tiny):
    before = weights(trained.folder)
    again = train_on_runs([run], trained.folder, FineTuneSettings(start=tiny, **SHORT))
    assert again.card == trained.card
    with pytest.raises(ResumeError, match="choice of settings"):
        train_on_runs([run], trained.folder, FineTuneSettings(start=tiny, seed=1, **SHORT))
    assert weights(trained.folder) == before


def test_labels_are_displacements_from_the_host_at_rest(run):
    found = geometries_of(run)
    folder = RunFolder.open(run)
    vacancy = next(one for one in found.defects if one.defect.name == "v_Cu")
    reference = RelaxedHost.of(found.host, found.potential)
    ideal = reference.on(Defect.from_key(found.host, vacancy.defect.key)).cell()
    assert abs(ideal.cell - vacancy.defect.cell().cell).max() < 1e-6
    label = labels_of(vacancy.defect, vacancy.geometries)[0]
    assert label.kept is not None
    assert not label.broken
    assert 0.01 < np.linalg.norm(label.state.displacements, axis=1).max() < 0.2
    assert abs(label.state.strain).max() < 1e-9
    assert folder.finished("relax")


def test_a_run_without_relaxed_defects_is_refused(unrelaxed_run, tiny, tmp_path):
    with pytest.raises(DataError, match="no relaxed defects to learn from"):
        train_on_runs([unrelaxed_run.path], tmp_path / "model", FineTuneSettings(start=tiny))
    assert not (tmp_path / "model").exists()


def test_labels_of_another_potential_are_refused(run, tiny, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    text = (copy / "relax" / "summary.jsonl").read_text()
    sha = json.loads(text.splitlines()[-1])["potential_sha256"]
    (copy / "relax" / "summary.jsonl").write_text(text.replace(sha, "f" * 64))
    for path in (copy / "relax" / "items").glob("*.npz"):
        arrays = read_arrays(path)
        arrays["outcome"] = np.array(str(arrays["outcome"]).replace(sha, "f" * 64))
        write_arrays(path, arrays)
    with pytest.raises(DataError, match="make a run of its own"):
        train_on_runs([copy], tmp_path / "model", FineTuneSettings(start=tiny))
    assert geometries_of(run).sources == {"relaxations": 10}


@pytest.mark.parametrize(
    "wrong", [{"held_out": 0.0}, {"held_out": 0.95}, {"steps": 0}, {"rate": 0.0}, {"seed": -1}, {"batch": 0}]
)
def test_what_is_not_possible_is_refused(wrong):
    with pytest.raises(SettingsError):
        FineTuneSettings(**wrong)


def test_the_command_trains_and_generates(call, run, tiny, tmp_path):
    model = tmp_path / "model"
    code, out, _ = call("train", run, "-o", model, "--from", tiny, "--steps", 4, "--workers", 1, "--json")
    assert code == 0
    said = json.loads(out)
    assert said["model"] == str(model)
    code, out, _ = call("train", run, "-o", model, "--from", tiny, "--steps", 4, "--workers", 1)
    assert code == 0
    assert "without learning" in out
    from tests.support.places import HOSTS

    options = ["--defect", "v_Cu", "--min-image-distance", 6, "--potential", "emt", "--workers", 1, "--model", model]
    code, _, err = call("generate", HOSTS / "Cu.cif", "-o", tmp_path / "made", *options)
    assert code == 0, err
    code, _, err = call("search", HOSTS / "Cu.cif", "-o", tmp_path / "sought", *options, "--evaluations", 100)
    assert code == 0, err
    assert RunFolder.open(tmp_path / "sought").settings.search.model == str(model)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from", "defalt", "-o", "model"], "did you mean default?"),
        ([], "give it with -o"),
        (["-o", "full"], "not empty"),
    ],
)
def test_the_command_refuses_in_one_line(call, run, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    Path("full").mkdir()
    Path("full/file").write_text("")
    code, _, err = call("train", run, *words)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert not Path("model").exists()
    assert [path.name for path in Path("full").iterdir()] == ["file"]
