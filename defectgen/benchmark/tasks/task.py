"""The frozen tasks: held-out hosts and defects with their reference geometries, read from one hashed archive."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from augment import Defect, Edit, Host, Supercell, host_from_structure
from augment.cell import FloatArray
from augment.errors import ConditionError, DataError, DefectgenError
from augment.groups.distortion import Distortion
from augment.storage.archive import file_hash, read_arrays, write_arrays
from augment.storage.missing import did_you_mean
from defectgen.benchmark.metrics.alignment import Atoms, pymatgen_structure
from defectgen.benchmark.protocol import FULL, NONE, BenchmarkRequest

TaskKind = Literal["symmetric", "broken", "free", "pressed", "mean", "snapshot"]

TASK_KINDS: Mapping[TaskKind, str] = {
    "symmetric": "relaxed at 0 GPa, with the whole stabilizer requested",
    "broken": "relaxed at 0 GPa, without symmetry requested where that is lower",
    "free": "relaxed at 0 GPa, the generator decides which symmetry survives",
    "pressed": "relaxed in the cell of the host under pressure",
    "mean": "mean of a thermal ensemble",
    "snapshot": "frames of a thermal ensemble",
}
"""What each kind of task is about."""

ENSEMBLE = 16
"""Least number of frames requested of a thermal ensemble; fewer say little about a spread."""

TASKS_FORMAT = 1
TASKS_VERSION = "4"
"""Of the tasks; raised when the archive in this package is built anew, so that scores are compared with like ones."""

_SUBGROUPS: Mapping[TaskKind, str] = {"symmetric": FULL, "broken": NONE, "snapshot": NONE}


@dataclass(frozen=True, eq=False)
class Reference:
    """One geometry that the teacher found.

    Attributes:
        state: displacements, Å, and strain relative to the ideal cell of the relaxed host.
        energy: eV per cell; NaN where it is not known.
        broken: it does not have the symmetry of the whole stabilizer.
    """

    state: Distortion
    energy: float
    broken: bool


@dataclass(frozen=True, eq=False)
class Task:
    """One thing to generate, with what the teacher says it is.

    Attributes:
        id: unique, for people: `MgO/mp-1265/v_O/free`.
        material_id: of the host.
        split: `valid` or `test`.
        defect: what to generate.
        kind: which of `TASK_KINDS`.
        temperature: K.
        pressure: GPa.
        references: the lowest first; all frames of a snapshot task.
    """

    id: str
    material_id: str
    split: str
    defect: Defect
    kind: TaskKind
    temperature: float
    pressure: float
    references: tuple[Reference, ...]

    @property
    def formula(self) -> str:
        """Reduced formula of the host; intervals are taken over these."""
        return self.defect.host.formula

    def count(self, n: int) -> int:
        """Structures requested of a generator where `n` of each task are wanted."""
        return max(n, ENSEMBLE) if self.kind == "snapshot" else n

    def request(self, n: int, seed: int) -> BenchmarkRequest:
        """The request that a generator gets; it says nothing about the references."""
        wanted, snapshot = _SUBGROUPS.get(self.kind), self.kind == "snapshot"
        return BenchmarkRequest(self.defect, self.temperature, self.pressure, snapshot, wanted, self.count(n), seed)


@dataclass(frozen=True, eq=False)
class TaskSet:
    """Tasks with where they come from.

    Attributes:
        tasks: in the order in which they are run.
        manifest: version, teacher, corpus hash, hosts, what was left out.
        sha256: of the archive.
    """

    tasks: tuple[Task, ...]
    manifest: Mapping[str, Any]
    sha256: str

    def of_split(self, split: str) -> TaskSet:
        """The tasks of one split.

        Raises:
            DataError: there are none.
        """
        chosen = tuple(task for task in self.tasks if task.split == split)
        if not chosen:
            known = sorted({task.split for task in self.tasks})
            hint = did_you_mean(split, known)
            raise DataError(f"no task of the split {split!r}; {hint}this archive has {', '.join(known)}")
        return TaskSet(chosen, self.manifest, self.sha256)

    def of_kinds(self, kinds: Sequence[str]) -> TaskSet:
        """The tasks of some kinds; all where none is named.

        Raises:
            ConditionError: there is no such kind.
        """
        for kind in kinds:
            if kind not in TASK_KINDS:
                hint = did_you_mean(kind, TASK_KINDS)
                raise ConditionError(f"no kind of task is called {kind!r}; {hint}give some of {', '.join(TASK_KINDS)}")
        return TaskSet(tuple(t for t in self.tasks if not kinds or t.kind in kinds), self.manifest, self.sha256)

    def few(self, count: int | None) -> tuple[Task, ...]:
        """So many tasks, as many of each host as of the others, in the order of the set; all for None."""
        seen: dict[str, int] = {}
        ranks = []
        for place, task in enumerate(self.tasks):
            ranks.append((seen.get(task.material_id, 0), place))
            seen[task.material_id] = ranks[-1][0] + 1
        return tuple(self.tasks[place] for place in sorted(place for _, place in sorted(ranks)[:count]))


def write_tasks(path: Path, tasks: Sequence[Task], bulks: Mapping[str, Atoms], manifest: Mapping[str, Any]) -> None:
    """Write tasks to one archive, the same bytes for the same tasks; displacements are rounded to float32 (1e-8 Å).

    Args:
        path: the archive.
        tasks: what to write.
        bulks: pristine structure of each host by material_id; reading makes the host from it again.
        manifest: JSON values.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for name, bulk in bulks.items():
        arrays |= {f"host/{name}/{column}": getattr(bulk, column) for column in ("cell", "numbers", "positions")}
    known: dict[bytes, int] = {}
    for index, task in enumerate(tasks):
        chosen = [_reference_index(reference, known, arrays) for reference in task.references]
        arrays[f"task/{index}"] = np.array(chosen, dtype=np.int64)
    head = {**manifest, "format": TASKS_FORMAT, "version": TASKS_VERSION, "tasks": [_row(task) for task in tasks]}
    arrays["manifest"] = np.array(json.dumps(head, sort_keys=True))
    write_arrays(path, arrays)


