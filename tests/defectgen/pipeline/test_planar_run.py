"""Runs of surfaces, faults and slabs: their defects are those of the layer group, and nothing closes a vacuum."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from augment.storage.archive import read_cells
from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.run import run_pipeline
from defectgen.pipeline.stages import start_folder
from defectgen.report.gather import read_run
from defectgen.report.page import facts, render_report
from defectgen.run.folder import RunFolder
from defectgen.run.host import read_crystal
from defectgen.run.settings import PlanarSettings, Settings, read_settings, validated
from md.labels.record import read_records
from tests.support.places import HOSTS

COPPER = HOSTS / "Cu.cif"
SURFACE = {"surface": [1, 1, 1], "thickness": 6, "vacuum": 9}
FAULT = {"fault": [1, 1, 1], "vector": ["1/6", "1/6", "-1/3"], "separation": 10}


def settings_of(host: Path, output: Path, planar: dict, **sections: dict) -> Settings:
    values = {
        "host": host,
        "output": output,
        "workers": 1,
        "potential": {"name": "emt"},
        "planar": planar,
        "defects": {"min_image_distance": 5.0, "kinds": ["vacancy"]},
        "relax": {"fmax": 0.05, "max_defects": 1},
        "md": {"ensemble": "nvt", "pressures": [0], "temperatures": [300], "steps": 20, "max_cells": 1},
        **sections,
    }
    return validated(values, "test")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return RunFolder.open(run_pipeline(settings_of(COPPER, tmp_path_factory.mktemp("surface") / "run", SURFACE)).parent)


def test_a_run_has_the_defects_of_the_command_planar(call, finished: RunFolder) -> None:
    found = {row["key"]: row["degeneracy"] for row in finished.read_lines("defects/defects.jsonl")}
    options = ("--surface", "1,1,1", "--thickness", 6, "--vacuum", 9, "--min-image-distance", 5, "--kind", "vacancy")
    _, out, _ = call("planar", COPPER, *options, "--json")
    listed = [json.loads(line) for line in out.splitlines()]
    assert found == {row["key"]: row["degeneracy"] for row in listed}
    assert len(found) == 2
    assert read_settings(finished.path / "settings.yaml").planar == PlanarSettings(**SURFACE)


def test_the_report_says_which_plane_it_is_of(finished: RunFolder, tmp_path: Path) -> None:
    data = read_run(finished.path)
    assert "Surface Cu (1 1 1), whose symmetry is that of the layer" in render_report(data)
    assert [(fact.value, fact.detail) for fact in facts(data) if fact.name == "Plane"] == [("Cu (1 1 1)", "surface")]
    bulk = read_run(start_folder(PreparedRun.of(settings_of(COPPER, tmp_path / "bulk", {}))).path)
    assert "Plane" not in {fact.name for fact in facts(bulk)}


def test_a_slab_keeps_its_vacuum_and_a_fault_does_not_keep_its_strain(finished: RunFolder, tmp_path: Path) -> None:
    ideal = read_cells(finished.file("defects", "cells.npz"))[0]
    records = read_records(finished.file("relax", "records.npz"))
    assert all(np.array_equal(record.cell.cell, ideal.cell) for record in records)
    assert np.abs(records[0].cell.positions - ideal.positions).max() > 0.01
    points = finished.read_lines("md/summary.jsonl")
    assert {(p["engine"], p["status"], p["volume_error"] < 1e-12) for p in points} == {
        ("ase", "finished", True),
        ("lammps", "finished", True),
    }
    prepared = PreparedRun.of(settings_of(COPPER, tmp_path / "fault", FAULT))
    strain = prepared.reference(start_folder(prepared)).strain
    assert 1e-3 < np.abs(strain).max() < 0.05


def test_a_slab_in_a_cif_is_the_surface_that_it_was_cut_at(finished: RunFolder) -> None:
    cif = finished.file("host", "host.cif")
    surface = read_crystal(COPPER, PlanarSettings(**SURFACE))[0]
    slab = read_crystal(cif, PlanarSettings(slab=(0, 0, 1)))[0]
    assert (slab.group.order, slab.n_lattice) == (surface.group.order, surface.n_lattice)
    assert slab.normal is not None
    assert [(o.element, len(o.members)) for o in slab.orbits] == [(o.element, len(o.members)) for o in surface.orbits]
    recognised, plane = read_crystal(cif, PlanarSettings())
    assert (recognised.hash, plane.kind, plane.info["vacuum"]) == (slab.hash, "layer", pytest.approx(9, abs=1e-3))
    assert read_crystal(cif, PlanarSettings(layer="bulk"))[0].normal is None


@pytest.mark.parametrize(
    ("planar", "md", "words"),
    [
        (SURFACE, {"ensemble": "npt"}, "npt would close the vacuum of the cell"),
        (SURFACE, {"pressures": [0, 10]}, "a pressure of 0.0, 10.0 GPa would close the vacuum of the cell"),
        ({**SURFACE, "fault": [1, 1, 1]}, {"ensemble": "nve", "pressures": [0]}, "surface and fault asked for"),
        ({"fault": [1, 1, 1]}, {}, "needs its vector"),
        ({"grain_boundary": 5}, {}, "needs its plane"),
        ({**FAULT, "vector": [0.5, "one"]}, {}, "0.5,one: give 3 fractions"),
        ({"surface": [1, 1]}, {}, "planar.surface"),
        ({"slab": [0, 0, 1]}, {}, "the widest gap along c is 2.11 Å; a layer or slab needs a vacuum of 6 Å or more"),
        ({"slab": [0, 0, 0]}, {}, "[0, 0, 0] is no normal"),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_is_written(call, tmp_path, planar, md, words) -> None:
    path, out = tmp_path / "settings.yaml", tmp_path / "out"
    path.write_text(json.dumps({"host": str(HOSTS / "MgO.cif"), "output": str(out), "planar": planar, "md": md}))
    code, _, err = call("run", path)
    assert (code, err.count("\n")) == (2, 1), err
    assert words in err
    assert not out.exists()
