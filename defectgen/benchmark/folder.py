"""Structures made elsewhere as a generator: files that name their task or defect in `info`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augment.errors import DataError
from defectgen.benchmark.protocol import BenchmarkRequest
from defectgen.benchmark.tasks.task import TaskSet

SUFFIXES = (".xyz", ".extxyz", ".cif")
_KEY = re.compile(r"_defectgen_key\s+'([^']+)'|^#\s*defect key (\S+)", re.MULTILINE)
_CONDITIONS = ("temperature", "pressure", "snapshot", "subgroup")


@dataclass(frozen=True, eq=False)
class Structures:
    """Structures read from files, called like a generator.

    Attributes:
        atoms: ASE Atoms in the order of the files, the best guess of each defect first.
        sha256: of all files.
    """

    atoms: Sequence[Any]
    sha256: str

    def __call__(self, request: BenchmarkRequest) -> Iterable[Any]:
        """The first `n` structures of this defect whose `info` does not name other conditions than are requested."""
        return [atoms for atoms in self.atoms if _answers(atoms.info, request)][: request.n]


def read_structures(path: Path) -> Structures:
    """Structures of a file, or of all files of a folder in alphabetical order.

    Each has `defect_key` in its `info` (in a CIF: `_defectgen_key`), and may have `temperature`, `pressure`, `snapshot`
    and `subgroup`, each of which then has to be that of the task.

    Raises:
        DataError: there is no such file, one cannot be read, or a structure has no defect key.
    """
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not files:
        raise DataError(f"{path}: no {', '.join(SUFFIXES)} file in it")
    digest = hashlib.sha256()
    atoms: list[Any] = []
    for file in files:
        digest.update(file.read_bytes())
        atoms += _read(file)
    missing = [k for k, a in enumerate(atoms, start=1) if "defect_key" not in a.info]
    if missing:
        raise DataError(f"{path}: structure {missing[0]} has no defect_key in its info; copy that of the task")
    return Structures(atoms, digest.hexdigest())


def write_requests(path: Path, tasks: TaskSet) -> int:
    """Write the ideal cell of each task with the request in `info` to an extended XYZ file; how many there are.

    A program in any language reads it, moves the atoms, keeps `info`, and gives the file back as a generator.

    Raises:
        DataError: the file exists or cannot be written.
    """
    from ase.io import write

    from augment.exchange.folder import atomic_file

    images = []
    for task in tasks.tasks:
        ask = task.request(1, 0)
        atoms = ask.ideal.to_ase()
        atoms.info |= {"task": task.id, "temperature": ask.temperature, "pressure": ask.pressure}
        atoms.info |= {"snapshot": ask.snapshot, "subgroup": ask.subgroup or "any"}
        images.append(atoms)
    with atomic_file(path) as draft:
        write(draft, images, format="extxyz")
    return len(images)


def _answers(info: dict[str, Any], request: BenchmarkRequest) -> bool:
    if info["defect_key"] != request.defect.key:
        return False
    wanted = {name: getattr(request, name) for name in _CONDITIONS}
    wanted["subgroup"] = request.subgroup or "any"
    return all(_alike(info[name], wanted[name]) for name in _CONDITIONS if name in info)


def _alike(said: Any, wanted: Any) -> bool:
    if isinstance(wanted, float):
        return abs(float(said) - wanted) < 1e-6 * max(1.0, abs(wanted))
    return str(said) in {str(wanted), "T" if wanted is True else "F" if wanted is False else str(wanted)}


def _read(file: Path) -> list[Any]:
    from ase.io import read

    try:
        images = read(file, index=":")
    except Exception as error:  # noqa: BLE001  the parsers raise whatever their input provokes
        raise DataError(f"{file}: cannot be read as structures ({error})") from None
    if file.suffix.lower() == ".cif":
        key = _KEY.search(file.read_text(errors="replace"))
        for atoms in images if key else []:
            atoms.info["defect_key"] = key[1] or key[2]  # type: ignore[index]
    return list(images)
