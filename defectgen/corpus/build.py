"""Build the corpus: one item a host in a folder, by several processes, resumed after any kill; then shards."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment import DefectgenError, host_from_structure
from augment.errors import DataError
from augment.storage.archive import file_hash, read_arrays, write_arrays, write_atomically
from augment.versions import versions
from defectgen.corpus.arrangements import Arrangements, arrangements_from_arrays, arrangements_to_arrays
from defectgen.corpus.cases import Case, Label, cases_from_arrays, cases_to_arrays, check_hosts
from defectgen.corpus.label import label_host
from defectgen.corpus.settings import LabelSettings
from md.jobs.sweep import FinishedJob, Job, Progress, sweep
from md.labels.split import check_split
from md.potentials import Potential, resolve_potential
from md.potentials.chgnet.weights import DEFAULT as TEACHER

HOSTS_A_ROUND = 8
"""For each worker, between two looks at the clock."""

SHARD_HOSTS = 25
"""Hosts in one file of the corpus."""

_VERSION = 1
"""Of the way labels are made: raised when the same settings come to give others."""


@dataclass(frozen=True)
class HostEntry:
    """A host of the corpus before it is labelled: identifier, formula, origin, split, CIF text and prototype."""

    material_id: str
    formula: str
    source: str
    split: str
    cif: str
    prototype: str = ""


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
    teacher: str = TEACHER
    settings: LabelSettings = field(default_factory=LabelSettings)
    seed: int = 0

    def __post_init__(self) -> None:
        names: dict[str, set[str]] = {}
        for host in self.hosts:
            names.setdefault(host.split, set()).update({host.formula, host.prototype or host.formula})
        check_split(names)

    def tasks(self, potential: Potential) -> list[Job]:
        """One task a host; its id is the hash of everything that decides its labels."""
        return [
            Job(self._identity(host, potential), host.formula, _Work(host, self.settings, potential, self._seed(host)))
            for host in self.hosts
        ]

    def _identity(self, host: HostEntry, potential: Potential) -> str:
        made_by = [asdict(self.settings), self.seed, potential.provenance]
        text = json.dumps([_VERSION, asdict(host), *made_by], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def _seed(self, host: HostEntry) -> int:
        """Seed of one host; independent of the other hosts and of their order."""
        return int(hashlib.sha256(f"{self.seed} {host.material_id}".encode()).hexdigest()[:15], 16)


@dataclass(frozen=True)
class _Work:
    host: HostEntry
    settings: LabelSettings
    potential: Potential
    seed: int


@dataclass(frozen=True, eq=False)
class Corpus:
    """What has been labelled of a plan.

    Attributes:
        cases: labelled defects.
        arrangements: complexes and impurities with energies.
        manifest: JSON values: teacher, settings, seed, versions, counts, and each host with its outcome.
    """

    cases: list[Case]
    arrangements: list[Arrangements]
    manifest: dict[str, Any]


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
    plan: CorpusPlan,
    folder: Path,
    *,
    workers: int = 2,
    seconds: float = float("inf"),
    progress: Progress | None = None,
) -> Corpus:
    """Label the hosts of a plan and return what there is so far.

    Each host is an item in `folder`, written when it ends; what is there is not made again, and items of other plans
    do not matter. After `seconds` no further round of hosts is begun.

    Raises:
        ResumeError: another process works in the folder.
        PotentialError: the teacher cannot be used.
    """
    potential = resolve_potential(plan.teacher)
    tasks, start = plan.tasks(potential), time.monotonic()
    items: list[FinishedJob] = []
    step = HOSTS_A_ROUND * workers
    for first in range(0, len(tasks), step):
        if time.monotonic() - start > seconds:
            break

        def report(done: float, _total: int, label: str, first: int = first) -> None:
            if progress is not None and label:
                progress(first + int(done), len(tasks), label)

        items += sweep(tasks[first : first + step], _label_item, folder, workers=workers, progress=report)
    return _gather(plan, items, potential)


def write_corpus(path: Path, corpus: Corpus) -> None:
    """Write a folder of shards and, last, `manifest.json` with the hash of each; shards that are too many go."""
    hosts = [row["material_id"] for row in corpus.manifest["hosts"]]
    hashes: dict[str, str] = {}
    for first in range(0, len(hosts), SHARD_HOSTS):
        chosen = set(hosts[first : first + SHARD_HOSTS])
        cases = [c for c in corpus.cases if c.material_id in chosen]
        arranged = [a for a in corpus.arrangements if a.material_id in chosen]
        shard = path / f"{first // SHARD_HOSTS:03d}.npz"
        write_arrays(shard, {**cases_to_arrays(cases), **arrangements_to_arrays(arranged)})
        hashes[shard.name] = file_hash(shard)
    for stale in set(path.glob("*.npz")) - {path / name for name in hashes}:
        stale.unlink()
    text = json.dumps({**corpus.manifest, "sha256": hashes}, indent=1)
    write_atomically(path / "manifest.json", (text + "\n").encode())


def corpus_hash(path: Path) -> str:
    """Hash of a corpus: of its archive, or of the hashes of its shards."""
    if path.is_file():
        return file_hash(path)
    return hashlib.sha256("".join(file_hash(part) for part in sorted(path.glob("*.npz"))).encode()).hexdigest()


def _label_item(work: _Work) -> dict[str, NDArray[Any]]:
    """Arrays of one host: its cases and arrangements, and in words what came of it."""
    from pymatgen.core import Structure

    cases: list[Case] = []
    arranged: list[Arrangements] = []
    host = work.host
    try:
        structure = Structure.from_str(host.cif, fmt="cif")
        crystal = host_from_structure(structure, where=host.material_id)
        work.potential.require(crystal.elements)
        cases, arranged = label_host(host.material_id, host.split, crystal, work.potential, work.settings, work.seed)
        outcome = f"{len(cases)} defects" if cases else "no relaxation was usable"
    except (DefectgenError, ValueError, ArithmeticError, RuntimeError) as error:
        # One odd crystal among hundreds must not end a build of hours; the manifest says what was left out and why.
        outcome = f"left out: {type(error).__name__}: {error}"
    return {**cases_to_arrays(cases), **arrangements_to_arrays(arranged), "outcome": np.array(outcome)}


def _gather(plan: CorpusPlan, items: Sequence[FinishedJob], potential: Potential) -> Corpus:
    cases: list[Case] = []
    arranged: list[Arrangements] = []
    rows = []
    for host, item in zip(plan.hosts, items, strict=False):
        arrays = read_arrays(item.path)
        stored = cases_from_arrays(arrays, str(item.path))
        cases += stored
        arranged += arrangements_from_arrays(arrays, str(item.path))
        who = {name: getattr(host, name) for name in ("material_id", "formula", "prototype", "source", "split")}
        labels = sum(len(case.labels) for case in stored)
        rows.append({**who, "outcome": str(arrays["outcome"]), "labels": labels, "seconds": item.seconds})
    check_hosts(cases)
    return Corpus(cases, arranged, {**_provenance(plan, potential), **_counts(cases, arranged), "hosts": rows})


def _provenance(plan: CorpusPlan, potential: Potential) -> dict[str, Any]:
    return {
        "teacher": potential.provenance,
        "settings": asdict(plan.settings),
        "seed": plan.seed,
        "versions": versions("defectgen", "chgnet", "ase", "pymatgen", "numpy", "torch"),
    }


def _counts(cases: Sequence[Case], arranged: Sequence[Arrangements]) -> dict[str, Any]:
    return {
        "defects": dict(Counter(case.split for case in cases)),
        "labels": dict(Counter(case.split for case in cases for _ in case.labels)),
        "kinds": dict(Counter(kind_of(label) for case in cases for label in case.labels)),
        "arrangements": dict(Counter(a.split for a in arranged for _ in a.energies)),
    }


def kind_of(label: Label) -> str:
    """What a label is, in words."""
    if label.snapshot:
        return "snapshot"
    if label.temperature > 0:
        return "thermal mean"
    return f"relaxed{' under pressure' if label.pressure else ''}{', broken' if label.broken else ''}"
