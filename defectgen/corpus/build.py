"""Build the corpus: one item a host, written when it ends, so that a stopped build goes on where it was."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from augment import DefectgenError, host_from_structure
from augment.errors import DataError, ResumeError
from augment.store import write_atomically
from defectgen.corpus.case import Case, check_split, file_hash, read_cases, write_cases
from defectgen.corpus.label import LabelSettings, label_host
from md.potentials import Potential, resolve_potential

logger = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]
"""Called with hosts done, hosts in all, and what happened to the last one."""


@dataclass(frozen=True)
class HostEntry:
    """A host of the corpus before it is labelled: identifier, formula, origin, split, and CIF text."""

    material_id: str
    formula: str
    source: str
    split: str
    cif: str


@dataclass(frozen=True)
class CorpusPlan:
    """What a corpus is made from.

    Attributes:
        hosts: in the order in which they are labelled.
        teacher: potential that makes the labels.
        settings: how.
        seed: decides everything random.
    """

    hosts: tuple[HostEntry, ...]
    teacher: str = "chgnet"
    settings: LabelSettings = field(default_factory=LabelSettings)
    seed: int = 0

    def __post_init__(self) -> None:
        splits: dict[str, str] = {}
        for host in self.hosts:
            if splits.setdefault(host.formula, host.split) != host.split:
                raise DataError(f"host {host.formula} is planned for two splits; split by host first")

    def identity(self, potential: Potential) -> str:
        """Hash of everything that decides an item: settings, seed and teacher."""
        text = json.dumps([asdict(self.settings), self.seed, potential.sha256], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def host_seed(self, host: HostEntry) -> int:
        """Seed of one host; independent of the other hosts and of their order."""
        return int(hashlib.sha256(f"{self.seed} {host.material_id}".encode()).hexdigest()[:15], 16)


def read_hosts(path: Path) -> tuple[HostEntry, ...]:
    """Hosts of a table made by `training/select_hosts.py`.

    Raises:
        DataError: the file is missing or a column is.
    """
    try:
        with gzip.open(path, "rt") as stream:
            return tuple(HostEntry(**row) for row in csv.DictReader(stream))
    except (OSError, TypeError) as error:
        raise DataError(f"{path}: not a table of hosts ({error}); make it with training/select_hosts.py") from None


def build_corpus(
    plan: CorpusPlan, folder: Path, *, seconds: float = float("inf"), progress: Progress | None = None
) -> tuple[list[Case], dict[str, Any]]:
    """Label the hosts of a plan and return all cases so far with the manifest.

    Each host is an item in `folder`; items that exist are not made again. After `seconds` no further host is begun.

    Raises:
        ResumeError: the folder holds the items of another plan.
    """
    potential = resolve_potential(plan.teacher)
    _claim(folder, plan.identity(potential))
    start = time.monotonic()
    for done, host in enumerate(plan.hosts):
        item = folder / "items" / f"{host.material_id}.json"
        if not item.exists():
            if time.monotonic() - start > seconds:
                break
            _label_item(plan, host, potential, item)
        if progress is not None:
            progress(done + 1, len(plan.hosts), f"{host.formula}: {json.loads(item.read_text())['outcome']}")
    return _gather(plan, folder, potential)


def write_corpus(path: Path, cases: Sequence[Case], manifest: dict[str, Any]) -> None:
    """Write the archive and, beside it, its manifest with the archive's hash."""
    write_cases(path, cases)
    text = json.dumps({**manifest, "sha256": file_hash(path)}, indent=1)
    write_atomically(path.with_suffix(".json"), (text + "\n").encode())


def _claim(folder: Path, identity: str) -> None:
    marker = folder / "corpus.json"
    if not marker.exists():
        write_atomically(marker, json.dumps({"identity": identity}).encode())
    elif json.loads(marker.read_text())["identity"] != identity:
        raise ResumeError(f"{folder} holds a corpus with other settings, seed or teacher; give another folder")


def _label_item(plan: CorpusPlan, host: HostEntry, potential: Potential, item: Path) -> None:
    """Label one host; the JSON file is written last, so its presence means that the item is whole."""
    from pymatgen.core import Structure

    start = time.monotonic()
    cases: list[Case] = []
    try:
        structure = Structure.from_str(host.cif, fmt="cif")
        crystal = host_from_structure(structure, where=host.material_id)
        potential.require(crystal.elements)
        cases = label_host(host.material_id, host.split, crystal, potential, plan.settings, plan.host_seed(host))
        outcome = f"{len(cases)} defects" if cases else "no relaxation was usable"
    except DefectgenError as error:
        outcome = f"left out: {error}"
        logger.warning("%s %s", host.formula, outcome)
    if cases:
        write_cases(item.with_suffix(".npz"), cases)
    labels = sum(len(case.labels) for case in cases)
    report = {"outcome": outcome, "labels": labels, "seconds": round(time.monotonic() - start, 1)}
    write_atomically(item, json.dumps(report).encode())


def _gather(plan: CorpusPlan, folder: Path, potential: Potential) -> tuple[list[Case], dict[str, Any]]:
    cases: list[Case] = []
    rows = []
    for host in plan.hosts:
        item = folder / "items" / f"{host.material_id}.json"
        if not item.exists():
            continue
        report = json.loads(item.read_text())
        if item.with_suffix(".npz").exists():
            cases += read_cases(item.with_suffix(".npz"))
        who = {name: getattr(host, name) for name in ("material_id", "formula", "source", "split")}
        rows.append({**who, **report})
    check_split(cases)
    libraries = ("defectgen", "chgnet", "ase", "pymatgen", "numpy", "torch")
    manifest = {
        "teacher": potential.provenance,
        "settings": asdict(plan.settings),
        "seed": plan.seed,
        "versions": {name: version(name) for name in libraries},
        "defects": dict(Counter(case.split for case in cases)),
        "labels": dict(Counter(case.split for case in cases for _ in case.labels)),
        "kinds": dict(Counter(_kind(label) for case in cases for label in case.labels)),
        "seconds": round(sum(row["seconds"] for row in rows), 1),
        "hosts": rows,
    }
    return cases, manifest


def _kind(label: Any) -> str:
    if label.snapshot:
        return "snapshot"
    if label.temperature > 0:
        return "thermal mean"
    return f"relaxed{' under pressure' if label.pressure else ''}{', broken' if label.broken else ''}"
