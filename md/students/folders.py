"""Where students lie: in the package, and in a folder of the user's where distilled ones are registered.

A student is a folder with `weights.safetensors`, `card.json` and `README.md`; the name of a folder `mgo` is `mace-mgo`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from augment.errors import PotentialError

__all__ = [
    "CARD",
    "STUDENT_PREFIX",
    "WEIGHTS",
    "register_folder",
    "remedy",
    "shipped_students",
    "student_folders",
    "user_folder",
]

CARD = "card.json"
WEIGHTS = "weights.safetensors"
STUDENT_PREFIX = "mace-"

_VARIABLE = "DEFECTGEN_STUDENTS"


def shipped_students() -> Path:
    """The folder of the students that the package carries."""
    return Path(__file__).parent


def user_folder() -> Path:
    """The folder of the user's own students: $DEFECTGEN_STUDENTS, else in the platform's folder of user data."""
    chosen = os.environ.get(_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "defectgen" / "students"


def student_folders() -> dict[str, Path]:
    """Folder of every student by name: the user's own first, then those of the package; each part sorted.

    A student of the user's takes the place of a shipped one of the same name.
    """
    folders: dict[str, Path] = {}
    for base in (user_folder(), shipped_students()):
        for card in sorted(base.glob(f"[!.]*/{CARD}")):
            folders.setdefault(STUDENT_PREFIX + card.parent.name, card.parent)
    return folders


def register_folder(source: Path, name: str) -> Path:
    """Copy a student's folder to the user's students under `name` (`mace-...`); it is there whole or not at all.

    Raises:
        PotentialError: the name is no folder name, or the user's folder cannot be written.
    """
    short = name.removeprefix(STUDENT_PREFIX)
    if not short or not short.replace("-", "").replace("_", "").isalnum():
        raise PotentialError(f"{name!r} is no name for a student; use letters, digits, - and _")
    base = user_folder()
    target = base / short
    try:
        base.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=base, prefix=".new.") as scratch:
            shutil.copytree(source, Path(scratch) / short)
            if target.exists():
                target.rename(Path(scratch) / "old")
            (Path(scratch) / short).rename(target)
    except OSError as error:
        raise PotentialError(
            f"{base}: a student cannot be registered here ({error.strerror}); name another folder in ${_VARIABLE}"
        ) from None
    return target


def remedy(folder: Path) -> str:
    """What to do about a student in this folder that cannot be used."""
    if folder.is_relative_to(shipped_students()):
        return "reinstall the package"
    return f"distil it again, or remove {folder}"
