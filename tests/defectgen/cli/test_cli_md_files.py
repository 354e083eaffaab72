"""What `defectgen md` takes from files of structures, and what it says of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.constraints import FixAtoms, FixCartesian
from ase.io import write

from defectgen.cli.tables import md_table

Call = Callable[..., tuple[int, str, str]]

SLAB = fcc111("Cu", (2, 2, 3), vacuum=8, periodic=True)
SLAB.info.clear()


def copper(**settings: Any) -> Atoms:
    atoms = bulk("Cu", "fcc", 3.6, cubic=True)
    if "fixed" in settings:
        atoms.set_constraint(FixAtoms(indices=settings["fixed"]))
    if "masses" in settings:
        atoms.set_masses(settings["masses"])
    if "momenta" in settings:
        atoms.set_momenta(settings["momenta"])
    return atoms


@pytest.fixture
def md(call: Call, tmp_path: Path) -> Callable[..., tuple[int, list[dict[str, Any]], str]]:
    def run(atoms: Atoms, *options: object) -> tuple[int, list[dict[str, Any]], str]:
        path = tmp_path / "it.xyz"
        write(path, atoms, format="extxyz")
        common = ("--potential", "emt", "--steps", "10", "--sample", "5", "--workers", "1", "--temperature", "300")
        code, out, err = call("md", path, *common, "--json", "-o", tmp_path / "out", *options)
        return code, [json.loads(line) for line in out.splitlines()], err

    return run


@pytest.mark.parametrize("engine", ["ase", "lammps"])
def test_constraints_masses_and_momenta_of_a_file_are_used_and_said(md: Any, engine: str) -> None:
    atoms = copper(fixed=[0], masses=[62.0] * 4, momenta=[[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    code, [row], err = md(atoms, "--ensemble", "nve", "--engine", engine)
    assert code == 0, err
    assert row["atoms"] == {"fixed": [0], "masses": [62.0] * 4, "momenta": row["atoms"]["momenta"]}
    assert "1 of 4 atoms held, its masses, its momenta" in err


def test_what_is_not_used_is_named(md: Any) -> None:
    atoms = copper()
    atoms.set_initial_magnetic_moments([0.6] * 4)
    atoms.set_initial_charges([1, -1, 1, -1])
    atoms.set_constraint([FixCartesian([0], mask=[True, False, False]), FixCartesian([2])])
    code, [row], err = md(atoms, "--ensemble", "nvt", "--engine", "lammps")
    assert code == 0, err
    assert row["atoms"] == {"fixed": [2]}
    assert "not used of the file: initial_charges, initial_magmoms, constraints FixCartesian" in err


def test_an_ordinary_file_is_taken_without_a_word(md: Any) -> None:
    _, [row], err = md(copper(), "--ensemble", "nvt", "--engine", "lammps")
    assert "atoms" not in row
    assert "file" not in err


@pytest.mark.parametrize(
    ("atoms", "words"),
    [
        (copper(fixed=[0]), "use nvt or nve"),
        (SLAB, "would close the vacuum"),
        (bulk("Cu"), "no degree of freedom"),
    ],
    ids=["held", "slab", "one atom"],
)
def test_what_a_cell_cannot_have_is_refused(md: Any, atoms: Atoms, words: str, tmp_path: Path) -> None:
    code, rows, err = md(atoms, "--ensemble", "npt", "--pressure", "0")
    assert (code, rows) == (2, [])
    assert words in err
    assert not list(tmp_path.glob("out/*.npz"))


@pytest.mark.parametrize("ensemble", ["nvt", "nve"])
def test_no_pressure_is_held_where_none_was_given(md: Any, ensemble: str) -> None:
    code, rows, err = md(copper(), "--ensemble", ensemble, "--engine", "lammps")
    assert code == 0, err
    assert [row["pressure"] for row in rows] == [0.0]


def test_the_time_step_is_said_and_can_be_set(md: Any) -> None:
    _, [row], err = md(copper(), "--ensemble", "nvt", "--engine", "lammps")
    assert row["timestep"] == 2.0
    assert "time step 2 fs, by the lightest atom (Cu)" in err
    _, [row], err = md(copper(), "--ensemble", "nvt", "--engine", "lammps", "--timestep", "1.5")
    assert row["timestep"] == 1.5
    assert "time step" not in err


def test_where_all_points_diverged_it_says_so_and_fails(md: Any) -> None:
    atoms = copper()
    atoms.positions[1] = atoms.positions[0] + [0.3, 0, 0]
    code, rows, err = md(atoms, "--ensemble", "nvt", "--engine", "ase,lammps")
    assert code == 1
    assert [row["status"] for row in rows] == ["diverged"] * 2
    assert "all 2 points diverged" in err
    assert "try a time step of 1 fs" in err


def test_the_stress_along_a_strained_axis_is_in_the_summary(md: Any) -> None:
    options = ("--ensemble", "nvt", "--engine", "lammps", "--strain-rate", "a:0.5")
    code, [row], err = md(copper(), *options)
    assert code == 0, err
    assert np.isfinite(row["axis_stress"]["stress"]).all()
    assert row["axis_stress"]["strain"][-1] == pytest.approx(0.01)
    assert len(row["pressure_tensor"]) == 6


def test_the_table_shows_the_temperature_that_nve_came_to() -> None:
    row = dict.fromkeys(("cell", "engine", "status"), "a") | {"ensemble": "nve", "temperature": 600, "pressure": 0}
    numbers = {"volume": 11.0, "volume_error": None, "energy": -3.0, "msd": 0.01, "temperature_mean": 304.2}
    [temperatures] = [c for c in md_table([row | numbers]).columns if "(K)" in str(c.header)]
    assert list(temperatures.cells) == ["600 (mean 304)"]
    [held] = [c for c in md_table([row | numbers | {"ensemble": "nvt"}]).columns if "(K)" in str(c.header)]
    assert list(held.cells) == ["600"]


def test_a_second_engine_is_asked_for_and_compared(call: Call, md: Any, tmp_path: Path) -> None:
    code, rows, err = md(copper(), "--ensemble", "nvt", "--check", "ase")
    assert code == 0, err
    assert [(row["engine"], row["role"]) for row in rows] == [("lammps", "data"), ("ase", "check")]
    assert rows[0]["seed"] != rows[1]["seed"]
    _, rows, _ = md(copper(), "--ensemble", "nvt", "--engine", "ase", "--check", "ase")
    assert [(row["engine"], row["role"]) for row in rows] == [("ase", "data")]
    _, [row], _ = md(copper(), "--ensemble", "nvt")
    assert row["role"] == "data"
    code, rows, err = md(copper(), "--ensemble", "npt-full", "--pressure", "0", "--check", "batched")
    assert (code, rows) == (2, [])
    assert "does not do the ensemble npt-full" in err
    how = ("--potential", "emt", "--steps", "10", "--sample", "5", "--workers", "1", "--temperature", "300")
    code, out, _ = call("md", tmp_path / "it.xyz", *how, "--ensemble", "nvt", "--check", "ase", "-o", tmp_path / "out")
    assert code == 0
    assert "check by ase of it" in out
    assert " less lammps: energy " in " ".join(out.split())
    assert "volume" not in out, "nvt holds it"


CRYSTALS = "".join(
    f"data_{name}\n_cell_length_a {a}\n_cell_length_b {a}\n_cell_length_c {a}\n_cell_angle_alpha 90\n"
    "_cell_angle_beta 90\n_cell_angle_gamma 90\n_space_group_name_H-M_alt 'F m -3 m'\nloop_\n_atom_site_label\n"
    "_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nCu1 0 0 0\n"
    for name, a in (("cold", 3.6), ("hot", 3.7))
)


def test_a_block_of_a_cif_is_chosen_by_name(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "two.cif"
    path.write_text(CRYSTALS)
    options = ("--potential", "emt", "--steps", "4", "--sample", "2", "--workers", "1", "--ensemble", "nvt", "--json")

    def run(*more: object) -> tuple[int, str, str]:
        return call("md", path, *options, "--temperature", "300", "--engine", "ase", "-o", tmp_path / "out", *more)

    code, out, err = run("--block", "hot")
    assert code == 0, err
    assert json.loads(out)["volume"] == pytest.approx(3.7**3 / 4, rel=1e-6)
    code, _, err = run("--block", "warm")
    assert code == 2
    assert "two.cif: has no block 'warm' with atoms; give one of cold, hot" in err
    code, _, err = run()
    assert code == 2
    assert "holds 2 structures" in err
    assert "--block cold" in err


def test_a_block_of_what_is_no_cif_is_refused(md: Any, call: Call, tmp_path: Path) -> None:
    code, rows, err = md(copper(), "--ensemble", "nvt", "--block", "hot")
    assert (code, rows) == (2, [])
    assert "it.xyz: data blocks are of CIFs" in err
    code, _, err = call("md", tmp_path, "--block", "hot")
    assert code == 2
    assert "--block is for structure files" in err
