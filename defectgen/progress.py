"""Progress of long work: a bar with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[int, int, str], None]
"""Called with how much is done, of how much, and what was done last."""

PLAIN_INTERVAL = 10.0
"""s between lines where there is no terminal."""


@contextmanager
def progress(title: str, unit: str) -> Iterator[Report]:
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
def _bar(title: str, unit: str) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[label]}"),
    )
    start = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(title, total=None, rate="", label="")
        first: list[int] = []

        def report(done: int, total: int, label: str) -> None:
            first[:] = first or [done]
            rate = _rate(done - first[0], time.monotonic() - start, unit)
            shown.update(task, completed=done, total=total, rate=rate, label=label)

        yield report


def _plain(title: str, unit: str) -> Report:
    start = last = time.monotonic()
    first: list[int] = []

    def report(done: int, total: int, label: str) -> None:
        nonlocal last
        first[:] = first or [done]
        now = time.monotonic()
        if done < total and now - last < PLAIN_INTERVAL:
            return
        last = now
        made, elapsed = done - first[0], now - start
        left = f", {elapsed / made * (total - done):.0f} s left" if made and done < total else ""
        sys.stderr.write(f"{title}: {done} of {total} {_rate(made, elapsed, unit)}{left} ({label})\n")
        sys.stderr.flush()

    return report


def _rate(done: int, elapsed: float, unit: str) -> str:
    if done <= 0 or elapsed <= 0:
        return unit
    rate = done / elapsed
    return f"{rate:.1f} {unit}/s" if rate >= 1 else f"{60 * rate:.1f} {unit}/min"
