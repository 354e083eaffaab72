"""Splits: nothing is in two files, nothing moves when a set grows, and train holds every element."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment import read_host
from augment.errors import DataError
from augment.supercells.search import find_supercell
from defectgen.dataset import DatasetSettings, check_split, export_records
from defectgen.dataset.extxyz import read_frames
from defectgen.dataset.frame import Frame
from defectgen.dataset.splits import MAX_HELD_OUT_SHARE, assign, groups_of_frames, split_frames
from defectgen.dataset.survey import survey_frames
from md.labels.record import Record, write_records
from tests.support.export_runs import WEIGHTS, make_record

NAMES = st.sets(st.text("abcdefgh0123456789", min_size=3, max_size=8), min_size=10, max_size=60)


def frame(formula: str, symbols: str, seed: int = 0, **facts: str) -> Frame:
    """A labelled frame of four atoms of some host."""
    from ase.symbols import string2symbols

    numbers = {"Mg": 12, "O": 8, "Ga": 31, "N": 7, "Cu": 29, "Al": 13}
    kinds = np.array([numbers[s] for s in string2symbols(symbols)], dtype=np.int64)
    rng = np.random.default_rng(seed)
    positions = rng.uniform(0, 8, size=(len(kinds), 3))
    forces = rng.normal(size=positions.shape)
    known = {"formula": formula, "name": "v_O", "potential": "p", **facts}
    return Frame(kinds, positions, 8.0 * np.eye(3), energy=-1.0, forces=forces, stress=np.zeros(6), facts=known)


@given(NAMES, NAMES, st.integers(0, 9))
def test_no_group_moves_when_the_set_grows(some: set[str], more: set[str], seed: int) -> None:
    share = MAX_HELD_OUT_SHARE / 100
    before = assign(dict.fromkeys(sorted(some), share), seed, 0.1, {})
    after = assign(dict.fromkeys(sorted(some | more, reverse=True), share), seed, 0.1, {})
    if "train" in {after[g] for g in some} and list(before.values()).count("train") > 1:
        assert {g: after[g] for g in some} == before


@pytest.mark.parametrize("held_out", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("seed", range(5))
def test_the_share_that_is_held_out_is_that_asked_for(seed: int, held_out: float) -> None:
    groups = range(500)
    chosen = list(assign({str(g): 1 / len(groups) for g in groups}, seed, held_out, {}).values())
    for split in ("valid", "test"):
        expected = held_out * len(groups)
        assert abs(chosen.count(split) - expected) < 5 * np.sqrt(expected)


def test_a_group_with_most_of_the_frames_is_never_held_out() -> None:
    for seed in range(50):
        shares = {"MgO": 0.87, **{f"h{i}": 0.013 for i in range(10)}}
        assert assign(shares, seed, 0.3, {})["MgO"] == "train"
    assert "test" in {assign({"MgO": 0.05, "h": 0.05}, seed, 0.3, {"h": "train"})["MgO"] for seed in range(50)}


def test_groups_of_an_older_set_stay_where_they_were() -> None:
    old = {"a": "test", "b": "valid", "c": "train"}
    assert assign({"a": 0.9, "b": 0.05, "c": 0.02, "d": 0.03}, 3, 0.1, old) | old == {
        **assign({"d": 0.03, "a": 0.9, "b": 0.05, "c": 0.02}, 3, 0.1, old),
    }


def test_a_leaking_split_is_refused() -> None:
    with pytest.raises(DataError, match="both train and test"):
        check_split({"train": ["x", "y"], "test": ["y"]})


def split_of(frames: list[Frame], **settings: object) -> tuple[str, list[str]]:
    survey = survey_frames(frames)
    split = split_frames(survey, np.ones(len(frames), dtype=bool), DatasetSettings.model_validate(settings))
    return split.by, split.labels.tolist()


@pytest.mark.parametrize("by", ["host", "prototype", "elements", "defect", "trajectory"])
def test_frames_of_one_group_are_never_apart(by: str) -> None:
    rng = np.random.default_rng(1)
    frames = []
    for k in range(600):
        host, defect, run = rng.integers(12), rng.integers(6), rng.integers(8)
        facts = {"prototype": f"AB {host % 4}", "name": f"v_{defect}", "trajectory": f"md-{host}-{defect}-{run}"}
        frames.append(frame(f"MgO{host + 1}", "Mg2O2", k, **facts))
    survey = survey_frames(frames)
    split = split_frames(survey, np.ones(600, dtype=bool), DatasetSettings.model_validate({"split": by}))
    names, group = groups_of_frames(survey, split.by)
    groups = names[group]
    check_split({name: groups[split.labels == name].tolist() for name in split.names})
    assert (by == "elements") == (len(split.names) == 1)  # all of Mg and O here


def test_an_element_that_train_lacks_is_refused_and_the_way_out_is_said() -> None:
    frames = [frame("MgO", "Mg2O2", k, name=f"v_{k % 40}") for k in range(400)]
    frames += [frame("MgO", "Mg1Cu1O2", 900 + k, name="Cu_Mg") for k in range(4)]
    shares, known = {"MgO Cu_Mg": 0.01, "MgO": 0.2}, {"MgO": "train"}
    held_out = [seed for seed in range(40) if assign(shares, seed, 0.2, known)["MgO Cu_Mg"] != "train"]
    asked = {"split": "defect", "held_out": 0.2, "seed": held_out[0]}
    with pytest.raises(DataError, match=r"train has no Cu.*--uncovered train"):
        split_of(frames, **asked)
    assert split_of(frames, **asked, uncovered="train")[1][-1] == "train"
    assert split_of(frames, **asked, uncovered="drop")[1][-1] == ""
    assert split_of(frames, **{**asked, "split": "auto"})[1][-1] == "train"
    inside = next(s for s in range(40) if s not in held_out)
    assert split_of(frames, **{**asked, "seed": inside})[1][-1] == "train"


def test_auto_never_puts_runs_of_one_defect_apart() -> None:
    frames = [frame("MgO", "Mg2O2", k, name=f"v_{k % 3}", trajectory=f"md-{k}") for k in range(60)]
    by, labels = split_of(frames)
    assert by == "defect"
    assert len({(f.facts["name"], label) for f, label in zip(frames, labels, strict=True)}) == 3


def test_auto_takes_the_strictest_that_holds_something_out() -> None:
    one = [frame("MgO", "Mg2O2", k, name=f"v_{k % 40}") for k in range(200)]
    assert split_of(one)[0] == "defect"
    many = [frame(f"MgO{h}", "Mg2O2", 100 * h + k) for h in range(40) for k in range(3)]
    assert split_of(many)[0] == "host"


def cells_of(cif: Path, a: float) -> list[Record]:
    """Records of the pristine cell and a vacancy of a host, labelled by nothing in particular."""
    host = read_host(cif)
    supercell = find_supercell(host, max_atoms=100, min_image_distance=5.0)
    cell = supercell.bulk_cell().with_geometry(
        supercell.bulk_cell().positions, potential="p", potential_sha256=WEIGHTS, strain=a
    )
    rng = np.random.default_rng(round(1e4 * a))
    moved = cell.with_geometry(cell.positions + rng.normal(scale=0.05, size=cell.positions.shape))
    return [
        Record(c, -1.0 - a, rng.normal(size=(len(c), 3)), rng.normal(size=6) / 100, "relaxed") for c in (cell, moved)
    ]


def test_mgo_of_twenty_cifs_is_one_host(tmp_path: Path) -> None:
    from ase import Atoms
    from ase.io import write

    records: list[Record] = []
    base = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    for k in range(20):
        a, origin = 4.15 + 0.01 * k, np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]][k % 3])
        scaled = np.concatenate([base, base + 0.5]) + origin
        atoms = Atoms("Mg4O4", scaled_positions=scaled % 1, cell=a * np.eye(3), pbc=True)
        if k % 2:
            atoms = Atoms("MgO", scaled_positions=[origin, origin + 0.5], cell=a / 2 * (1 - np.eye(3)), pbc=True)
        path = tmp_path / f"{k}.cif"
        write(path, atoms)
        records += cells_of(path, a)
    hosts = {record.cell.provenance["host"] for record in records}
    assert len(hosts) > 15  # hosts that differ by their lattice have other hashes
    for seed in range(6):
        settings = DatasetSettings(split="host", seed=seed, held_out=0.4, near=0)
        manifest = export_records(records, tmp_path / f"set{seed}", settings)
        assert len(manifest.split["groups"]) == 1
        assert len(manifest.frames) == 1


def test_a_grown_set_keeps_its_split(tmp_path: Path) -> None:
    def run(name: str, seeds: range) -> Path:
        records = []
        for s in seeds:
            record = make_record("a" * 12, "MgO", (12, 8), s)
            cell = record.cell
            moved = type(cell)(
                f"v_{s}", cell.key, cell.cell, cell.numbers, cell.positions, cell.sites, 0, cell.provenance
            )
            records.append(Record(moved, record.energy, record.forces, record.stress, "relaxed"))
        write_records(tmp_path / name / "relax/records.npz", records)
        return tmp_path / name

    from defectgen.dataset import export_dataset

    first, second = run("one", range(1, 13)), run("two", range(13, 40))
    settings = DatasetSettings(held_out=0.3, split="defect")
    before = export_dataset([first], tmp_path / "set", settings)
    after = export_dataset([second], tmp_path / "set", settings, append=True)
    assert before.split["groups"].items() <= after.split["groups"].items()
    assert after.n_records == before.n_records + 27
    again = export_dataset([first], tmp_path / "set", settings, append=True)
    assert again.n_records == after.n_records  # what is there already is a copy
    names = {s: {f.facts["name"] for f in read_frames(tmp_path / f"set/{s}.extxyz")} for s in after.frames}
    check_split(names)
