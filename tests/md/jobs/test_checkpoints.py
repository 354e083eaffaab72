"""Checkpoints: a run killed at any moment goes on to the same bytes, and a damaged checkpoint is never gone on from."""

import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from augment.errors import DefectgenError, ResumeError
from md.campaigns.relax_and_md import md_all
from md.dynamics import response_from_arrays, run_point
from md.jobs.checkpoint import Checkpoints, RunState
from md.potentials import Potential
from tests.support.killed import CHECKPOINT, SERVER, contents, points, work


class Stop(BaseException):
    """What a test interrupts a run with."""


def progress_of(folder: Path) -> int:
    try:
        return len(list(folder.glob("*.npz"))) + len(list(folder.glob("*.parts/*.npz")))
    except FileNotFoundError:  # a point that ended took its parts away meanwhile
        return progress_of(folder)


def kill_at_random(folder: Path, rng: random.Random, longest: float) -> bool:
    """Start the work, kill it a random time after it made progress; whether it was killed before its end."""
    already = progress_of(folder)
    process = SERVER.Process(target=work, args=(folder,))
    process.start()
    while process.is_alive() and progress_of(folder) == already:
        time.sleep(0.001)
    process.join(rng.uniform(0, longest))
    process.kill()
    process.join()
    return process.exitcode != 0


def check_kills(tmp_path: Path, least: int, longest: float) -> None:
    whole, rng = tmp_path / "whole", random.Random(1)
    work(whole)
    kills, rounds = 0, 0
    while kills < least:
        folder, rounds = tmp_path / f"killed{rounds}", rounds + 1
        while kills < least and kill_at_random(folder, rng, longest):
            kills += 1
        work(folder)
        assert contents(folder) == contents(whole)
        assert not list(folder.glob("*.parts"))
        assert not list(folder.glob(".*.npz.*"))


def test_a_dozen_kills_leave_the_bytes_as_they_are(tmp_path: Path) -> None:
    check_kills(tmp_path, 12, 0.3)


@pytest.mark.slow
def test_two_hundred_kills_leave_the_bytes_as_they_are(tmp_path: Path) -> None:
    check_kills(tmp_path, 200, 0.1)


def interrupted(
    emt: Potential, monkeypatch: pytest.MonkeyPatch, index: int, folder: Path, after: int
) -> tuple[Any, Any]:
    """A point interrupted at an evaluation, with its checkpoints in a folder."""
    point, cell = points()[index]
    calculator, calls = emt.calculator(), 0
    original = calculator.calculate

    def calculate(*args: Any, **kwargs: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > after:
            raise Stop
        original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(calculator, "calculate", calculate)
        with pytest.raises(Stop):
            run_point(point, cell, emt, Checkpoints(folder, "it"))
    return point, cell


@pytest.mark.parametrize("index", range(len(points())))
def test_an_interrupted_run_does_only_what_is_left_and_ends_in_the_same_bits(
    emt: Potential, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, index: int
) -> None:
    folder = tmp_path / "parts"
    point, cell = interrupted(emt, monkeypatch, index, folder, 45)
    found = sorted(folder.iterdir())
    assert len(found) >= 3
    state, parts = Checkpoints(folder, "it").read()
    assert state is not None
    assert state.step == len(found) * CHECKPOINT
    assert sum(len(part["scalars"]) for part in parts) == state.step + 1
    again = run_point(point, cell, emt, Checkpoints(folder, "it"))
    whole = run_point(point, cell, emt)
    assert {k: v.tobytes() for k, v in again.to_arrays().items()} == {
        k: v.tobytes() for k, v in whole.to_arrays().items()
    }
    assert list(again.frame_steps) == list(range(0, 61, 5))
    assert response_from_arrays(again.to_arrays(), emt, 0.0, "memory").point == point


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda files: flip(files[-1]), "not what was written"),
        (lambda files: files[0].write_bytes(b""), "not what was written"),
        (lambda files: files[1].write_bytes(files[1].read_bytes()[:-9]), "not what was written"),
        (lambda files: files[1].unlink(), "is missing"),
    ],
)
def test_damaged_checkpoints_are_refused_with_advice(
    emt: Potential, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: Any, words: str
) -> None:
    folder = tmp_path / "parts"
    point, cell = interrupted(emt, monkeypatch, 3, folder, 45)
    damage(sorted(folder.iterdir()))
    with pytest.raises(ResumeError, match=f"{words}.*delete {folder}"):
        run_point(point, cell, emt, Checkpoints(folder, "it"))


def test_after_the_advice_the_run_goes_on(emt: Potential, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    point, cell = interrupted(emt, monkeypatch, 3, folder, 45)
    newest = max(folder.iterdir())
    flip(newest)
    newest.unlink()
    again = run_point(point, cell, emt, Checkpoints(folder, "it"))
    assert again.series.cells.tobytes() == run_point(point, cell, emt).series.cells.tobytes()


def test_checkpoints_of_another_run_are_refused(tmp_path: Path) -> None:
    Checkpoints(tmp_path, "one").write(RunState(5, {"x": np.zeros(3)}), {})
    with pytest.raises(ResumeError, match="another run"):
        Checkpoints(tmp_path, "other").read()
    assert Checkpoints(tmp_path / "nothing", "one").read() == (None, [])


def test_a_full_disk_at_a_checkpoint_is_an_error_that_keeps_what_is_there(
    emt: Potential, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every write of a sweep fails once, in turn; each time the sweep goes on to the same bytes."""
    import augment.storage.archive

    some = [points()[1], points()[4]]
    md_all(some, emt, tmp_path / "whole", workers=1)
    original, count, fail_at = augment.storage.archive.os.fsync, 0, 0

    def fsync(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count == fail_at:
            raise OSError(28, "No space left on device")
        original(descriptor)

    folder, failures = tmp_path / "full", list[str]()
    monkeypatch.setattr(augment.storage.archive.os, "fsync", fsync)
    for attempt in range(100):
        count, fail_at = 0, 1 + attempt % 4  # after none, one, two and three writes that succeed
        try:
            md_all(some, emt, folder, workers=1)
            break
        except (DefectgenError, OSError) as error:
            failures.append(str(error))
    assert len(failures) > 5
    assert all("No space left on device" in failure for failure in failures)
    assert contents(folder) == contents(tmp_path / "whole")
    assert not list(folder.glob("*.parts"))
