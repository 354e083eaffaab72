"""Progress in words: parts of one, rates that read well, and the time left."""

from __future__ import annotations

import pytest

import defectgen.run.progress
from defectgen.run.progress import duration, progress


def test_parts_of_one_have_a_rate_and_a_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(defectgen.run.progress.time, "monotonic", lambda: now[0])
    with progress("md", "points") as report:
        report(0.25, 1, "at once, so that one knows what is under way")
        now[0] += 360.0
        report(0.5, 1, "v_O, 2 ns/day")
        report(0.6, 1, "too soon for a line")
        now[0] += 720.0
        report(1, 1, "")
    assert capsys.readouterr().err.splitlines() == [
        "md: 0.25 of 1 points (at once, so that one knows what is under way)",
        "md: 0.5 of 1 2.5 points/h, 12 min 00 s left (v_O, 2 ns/day)",
        "md: 1 of 1 2.5 points/h",
    ]


@pytest.mark.parametrize(
    ("done", "seconds", "rate"),
    [(30, 10, "3.0 points/s"), (3, 60, "3.0 points/min"), (1, 1800, "2.0 points/h"), (0.1, 43200, "0.2 points/day")],
)
def test_rates_are_told_in_the_unit_that_reads_well(
    done: float, seconds: float, rate: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(defectgen.run.progress.time, "monotonic", lambda: now[0])
    with progress("x", "points") as report:
        report(0, 10, "")
        now[0] = seconds
        report(done, 10, "")
    assert rate in capsys.readouterr().err


def test_what_prepares_the_first_piece_is_not_taken_for_the_pace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(defectgen.run.progress.time, "monotonic", lambda: now[0])
    with progress("md", "points") as report:
        report(0, 9, "")
        for now[0], done in ((20.0, 0.001), (40.0, 0.3)):
            report(done, 9, "bulk")
    first, early, later = capsys.readouterr().err.splitlines()
    assert (first, early) == ("md: 0 of 9 points", "md: 0.001 of 9 points (bulk)")
    assert "left" in later


def test_durations_read_well() -> None:
    assert [duration(s) for s in (0.44, 59.9, 61, 3725)] == ["0.4 s", "59.9 s", "1 min 01 s", "1 h 02 min"]
