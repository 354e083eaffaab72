"""A folder or a file that appears whole or not at all."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from augment.errors import DataError


def require_new_folder(folder: Path) -> None:
    """Check that a folder can be written to, also before long work whose results go there.

    Raises:
        DataError: it exists and is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: exists and is not empty; name a new folder, or remove it first")


def require_new_file(path: Path) -> None:
    """Check that a file is new, also before long work whose results go there.

    Raises:
        DataError: it exists.
    """
    if path.exists():
        raise DataError(f"{path}: exists; name a new file, or remove it first")


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A new folder to write into, which takes its name when the block ends without an error.

    Raises:
        DataError: the folder exists and is not empty, or cannot be made.
    """
    require_new_folder(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror}); name another folder") from None
    try:
        yield draft
        draft.chmod(0o755)
        draft.replace(folder)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror}); make room or name another folder") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A new file to write to, which takes its name when the block ends without an error.

    Raises:
        DataError: the file exists, or cannot be made.
    """
    require_new_file(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as stream:
            draft = Path(stream.name)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); name another file") from None
    try:
        yield draft
        draft.chmod(0o644)
        draft.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); make room or name another file") from None
    finally:
        draft.unlink(missing_ok=True)


class UniqueNames:
    """File names that differ: the second defect of one name gets `-2`."""

    def __init__(self) -> None:
        self._count: dict[str, int] = {}

    def next(self, name: str) -> str:
        """A name not given before."""
        count = self._count[name] = self._count.get(name, 0) + 1
        return name if count == 1 else f"{name}-{count}"