def read_tasks(path: Path | None = None) -> TaskSet:
    """Tasks of an archive, by default of the one that ships.

    Raises:
        DataError: the archive is missing, damaged or of another format, or a defect in it is not what its key says.
    """
    where = Path(str(files("defectgen.benchmark") / "data" / "tasks.npz")) if path is None else path
    arrays = read_arrays(where)
    digest = file_hash(where)
    try:
        manifest = json.loads(str(arrays["manifest"]))
        if manifest["format"] != TASKS_FORMAT:
            raise DataError(f"{where}: format {manifest['format']} is not {TASKS_FORMAT}; build the tasks again")
        hosts = {name: _host(arrays, name) for name in {row["material_id"] for row in manifest["tasks"]}}
        cache: dict[str, Defect] = {}
        tasks = [_task(row, arrays, i, hosts, cache) for i, row in enumerate(manifest.pop("tasks"))]
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise DataError(f"{where}: not an archive of benchmark tasks ({error!r})") from None
    return TaskSet(tuple(tasks), manifest, digest)


def rewrite_tasks(path: Path, tasks: Sequence[Task], manifest: Mapping[str, Any]) -> None:
    """Write other tasks of the same hosts to an archive that is there."""
    arrays = read_arrays(path)
    bulks = {name: _bulk(arrays, name) for name in dict.fromkeys(task.material_id for task in tasks)}
    write_tasks(path, tasks, bulks, manifest)


def _reference_index(reference: Reference, known: dict[bytes, int], arrays: dict[str, NDArray[Any]]) -> int:
    """Number of a reference, whose columns are added if it is new: tasks of one defect share some."""
    state = reference.state
    columns: dict[str, NDArray[Any]] = {
        "displacements": state.displacements.astype(np.float32),
        "strain": state.strain,
        "energy": np.array(reference.energy),
        "broken": np.array(reference.broken),
    }
    content = b"".join(column.tobytes() for column in columns.values())
    if content not in known:
        known[content] = len(known)
        arrays |= {f"reference/{known[content]}/{name}": column for name, column in columns.items()}
    return known[content]


def _reference(arrays: Mapping[str, NDArray[Any]], number: int) -> Reference:
    u, e, energy, broken = (
        arrays[f"reference/{number}/{name}"] for name in ("displacements", "strain", "energy", "broken")
    )
    return Reference(Distortion(np.asarray(u, dtype=np.float64), _symmetric(e)), float(energy), bool(broken))


def _row(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "material_id": task.material_id,
        "split": task.split,
        "key": task.defect.key,
        "matrix": task.defect.supercell.matrix.tolist(),
        "edits": [[e.site, e.number] for e in task.defect.edits],
        "charge": task.defect.charge,
        "kind": task.kind,
        "temperature": task.temperature,
        "pressure": task.pressure,
    }


def _bulk(arrays: Mapping[str, NDArray[Any]], name: str) -> Atoms:
    return Atoms(*(arrays[f"host/{name}/{column}"] for column in ("cell", "numbers", "positions")))


def _host(arrays: Mapping[str, NDArray[Any]], name: str) -> Host:
    return host_from_structure(pymatgen_structure(_bulk(arrays, name)), where=name)


def _task(
    row: dict[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    index: int,
    hosts: Mapping[str, Host],
    cache: dict[str, Defect],
) -> Task:
    if row["key"] not in cache:
        cache[row["key"]] = _defect(row, hosts[row["material_id"]])
    return Task(
        id=row["id"],
        material_id=row["material_id"],
        split=row["split"],
        defect=cache[row["key"]],
        kind=row["kind"],
        temperature=row["temperature"],
        pressure=row["pressure"],
        references=tuple(_reference(arrays, int(k)) for k in arrays[f"task/{index}"]),
    )


def _defect(row: Mapping[str, Any], host: Host) -> Defect:
    try:
        edits = tuple(Edit(*edit) for edit in row["edits"])
        defect = Defect(Supercell(host, np.array(row["matrix"], dtype=np.int64)), edits, row["charge"])
    except DefectgenError as error:
        raise DataError(f"task {row['id']}: {error}; build the tasks again with this version") from None
    if defect.key != row["key"]:
        raise DataError(
            f"task {row['id']}: this version numbers the sites of {host.formula} otherwise ({defect.key} is not "
            f"{row['key']}); build the tasks again with it"
        )
    return defect


def _symmetric(strain: FloatArray) -> FloatArray:
    return 0.5 * (strain + strain.T)
