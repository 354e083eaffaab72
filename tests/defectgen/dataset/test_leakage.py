"""Frames of train that were smuggled into a held-out split are found, and a clean split is not accused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from defectgen.dataset import export_dataset
from defectgen.dataset.extxyz import ExtxyzFile
from defectgen.dataset.frame import Frame
from defectgen.dataset.leakage import choose_probes, leakage_report, probed_indices
from defectgen.dataset.leakage.probes import MAX_CANDIDATES, MAX_PROBES
from defectgen.dataset.leakage.soap import power_spectra
from defectgen.dataset.settings import DatasetSettings
from defectgen.dataset.splits import Split
from defectgen.dataset.survey import survey_frames
from tests.support.export_runs import morse_labels, rock_salt

MGO, CAO, NACL = (12, 8), (20, 8), (11, 17)


def crystal(numbers: tuple[int, int], a: float, seed: int, formula: str, drop: int | None = None) -> Frame:
    """A strained rock-salt cell of two cubes, rattled by 0.07 Å, with the labels of a Morse crystal."""
    cube, kinds, sites, _ = rock_salt(a, numbers, drop, seed)
    cell, kinds = np.diag([2, 1, 1]) @ cube, np.tile(kinds, 2)
    moves = np.random.default_rng(seed).normal(scale=0.05, size=(len(kinds), 3))
    positions = np.concatenate([sites, sites + cube[0]]) + moves
    energy, forces, stress = morse_labels(cell, positions)
    return Frame(kinds, positions, cell, energy=energy, forces=forces, stress=stress, facts={"formula": formula})


def disguised(frame: Frame, seed: int, rattle: float = 0.01) -> Frame:
    """A copy that no comparison of coordinates sees: rattled, turned, its atoms shifted, wrapped and renumbered."""
    rng = np.random.default_rng(seed)
    turn, order = Rotation.random(rng=rng).as_matrix(), rng.permutation(len(frame))
    moved = frame.positions + rng.normal(scale=rattle, size=frame.positions.shape)
    energy, forces, stress = morse_labels(frame.cell, moved)
    wrapped = ((moved + rng.uniform(0, 9, 3)) @ np.linalg.inv(frame.cell) % 1.0) @ frame.cell
    copy = replace(frame, positions=wrapped, energy=energy)
    turned = (copy.positions @ turn.T)[order], frame.cell @ turn.T, (forces @ turn.T)[order]
    return replace(
        copy, numbers=frame.numbers[order], positions=turned[0], cell=turned[1], forces=turned[2], stress=stress
    )


def supercell(frame: Frame) -> Frame:
    """The same crystal in a cell twice as long."""
    from ase.build import make_supercell

    atoms = make_supercell(replace(frame, facts={}).to_ase(), np.diag([2, 1, 1]))
    cell, positions = np.array(atoms.cell), atoms.positions
    energy, forces, stress = morse_labels(cell, positions)
    return replace(
        frame, numbers=atoms.numbers, positions=positions, cell=cell, energy=energy, forces=forces, stress=stress
    )


def report_of(train: list[Frame], test: list[Frame]):
    frames = [*train, *test]
    labels = np.array(["train"] * len(train) + ["test"] * len(test))
    probes = choose_probes(survey_frames(frames), Split("host", labels, {}))
    return leakage_report(probes, {index: frames[index] for index in probed_indices(probes)})


@pytest.fixture(scope="module")
def train() -> list[Frame]:
    mgo = [crystal(MGO, 4.21, seed, "MgO", None if seed % 3 else 4) for seed in range(120)]
    return [*mgo, *(crystal(NACL, 5.6, seed, "NaCl") for seed in range(40))]


def test_spectra_do_not_change_with_rotation_wrapping_and_order() -> None:
    frame = crystal(MGO, 4.21, 0, "MgO")
    copy = disguised(frame, 1, rattle=0.0)
    mine, other = power_spectra(frame, [8, 12]), power_spectra(copy, [8, 12])
    nearest = np.linalg.norm(mine[:, None] - other[None], axis=-1).min(axis=1)
    assert nearest.max() < 1e-9 * np.abs(mine).max()
    assert np.linalg.norm(mine[0] - power_spectra(crystal(MGO, 4.21, 1, "MgO"), [8, 12])[0]) > 1e-3 * np.abs(mine).max()


def test_a_split_by_host_is_not_accused(train: list[Frame]) -> None:
    report = report_of(train, [crystal(CAO, 4.81, seed, "CaO") for seed in range(30)])
    assert not report.leaks
    assert report.splits["test"].ratio > 1.5
    assert report.splits["test"].nearest > 3
    assert "No copies" in report.verdict


def test_independent_frames_of_one_crystal_are_no_copies_but_are_near(train: list[Frame]) -> None:
    report = report_of(train, [crystal(MGO, 4.21, seed, "MgO") for seed in range(1000, 1030)])
    assert not report.leaks
    assert report.splits["test"].ratio < 1.5
    assert "interpolation" in report.verdict


@pytest.mark.parametrize("seed", range(3))
def test_disguised_copies_are_found_and_counted(train: list[Frame], seed: int) -> None:
    clean = [crystal(CAO, 4.81, k, "CaO") for k in range(20)]
    poison = [disguised(train[k], seed=100 * seed + k) for k in range(seed, 160, 16)]
    report = report_of(train, [*clean, *poison])
    assert report.leaks
    assert report.splits["test"].copies == len(poison)
    assert "leaks: 10 of 30 frames of test" in report.verdict


def test_one_poisoned_frame_among_many_train_frames_is_found() -> None:
    train = [crystal(MGO, 4.21, seed, "MgO") for seed in range(600)]
    clean = [crystal(CAO, 4.81, seed, "CaO") for seed in range(5)]
    report = report_of(train, [*clean, disguised(train[377], seed=5)])
    assert report.splits["test"].copies == 1


def test_the_same_crystal_in_a_longer_cell_is_a_copy(train: list[Frame]) -> None:
    report = report_of(train, [supercell(train[30])])
    assert report.splits["test"].copies == 1


def test_a_copy_with_the_energies_of_another_potential_is_found(train: list[Frame]) -> None:
    poison = [disguised(train[k], seed=k) for k in (10, 50, 90)]
    report = report_of(train, [replace(frame, energy=frame.energy - 500.0) for frame in poison])
    assert report.splits["test"].copies == 3


def test_copies_inside_train_are_counted_and_do_not_shrink_its_spacing(train: list[Frame]) -> None:
    test = [crystal(CAO, 4.81, seed, "CaO") for seed in range(5)]
    alone = report_of(train, test)
    doubled = report_of([frame for k, f in enumerate(train) for frame in (f, disguised(f, k, 0.001))], test)
    assert alone.train_copies == 0
    assert doubled.train_copies == doubled.train_probed
    assert doubled.spacing == pytest.approx(alone.spacing, rel=0.3)


def test_the_work_is_bounded(train: list[Frame]) -> None:
    frames = [*train, *(crystal(CAO, 4.81, seed, "CaO") for seed in range(200))]
    labels = np.array(["train"] * len(train) + ["test"] * 100 + ["valid"] * 100)
    probes = choose_probes(survey_frames(frames), Split("host", labels, {}))
    assert len(probes) == 3 * MAX_PROBES
    assert len(probed_indices(probes)) <= 3 * MAX_PROBES * (1 + MAX_CANDIDATES)


def test_nothing_held_out_gives_no_report(train: list[Frame]) -> None:
    assert report_of(train, []) is None


def test_an_export_says_that_its_split_leaks(train: list[Frame], tmp_path: Path) -> None:
    """Copies of MgO that say they are of other structure types are held out by host; manifest and card tell."""
    liars = [
        replace(disguised(f, k), facts={"formula": "MgO", "prototype": f"AB-{n}"})
        for n in range(12)
        for k, f in enumerate(train[5 * n : 5 * n + 5])
    ]
    with ExtxyzFile(tmp_path / "poisoned.extxyz") as file:
        for frame in [*train, *liars]:
            file.write(frame)
        file.publish()
    settings = DatasetSettings(split="host", held_out=0.3)
    manifest = export_dataset([tmp_path / "poisoned.extxyz"], tmp_path / "out", settings)
    assert len(manifest.frames) > 1
    assert manifest.leakage["leaks"]
    assert json.loads((tmp_path / "out/manifest.json").read_text(encoding="utf-8"))["leakage"]["leaks"]

    silent = settings.model_copy(update={"leakage": False})
    assert export_dataset([tmp_path / "poisoned.extxyz"], tmp_path / "silent", silent).leakage is None
