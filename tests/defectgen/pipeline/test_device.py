"""Where networks are evaluated: asked for in the settings or by an option, checked before anything is done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from ase.build import bulk
from ase.io import write

from augment.errors import ConditionError, PotentialError
from defectgen.pipeline.md_grid import run_points
from defectgen.run.structure_files import read_cells_of_files
from md.campaigns.relax_and_md import checked_by, md_all, on_cuda
from md.conditions.environment import Environment
from md.dynamics import MdPoint
from md.potentials import Potential, resolve_potential
from md.potentials.mace.models import describe_student
from tests.support.places import HOSTS

MGO = HOSTS / "MgO.cif"
STUDENT = "mace-zns-znse"
SHORT = ("--temperature", "300", "--pressure", "0", "--steps", "6", "--sample", "3", "--workers", "1", "--json")

without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")


@pytest.fixture
def sulfide(tmp_path: Path) -> Path:
    path = tmp_path / "ZnS.cif"
    write(path, bulk("ZnS", "zincblende", 5.38, cubic=True))
    return path


@pytest.fixture
def pretended_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that says it has a GPU; what would be evaluated there is evaluated on the CPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("md.dynamics.engines.batched.engine.resolve_device", lambda _: "cpu")


def one_line(call, *arguments: object) -> str:
    code, _, err = call(*arguments)
    errors = [line for line in err.splitlines() if not line.startswith("note: ")]
    assert (code, len(errors)) == (2, 1), err
    return err


def test_init_shows_it_and_md_batches_on_request(call, sulfide: Path, tmp_path: Path) -> None:
    call("init", tmp_path / "settings.yaml", "--host", sulfide)
    assert yaml.safe_load((tmp_path / "settings.yaml").read_text(encoding="utf-8"))["potential"]["device"] == "auto"
    how = ("--potential", STUDENT, "--engine", "batched", "--device", "cpu", "-o", tmp_path / "out")
    code, out, err = call("md", sulfide, *SHORT, *how)
    assert code == 0, err
    [row] = [json.loads(line) for line in out.splitlines()]
    assert (row["engine"], row["status"]) == ("batched", "finished")


@without_cuda
def test_a_device_that_is_not_there_is_one_line_and_nothing_is_done(call, sulfide: Path, tmp_path: Path) -> None:
    out, run = tmp_path / "out", tmp_path / "run"
    for name in (STUDENT, "emt"):
        files = sulfide if name == STUDENT else tmp_path / "Cu.cif"
        write(tmp_path / "Cu.cif", bulk("Cu", cubic=True))
        asked = ("md", files, *SHORT, "--potential", name, "--device", "cuda", "-o", out)
        assert "torch finds no CUDA device" in one_line(call, *asked)
        assert not out.exists()
    assert "torch finds no CUDA device" in one_line(call, "run", MGO, "--device", "cuda", "-o", out)
    assert not out.exists()
    assert "potential.device = 'tpu'" in one_line(call, "run", MGO, "--device", "tpu", "-o", out)
    call("defects", MGO, "-o", run)
    before = (run / "settings.yaml").read_bytes()
    for stage in ("md", "relax"):
        assert "torch finds no CUDA device" in one_line(call, stage, run, "--device", "cuda", "--overwrite")
    assert (run / "settings.yaml").read_bytes() == before


def test_what_batches_cannot_do_is_said_before_a_run_begins(call, tmp_path: Path) -> None:
    path, out = tmp_path / "settings.yaml", tmp_path / "out"
    for words, text in {
        "takes a MACE network": "potential: {name: chgnet}\nmd: {engines: [batched]}",
        "does not do the ensemble npt-full": "md: {engines: [batched], ensemble: npt-full}",
        "takes 5000 fs": 'md: {temperatures: ["ramp(300,900,5ps)"], steps: 300}',
    }.items():
        path.write_text(f"host: {MGO}\noutput: {out}\n{text}\n", encoding="utf-8")
        assert words in one_line(call, "run", path)
        assert not out.exists()


@pytest.mark.usefixtures("pretended_cuda")
def test_on_cuda_both_engines_become_one_and_others_stay(sulfide: Path, tmp_path: Path) -> None:
    student, [cell] = describe_student(STUDENT), read_cells_of_files([sulfide])

    def point(engine: str, ensemble: str) -> MdPoint:
        return MdPoint.of(cell, Environment(300, 0, ensemble), engine=engine, steps=4, interval=2)

    points = [(point(engine, ensemble), cell) for ensemble in ("npt", "npt-full") for engine in ("ase", "lammps")]
    found = run_points(points, student, tmp_path, workers=1)
    assert [response.point.engine for response in found] == ["batched", "ase", "lammps"]
    by_name = md_all(points[:2], student, tmp_path / "named", workers=1, device="cuda")
    assert [response.point.engine for response in by_name] == ["batched", "batched"]
    with pytest.raises(ConditionError, match="does not do the ensemble npt-full"):
        md_all(points, student, tmp_path / "all", workers=1, device="cuda")
    checked = checked_by(points[:1], "lammps", 0)
    for device in ("auto", "cuda"):
        roles = [(r.point.engine, r.point.role) for r in md_all(checked, student, tmp_path / "checked", device=device)]
        assert roles == [("batched", "data"), ("lammps", "check")], "a check is of another engine"
    here = md_all(points[:2], student, tmp_path / "here", workers=1, device="cpu")
    assert [response.point.engine for response in here] == ["ase", "lammps"]


@pytest.mark.usefixtures("pretended_cuda")
def test_only_networks_go_to_cuda() -> None:
    emt: Potential = resolve_potential("emt")
    assert not on_cuda(emt, "auto")
    assert not on_cuda(emt, "cpu")
    assert on_cuda(describe_student(STUDENT), "auto")
    with pytest.raises(PotentialError, match="takes a MACE network"):
        on_cuda(emt, "cuda")
