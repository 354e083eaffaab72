"""What is said of a name that is not there, of a file or one among choices: the name that is most like it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

MIN_SIMILARITY = 0.7
"""Ratio of difflib; a letter left out, doubled or swapped in a name of four is above it, another name mostly below."""


def nearest_name(name: str, known: Iterable[str], similarity: float = MIN_SIMILARITY) -> str:
    """The known name that is most like another, whatever the case of its letters; empty where none is."""
    names = {text.lower(): text for text in known}
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=similarity)
    return names[near[0]] if near else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean X? ` with the known name that is most like a misspelt one, or nothing where none is.

    It goes before the list of all names: `f"no format 'extxzy'; {did_you_mean(...)}use one of ..."`.
    """
    near = nearest_name(name, known)
    return f"did you mean {near}? " if near else ""


def no_such_file(path: Path, advice: str = "check the path", kind: str = "file") -> str:
    """`no such file`, or another kind, with the name in its folder that is most like it, or else a piece of advice."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"no such {kind}, and no folder {path.parent}"
    near = nearest_name(path.name, names)
    return f"no such {kind}; did you mean {path.parent / near}?" if near else f"no such {kind}; {advice}"
