"""Geometries relaxed by DFT as tasks: a file of hosts and relaxed charged defects, read only where the user has it.

JSON, gzipped: `hosts` (pymatgen dictionaries of pristine supercells) and `entries` with `name`, `charge`,
`defect_frac`, `host` and `relaxed` (a pymatgen dictionary). The generator gets the DFT host and the ideal defect; an
interstitial starts from the void site nearest to `defect_frac`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augment import Defect
from augment.cell import DefectCell, FloatArray, IntArray
from augment.errors import DataError, DefectgenError
from augment.groups.distortion import Distortion
from augment.storage.missing import no_such_file
from defectgen.benchmark.metrics import geometry
from defectgen.benchmark.metrics.alignment import Atoms, align, edited_ideal
from defectgen.benchmark.metrics.placement import place
from defectgen.benchmark.score import Scene
from defectgen.benchmark.tasks.task import Reference, Task


@dataclass(frozen=True, eq=False)
class DftSet:
    """Tasks from DFT with the hash of their files and what could not be read of them, by name."""

    tasks: tuple[Task, ...]
    sha256: str
    left_out: dict[str, str]


MATCH_DISTANCE = 0.25
"""Of the cube root of the volume per atom: a geometry whose atoms are all nearer to DFT's is the same (ML-PEG)."""


def read_dft_sets(paths: Sequence[Path]) -> DftSet:
    """Tasks of several files together; their names say the file.

    Raises:
        DataError: a file cannot be used, or two have one name.
    """
    names = [_set_name(path) for path in paths]
    if len(set(names)) < len(names):
        raise DataError(f"two sets of DFT relaxations are named {max(names, key=names.count)}; rename a file")
    sets = [read_dft(path) for path in paths]
    digest = hashlib.sha256("".join(one.sha256 for one in sets).encode()).hexdigest()
    left_out = {
        f"{name}: {entry}": why
        for name, one in zip(names, sets, strict=True)
        for entry, why in one.left_out.items()
    }  # fmt: skip
    return DftSet(
        tuple(task for one in sets for task in one.tasks), sets[0].sha256 if len(sets) == 1 else digest, left_out
    )


def _set_name(path: Path) -> str:
    return path.name.partition(".")[0]


def read_dft(path: Path) -> DftSet:
    """Tasks of a file of DFT relaxations.

    Raises:
        DataError: the file is missing or damaged, or no entry of it can be used.
    """
    try:
        content = path.read_bytes()
        data = json.loads(gzip.decompress(content))
        hosts = {name: _atoms(host) for name, host in data["hosts"].items()}
        entries = list(data["entries"])
    except FileNotFoundError:
        raise DataError(f"{path}: {no_such_file(path)}") from None
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(f"{path}: not a gzipped JSON file of hosts and relaxed defects ({error!r})") from None
    tasks, left_out = [], {}
    for entry in entries:
        name = f"{entry['name']} {entry['charge']:+d}"
        try:
            tasks.append(dft_task(entry, hosts[entry["host"]], _set_name(path)))
        except DefectgenError as error:
            left_out[name] = str(error)
    if not tasks:
        raise DataError(f"{path}: no entry can be used; the first says: {next(iter(left_out.values()), 'no entries')}")
    return DftSet(tuple(tasks), hashlib.sha256(content).hexdigest(), left_out)


def dft_task(entry: dict[str, Any], bulk: Atoms, origin: str = "") -> Task:
    """The task of one relaxed defect of the set that `origin` names.

    Raises:
        DefectError: the defect cannot be recognised.
        DataError: the relaxed structure does not fit it.
    """
    relaxed = _atoms(entry["relaxed"])
    ideal = _ideal(bulk, relaxed, np.array(entry["defect_frac"], dtype=float))
    aligned = align(ideal, bulk, int(entry["charge"]))
    numbers = aligned.defect.cell().numbers
    if not np.array_equal(ideal.numbers[aligned.order], numbers):
        raise DataError(f"{entry['name']}: its atoms do not fit the defect that was recognised")
    state = _relative(aligned.defect, ideal, relaxed, aligned.order, aligned.turn)
    return Task(
        id=f"DFT/{origin}/{entry['name']}/{entry['charge']:+d}".replace("//", "/"),
        material_id=str(entry["host"]),
        split="dft",
        defect=aligned.defect,
        kind="free",
        temperature=0.0,
        pressure=0.0,
        references=(Reference(state, float("nan"), broken=False),),
    )


def dft_error(task: Task, state: Distortion | None) -> float:
    """Mean displacement error within 5 Å of the defect, Å, of a proposal for one task; None counts as unrelaxed."""
    scene = Scene(task.defect)
    proposed = scene.still if state is None else state
    near = scene.near(geometry.NEAR_DISTANCES[-1])
    true = task.references[0].state.displacements
    return geometry.displacement_error(proposed.displacements, true, near, scene.stabilizer)


def dft_largest(task: Task, state: Distortion | None) -> float:
    """Largest distance of an atom of a proposal from where DFT has it, over the cube root of the volume per atom."""
    scene = Scene(task.defect)
    proposed = (scene.still if state is None else state).displacements
    images = geometry.symmetry_images(task.references[0].state.displacements, scene.stabilizer)
    largest = float(np.linalg.norm(proposed - images, axis=-1).max(axis=1).min())
    return largest / float((scene.ideal.volume / len(scene.ideal)) ** (1 / 3))


def _relative(defect: Defect, ideal: Atoms, relaxed: Atoms, order: IntArray, turn: FloatArray) -> Distortion:
    """Displacements of a relaxed structure in the order and axes of the defect's cell."""
    template = DefectCell(
        defect.name, "", ideal.cell, ideal.numbers, ideal.positions, np.zeros(len(ideal.numbers), np.int64)
    )
    state = place(relaxed.cell, relaxed.numbers, relaxed.positions, template)
    return Distortion(state.displacements[order] @ turn, turn.T @ state.strain @ turn)


def _ideal(bulk: Atoms, relaxed: Atoms, fraction: FloatArray) -> Atoms:
    """The unrelaxed defect: what distinguishes the compositions, put at the place of the defect."""
    counts = {z: _count(relaxed, z) - _count(bulk, z) for z in {*bulk.numbers.tolist(), *relaxed.numbers.tolist()}}
    added = [z for z, change in counts.items() if change > 0]
    lost = [z for z, change in counts.items() if change < 0]
    if len(added) > 1 or len(lost) > 1 or any(abs(change) > 1 for change in counts.values()):
        raise DataError(f"the compositions differ by {counts}; only single point defects are read")
    return edited_ideal(bulk, added[0] if added else 0, fraction @ bulk.cell, removed=lost[0] if lost else 0)


def _count(atoms: Atoms, number: int) -> int:
    return int((atoms.numbers == number).sum())


def _atoms(structure: dict[str, Any]) -> Atoms:
    from pymatgen.core import Structure

    parsed = Structure.from_dict(structure)
    return Atoms(np.array(parsed.lattice.matrix), np.array(parsed.atomic_numbers, np.int64), parsed.cart_coords)


def split_by_charge(tasks: Sequence[Task]) -> dict[str, list[Task]]:
    """Tasks by the name of the metric that they belong to."""
    return {
        "dft_neutral": [task for task in tasks if task.defect.charge == 0],
        "dft_charged": [task for task in tasks if task.defect.charge != 0],
    }
