"""The label factory: energy, forces and stress of many cells, once each, in parallel and resumed after any kill.

Cells are batched by size, one file a batch. A batch is named by what is in it, so that a run that was killed goes on
with the batches it lacks, and another set of cells with the same members in a batch finds it done. A cell that occurs
twice, bit for bit, is labelled once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.elements import elements_of
from augment.errors import DataError
from md.jobs.sweep import Job, Progress, sweep
from md.labels.evaluator import Evaluation
from md.labels.record import Record
from md.labels.third_party import one_torch_thread
from md.potentials import Potential

__all__ = ["cell_hash", "label"]

LABEL_BATCH_ATOMS = 512
"""Atoms a batch: half a minute of a slow potential, and what a kill can cost at most."""

CONFIG_TYPE = "config_type"
"""Key of `DefectCell.provenance` that becomes the records' config type."""


def label(
    cells: Sequence[DefectCell],
    potential: Potential,
    folder: Path,
    *,
    workers: int = 2,
    progress: Progress | None = None,
) -> list[Record]:
    """Energy (eV), forces (eV/Å) and stress (eV/Å³) of every cell, in the order of the cells.

    Args:
        cells: what to label; `provenance["config_type"]` becomes the config type of the record (`static` without it).
        potential: who labels.
        folder: where the batches go, one file each; what is there already is not done again.
        workers: number of single-thread processes; 1 works in this process. The records do not depend on it.
        progress: called after every batch with (done, total, label).

    Raises:
        PotentialError: an element is not covered, or the potential fails.
        ResumeError: another process works in the folder.
        DataError: a label is not finite.
    """
    potential.require(elements_of(z for cell in cells for z in cell.numbers))
    identities = [cell_hash(cell) for cell in cells]
    unique = dict(zip(identities, cells, strict=True))
    batches = list(_batches(unique))
    tasks = [_task(batch, unique, potential) for batch in batches]
    items = sweep(tasks, _label_batch, folder, workers=workers, progress=progress)
    found: dict[str, Evaluation] = {}
    for batch, item in zip(batches, items, strict=True):
        sizes = [len(unique[identity]) for identity in batch]
        found |= zip(batch, _unstacked(item.arrays(), sizes, str(item.path)), strict=True)
    made_by = potential.provenance
    return [_record(cell, found[identity], made_by) for cell, identity in zip(cells, identities, strict=True)]


def cell_hash(cell: DefectCell) -> str:
    """Hash of what a potential sees of a cell: lattice vectors, atomic numbers and positions, to the last bit."""
    digest = hashlib.sha256()
    for array in (cell.cell, cell.numbers, cell.positions):
        digest.update(repr((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]


@dataclass(frozen=True, eq=False)
class _Batch:
    cells: tuple[DefectCell, ...]
    potential: Potential


def _batches(unique: Mapping[str, DefectCell]) -> Iterator[list[str]]:
    """Identities of cells of one size, up to `LABEL_BATCH_ATOMS` atoms; the largest cells first, which end last."""
    batch: list[str] = []
    for identity in sorted(unique, key=lambda name: (-len(unique[name]), name)):
        atoms = len(unique[identity])
        if batch and (atoms != len(unique[batch[0]]) or (len(batch) + 1) * atoms > LABEL_BATCH_ATOMS):
            yield batch
            batch = []
        batch.append(identity)
    if batch:
        yield batch


def _task(batch: Sequence[str], unique: Mapping[str, DefectCell], potential: Potential) -> Job:
    cells = tuple(unique[identity] for identity in batch)
    text = repr([sorted(potential.provenance.items()), *batch])
    identity = hashlib.sha256(text.encode()).hexdigest()[:32]
    return Job(identity, f"{len(cells)} cells of {len(cells[0])} atoms", _Batch(cells, potential))


def _label_batch(batch: _Batch) -> dict[str, np.ndarray[Any, Any]]:
    with one_torch_thread(wanted=batch.potential.uses_torch):
        calculator = batch.potential.calculator()
        found = [_evaluate(cell, calculator) for cell in batch.cells]
    return {
        "energies": np.array([e.energy for e in found], dtype=float),
        "forces": np.concatenate([e.forces for e in found]),
        "stresses": np.array([e.stress for e in found], dtype=float),
    }


def _unstacked(arrays: Mapping[str, FloatArray], sizes: Sequence[int], where: str) -> list[Evaluation]:
    ends = np.cumsum(sizes)
    energies, forces, stresses = arrays["energies"], arrays["forces"], arrays["stresses"]
    if not len(energies) == len(stresses) == len(sizes) or len(forces) != ends[-1]:
        raise DataError(f"{where}: labels that do not fit the cells of the batch; delete the file")
    parts = np.split(forces, ends[:-1])
    return [Evaluation(float(e), f, s) for e, f, s in zip(energies, parts, stresses, strict=True)]


def _record(cell: DefectCell, found: Evaluation, made_by: Mapping[str, str]) -> Record:
    # Who made an earlier label says nothing of this one.
    unlabelled = {key: value for key, value in cell.provenance.items() if not key.startswith("potential")}
    labelled = replace(cell, provenance={**unlabelled, **made_by})
    kind = str(cell.provenance.get(CONFIG_TYPE, "static"))
    return Record(labelled, found.energy, found.forces, found.stress, kind)


def _evaluate(cell: DefectCell, calculator: Any) -> Evaluation:
    from md.labels.evaluator import Evaluator

    # Some calculators keep neighbour lists from cell to cell, and sums come out in another order.
    calculator.reset()
    # Labels of hot or squeezed cells are wanted as they are: only what is not a number at all is refused.
    return Evaluator(cell.numbers, calculator, cell.volume, largest_force=np.inf)(cell.positions, cell.cell)
