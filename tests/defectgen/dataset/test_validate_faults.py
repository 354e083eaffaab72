"""Every check of a dataset finds the fault that is planted for it, and none fires on a good dataset."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from defectgen.dataset.extxyz import frame_text
from defectgen.dataset.frame import Frame
from defectgen.dataset.validation import Finding, ValidationReport, validate_dataset
from md.potentials import resolve_potential
from tests.support.emt_frames import good_sets

Sets = dict[str, list[Frame]]
Plant = Callable[[Sets], None]


def write_sets(folder: Path, sets: Sets, text: Callable[[Frame], str] = frame_text) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split, frames in sets.items():
        (folder / f"{split}.extxyz").write_text("".join(map(text, frames)), encoding="utf-8")
    return folder


def shuffled(sets: Sets, seed: int = 0) -> Sets:
    rng = np.random.default_rng(seed)
    return {split: [frames[k] for k in rng.permutation(len(frames))] for split, frames in sets.items()}


def every(change: Callable[[Frame], Frame]) -> Plant:
    def plant(sets: Sets) -> None:
        for split, frames in sets.items():
            sets[split] = [change(frame) for frame in frames]

    return plant


def one(change: Callable[[Frame], Frame], split: str = "train", index: int = 7) -> Plant:
    def plant(sets: Sets) -> None:
        sets[split][index] = change(sets[split][index])

    return plant


def copied(change: Callable[[Frame], Frame] = lambda frame: frame, source: str = "train", to: str = "test") -> Plant:
    def plant(sets: Sets) -> None:
        frame = change(sets[source][5])
        sets[to].append(frame.with_facts(trajectory=f"copy-{to}"))

    return plant


def with_(**labels: Callable[[Frame], object]) -> Callable[[Frame], Frame]:
    return lambda frame: dataclasses.replace(frame, **{name: value(frame) for name, value in labels.items()})


def reordered(frame: Frame) -> Frame:
    order = np.random.default_rng(3).permutation(len(frame))
    moved = frame.positions[order] + np.array([0.3, 0.2, 0.9])
    fractional = moved @ np.linalg.inv(frame.cell)
    assert frame.forces is not None
    return dataclasses.replace(
        frame, numbers=frame.numbers[order], positions=(fractional % 1) @ frame.cell, forces=frame.forces[order]
    )


def rotated(frame: Frame) -> Frame:
    turn, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))
    assert frame.forces is not None
    return dataclasses.replace(
        frame, positions=frame.positions @ turn, cell=frame.cell @ turn, forces=frame.forces @ turn, stress=None
    )


def rattled(frame: Frame) -> Frame:
    rng = np.random.default_rng(5)
    moved = frame.positions + rng.normal(scale=0.004, size=frame.positions.shape)
    return dataclasses.replace(frame, positions=moved, energy=(frame.energy or 0) + 1e-4)


def random_split(sets: Sets) -> None:
    frames = [dataclasses.replace(f, facts={"potential": "emt"}) for part in sets.values() for f in part]
    order = np.random.default_rng(6).permutation(len(frames))
    sets["train"], sets["valid"] = ([frames[k] for k in part] for part in (order[:140], order[140:]))
    del sets["test"]


def second_labeller(sets: Sets) -> None:
    sets["train"] = [
        dataclasses.replace(f, energy=(f.energy or 0) + 1.5 * len(f)) if k % 3 == 0 else f
        for k, f in enumerate(sets["train"])
    ]


def collided(frame: Frame) -> Frame:
    positions = frame.positions.copy()
    positions[1] = positions[0] + 0.02
    return dataclasses.replace(frame, positions=positions)


def contradicted(sets: Sets) -> None:
    frame = sets["train"][5]
    sets["train"].append(dataclasses.replace(frame, energy=(frame.energy or 0) + 1.0))


HARTREE, BOHR, GPA = 27.211386, 0.529177, 160.21766208
FAULTS: dict[str, tuple[Plant, str, str, str]] = {
    "hartree": (every(with_(energy=lambda f: f.energy / HARTREE)), "units", "error", "Hartree"),
    "kcal": (every(with_(energy=lambda f: f.energy / 0.0433641)), "units", "error", "kcal/mol"),
    "meV": (every(with_(energy=lambda f: f.energy * 1e3)), "units", "error", "meV"),
    "per atom": (every(with_(energy=lambda f: f.energy / len(f))), "units", "error", "energies of an atom"),
    "gradients": (every(with_(forces=lambda f: -f.forces)), "units", "error", "wrong sign"),
    "hartree per bohr": (every(with_(forces=lambda f: f.forces / HARTREE * BOHR)), "units", "error", "/Bohr"),
    "hartree gradients": (every(with_(forces=lambda f: -f.forces / HARTREE)), "units", "error", "wrong sign"),
    "stress in GPa": (every(with_(stress=lambda f: f.stress * GPA)), "units", "error", "GPa"),
    "stress in kbar": (every(with_(stress=lambda f: f.stress * GPA * 10)), "units", "error", "kbar"),
    "stress of VASP": (every(with_(stress=lambda f: -f.stress * GPA * 10)), "units", "error", "turned round"),
    "stress turned": (every(with_(stress=lambda f: -f.stress)), "units", "error", "turned round"),
    "virial": (every(with_(stress=lambda f: -f.volume * f.stress)), "units", "error", "virial"),
    "exact leak": (copied(), "leakage", "error", "are in an earlier split"),
    "leak from valid": (copied(source="valid"), "leakage", "error", "are in an earlier split"),
    "near leak": (copied(rattled), "leakage", "error", "within 0.1"),
    "reordered leak": (copied(reordered), "leakage", "error", "another order"),
    "rotated leak": (copied(rotated), "leakage", "error", "orientation"),
    "random split": (random_split, "leakage", "warning", "split at random"),
    "exact copy": (copied(to="train"), "duplicates", "warning", "exact copies"),
    "near copy": (copied(rattled, to="train"), "duplicates", "warning", "within 0.1"),
    "reordered copy": (copied(reordered, to="train"), "duplicates", "warning", "another order"),
    "contradiction": (contradicted, "contradictions", "error", "energy that differs"),
    "energy outlier": (one(with_(energy=lambda f: f.energy + 30)), "outliers", "warning", "energies"),
    "force outlier": (one(with_(forces=lambda f: f.forces * 500)), "outliers", "warning", "forces"),
    "stress outlier": (one(with_(stress=lambda f: f.stress + 2)), "outliers", "warning", "stresses"),
    "bad energy": (one(with_(energy=lambda f: f.energy + 3)), "energies against forces", "warning", "more than"),
    "overlap": (one(collided), "overlapping atoms", "error", "closer"),
    "no energy": (one(with_(energy=lambda _: None)), "missing labels", "error", "energy"),
    "no forces": (one(with_(forces=lambda _: None)), "missing labels", "error", "forces"),
    "no stress": (one(with_(stress=lambda _: None)), "missing labels", "warning", "stress"),
    "zero energy": (one(with_(energy=lambda _: 0.0)), "placeholders", "warning", "exactly zero"),
    "net force": (one(with_(forces=lambda f: f.forces + 0.2)), "net forces", "warning", "net force"),
    "no cell": (one(with_(cell=lambda _: np.zeros((3, 3)))), "cells", "error", "no cell"),
    "molecule": (
        one(with_(cell=lambda _: np.zeros((3, 3)), pbc=lambda _: np.zeros(3, bool), stress=lambda _: None)),
        "cells",
        "warning",
        "the others have one",
    ),
    "slab": (one(with_(pbc=lambda _: np.array([True, True, False]))), "boundary conditions", "warning", "several"),
    "labellers": (second_labeller, "several labellers", "warning", "two groups"),
    "two potentials": (one(lambda f: f.with_facts(potential="chgnet")), "several labellers", "warning", "chgnet"),
    "trajectory": (
        one(lambda f: f.with_facts(trajectory="Cu-0-False"), "test"), "leakage", "error", "same trajectory",
    ),
    "parent": (every(lambda f: f.with_facts(parent="one")), "leakage", "warning", "same parent"),
    "elements": (
        one(with_(numbers=lambda f: np.where(np.arange(len(f)) == 0, 28, f.numbers)), "test"),
        "missing elements",
        "error",
        "Ni",
    ),
    "split field": (one(lambda f: f.with_facts(split="valid")), "splits", "warning", "another split"),
    "spin": (one(lambda f: f.with_facts(spin=2)), "magnetic fields", "warning", "spin"),
    "moment": (one(lambda f: f.with_facts(total_spin=2)), "magnetic fields", "warning", "total_spin"),
}  # fmt: skip


def found(report: ValidationReport, check: str, severity: str, words: str) -> list[Finding]:
    return [f for f in report.findings if f.check == check and f.severity == severity and words in f.what]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sets(tmp_path_factory.mktemp("good"), good_sets())


def test_nothing_is_found_in_a_good_dataset(good: Path, tmp_path: Path) -> None:
    assert not validate_dataset([good]).findings
    assert not validate_dataset([write_sets(tmp_path, shuffled(good_sets()))]).findings


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str, tmp_path: Path) -> None:
    plant, check, severity, words = FAULTS[name]
    sets = good_sets()
    plant(sets)
    report = validate_dataset([write_sets(tmp_path, sets)])
    assert found(report, check, severity, words), report.rows()


PAIRED = [n for n, row in FAULTS.items() if row[1] in ("units", "leakage", "duplicates", "energies against forces")]


@pytest.mark.parametrize("name", PAIRED)
def test_a_fault_between_frames_is_found_when_they_are_out_of_order(name: str, tmp_path: Path) -> None:
    plant, check, severity, words = FAULTS[name]
    sets = good_sets()
    plant(sets)
    report = validate_dataset([write_sets(tmp_path, shuffled(sets))])
    assert found(report, check, severity, words), report.rows()


TEXT_FAULTS: dict[str, tuple[Callable[[str], str], str, str, str]] = {
    "renamed energy": (
        lambda t: re.sub(r"(REF_|free_)?energy=", "DFT_energy=", t), "names of labels", "error", "DFT_energy",
    ),
    "capital": (lambda t: re.sub(r"(REF_|free_)?energy=", "Energy=", t), "names of labels", "error", "Energy"),
    "renamed forces": (
        lambda t: t.replace("REF_forces", "dft_forces").replace(":forces", ":force_dft"), "names of labels", "error",
        "dft_forces",
    ),
    "virial key": (
        lambda t: t.replace("REF_stress=", "REF_virial=").replace(" stress=", " virial="), "names of labels",
        "warning", "virial",
    ),
    "two energies": (lambda t: re.sub(r"REF_energy=\S+", "REF_energy=-1", t), "two sets of labels", "error", "energy"),
    "two stresses": (
        lambda t: re.sub(r'REF_stress="\S+', 'REF_stress="9.0', t), "two sets of labels", "error", "stress",
    ),
    "only REF": (
        lambda t: re.sub(r" (free_)?energy=\S+", "", t).replace(":forces:R", ":other:R").replace(" stress=", " o="),
        "one set of labels", "warning", "REF_energy only",
    ),
    "only ASE": (
        lambda t: re.sub(r"REF_energy=\S+ ", "", t).replace("REF_forces", "other").replace("REF_stress", "o"),
        "one set of labels", "note", "energy only",
    ),
    "two charges": (lambda t: t.replace("total_charge=0", "total_charge=1"), "charges", "error", "another"),
    "broken charge": (lambda t: re.sub(r"charge=0", "charge=0.37", t), "charges", "warning", "no integer"),
    "text for charge": (lambda t: re.sub(r"charge=0", "charge=plus", t), "charges", "error", "no finite number"),
    "some charges": (
        lambda t: t.replace(" charge=0 total_charge=0", "", 1), "charges", "warning", "no charge",
    ),
    "not a number": (lambda t: re.sub(r" energy=\S+", " energy=nan", t, count=1), "unusable frames", "error", "finite"),
    "huge": (lambda t: re.sub(r" energy=\S+", " energy=1e300", t, count=1), "unusable frames", "error", "1e+300"),
    "far": (lambda t: re.sub(r"\n(Cu|Au) \S+", r"\n\1 1e200", t, count=1), "unusable frames", "error", "e+200"),
    "no element": (lambda t: re.sub(r"\n(Cu|Au) ", "\nQq ", t, count=1), "unusable frames", "error", "Qq"),
    "truncated": (lambda t: t[: len(t) - 400], "unusable frames", "error", "ends within"),
    "short line": (
        lambda t: re.sub(r"\n(Cu|Au) .*\n", "\nCu 1 2\n", t, count=1), "unusable frames", "error", "columns",
    ),
    "nine of eight": (
        lambda t: re.sub(r' stress="\S+ ', ' stress="', t, count=1), "unusable frames", "error", "stress",
    ),
    "another energy": (
        lambda t: re.sub(r" energy=(\S+)", r" energy=\1 mp_energy=-3.0", t), "other energies", "note", "mp_energy",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXT_FAULTS)
def test_a_fault_of_the_text_is_found(name: str, good: Path, tmp_path: Path) -> None:
    change, check, severity, words = TEXT_FAULTS[name]
    for path in good.iterdir():
        (tmp_path / path.name).write_text(change(path.read_text()), encoding="utf-8")
    report = validate_dataset([tmp_path])
    assert found(report, check, severity, words), report.rows()


@pytest.mark.parametrize("name", [n for n, row in FAULTS.items() if row[1] == "units"])
def test_units_are_told_with_a_potential_though_no_frames_are_close(name: str, tmp_path: Path) -> None:
    sets = {split: frames[::5] for split, frames in good_sets().items()}
    emt = resolve_potential("emt")
    clean = validate_dataset([write_sets(tmp_path / "good", sets)], emt)
    assert [f.check for f in clean.findings if f.severity != "note"] in ([], ["duplicates"]), clean.rows()
    FAULTS[name][0](sets)
    report = validate_dataset([write_sets(tmp_path / "bad", sets)], emt)
    assert any("against emt" in f.what for f in report.findings if f.severity == "error"), report.rows()


def test_the_zero_of_energies_is_told_with_a_potential(tmp_path: Path) -> None:
    sets = good_sets()
    every(with_(energy=lambda f: f.energy - 2.0 * len(f)))(sets)
    notes = validate_dataset([write_sets(tmp_path, sets)], resolve_potential("emt")).findings
    assert any("-2.0000 eV an atom" in note.what for note in notes)
