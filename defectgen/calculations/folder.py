"""A folder of calculations: one folder each, a manifest that ties them to their defects, and a README.

Nothing that is there is ever replaced: a folder of a calculation appears whole, and one that is there must hold the
same inputs, whatever results lie beside them. So the command can be stopped anywhere and run again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augment.cell import DefectCell
from augment.errors import DataError
from augment.storage.archive import write_atomically
from augment.versions import versions
from defectgen.calculations.codes import INPUT_WRITERS
from defectgen.calculations.jobs import CalculationJob
from defectgen.calculations.settings import CalculationSettings

CALCULATIONS_MANIFEST = "manifest.json"
CALCULATIONS_FORMAT = 1
JOB_FILE = "defect.json"
"""In every folder of a calculation: the entry of the manifest, so that it can be moved alone."""


@dataclass(frozen=True)
class WrittenInputs:
    """What was written.

    Attributes:
        folder: of all calculations.
        written: names of the folders that are new.
        present: names of those that were there with the same inputs.
    """

    folder: Path
    written: tuple[str, ...]
    present: tuple[str, ...]


def write_inputs(
    folder: Path, jobs: Sequence[CalculationJob], settings: CalculationSettings, host: Mapping[str, Any]
) -> WrittenInputs:
    """Write the inputs of calculations; what is there with the same content stays as it is.

    Args:
        folder: of all calculations.
        jobs: the calculations.
        settings: of all of them.
        host: JSON values that say which crystal they are of.

    Raises:
        DataError: a folder holds other inputs, or cannot be written; nothing is written then.
        ConditionError: a code cannot do what the settings ask for.
    """
    files = {job.folder: _files(job, settings) for job in jobs}
    entries = _known_entries(folder, settings)
    present = tuple(name for name, content in files.items() if _is_there(folder / name, content))
    entries |= {job.folder: _entry(job, settings) for job in jobs}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            if name not in present:
                _write_whole(folder / name, content)
        write_atomically(folder / "README.md", _readme(settings, entries, host).encode())
        write_atomically(folder / CALCULATIONS_MANIFEST, _manifest(settings, entries, host).encode())
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror}); name another folder with -o") from None
    return WrittenInputs(folder, tuple(name for name in files if name not in present), present)


def _files(job: CalculationJob, settings: CalculationSettings) -> dict[str, str]:
    made = INPUT_WRITERS[settings.code].files(job.cell, settings)
    return {**made, JOB_FILE: json.dumps(_entry(job, settings), indent=1) + "\n"}


def _entry(job: CalculationJob, settings: CalculationSettings) -> dict[str, Any]:
    """What ties a folder to its defect."""
    cell: DefectCell = job.cell
    return {
        "folder": job.folder,
        "name": cell.name,
        "key": cell.key,
        "charge": cell.charge,
        "atoms": len(cell),
        "start": job.start,
        "structure_sha256": job.structure_sha256,
        "settings": settings.to_json(),
    }


def _known_entries(folder: Path, settings: CalculationSettings) -> dict[str, Any]:
    """The entries of a manifest that is there, by folder.

    Raises:
        DataError: it is damaged, of other settings, or the folder holds something else.
    """
    path = folder / CALCULATIONS_MANIFEST
    if not path.is_file():
        if folder.exists() and not folder.is_dir():
            raise DataError(f"{folder}: is a file; name another folder with -o")
        return {}
    manifest = read_calculations(path)
    if manifest["settings"] != settings.to_json():
        changed = [k for k, v in settings.to_json().items() if manifest["settings"].get(k) != v]
        raise DataError(
            f"{folder}: holds calculations with another {', '.join(changed)}; name another folder with -o, so that "
            "both can be kept"
        )
    return {str(entry["folder"]): entry for entry in manifest["calculations"]}


def read_calculations(path: Path) -> dict[str, Any]:
    """The manifest at a path.

    Raises:
        DataError: it is damaged.
    """
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["format"] != CALCULATIONS_FORMAT or not isinstance(manifest["calculations"], list):
            raise DataError(f"{path}: no manifest of calculations of this version; name another folder with -o")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: no manifest of calculations ({error!r}); name another folder") from None
    return dict(manifest)


def _is_there(folder: Path, content: Mapping[str, str]) -> bool:
    """Whether a folder holds these inputs.

    Raises:
        DataError: it holds others.
    """
    if not folder.exists():
        return False
    for name, text in content.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != text.encode():
            what = "was edited, or is of another start or version" if path.is_file() else "is missing"
            raise DataError(f"{path}: {what}; nothing is replaced: name another folder with -o, or remove this one")
    return True


def _write_whole(folder: Path, content: Mapping[str, str]) -> None:
    """A folder with these files, which appears whole."""
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        for name, text in content.items():
            write_atomically(draft / name, text.encode())
        draft.chmod(0o755)
        draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _manifest(settings: CalculationSettings, entries: Mapping[str, Any], host: Mapping[str, Any]) -> str:
    content = {
        "format": CALCULATIONS_FORMAT,
        "host": dict(host),
        "settings": settings.to_json(),
        "calculations": [entries[name] for name in sorted(entries)],
        "versions": versions("defectgen", "pymatgen", "ase"),
    }
    return json.dumps(content, indent=1) + "\n"


def _readme(settings: CalculationSettings, entries: Mapping[str, Any], host: Mapping[str, Any]) -> str:
    """What the folders are and what was assumed in them."""
    task = f"relaxation of the atoms to {settings.max_force:g} eV/Å" if settings.relax else "single point"
    rows = [
        f"| `{entry['folder']}` | {entry['name']} | {entry['charge']:+d} | {entry['atoms']} | {entry['start']} |"
        for _, entry in sorted(entries.items())
    ]
    lines = [
        f"# Calculations of defects in {host['formula']} with {settings.code}",
        "",
        f"Each folder is one {task} with {settings.functional} in a fixed cell. `bulk` is the pristine supercell:",
        "energies of defects are measured against it. `defect.json` says which defect a folder is; keep it there.",
        "",
        "## What is assumed",
        "",
        "- The lattice is that of the start (of the potential, or of the CIF). For formation energies relax the",
        "  pristine cell with this code and functional first and start the run from that CIF.",
        "- Charges run from neutral to full ionisation by oxidation states, unless `--charges` gave others. A charged",
        "  cell has a compensating background; energies need a finite-size correction.",
        f"- Spin: {settings.spin}. With `auto` (not VASP, which always has it) spin is used where the number of",
        "  electrons is odd or an element is magnetic; an even number can be a triplet as well (`--spin always`).",
        *(f"- {line}" for line in INPUT_WRITERS[settings.code].assumptions(settings)),
        "",
        "When they are done, `defectgen label RUN --from THIS_FOLDER` reads what finished.",
        "",
        "| folder | defect | charge (e) | atoms | start |",
        "|---|---|---|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def content_hash(paths: Sequence[Path]) -> str:
    """SHA-256 over the contents of some files in their order, hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
