"""`defectgen md` on structure files: one line a point, the same files again, one clear error for bad input."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ase.build import bulk
from ase.io import write

from augment.errors import ConditionError
from md.conditions.schedule import constant, cycle, quench, ramp, step
from md.conditions.schedule_text import parse_profile, parse_strain, split_list

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def copper(tmp_path: Path) -> Path:
    path = tmp_path / "cu.cif"
    write(path, bulk("Cu", "fcc", 3.6, cubic=True))
    return path


@pytest.fixture
def short(copper: Path, tmp_path: Path) -> tuple[object, ...]:
    settings = ("--potential", "emt", "--steps", "20", "--sample", "5", "--engine", "lammps", "--workers", "1")
    return ("md", copper, *settings, "--seed", "1", "-o", tmp_path / "out")


def test_every_point_is_a_line_and_again_the_same_bytes(call: Call, short: tuple[object, ...], tmp_path: Path) -> None:
    grid = ("--temperature", "300,900", "--pressure", "0,10", "--ensemble", "npt", "--json")
    code, out, _ = call(*short, *grid)
    assert code == 0
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(r["temperature"], r["pressure"]) for r in rows] == [(300, 0), (300, 10), (900, 0), (900, 10)]
    for row in rows:
        assert row["cell"] == "cu"
        assert row["status"] == "finished"
        assert {"volume", "volume_error", "energy", "msd"} <= row.keys()
    files = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert call(*short, *grid)[1] == out
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == files
    assert (tmp_path / "out" / "summary.jsonl").read_text(encoding="utf-8") == out


def test_shards_do_their_share_and_the_whole_finds_it_done(call: Call, short: tuple[object, ...]) -> None:
    grid = ("--temperature", "300,600,900", "--pressure", "0", "--json")
    lines = [call(*short, *grid, "--shard", f"{i}/2")[1].splitlines() for i in (0, 1)]
    assert [len(part) for part in lines] == [2, 1]
    code, out, err = call(*short, *grid)
    assert code == 0
    assert out.splitlines() == [lines[0][0], lines[1][0], lines[0][1]]
    assert "3 of 3" in err


def test_schedules_strain_and_extended_xyz(call: Call, short: tuple[object, ...], tmp_path: Path) -> None:
    atoms = bulk("Cu", "fcc", 3.6, cubic=True)
    path = tmp_path / "two.xyz"
    write(path, [atoms, atoms], format="extxyz")
    options = ("--temperature", "ramp(300,600,10steps)+quench(300)", "--pressure", "0", "--ensemble", "npt-aniso")
    code, out, err = call("md", path, *short[2:], *options, "--strain-rate", "b:0.5", "--json")
    assert code == 0, err
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["cell"] for row in rows] == ["two_1", "two_2"]
    assert rows[0]["schedule"][0]["times"] == [0, 20, 20]
    assert rows[0]["schedule"][2] == ["b", 0.5]


def test_a_deck_instead_of_a_run(call: Call, short: tuple[object, ...], tmp_path: Path) -> None:
    eam = ("--potential", "lammps:eam/alloy Cu_mishin1.eam.alloy", "--temperature", "300", "--pressure", "0")
    code, out, err = call(*short, *eam, "--deck")
    assert code == 0, err
    assert Path(out.strip()).is_file()
    assert not list((tmp_path / "out").glob("*.npz"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--temperature=-5",), "temperature of -5.0 K"),
        (("--temperature", "nan"), "give finite numbers"),
        (("--temperature", "1e9"), "temperature of 1000000000.0 K"),
        (("--temperature", "warm"), "'warm' is no schedule"),
        (("--temperature", "ramp(300,900)"), "is no schedule"),
        (("--temperature", "ramp(300,900,-5)"), "above 0"),
        (("--temperature", "ramp(300,900,5ps)"), "takes 5000 fs, the run 40 fs"),
        (("--temperature", "__import__(1)"), "is no schedule"),
        (("--pressure", "1e5"), "100000.0 GPa"),
        (("--pressure", "5", "--ensemble", "nvt"), "no effect in nvt"),
        (("--pressure", "0/0/0/0/0/1"), "use npt-full"),
        (("--ensemble", "nph"), "md.ensemble = 'nph'"),
        (("--strain-rate", "a:fast"), "no strain rate"),
        (("--strain-rate", "a:0.1"), "use npt-aniso or nvt"),
        (("--engine", "gromacs"), "'gromacs'"),
        (("--steps", "0"), "md.steps = 0"),
        (("--timestep", "20"), "md.timestep = 20"),
        (("--shard", "2/2"), "shard 2/2"),
        (("--potential", "nowhere.model", "--trust-model"), "no potential named 'nowhere.model'"),
        (("--potential", "lammps:eam/alloy nowhere"), "nowhere: no such file"),
        (("--engine", ""), "md.engines = ''"),
        (("--temperature", ""), "is no schedule"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_run(
    call: Call, short: tuple[object, ...], options: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    code, _, err = call(*short, *options)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("out/*.npz"))


def test_the_folder_of_a_whole_run_is_left_alone(call: Call, short: tuple[object, ...], tmp_path: Path) -> None:
    call("defects", short[1], "-o", tmp_path / "out")
    before = sorted(tmp_path.rglob("*"))
    code, _, err = call(*short)
    assert code == 2
    assert "belongs to a run" in err
    assert sorted(tmp_path.rglob("*")) == before


def test_files_that_are_no_models_or_structures(call: Call, short: tuple[object, ...], tmp_path: Path) -> None:
    text = tmp_path / "text.model"
    text.write_text("not a model", encoding="utf-8")
    molecule = tmp_path / "molecule.xyz"
    molecule.write_text("1\n\nCu 0 0 0\n", encoding="utf-8")
    for arguments, words in (
        ((*short, "--potential", text, "--trust-model"), "not a MACE model"),
        ((*short, "--potential", f"lammps:eam/alloy {text}"), "no file of pair style"),
        (("md", text, *short[2:]), "text.model"),
        (("md", molecule, *short[2:]), "not periodic"),
        (("md", tmp_path / "missing.cif", *short[2:]), "no such file"),
        (("md", short[1], short[1], *short[2:]), "several structures are called cu"),
        (short[:-2], "give it with -o"),
    ):
        code, _, err = call(*arguments)
        assert (code, err.count("\n")) == (2, 1), err
        assert words in err


def test_a_corrupted_checkpoint_is_one_line(call: Call, short: tuple[object, ...], tmp_path: Path) -> None:
    call(*short, "--temperature", "300", "--pressure", "0")
    [item] = (tmp_path / "out").glob("*.npz")
    parts = item.with_suffix(".parts")
    parts.mkdir()
    (parts / f"{5:012d}-{'0' * 16}.npz").write_bytes(b"damaged")
    item.unlink()
    code, _, err = call(*short, "--temperature", "300", "--pressure", "0")
    assert code == 2
    assert "this checkpoint cannot be trusted" in err
    assert f"delete {parts}" in err


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        ("300", constant(300.0)),
        ("1e+2", constant(100.0)),
        ("hold(300, 2ps)", constant(300.0, 2000.0)),
        ("ramp(300,900,50steps)+quench(300)", ramp(300.0, 900.0, 100.0).then(quench(300.0))),
        ("step(0,1/2/3/0/0/0.5,10)", None),
        ("step(300,900,10fs)", step(300.0, 900.0, 10.0)),
        ("cycle(300,900,0.001ns,3)", cycle(300.0, 900.0, 1000.0, 3)),
    ],
)
def test_texts_are_profiles(text: str, profile: object) -> None:
    if profile is None:
        with pytest.raises(ConditionError):  # a number and a stress do not mix
            parse_profile(text, 2.0)
    else:
        assert parse_profile(text, 2.0) == profile


def test_lists_of_schedules_split_outside_parentheses() -> None:
    assert split_list("300,ramp(300,900,5ps)+quench(300), 900") == ["300", "ramp(300,900,5ps)+quench(300)", "900"]
    assert parse_strain("c:-0.01").index == 2
