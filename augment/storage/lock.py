"""A folder held against a second process: the lock ends with the process, however that ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from augment.errors import ResumeError

__all__ = ["held"]


@contextmanager
def held(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a folder, which is made where there is none.

    Args:
        folder: what to hold, by a file `.lock` in it.
        shared: with others that share it, but with nobody who wants it alone.

    Raises:
        ResumeError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as stream:
        try:
            fcntl.flock(stream, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ResumeError(
                f"{folder}: another process works in this folder; wait for it, stop it, or use another folder"
            ) from None
        yield
