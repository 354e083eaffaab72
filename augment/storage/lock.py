"""Folders and files held against a second process: a lock ends with its process, however that ends.

Built on `filelock`, whose locks are never shared. So those who share a folder hold a file of their own in it, made
while they hold the folder's; who wants the folder alone holds the folder's, and looks for files that others hold.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from augment.errors import ResumeError

__all__ = ["folder_lock", "held_file"]

_SHARER = ".shared-"
_PATIENCE = 2.0
"""s; how long one who shares a folder waits for others that come to share it, each of which takes milliseconds."""
_PASSING = 0.1
"""s; room for another try where a holder removed the file between its opening and its locking."""


@contextmanager
def folder_lock(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a folder, which is made where there is none.

    Args:
        folder: what to hold, by a file `.lock` in it.
        shared: with others that share it, but with nobody who wants it alone.

    Raises:
        ResumeError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    refusal = f"{folder}: another process works in this folder; wait for it, stop it, or use another folder"
    with ExitStack() as own:
        with ExitStack() as whole:
            whole.enter_context(_locked(folder / ".lock", refusal, _PATIENCE if shared else _PASSING))
            if shared:
                own.enter_context(held_file(folder / f"{_SHARER}{uuid.uuid4().hex}"))
            elif _is_shared(folder):
                raise ResumeError(refusal)
            else:
                own.enter_context(whole.pop_all())
        yield


@contextmanager
def held_file(path: Path) -> Iterator[None]:
    """Hold one thing by a file that is there while it is held.

    Raises:
        ResumeError: another process holds it.
    """
    with _locked(path, "another process is working on it; wait for that one, or stop it", _PASSING):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path, refusal: str, patience: float) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=patience)
    except Timeout:
        raise ResumeError(refusal) from None
    try:
        yield
    finally:
        lock.release()


def _is_shared(folder: Path) -> bool:
    """Whether somebody shares the folder; files of those who were killed go."""
    for path in folder.glob(f"{_SHARER}*"):
        try:
            with held_file(path):
                pass
        except ResumeError:
            return True
    return False
