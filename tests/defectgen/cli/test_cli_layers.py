"""Every command takes a layer with vacuum and says so, or refuses it in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase.io import read, write
from pymatgen.core import Lattice, Structure

from md.labels.record import read_records
from tests.support.places import HOSTS

NOTE = "is a layer with 15.0 Å of vacuum along c: in-plane supercells, no interstitials in the vacuum, "
MD = ("--temperature", 300, "--steps", 20, "--engine", "ase", "--potential", "emt")


def written(structure: Structure, path: Path) -> Path:
    structure.to(str(path), fmt="cif")
    return path


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """MoS2, one layer."""
    points = [[1 / 3, 2 / 3, 0.0], [2 / 3, 1 / 3, 1.56 / 18.12], [2 / 3, 1 / 3, -1.56 / 18.12]]
    return written(Structure(Lattice.hexagonal(3.16, 18.12), ["Mo", "S", "S"], points), tmp_path / "MoS2.cif")


@pytest.fixture
def copper(tmp_path: Path) -> Path:
    """One hexagonal layer of copper."""
    return written(Structure(Lattice.hexagonal(2.45, 15), ["Cu"], [[0, 0, 0]]), tmp_path / "Cu.cif")


def test_defects_of_a_layer_are_those_in_its_plane(call, layer: Path) -> None:
    listed = {}
    for options in ((), ("--slab", "0,0,1"), ("--bulk",)):
        code, out, err = call("defects", layer, *options, "--json")
        assert code == 0
        listed[options] = [json.loads(line) for line in out.splitlines()]
        assert (f"MoS2 {NOTE}" in err) == (not options)
        assert err.count("\n") == (options != ("--bulk",))
    assert listed[()] == listed["--slab", "0,0,1"]
    assert {row["name"]: row["degeneracy"] for row in listed[()]}["v_Mo"] == 9
    assert {row["name"] for row in listed["--bulk",]} != {row["name"] for row in listed[()]}


def test_other_builders_take_a_layer(call, layer: Path) -> None:
    code, out, err = call("impurities", layer, "--concentration", "Se_S=0.25", "-n", 2, "--json")
    assert (code, len(out.splitlines()), NOTE in err) == (0, 2, True)
    code, out, _ = call("planar", layer, "--kind", "vacancy", "--json")
    assert code == 0
    assert {json.loads(line)["planar"]["kind"] for line in out.splitlines()} == {"layer"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("planar", "LAYER", "--surface", "1,0,0"), "surfaces, faults and boundaries are made of a bulk crystal"),
        (("planar", "LAYER", "--fault", "1,0,0", "--scan", 2), "faults are made of a bulk crystal"),
        (("distill", "LAYER"), "a student is distilled from a bulk crystal"),
        (("defects", "LAYER", "--bulk", "--slab", "0,0,1"), "--bulk and --slab say opposite things"),
        (("defects", "LAYER", "--slab", "1,0,0"), "the widest gap along a is"),
        (("defects", "LAYER", "--slab", "c"), "--slab 'c': give integers by commas"),
        (("defects", "LAYER", "--supercell", "2 0 0 0 2 0 0 0 2"), "holds 2 layers one above the other"),
        (("md", "LAYER", "-o", "OUT", "--ensemble", "npt"), "npt would close the vacuum"),
        (
            ("md", "LAYER", "-o", "OUT", "--ensemble", "npt-plane", "--pressure", "5"),
            "give a tension in N/m (--tension",
        ),
        (("md", "LAYER", "-o", "OUT", "--tension", "5"), "a tension has no effect in nvt; use npt-plane"),
        (("md", "LAYER", "-o", "OUT", "--ensemble", "npt-plane", "--bulk"), "or --bulk says so; use npt or npt-full"),
        (("md", "LAYER", "-o", "OUT", "--ensemble", "npt-plane", "--engine", "batched"), "use engine ase or lammps"),
        (("md", "LAYER", "-o", "OUT", "--pressure", "0,5"), "a pressure of 0.0, 5.0 GPa would close the vacuum"),
    ],
)
def test_what_a_layer_cannot_be_used_for_is_one_line(call, layer: Path, tmp_path: Path, arguments, words: str) -> None:
    names = {"LAYER": layer, "OUT": tmp_path / "out"}
    code, _, err = call(*(names.get(argument, argument) for argument in arguments))
    assert (code, err.count("\n")) == (2, 1), err
    assert words in err
    assert not (tmp_path / "out").exists()


def test_a_layer_of_copper_runs_to_its_report(call, copper: Path, tmp_path: Path) -> None:
    folder, settings = tmp_path / "run", tmp_path / "settings.yaml"
    values = {
        "host": str(copper),
        "output": str(folder),
        "workers": 1,
        "potential": {"name": "emt"},
        "defects": {"min_image_distance": 5.0, "kinds": ["vacancy"]},
        "generate": {"model": "default", "subgroups": ["full"]},
        "md": {"temperatures": [300], "steps": 20, "max_cells": 1},
    }
    settings.write_text(json.dumps(values))
    code, _, err = call("run", settings)
    assert code == 0, err
    assert f"Cu {NOTE}" in err
    points = [json.loads(line) for line in (folder / "md" / "summary.jsonl").read_text().splitlines()]
    assert {(p["engine"], p["ensemble"], p["pressure"], p["status"]) for p in points} == {
        ("ase", "nvt", 0.0, "finished"),
        ("lammps", "nvt", 0.0, "finished"),
    }
    cells = [record.cell.cell for record in read_records(folder / "relax" / "records.npz")]
    assert all(cell[2, 2] == pytest.approx(15, abs=1e-9) for cell in cells), "the vacuum stays"
    edge = np.linalg.norm(cells[0][0]) / round(np.linalg.norm(cells[0][0]) / 2.45)
    assert 0.01 < abs(edge - 2.45) < 0.3, "in its plane the layer is relaxed"
    assert "Layer Cu" in (folder / "report.html").read_text()
    code, _, err = call("md", folder, "--ensemble", "npt", "--overwrite")
    assert (code, "npt would close the vacuum" in err) == (2, True)
    assert (folder / "md" / "summary.jsonl").is_file()


def test_dynamics_of_files_keep_a_vacuum_and_leave_a_crystal_its_barostat(call, copper: Path, tmp_path: Path) -> None:
    layer = tmp_path / "repeated" / "Cu.cif"
    layer.parent.mkdir()
    write(layer, read(copper).repeat((2, 2, 1)))
    code, out, err = call("md", layer, HOSTS / "Al.cif", "-o", tmp_path / "md", *MD, "--pressure", 0, "--json")
    assert code == 0, err
    assert {row["cell"]: row["ensemble"] for row in map(json.loads, out.splitlines())} == {"Cu": "nvt", "Al": "npt"}
    (line,) = [line for line in err.splitlines() if "vacuum" in line]
    assert line.startswith("note: Cu has a vacuum in its cell: NVT at 0 GPa (npt-plane lets its area breathe); --bulk ")


def test_the_area_of_a_layer_breathes_where_that_is_asked_for(call, copper: Path, tmp_path: Path) -> None:
    layer = tmp_path / "repeated" / "Cu.cif"
    layer.parent.mkdir()
    write(layer, read(copper).repeat((3, 3, 1)))
    options = (*MD, "--ensemble", "npt-plane", "--tension", "0,1")
    code, out, err = call("md", layer, "-o", tmp_path / "md", *options, "--json")
    assert code == 0, err
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["ensemble"], row["tension"]) for row in rows] == [("npt-plane", 0.0), ("npt-plane", 1.0)]
    assert all(row["area"] and row["tension_mean"] is not None for row in rows)
    assert "its area follows a tension of 0, 1 N/m, the axis across the vacuum keeps its length" in err
    code, out, _ = call("md", layer, "-o", tmp_path / "md", *options)
    assert (code, "1 N/m" in out, "Å²" in out) == (0, True, True)


def test_a_disordered_layer_is_one_too(call, tmp_path: Path) -> None:
    points = [[1 / 3, 2 / 3, 0.0], [2 / 3, 1 / 3, 1.56 / 18.12], [2 / 3, 1 / 3, -1.56 / 18.12]]
    mixed = {"S": 0.75, "Se": 0.25}
    cif = written(Structure(Lattice.hexagonal(3.16, 18.12), ["Mo", mixed, mixed], points), tmp_path / "alloy.cif")
    code, out, err = call("impurities", cif, "-n", 2, "--json")
    assert (code, len(out.splitlines())) == (0, 2), err
    assert "is a layer with 15.0 Å of vacuum along c: in-plane supercells" in err
    code, _, bulk = call("impurities", cif, "-n", 2, "--json", "--bulk")
    assert (code, "is a layer" in bulk) == (0, False)
    code, _, err = call("impurities", cif, "-n", 2, "--supercell", "2 0 0 0 2 0 0 0 2")
    assert (code, "holds 2 layers one above the other" in err) == (2, True)
