"""Word of how far an item is: what it tells while it runs, that nothing depends on it, and what it costs."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

import md.jobs.heartbeat
import md.jobs.sweep
from augment.cell import DefectCell
from md.campaigns.relax_and_md import grid, md_all
from md.conditions.environment import Environment
from md.jobs.checkpoint import Arrays, Checkpoints
from md.jobs.heartbeat import Heartbeat, share_done
from md.jobs.sweep import Job, scratch_folder, sweep
from md.potentials import Potential


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Word every few milliseconds instead of every second."""
    monkeypatch.setattr(md.jobs.heartbeat, "INTERVAL", 0.005)
    monkeypatch.setattr(md.jobs.sweep, "INTERVAL", 0.005)


def beating(folder: Path) -> Arrays:
    """An item of ten steps that tells of each; `md.jobs.heartbeat` lets one pass every few milliseconds."""
    pulse = Heartbeat(folder, 10)
    for step in range(10):
        time.sleep(0.03)
        pulse.beat(step + 1)
    return {"x": np.ones(1)}


def silent(folder: Path) -> Arrays:
    """The same item without a word."""
    del folder
    time.sleep(0.3)
    return {"x": np.ones(1)}


@pytest.mark.usefixtures("soon")
def test_an_item_under_way_is_a_growing_share_and_a_silent_one_is_none(tmp_path: Path) -> None:
    seen: dict[str, list[tuple[float, int, str]]] = {}
    for function in (beating, silent):
        folder = tmp_path / function.__name__
        tasks = [Job("one", "label", scratch_folder(folder, "one"))]
        told = seen[function.__name__] = []
        sweep(tasks, function, folder, workers=1, progress=lambda *state, told=told: told.append(state))
    assert seen["silent"] == [(0, 1, ""), (1, 1, "label")]
    done = [state[0] for state in seen["beating"]]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, 1)
    between = [share for share in done if 0 < share < 1]
    assert len(between) >= 3
    assert all(10 * share == pytest.approx(round(10 * share)) for share in between)
    assert {state[2] for state in seen["beating"][1:]} == {"label"}
    assert sorted(p.name for p in (tmp_path / "beating").iterdir()) == sorted(
        p.name for p in (tmp_path / "silent").iterdir()
    )


def test_an_interrupted_item_counts_from_where_it_was(tmp_path: Path) -> None:
    scratch = scratch_folder(tmp_path, "one")
    scratch.mkdir(parents=True)
    (scratch / "pulse").write_text("3 4", encoding="ascii")
    told: list[float] = []
    sweep([Job("one", "", scratch)], silent, tmp_path, workers=1, progress=lambda done, *_: told.append(done))
    assert told == [0.75, 1]


@pytest.mark.parametrize("text", ["", "3", "three 4", "3 0", "\0\0"])
def test_what_is_no_pulse_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "pulse").write_text(text, encoding="ascii")
    assert share_done(tmp_path) is None
    assert share_done(tmp_path / "nowhere") is None


@pytest.mark.usefixtures("soon")
def test_a_point_tells_its_speed_while_it_runs_and_keeps_its_bits(
    emt: Potential, copper: DefectCell, tmp_path: Path
) -> None:
    points = grid([copper], [Environment(300.0)], ["ase"], steps=200, interval=50)
    told: list[tuple[float, str]] = []
    md_all(points, emt, tmp_path / "told", workers=1, progress=lambda done, _, label: told.append((done, label)))
    under_way = [(done, label) for done, label in told if 0 < done < 1]
    assert len(under_way) >= 2
    assert all(label.endswith(" ns/day") and float(label.split(", ")[1].split()[0]) > 0 for _, label in under_way)
    md_all(points, emt, tmp_path / "quiet", workers=1)
    files = [sorted((tmp_path / name).glob("*.npz")) for name in ("told", "quiet")]
    assert [p.read_bytes() for p in files[0]] == [p.read_bytes() for p in files[1]]


@pytest.mark.usefixtures("soon")
def test_a_full_disk_loses_the_word_and_not_the_run(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way", encoding="ascii")
    pulse = Heartbeat(blocked, 10)
    time.sleep(0.01)
    pulse.beat(1)
    assert share_done(blocked) is None


def test_a_word_costs_far_less_than_a_step(tmp_path: Path) -> None:
    """The fastest step of dynamics here takes 0.1 ms; the hundredth of it is a microsecond."""
    seen: list[int] = []
    watched = Checkpoints(tmp_path, "x", 10).watched(seen.append)
    best = min(_seconds(watched) - _seconds(seen.append) for _ in range(5))
    assert best < 1e-6


def _seconds(observe: object, calls: int = 5000) -> float:
    began = time.perf_counter()
    for step in range(calls):
        observe(step)  # type: ignore[operator]
    return (time.perf_counter() - began) / calls
