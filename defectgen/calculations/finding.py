"""Finished calculations in folders, whichever code made them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augment.errors import DataError, DefectgenError
from augment.storage.missing import no_such_file
from defectgen.calculations.folder import JOB_FILE
from defectgen.calculations.results.aims import aims_result
from defectgen.calculations.results.calculation import Calculation
from defectgen.calculations.results.cp2k import cp2k_result
from defectgen.calculations.results.entries import entries_results
from defectgen.calculations.results.gpaw import gpaw_text_result, gpw_result
from defectgen.calculations.results.qe import pw_result
from defectgen.calculations.results.vasp import outcar_result, vasprun_result
from defectgen.calculations.results.xyz import xyz_results

ResultReader = Callable[[Path], Calculation]

_TEXTS: tuple[tuple[str, ResultReader], ...] = (
    ("Program PWSCF", pw_result),
    ("CP2K|", cp2k_result),
    ("FHI-aims", aims_result),
    ("\ngpaw: ", gpaw_text_result),
)
"""What stands near the start of the outputs of each code."""

_TEXT_SUFFIXES = {".out", ".log", ".txt", ".pwo", ""}
_HEAD = 20_000


@dataclass(frozen=True)
class FoundCalculation:
    """A calculation that was found, or why there is none.

    Attributes:
        where: its output file, with the number of the structure where a file holds several.
        result: what it says; None where it is left out.
        reason: why it is left out, empty where it is not.
        job: the entry of the manifest of inputs that its folder has; None where it has none.
    """

    where: str
    result: Calculation | None
    reason: str
    job: dict[str, Any] | None


def find_calculations(sources: Sequence[Path]) -> Iterator[FoundCalculation]:
    """The calculations of folders, their sub-folders, extended XYZ files and files of entries, by their paths.

    A folder is one calculation: of several outputs vasprun.xml counts, then OUTCAR, a .gpw file, and of texts the
    last one written.

    Raises:
        DataError: a source is missing.
    """
    for source in sources:
        if not source.exists():
            raise DataError(f"{source}: {no_such_file(source, 'give a folder or an extended XYZ file')}")
        if source.is_file():
            yield from _of_file(source)
            continue
        folders = [source, *sorted(p for p in source.rglob("*") if p.is_dir() and not _is_scratch(p, source))]
        for folder in folders:
            yield from _of_folder(folder, source)


def _is_scratch(folder: Path, root: Path) -> bool:
    """Whether a folder below a root holds what codes leave behind, not results."""
    names = folder.relative_to(root).parts
    return any(name[:1] == "." or name in {"scratch", "pseudo"} or name.endswith(".save") for name in names)


def _of_file(path: Path) -> Iterator[FoundCalculation]:
    if path.suffix in {".xyz", ".extxyz"}:
        for count, found in enumerate(xyz_results(path), start=1):
            where = f"{path}: structure {count}"
            yield FoundCalculation(
                where, None if isinstance(found, str) else found, found if isinstance(found, str) else "", None
            )
        return
    if path.name.endswith((".json", ".json.gz")):
        for count, entry in enumerate(entries_results(path), start=1):
            yield FoundCalculation(f"{path}: structure {count}", entry, "", None)
        return
    output = _reader_of(path)
    if output is None:
        raise DataError(f"{path}: no output of VASP, QE, CP2K, GPAW or FHI-aims, no extended XYZ and no defect entries")
    yield _read(path, output, job_of(path.parent, path.parent))


def _of_folder(folder: Path, root: Path) -> Iterator[FoundCalculation]:
    outputs = [(path, reader) for path in sorted(folder.iterdir()) if (reader := _reader_of(path)) is not None]
    job = job_of(folder, root)
    if not outputs:
        inside = [p for p in folder.iterdir() if p.is_dir() and not _is_scratch(p, folder)]
        if (folder / JOB_FILE).is_file() and not inside:
            yield FoundCalculation(str(folder), None, "no output yet", job)
        return
    path, reader = max(outputs, key=lambda pair: (-_rank(pair[0]), pair[0].stat().st_mtime))
    yield _read(path, reader, job)


def _rank(path: Path) -> int:
    names = ("vasprun", "OUTCAR", ".gpw")
    return next((rank for rank, name in enumerate(names) if name in path.name), len(names))


def _read(path: Path, reader: ResultReader, job: dict[str, Any] | None) -> FoundCalculation:
    try:
        return FoundCalculation(str(path), reader(path), "", job)
    except DefectgenError as error:
        return FoundCalculation(str(path), None, str(error).removeprefix(f"{path}: "), job)


def _reader_of(path: Path) -> ResultReader | None:
    """What reads a file; None where it is no output of a code."""
    if not path.is_file() or path.name.startswith("."):
        return None
    plain = path.name.removesuffix(".gz")
    if plain.startswith("vasprun") and plain.endswith(".xml"):
        return vasprun_result
    if plain.startswith("OUTCAR"):
        return outcar_result
    if path.suffix == ".gpw":
        return gpw_result
    if path.suffix not in _TEXT_SUFFIXES or path.name == JOB_FILE:
        return None
    with path.open(encoding="utf-8", errors="replace") as stream:
        head = stream.read(_HEAD)
    return next((reader for mark, reader in _TEXTS if mark in head), None)


def job_of(folder: Path, root: Path) -> dict[str, Any] | None:
    """The entry of the manifest that a folder has, or one above it up to the root; None where none has one.

    Raises:
        DataError: it is damaged.
    """
    for place in (folder, *folder.parents):
        path = place / JOB_FILE
        if path.is_file():
            try:
                job = json.loads(path.read_text(encoding="utf-8"))
                return {"key": str(job["key"]), "charge": int(job["charge"]), **job}
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise DataError(f"{path}: damaged ({error!r}); restore or remove it") from None
        if place == root:
            break
    return None
