"""The command for pixels: files of a CIF and of a run, and errors in one line."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from defectgen.images import decode_voxels, read_voxels
from tests.support.places import HOSTS


def test_patterns_and_grids_of_a_file(call, tmp_path) -> None:
    code, out, err = call("image", HOSTS / "Si.cif", "--kind", "xrd,pdf,voxels", "-o", tmp_path)
    assert code == 0, err
    assert len(out.splitlines()) == 3
    assert "image: 3 of 3" in err
    table = np.loadtxt(tmp_path / "Si_xrd.csv", delimiter=",", skiprows=1)
    assert table[np.argmax(table[:, 1]), 0] == pytest.approx(28.44, abs=0.1)
    assert (tmp_path / "Si_pdf.csv").read_text().startswith("r_angstrom,G_per_angstrom2\n")
    assert len(decode_voxels(read_voxels(tmp_path / "Si_voxels.npz"))) == 8


def test_cells_of_a_run_by_name(call, tmp_path) -> None:
    run = tmp_path / "run"
    assert call("defects", HOSTS / "MgO.cif", "-o", run, "--min-image-distance", 6)[0] == 0
    code, _, err = call("image", run, "--kind", "pdf", "--defect", "v_O")
    assert code == 0, err
    assert [path.name for path in (run / "images").iterdir()] == ["v_O_ideal_pdf.csv"]
    code, _, err = call("image", run, "--kind", "pdf", "--defect", "v_X")
    assert code == 2
    assert "no ideal cell is called v_X" in err
    code, _, err = call("image", run, "--kind", "pdf", "--state", "relaxed")
    assert code == 2
    assert "relax has not finished" in err


def test_without_abtem_an_image_is_refused_with_the_command_that_installs_it(call, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "abtem", None)
    code, _, err = call("image", HOSTS / "MgO.cif", "-o", tmp_path / "out")
    assert code == 2
    assert "pip install 'defectgen[images]'" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kind", "photo"], "no representation is called"),
        (["--kind", "xrd", "--zone", "0,0,0"], "zone axis"),
        (["--kind", "xrd", "--two-theta", "10"], "two numbers"),
        (["--kind", "voxels", "--resolution", "1"], "too coarse"),
        (["--kind", "xrd", "--state", "md"], "are for a run folder"),
        (["--kind", "xrd"], "give it with -o"),
    ],
)
def test_what_is_not_possible_is_said_in_one_line(call, tmp_path, arguments, message) -> None:
    output = [] if message.endswith("-o") else ["-o", tmp_path / "out"]
    code, _, err = call("image", HOSTS / "MgO.cif", *arguments, *output)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1
