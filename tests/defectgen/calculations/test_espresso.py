"""From inputs to a dataset with Quantum ESPRESSO and the pseudopotentials of its Debian package."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from ase.io import read

from md.labels.calculated import CALCULATED_RECORDS, read_calculated

PSEUDO = Path("/usr/share/espresso/pseudo")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("pw.x") and PSEUDO.is_dir()), reason="needs pw.x and its pseudopotentials"),
]


def test_charged_vacancies_go_out_are_calculated_and_come_back(run: Path, tmp_path: Path, call) -> None:
    names = "Mg=Mg.pz-n-vbc.UPF,O=O.pz-rrkjus.UPF"
    how = ("--functional", "LDA", "--kpoint-spacing", "2", "--plane-wave-cutoff", "340", "--fmax", "0.1")
    where = ("--data-folder", PSEUDO, "--pseudopotential", names, "--charges", "v_O=0,2", "--defect", "v_O")
    status, _, error = call("inputs", run, "--code", "qe", *how, *where)
    assert status == 0, error
    folders = [path for path in (run / "inputs/qe").iterdir() if path.is_dir()]
    assert len(folders) == 3
    for folder in folders:
        with (folder / "pw.out").open("w") as stream:
            subprocess.run(["pw.x", "-in", "pw.in"], cwd=folder, stdout=stream, check=True, timeout=600)
    status, _, error = call("label", run, "--from", run / "inputs/qe")
    assert (status, error) == (0, "")
    found = {(r.cell.name, r.cell.charge): r.energy for r in read_calculated(run / CALCULATED_RECORDS)}
    assert set(found) == {("bulk", 0), ("v_O", 0), ("v_O", 2)}
    assert found["v_O", 2] < found["v_O", 0]  # two electrons less, whose energy is above zero here
    # Constants and a gap of the bulk, of a cell of eight atoms: a way through, and no result.
    (tmp_path / "limits.json").write_text(json.dumps({"limits": {"O-rich": {"O": found["bulk", 0] / 8}}}))
    status, output, error = call(
        "levels", run, "--dielectric", "9.8", "--limits", tmp_path / "limits.json", "--fermi", "1500", "--json"
    )
    assert status == 0, error
    made = json.loads(output)
    assert 3 < made["gap_eV"] < 10
    rows = {row["charge"]: row["formation_energy_at_vbm_eV"]["O-rich"] for row in made["defects"]}
    level = (rows[0] - rows[2]) / 2
    inside = [([2, 0], pytest.approx(level))] if 0 <= level <= made["gap_eV"] else []
    assert [(row["charges"], row["level_eV"]) for row in made["levels"]] == inside
    status, _, error = call("export", run, "-o", tmp_path / "set")
    assert status == 0, error
    frames = [frame for path in (tmp_path / "set").glob("*.extxyz") for frame in read(path, ":")]
    assert {frame.info["total_charge"] for frame in frames} == {0, 2}
