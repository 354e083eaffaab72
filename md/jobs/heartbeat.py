"""How far an item of work under way is: a small file beside its checkpoints, for whoever waits to read.

Nothing goes on from it: it is no part of the result, may be stale, and is gone when the item ends.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

INTERVAL = 1.0
"""s between writings: a person looks no more often, and each takes some 0.1 ms."""

_NAME = "pulse"


class Heartbeat:
    """Writes how far an item is, at most once a second; an item that ends within one leaves nothing.

    Args:
        folder: of the item while it is under way; made with the first beat.
        total: steps that the item takes.
    """

    def __init__(self, folder: Path, total: int) -> None:
        self._path, self._total = folder / _NAME, total
        self._next = time.monotonic() + INTERVAL

    def beat(self, done: int) -> None:
        """Note that so many steps are done; a full disk loses the note and not the run."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + INTERVAL
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(f"{done} {self._total}", encoding="ascii")


def share_done(folder: Path) -> float | None:
    """Share of an item that is done, by the pulse in its folder, below 1; None where there is none."""
    try:
        done, total = (folder / _NAME).read_text(encoding="ascii").split()
        return min(max(int(done) / int(total), 0.0), 1.0)
    except (OSError, ValueError, ZeroDivisionError):
        return None
