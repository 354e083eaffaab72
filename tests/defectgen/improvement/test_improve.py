"""A student improved on the defects of a run: it stops by its rule and goes on to the same bits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from augment.errors import DataError, PotentialError, ResumeError, SettingsError
from augment.storage.archive import read_cells
from defectgen.calculations.jobs import structure_hash
from defectgen.calculations.settings import CalculationSettings
from defectgen.improvement import ImproveSettings, improve
from defectgen.improvement import run as run_module
from defectgen.improvement.labelling import CalculationLabeller
from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.stages import start_folder
from defectgen.run.folder import RunFolder
from defectgen.run.settings import Settings
from md.distill.labelled import CellLabeller
from md.jobs.sweep import no_stage
from md.labels.calculated import CALCULATED_RECORDS, CalculatedRecord, TheoryLevel, write_calculated
from md.labels.evaluator import Evaluator
from md.labels.record import read_records
from md.potentials import resolve_potential
from md.students import read_student
from tests.support.places import HOSTS

QUICK = ImproveSettings(cycles=1, labels=8, steps=40, max_defects=1)


@pytest.fixture(scope="module")
def copper(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    changes = {
        "potential.name": "mace-cu-al-ni",
        "defects.dopants": ["Al", "Ni"],
        "defects.kinds": ["vacancy", "substitution"],
        "defects.min_image_distance": 6.0,
        "workers": 1,
    }
    output = tmp_path_factory.mktemp("improve") / "run"
    return start_folder(PreparedRun.of(Settings(host=HOSTS / "Cu.cif", output=output).replaced(changes)))


def improved(copper: RunFolder, folder: Path, settings: ImproveSettings = QUICK):
    prepared = PreparedRun.of_folder(copper)
    labels = CellLabeller(resolve_potential("emt"), folder, 1, no_stage)
    return improve(prepared, prepared.potential, labels, "emt", folder, settings)


@pytest.fixture(scope="module")
def made(copper, tmp_path_factory):
    return improved(copper, tmp_path_factory.mktemp("improved") / "out")


def test_a_cycle_lowers_the_errors_on_defects_that_it_never_saw(made):
    (row,) = made.cycles
    assert row["after"]["held_out"] < row["before"]["held_out"]
    assert made.kept == 1
    assert row["labels"] == QUICK.labels
    assert json.loads((made.folder / "improve.json").read_text())["kept"] == 1
    _, card = read_student(made.folder / "student")
    assert card["refined_from"]["name"] == "mace-cu-al-ni"
    assert card["teacher"]["name"] == "emt"


@pytest.mark.parametrize(("errors", "kept"), [((1.0, 2.0), 0), ((1.0, 0.5, 0.49), 2), ((1.0, 0.5, 0.6), 1)])
def test_the_student_of_the_best_cycle_is_kept_and_the_loop_ends_with_the_first_that_does_not_help(
    copper, tmp_path, monkeypatch, errors, kept
):
    course = iter(errors)
    monkeypatch.setattr(run_module._Loop, "_frozen", lambda *_: [])
    monkeypatch.setattr(run_module._Loop, "_new_labels", lambda *_: [])
    monkeypatch.setattr(run_module._Loop, "_trained", lambda _self, _title, _name, start, *_: start)
    monkeypatch.setattr(run_module._Loop, "_errors", lambda *_: dict.fromkeys(("choose", "held_out"), next(course)))
    made = improved(copper, tmp_path / "out", replace(QUICK, cycles=5))
    assert (made.kept, len(made.cycles)) == (kept, len(errors) - 1)
    assert (made.folder / "student").exists() == bool(kept)
    assert "less than" in made.stopped


def test_no_cell_of_a_held_out_defect_is_learnt_from(made):
    split = json.loads((made.folder / "improvement.json").read_text())["split"]
    assert set(split.values()) == {"train", "valid", "test"}
    records = [record for path in made.folder.glob("cycle_*_labels.npz") for record in read_records(path)]
    learnt = {record.cell.key for record in records}
    measured = {
        what: {record.cell.key for record in read_records(made.folder / f"frozen_{what}_labels.npz")}
        for what in ("valid", "test")
    }
    for what, keys in measured.items():
        assert keys == {key for key, where in split.items() if where == what}
        assert not learnt & keys
    assert learnt & {key for key, where in split.items() if where == "train"}


@pytest.mark.slow
def test_a_killed_improvement_ends_with_the_same_bits(copper, made, tmp_path, monkeypatch):
    class Killed(BaseException):
        """What a kill does."""

    whole = run_module.train_student

    def killed(records, shape, how, state, **others):
        if "cycle_1.pt" in state.name:
            raise Killed
        return whole(records, shape, how, state, **others)

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "train_student", killed)
        with pytest.raises(Killed):
            improved(copper, tmp_path / "out")
    again = improved(copper, tmp_path / "out")
    weights = [(folder / "student" / "weights.safetensors").read_bytes() for folder in (made.folder, again.folder)]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_a_cycle_that_does_not_help_is_the_last_and_its_student_is_not_kept(copper, tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "train_student", lambda *_, start, **__: start)
    made = improved(copper, tmp_path / "out", ImproveSettings(cycles=3, labels=8, steps=40, max_defects=1))
    assert len(made.cycles) == 1
    assert made.kept == 0
    assert "less than" in made.stopped
    assert not (made.folder / "student").exists()


def test_other_settings_in_the_same_folder_are_refused(copper, made):
    with pytest.raises(ResumeError, match="another"):
        improved(copper, made.folder, ImproveSettings(cycles=1, labels=10, steps=40, max_defects=1))


def test_who_is_no_student_is_refused(copper, tmp_path):
    emt = resolve_potential("emt")
    with pytest.raises(PotentialError, match="is no student"):
        improve(
            PreparedRun.of_folder(copper), emt, CellLabeller(emt, tmp_path, 1, no_stage), "emt", tmp_path / "out", QUICK
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong", [{"labels": 2}, {"cycles": 0}, {"steps": 1}, {"min_gain": 1.0}, {"held_out": 0.0}, {"chosen_on": 0.9}]
)
def test_what_is_not_possible_is_refused(wrong):
    with pytest.raises(SettingsError):
        ImproveSettings(**wrong)


def test_calculations_are_written_and_taken_in_once_they_are_labelled(copper, made, tmp_path):
    cells = read_cells(made.folder / "frozen_test.npz")
    singles = CalculationSettings("vasp", relax=False)
    labeller = CalculationLabeller(RunFolder(tmp_path, copper.settings), tmp_path, "Cu", singles)
    with pytest.raises(DataError, match=f"{len(cells)} of {len(cells)} calculations are to be run"):
        labeller.labelled("frozen_test", lambda: cells)
    written = sorted(path.name for path in (tmp_path / "inputs" / "frozen_test").iterdir() if path.is_dir())
    assert len(written) == len(cells)
    level, emt = TheoryLevel("vasp", "PBE", 520.0), resolve_potential("emt").calculator()
    records = []
    for cell in cells:
        found = Evaluator(cell.numbers, emt, cell.volume, np.inf)(cell.positions, cell.cell)
        said = {"potential": level.name, "dft": {"inputs_sha256": structure_hash(cell)}}
        labelled = cell.with_geometry(cell.positions, cell.cell, **said)
        records.append(CalculatedRecord(labelled, found.energy, found.forces, found.stress, None, "dft_single_point"))
    write_calculated(tmp_path / CALCULATED_RECORDS, records[1:])
    if len(cells) > 5:
        assert len(labeller.labelled("frozen_test", lambda: cells)) == len(cells) - 1
    write_calculated(tmp_path / CALCULATED_RECORDS, records)
    done = labeller.labelled("frozen_test", lambda: pytest.fail("made anew"))
    np.testing.assert_allclose([r.energy for r in done], [r.energy for r in records])
    assert {r.config_type for r in done} <= {"defect_relaxation", "defect_dynamics"}


def test_the_command_says_what_is_missing(call, copper, tmp_path):
    code, _, err = call("improve", copper.path, "--teacher", "emt")
    assert code == 2
    assert "give it with -o" in err
    code, _, err = call("improve", copper.path, "--teacher", "emtt", "-o", tmp_path / "out")
    assert code == 2
    assert not (tmp_path / "out").exists()
