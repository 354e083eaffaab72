"""Inputs of codes: every folder is the defect, the charge and the structure that the manifest says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase.io import read

from augment.exchange.registration import register
from defectgen.calculations.codes import INPUT_WRITERS, vasp
from defectgen.calculations.jobs import CalculationJob, calculation_jobs, charged, structure_hash
from defectgen.calculations.settings import CODES, FUNCTIONALS, CalculationSettings
from defectgen.calculations.spin import is_polarised, multiplicity
from defectgen.pipeline.prepared import PreparedRun
from defectgen.run.folder import RunFolder

STRUCTURES = {
    "vasp": ("POSCAR", "vasp"),
    "qe": ("pw.in", "espresso-in"),
    "gpaw": ("start.extxyz", "extxyz"),
    "aims": ("geometry.in", "aims"),
}


def manifest_of(folder: Path) -> list[dict]:
    return json.loads((folder / "manifest.json").read_text())["calculations"]


def structure_in(folder: Path, code: str):
    if code != "cp2k":
        name, kind = STRUCTURES[code]
        return read(folder / name, format=kind)
    from ase import Atoms

    lines = (folder / "cp2k.inp").read_text().split()
    text = (folder / "cp2k.inp").read_text()
    cell = [[float(x) for x in line.split()[1:]] for line in text.partition("&CELL")[2].splitlines()[1:4]]
    rows = [line.split() for line in text.partition("&COORD")[2].partition("&END")[0].splitlines() if line.strip()]
    assert lines
    return Atoms([r[0] for r in rows], [[float(x) for x in r[1:]] for r in rows], cell=cell, pbc=True)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.filterwarnings("ignore:FHI-aims IO is moving")
def test_each_folder_holds_the_defect_and_charge_of_its_entry(code: str, run: Path, call) -> None:
    status, out, error = call("inputs", run, "--code", code, "--defect", "v_O,v_Mg")
    assert (status, error) == (0, ""), out
    host = PreparedRun.of_folder(RunFolder.open(run)).host
    entries = manifest_of(run / "inputs" / code)
    assert {(e["name"], e["charge"]) for e in entries} == {
        ("bulk", 0), *(("v_O", q) for q in (0, 1, 2)), *(("v_Mg", q) for q in (0, -1, -2)),
    }  # fmt: skip
    for entry in entries:
        folder = run / "inputs" / code / entry["folder"]
        assert json.loads((folder / "defect.json").read_text()) == entry
        atoms = structure_in(folder, code)
        found = register(atoms.cell.array, atoms.numbers, atoms.positions, host, charge=entry["charge"])
        assert found.defect.key == entry["key"]
        assert charge_in(folder, code) == entry["charge"]
    assert not list(run.rglob("POTCAR"))
    assert "What is assumed" in (run / "inputs" / code / "README.md").read_text()


def charge_in(folder: Path, code: str) -> int:
    """The charge that an input tells its code."""
    text = "".join(p.read_text() for p in folder.iterdir() if p.suffix in {".in", ".inp", ".py", ""})
    if code == "vasp":
        poscar = read(folder / "POSCAR", format="vasp").get_chemical_symbols()
        valence = sum({"Mg": 8, "O": 6}[symbol] for symbol in poscar)
        electrons = [float(line.split("=")[1]) for line in text.splitlines() if line.startswith("NELECT")]
        return round(valence - electrons[0]) if electrons else 0
    marks = {"qe": "tot_charge", "cp2k": "CHARGE", "gpaw": "charge", "aims": "charge"}
    line = next(line for line in text.splitlines() if line.strip().startswith(marks[code]))
    return round(float(line.replace("=", " ").replace(",", " ").split()[-1]))


def test_unknown_valence_writes_no_number_of_electrons(ideal_cells, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = charged(ideal_cells["v_O"], 2)
    settings = CalculationSettings("vasp")
    assert "NELECT = 48" in vasp.vasp_inputs(cell, settings)["INCAR"]
    monkeypatch.setattr(vasp, "_zvals", dict)
    files = vasp.vasp_inputs(cell, settings)
    assert "NELECT" not in files["INCAR"]
    assert "NELECT is not written: set it to the sum of ZVAL over the atoms minus +2" in files["POTCAR.txt"]
    assert "NELECT" not in vasp.vasp_inputs(charged(cell, 0), settings)["INCAR"]


@pytest.mark.parametrize(("code", "functional"), [(c, f) for c in CODES for f in FUNCTIONALS[c]])
@pytest.mark.parametrize("relax", [True, False])
def test_every_functional_of_every_code_is_written(code, functional, relax, ideal_cells) -> None:
    settings = CalculationSettings(code, functional, relax=relax, cutoff=400, kpoint_spacing=0.5, spin="always")
    files = INPUT_WRITERS[code].files(charged(ideal_cells["v_Mg"], -1), settings)
    assert all(text.endswith("\n") for name, text in files.items() if name != "start.extxyz")
    assert INPUT_WRITERS[code].assumptions(settings)


def test_a_second_run_adds_and_replaces_nothing(run: Path, call) -> None:
    call("inputs", run, "--code", "qe", "--defect", "v_O", "--charges", "v_O=0")
    folder = run / "inputs/qe"
    (folder / "v_O_q+0/pw.out").write_text("results")
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    status, out, _ = call("inputs", run, "--code", "qe", "--defect", "v_O", "--charges", "v_O=0,2")
    assert status == 0
    assert out.startswith("1 calculations written, 2 were there")
    after = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert {p for p in before if before[p] != after[p]} <= {folder / "manifest.json", folder / "README.md"}
    assert {e["folder"] for e in manifest_of(folder)} == {"bulk", "v_O_q+0", "v_O_q+2"}
    (folder / "v_O_q+0/pw.in").write_text("edited")
    for words in (("--charges", "v_O=0,1"), ("--functional", "PBEsol")):
        status, _, error = call("inputs", run, "--code", "qe", "--defect", "v_O", *words)
        assert status == 2
        assert "name another folder" in error
        assert not (folder / "v_O_q+1").exists()
    assert (folder / "v_O_q+0/pw.out").read_text() == "results"


def test_what_cannot_be_written_is_refused(run: Path, tmp_path: Path, call) -> None:
    for words, said in (
        (("--code", "vsap"), "did you mean vasp?"),
        (("--code", "cp2k", "--functional", "HSE06"), "there are PBE, LDA"),
        (("--code", "qe", "--charges", "v_X=1"), "no such defect"),
        (("--code", "qe", "--charges", "v_O=half"), "whole charges"),
        (("--code", "qe", "--start", "relaxed"), "defectgen relax"),
        (("--code", "qe", "--select", "0"), "1 or more"),
        (("--code", "qe", "--kpoint-spacing", "-1"), "positive"),
        (("--code", "qe", "--data-folder", str(tmp_path)), "no file"),
        (("--code", "aims", "--data-folder", str(tmp_path / "none")), "no such folder"),
        (("--code", "vasp", "--spin", "up"), "auto, always, never"),
    ):
        status, _, error = call("inputs", run, *words)
        assert (status, error.count("\n")) == (2, 1), words
        assert said in error, error
    assert not (run / "inputs").exists()


def test_pseudopotentials_are_found_by_element(run: Path, tmp_path: Path, call) -> None:
    for name in ("Mg.pbe.UPF", "O.pbe.upf", "Os.pbe.UPF", "Mn_x.upf"):
        (tmp_path / name).touch()
    assert call("inputs", run, "--code", "qe", "--defect", "v_O", "--data-folder", tmp_path)[0] == 0
    text = (run / "inputs/qe/bulk/pw.in").read_text()
    assert "Mg.pbe.UPF" in text
    assert "O.pbe.upf" in text
    (tmp_path / "O_other.UPF").touch()
    status, _, error = call("inputs", run, "--code", "qe", "-o", tmp_path / "more", "--data-folder", tmp_path)
    assert status == 2
    assert "several pseudopotentials of O" in error


def test_so_many_geometries_are_selected_and_they_differ(run: Path, call) -> None:
    status, out, _ = call("inputs", run, "--code", "gpaw", "--select", "3", "--charges", "v_O=0", "--json")
    assert status == 0
    names = {e["name"] for e in manifest_of(run / "inputs/gpaw")}
    assert len(names - {"bulk"}) == 3
    assert len(json.loads(out)["written"]) == len(manifest_of(run / "inputs/gpaw"))


def test_jobs_have_names_of_their_own_and_hashes_of_their_structures(ideal_cells) -> None:
    cell = ideal_cells["v_O"]
    moved = cell.with_geometry(cell.positions + 0.01)
    pairs = {cell.key: [("relaxed", cell), ("relaxed", moved)]}
    jobs = calculation_jobs(pairs, {cell.key: (0, 1)})
    assert [job.folder for job in jobs] == ["v_O_q+0", "v_O_q+1", "v_O_q+0-2", "v_O_q+1-2"]
    assert [job.cell.key[-2:] for job in jobs[:2]] == ["+0", "+1"]
    assert structure_hash(cell) == CalculationJob("x", charged(cell, 2), "").structure_sha256
    assert structure_hash(cell) != structure_hash(moved)
    lowest = calculation_jobs(pairs, {cell.key: (0,)}, select=1, order="lowest")
    assert lowest[0].cell.positions is cell.positions


def test_an_odd_number_of_electrons_has_spin(ideal_cells) -> None:
    cell, settings = ideal_cells["v_O"], CalculationSettings("qe")
    assert [is_polarised(charged(cell, q), settings) for q in (0, 1, 2)] == [False, True, False]
    assert is_polarised(cell, CalculationSettings("qe", spin="always"))
    assert [multiplicity(charged(cell, q)) for q in (0, 1, 2)] == [1, 2, 1]


def test_a_mesh_is_as_fine_as_the_spacing_says() -> None:
    settings = CalculationSettings("qe", kpoint_spacing=0.4)
    lattice = np.diag([4.0, 8.0, 16.0])
    mesh = np.array(settings.mesh(lattice))
    assert (2 * np.pi / np.diag(lattice) / mesh <= 0.4).all()
    assert (2 * np.pi / np.diag(lattice) / np.maximum(mesh - 1, 0.5) > 0.4).all()
