"""Fifty explosions at random moments: each ends its run as diverged and leaves every good step before it."""

import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from augment.errors import DataError, ResumeError
from md.campaigns.relax_and_md import md_all
from md.dynamics import run_point
from md.dynamics.recorder import Recorder
from md.jobs.checkpoint import Checkpoints, RunState
from md.potentials import Potential
from tests.support.cells import FailingCalculator
from tests.support.killed import SERVER, contents, points, work


def kick(results: dict[str, Any]) -> None:
    """A force that no guard on forces refuses: the atom runs into its neighbours, or heats the cell."""
    results["forces"][0] += [70.0, 20.0, 0.0]


def not_finite(results: dict[str, Any]) -> None:
    results["forces"][1, 2] = np.nan


KINDS = {
    "energy": lambda results: results.update(energy=np.inf),
    "forces": not_finite,
    "stress": lambda results: results.update(stress=results["stress"] * np.nan),
    "huge": lambda results: results.update(forces=results["forces"] + 1e5),
    "kick": kick,
}


@pytest.mark.parametrize("trial", range(50))
def test_an_explosion_leaves_the_good_steps(emt: Potential, monkeypatch: pytest.MonkeyPatch, trial: int) -> None:
    rng = random.Random(trial)
    kind = list(KINDS)[trial % len(KINDS)]
    point, cell = points(60)[rng.randrange(12)]
    at = rng.randrange(1, 25)
    whole = run_point(point, cell, emt)
    failing = FailingCalculator(monkeypatch, emt.calculator(), at, KINDS[kind])
    result = run_point(point, cell, emt)
    assert result.status == "diverged"
    assert f"of {point.steps}" in result.reason
    assert len(result.series) == int(result.reason.split("(step ")[1].split()[0])
    assert len(result.frames) == (len(result.series) + point.interval - 1) // point.interval
    good = len(result.series) if kind != "kick" else min(len(result.series), at) - 1
    seams = (good - 1) // point.checkpoint + 1  # each leg evaluates its first geometry again
    stiffness = 2  # evaluations of a cell that a pressure waits for, before its first step
    assert good >= at - seams - 1 - stiffness
    kept = [i for i, step in enumerate(result.frame_steps) if step < good]
    assert result.series.energies[:good].tobytes() == whole.series.energies[:good].tobytes()
    assert result.frames.positions[kept].tobytes() == whole.frames.positions[kept].tobytes()
    assert all(np.isfinite(record.forces).all() for record in result.records())
    assert failing.calls >= at


def two(folder: Path) -> None:
    try:
        work(folder)
    except Exception as error:  # noqa: BLE001
        sys.exit(7 if "another process" in str(error) else 8)


def test_of_two_processes_in_one_folder_one_works_and_one_is_told(tmp_path: Path) -> None:
    work(tmp_path / "whole")
    processes = [SERVER.Process(target=two, args=(tmp_path / "both",)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(process.exitcode for process in processes) == [0, 7]
    assert contents(tmp_path / "both") == contents(tmp_path / "whole")


def test_lammps_without_room_for_its_state_says_so(
    emt: Potential, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    point, cell = points()[3]
    monkeypatch.setattr(tempfile, "TemporaryDirectory", lambda **_: _Gone(tmp_path / "gone"))
    with pytest.raises(DataError, match="is the disk full"):
        run_point(point, cell, emt, Checkpoints(tmp_path / "parts", "it"))
    monkeypatch.undo()
    [response] = md_all([(point, cell)], emt, tmp_path / "points", workers=1)
    assert response.status == "finished"


def test_a_state_that_lammps_wrote_half_of_is_noticed(
    emt: Potential, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    point, cell = points()[3]
    original = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: original(path)[: None if path.suffix == ".npz" else 900])
    with pytest.raises(DataError, match="could not write all of its state"):
        run_point(point, cell, emt, Checkpoints(tmp_path / "parts", "it"))


def test_a_state_of_another_lammps_is_refused(emt: Potential, tmp_path: Path) -> None:
    point, cell = points()[3]
    state = RunState(7, {"restart": np.frombuffer(b"LammpS of another age", np.uint8), "offset": np.zeros((4, 3), int)})
    Checkpoints(tmp_path, "it").write(state, Recorder(point, cell, np.ones(4)).take_new())
    with pytest.raises(ResumeError, match="another version"):
        run_point(point, cell, emt, Checkpoints(tmp_path, "it"))


class _Gone:
    """A temporary folder that cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> str:
        return str(self._path)

    def __exit__(self, *_: object) -> None:
        return
