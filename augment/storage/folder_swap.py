"""A folder of files replaced as a whole: a reader sees the old one or the new one, and a kill leaves nothing behind."""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder` that takes its place where the block ends well.

    The two change places in one step where the system can (Linux), else in two. What is left over, the unfinished
    folder or the old one, is removed at the end; if this process is killed, a watcher removes it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}")
    with _removed_at_the_end(draft):
        draft.mkdir()
        yield draft
        _sync(draft)
        _exchange(draft, folder)


@contextmanager
def _removed_at_the_end(folder: Path) -> Iterator[None]:
    """Remove a folder when the block ends, and when this process does in whatever way."""
    command = ["/bin/sh", "-c", 'cat >/dev/null; rm -rf -- "$1"', "sh", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as watcher:  # noqa: S603
        try:
            yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if watcher.stdin is not None:
                watcher.stdin.close()


def _sync(folder: Path) -> None:
    """Have the files of a folder on the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())


def _exchange(draft: Path, folder: Path) -> None:
    """Put `draft` at `folder`; what was there is at `draft` afterwards."""
    if not folder.exists():
        draft.rename(folder)
    elif not _renamed_at_once(draft, folder):
        aside = draft.with_name(f"{draft.name}.old")
        folder.rename(aside)
        draft.rename(folder)
        aside.rename(draft)


def _renamed_at_once(first: Path, second: Path) -> bool:
    """Exchange two folders by the system call that Linux has for it; whether that was possible."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    code: int = renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE)
    return code == 0
