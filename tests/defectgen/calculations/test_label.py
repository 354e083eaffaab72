"""Finished calculations come back as the defects that went out, and nothing else does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from scipy.spatial.transform import Rotation

from defectgen.calculations.jobs import charged
from md.labels.calculated import CALCULATED_RECORDS, TheoryLevel, is_calculated, read_calculated
from tests.support.code_outputs import write_aims, write_vasprun

OUTPUTS = Path(__file__).parent / "outputs"
"""Of Quantum ESPRESSO 6.7, GPAW 22.8 and CP2K 2023.1 for the inputs of this package, at coarse settings; that of CP2K
without its references, timings and most lines of its electronic loop."""

REAL = {
    "qe_bulk.out": ("bulk", 0, "qe", "LDA", -1859.9813),
    "qe_v_O_2.out": ("v_O", 2, "qe", "LDA", -1435.5250),
    "gpaw_v_O_2.txt": ("v_O", 2, "gpaw", "PBE", -22.907003),
    "cp2k_v_O.out": ("v_O", 0, "cp2k", "LDA", -8107.3262),
}


def records(run: Path):
    return read_calculated(run / CALCULATED_RECORDS)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("manifest", [True, False])
def test_outputs_of_codes_are_the_defects_that_went_out(name: str, manifest, run: Path, tmp_path: Path, call) -> None:
    defect, charge, code, functional, energy = REAL[name]
    folder = tmp_path / "somewhere"
    if manifest:
        charges = ("--charges", f"{defect}={charge}") if defect != "bulk" else ()
        call("inputs", run, "--code", code, "--functional", functional, *charges, "--defect", "v_O", "-o", folder)
        folder = folder / (defect if defect == "bulk" else f"{defect}_q{charge:+d}")
    folder.mkdir(exist_ok=True)
    shutil.copy(OUTPUTS / name, folder)
    status, _, error = call("label", run, "--from", folder)
    assert status == 0, error
    [record] = records(run)
    assert (record.cell.name, record.cell.charge) == (defect, charge)
    assert record.energy == pytest.approx(energy, abs=1e-3)
    assert record.forces is not None
    assert record.stress is not None
    said = record.cell.provenance
    assert said["dft"]["code"] == code
    assert said["dft"]["functional"] == functional
    assert len(said["dft"]["setups"]) == 2
    assert said["dft"]["version"]
    assert said["start"] == ("ideal" if manifest else None)


def test_a_gpw_file_says_what_the_text_says(run: Path, tmp_path: Path, call) -> None:
    """The file is a real one without its densities and wave functions."""
    for name in ("gpaw_v_O_2.gpw", "gpaw_v_O_2.txt"):
        (tmp_path / name).mkdir()
        shutil.copy(OUTPUTS / name, tmp_path / name / ("gpaw.txt" if name.endswith("txt") else "result.gpw"))
        status, _, error = call("label", run, "--from", tmp_path / name)
        assert status == 0, error
    one, other = records(run)
    assert one.cell.key == other.cell.key
    assert one.cell.provenance["potential"] == other.cell.provenance["potential"]
    assert one.energy == pytest.approx(other.energy, abs=1e-5)
    assert np.allclose(one.stress, other.stress, atol=1e-5)
    assert np.allclose(one.cell.positions, other.cell.positions, atol=1e-5)
    edges = [record.cell.provenance["dft"]["band_edges"] for record in (one, other)]
    assert edges[0] == pytest.approx(edges[1], abs=1e-4)
    assert edges[0] == pytest.approx([4.2447, 4.3460], abs=1e-4)
    assert one.potentials is None


def test_potentials_that_the_script_for_gpaw_kept_are_those_of_a_positive_charge(run, tmp_path, call) -> None:
    shutil.copy(OUTPUTS / "gpaw_v_O_2.gpw", tmp_path / "result.gpw")
    atoms = read(tmp_path / "result.gpw", format="gpw")
    (tmp_path / "potentials.txt").write_text("\n".join(f"{-z * 10.0}" for z in atoms.numbers))
    status, _, error = call("label", run, "--from", tmp_path)
    assert status == 0, error
    (record,) = records(run)
    assert record.potentials.tolist() == [z * 10.0 for z in record.cell.numbers]
    (tmp_path / "potentials.txt").write_text("1.0\n2.0\n")
    status, _, error = call("label", run, "--from", tmp_path)
    assert status == 2
    assert "2 potentials for" in error


def test_labels_of_two_levels_are_two_heads_of_a_dataset(run: Path, tmp_path: Path, call) -> None:
    for name in REAL:
        (tmp_path / "out" / name).mkdir(parents=True)
        shutil.copy(OUTPUTS / name, tmp_path / "out" / name)
    assert call("label", run, "--from", tmp_path / "out")[0] == 0
    assert call("label", run, "--from", tmp_path / "out")[0] == 0  # once more: the same records
    assert len(records(run)) == len(REAL)
    status, _, error = call("export", run, "-o", tmp_path / "set")
    assert status == 0, error
    frames = [f for path in (tmp_path / "set").glob("*.extxyz") for f in read(path, ":")]
    assert len(frames) == len(REAL)
    assert {(f.info["name"], f.info["charge"]) for f in frames} == {("bulk", 0), ("v_O", 0), ("v_O", 2)}
    heads = {f.info["head"] for f in frames}
    assert len(heads) == 3
    assert all(map(is_calculated, heads))
    card = (tmp_path / "set/README.md").read_text()
    assert "**Labels of DFT**" in card
    assert "interatomic potential" not in card
    above = {f.info["name"]: f.info.get("energy_above_pristine") for f in frames if "qe" in f.info["head"]}
    assert above["v_O"] == pytest.approx(-1435.5250 + 1859.9813, abs=1e-3)
    assert call("report", run)[0] == 0
    page = (run / "report.html").read_text()
    assert "Calculations (DFT)" in page
    assert next(iter(heads)) in page


def test_what_did_not_finish_is_named_and_left_out(run: Path, tmp_path: Path, call) -> None:
    for name in REAL:
        text = (OUTPUTS / name).read_text()
        (tmp_path / "out" / name).mkdir(parents=True)
        (tmp_path / "out" / name / name).write_text(text[: len(text) // 2])
    unconverged = (OUTPUTS / "qe_bulk.out").read_text().replace("convergence has been", "convergence NOT")
    (tmp_path / "out/more").mkdir()
    (tmp_path / "out/more/pw.out").write_text(unconverged)
    moving = (OUTPUTS / "qe_bulk.out").read_text().replace("bfgs converged in", "bfgs did not converge in")
    (tmp_path / "out/moving").mkdir()
    (tmp_path / "out/moving/pw.out").write_text(moving)
    status, _, error = call("label", run, "--from", tmp_path / "out")
    assert status == 2
    assert error.count("left out") == len(REAL) + 2
    assert "the electrons did not converge" in error
    assert "the relaxation did not converge" in error
    assert "ends in the middle" in error
    assert not (run / CALCULATED_RECORDS).exists()


def test_a_calculation_that_went_on_replaces_what_it_said_before(run: Path, tmp_path: Path, call) -> None:
    output, text = tmp_path / "pw.out", (OUTPUTS / "qe_bulk.out").read_text()
    for content, energies in (
        (text, [-1859.9813]),
        (text.replace("-136.7", "-137.7"), [-1859.9813 - 13.6057]),
        (text[:5000], []),
        (text, [-1859.9813]),
    ):
        output.write_text(content)
        call("label", run, "--from", tmp_path)
        assert [r.energy for r in records(run)] == pytest.approx(energies, abs=1e-3)


def test_a_result_in_the_wrong_folder_is_left_out(run: Path, tmp_path: Path, call) -> None:
    call("inputs", run, "--code", "qe", "--defect", "v_O,v_Mg", "-o", tmp_path / "qe")
    shutil.copy(OUTPUTS / "qe_v_O_2.out", tmp_path / "qe/v_O_q+1/pw.out")
    shutil.copy(OUTPUTS / "qe_bulk.out", tmp_path / "qe/v_Mg_q+0/pw.out")
    shutil.copy(OUTPUTS / "qe_v_O_2.out", tmp_path / "qe/v_O_q+2/pw.out")
    status, _, error = call("label", run, "--from", tmp_path / "qe")
    assert status == 0
    assert "calculated with a charge of +2 e, and defect.json says +1" in error
    assert "its atoms are not those of v_Mg" in error
    assert "v_O_q+0: no output yet" in error
    [record] = records(run)
    assert (record.cell.name, record.cell.charge) == ("v_O", 2)
    rows = [json.loads(line) for line in (run / "label/summary.jsonl").read_text().splitlines()]
    assert sum("left_out" in row for row in rows) == len(rows) - 1


def disguised(cell, rng) -> tuple[Atoms, np.ndarray, np.ndarray]:
    """The cell in another order, orientation and origin, with the order and the rotation that were taken."""
    order, turn = rng.permutation(len(cell)), Rotation.random(random_state=rng).as_matrix()
    positions = (cell.positions + rng.normal(scale=0.03, size=cell.positions.shape) + rng.uniform(-5, 5, 3))[order]
    atoms = Atoms(cell.numbers[order], positions @ turn, cell=cell.cell @ turn, pbc=True)
    atoms.wrap()
    return atoms, order, turn


@pytest.mark.parametrize("code", ["vasp", "aims", "extxyz"])
def test_labels_are_those_of_the_atoms_whatever_their_order_and_axes(code, run, tmp_path, call, ideal_cells) -> None:
    rng = np.random.default_rng(11)
    cases = [(ideal_cells["v_O"], 2), (ideal_cells["v_Mg"], -1), (ideal_cells["Mg_O"], 0), (ideal_cells["bulk"], 0)]
    for count, (cell, charge) in enumerate(cases):
        atoms, _, _ = disguised(cell, rng)
        forces = rng.normal(scale=0.1, size=(len(atoms), 3))
        tensor = rng.normal(scale=0.01, size=(3, 3))
        tensor += tensor.T
        folder = tmp_path / f"{code}{count}"
        folder.mkdir()
        if code == "vasp":
            atoms = atoms[np.argsort(atoms.numbers, kind="stable")]
            write_vasprun(folder / "vasprun.xml", atoms, -100.0 - count, forces, tensor, charge)
        elif code == "aims":
            write_aims(folder / "aims.out", atoms, -100.0 - count, forces, charge)
        else:
            atoms.info |= {"charge": charge, "code": "abinit", "functional": "PBE"}
            voigt = tensor.ravel()[[0, 4, 8, 5, 2, 1]]
            atoms.calc = SinglePointCalculator(atoms, energy=-100.0 - count, forces=forces, stress=voigt)
            write(folder / "all.extxyz", atoms)
        source = folder / "all.extxyz" if code == "extxyz" else folder
        status, _, error = call("label", run, "--from", source)
        assert status == 0, error
        record = next(r for r in records(run) if r.energy == pytest.approx(-100.0 - count, abs=1e-6))
        assert record.cell.key == charged(cell, charge).key
        there = Atoms(record.cell.numbers, record.cell.positions, cell=record.cell.cell, pbc=True)
        # A force along the vector to a neighbour is one there as well: projections of forces on distances agree.
        assert np.allclose(projections(atoms, forces), projections(there, record.forces), atol=2e-4)
        if code != "aims":
            back = record.stress[[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(3, 3)
            assert np.allclose(np.linalg.eigvalsh(back), np.linalg.eigvalsh(tensor), atol=1e-6)


def projections(atoms: Atoms, forces: np.ndarray) -> np.ndarray:
    """For each pair of atoms its distance and the force of the first along it, sorted by kind and distance."""
    vectors = atoms.get_all_distances(mic=True, vector=True)
    pairs = ~np.eye(len(atoms), dtype=bool)
    distance = np.linalg.norm(vectors, axis=-1)
    first = np.repeat(np.linalg.norm(forces, axis=1)[:, None], len(atoms), axis=1)
    near = pairs & (distance < 2.6)
    along = np.einsum("ik,ijk->ij", forces, vectors)
    rows = np.stack([first[near], np.abs(along[near])], axis=1)
    return rows[np.lexsort((rows[:, 1], rows[:, 0].round(3)))]


def test_a_killed_or_unconverged_vasprun_is_left_out(run, tmp_path, call, ideal_cells) -> None:
    cell = ideal_cells["v_O"]
    atoms = Atoms(cell.numbers, cell.positions, cell=cell.cell, pbc=True)
    rest = (-1.0, np.zeros((len(atoms), 3)), np.zeros((3, 3)), 0)
    for name, how in (("killed", {"ended": False}), ("lost", {"converged": False}), ("good", {})):
        (tmp_path / "vasp" / name).mkdir(parents=True)
        write_vasprun(tmp_path / "vasp" / name / "vasprun.xml", atoms, *rest, **how)
    status, _, error = call("label", run, "--from", tmp_path / "vasp")
    assert status == 0
    assert "ends in the middle" in error
    assert "the electrons did not converge" in error
    assert len(records(run)) == 1


def test_another_pseudopotential_is_not_put_under_the_same_level(run, tmp_path, call) -> None:
    for name, old, new in (("one", "", ""), ("two", "c5abe3fd05217cb51bb0c605dcba6842", "0" * 32)):
        (tmp_path / "out" / name).mkdir(parents=True)
        text = (OUTPUTS / ("qe_bulk.out" if name == "one" else "qe_v_O_2.out")).read_text()
        (tmp_path / "out" / name / "pw.out").write_text(text.replace(old, new) if old else text)
    status, _, error = call("label", run, "--from", tmp_path / "out")
    assert status == 0
    assert "energies cannot be compared" in " ".join(error.split())
    assert len(records(run)) == 1


def test_a_level_is_named_by_what_energies_depend_on() -> None:
    level = TheoryLevel("qe", "PBE", 500.0)
    assert level.name == TheoryLevel("qe", "PBE", 500.0).name
    others = [TheoryLevel("vasp", "PBE", 500.0), TheoryLevel("qe", "PBEsol", 500.0), TheoryLevel("qe", "PBE", 600.0)]
    assert len({level.name, *(other.name for other in others)}) == 4
    assert is_calculated(level.name)
    assert not is_calculated("chgnet")
    assert not is_calculated("gpaw:PBE")


def test_folders_without_calculations_are_refused(run, tmp_path, call) -> None:
    for source in (tmp_path, tmp_path / "none"):
        status, _, error = call("label", run, "--from", source)
        assert status == 2
        assert "no calculation in it" in error or "no such file" in error
    status, _, error = call("label", tmp_path, "--from", OUTPUTS)
    assert status == 2
    assert "not a run folder" in error
