"""A folder that belongs to one thing: a file in it says to which, and anything else is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from augment.errors import ResumeError
from augment.storage.archive import write_atomically

__all__ = ["claim"]


def claim(
    marker: Path,
    identity: Mapping[str, Any],
    what: str,
    *,
    notes: Mapping[str, Any] | None = None,
    words: Mapping[str, str] | None = None,
) -> None:
    """Make a folder that of one identity, or check that it is.

    Args:
        marker: JSON file in the folder that keeps the identity.
        identity: JSON values that decide to whom the folder belongs.
        what: the folder then is, in errors: "a benchmark".
        notes: further values for the file, which nobody compares.
        words: what errors call an entry of the identity, by default as it is named.

    Raises:
        ResumeError: the folder holds other files, cannot be made, or belongs to another identity.
    """
    folder = marker.parent
    advice = "choose another output folder, with -o on the command line"
    if marker.exists():
        before = _read(marker)
        changed = [(words or {}).get(k, k) for k in sorted(identity) if before.get(k) != identity[k]]
        if changed:
            raise ResumeError(f"{folder}: {what} with another {', '.join(changed)}; {advice}")
        return
    # Hidden files are the lock and what a kill left of an atomic write.
    if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise ResumeError(f"{folder}: not empty and not {what}; {advice}")
    text = json.dumps({**identity, **(notes or {})}, indent=1)
    try:
        write_atomically(marker, (text + "\n").encode())
    except OSError as error:
        raise ResumeError(f"{folder}: cannot be made ({error.strerror}); {advice}") from None


def _read(marker: Path) -> dict[str, Any]:
    try:
        values = json.loads(marker.read_bytes())
    except (OSError, ValueError) as error:
        raise ResumeError(f"{marker}: cannot be read ({error}); restore it, or remove the folder") from None
    if not isinstance(values, dict):
        raise ResumeError(f"{marker}: damaged; restore it, or remove the folder")
    return values
