"""What is said of a file that is not there."""

from __future__ import annotations

import difflib
from pathlib import Path


def no_such_file(path: Path, advice: str = "check the path") -> str:
    """`no such file`, with the name in its folder that is most like it, or else a piece of advice."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"no such file, and no folder {path.parent}"
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.7)
    return f"no such file; did you mean {path.parent / near[0]}?" if near else f"no such file; {advice}"
