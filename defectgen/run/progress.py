"""Progress of long work: a bar with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from md.jobs.sweep import Progress

_CLOCK = ("seconds", "finished")

PLAIN_INTERVAL = 10.0
"""s between lines where there is no terminal."""

MIN_SHARE = 0.01
"""Of the work, or one piece of it, before rate and time left are shown: preparing the first piece is not its pace."""


@contextmanager
def progress(title: str, unit: str) -> Iterator[Progress]:
    """Show the progress of one stage on the standard error stream.

    Args:
        title: the stage.
        unit: what is counted, for the rate (`relaxations`).
    """
    if sys.stderr.isatty():
        with _bar(title, unit) as report:
            yield report
    else:
        yield _plain(title, unit)


@contextmanager
def _bar(title: str, unit: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn("{task.percentage:.0f} %"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[label]}"),
    )
    start = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(title, total=None, rate="", label="")
        first: list[float] = []

        def report(done: float, total: int, label: str) -> None:
            first[:] = first or [done]
            rate = _rate(done - first[0], time.monotonic() - start, unit)
            shown.update(task, completed=done, total=total, rate=rate, label=label)

        yield report


def _plain(title: str, unit: str) -> Progress:
    start = last = time.monotonic()
    first: list[float] = []

    def report(done: float, total: int, label: str) -> None:
        nonlocal last
        now, began = time.monotonic(), bool(first)
        first[:] = first or [done]
        if began and (done < total or not total) and now - last < PLAIN_INTERVAL:
            return
        last = now
        made, elapsed = done - first[0], now - start
        paced = made > 0 and made >= min(MIN_SHARE * (total - first[0]), 1)
        left = f", {duration(elapsed / made * (total - done))} left" if paced and done < total else ""
        about = f" ({label})" if label else ""
        whole = f" of {total}" if total else ""
        sys.stderr.write(f"{title}: {done:.4g}{whole} {_rate(made if paced else 0, elapsed, unit)}{left}{about}\n")
        sys.stderr.flush()

    return report


def report_notes(notes: Iterable[str]) -> None:
    """Lines on the standard error stream that say what a command takes for granted, or dropped of a file."""
    for note in notes:
        sys.stderr.write(f"note: {note}\n")
    sys.stderr.flush()


def report_stage_end(stage: str, made: Mapping[str, object]) -> None:
    """One line on the standard error stream for a finished stage: how long it took (s) and what it made."""
    counts = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in made.items() if name not in _CLOCK)
    sys.stderr.write(f"{stage:<9} {made['seconds']:8.1f} s  {counts}\n")
    sys.stderr.flush()


def _rate(done: float, elapsed: float, unit: str) -> str:
    """How many a second, or a minute, an hour or a day where these are few."""
    if done <= 0 or elapsed <= 0:
        return unit
    rate = done / elapsed
    for seconds, name in ((1, "s"), (60, "min"), (3600, "h")):
        if rate * seconds >= 1:
            return f"{rate * seconds:.1f} {unit}/{name}"
    from md.campaigns.relax_and_md import SECONDS_PER_DAY

    return f"{rate * SECONDS_PER_DAY:.1f} {unit}/day"


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 60:  # noqa: PLR2004  a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
