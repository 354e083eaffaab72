"""The label factory: energy, forces and stress of many cells, once each, in parallel and resumed after any kill.

Cells are batched by size, one file a batch. A batch is named by what is in it, so that a run that was killed goes on
with the batches it lacks, and another set of cells with the same members in a batch finds it done. A cell that occurs
twice, bit for bit, is labelled once. A cell that is no matter, such as one with two atoms in one place, has no label.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import DefectCell
from augment.elements import elements_of
from augment.errors import DataError, UnconvergedError
from md.jobs.sweep import Job, Progress, sweep
from md.labels.evaluator import Evaluation
from md.labels.record import Record
from md.labels.third_party import one_torch_thread
from md.potentials import Potential

__all__ = ["cell_hash", "label", "label_each"]

LABEL_BATCH_ATOMS = 512
"""Atoms a batch: half a minute of a slow potential, and what a kill can cost at most."""

_REASONS = "reasons"
"""Column that only batches have in which a cell has no label."""

CONFIG_TYPE = "config_type"
"""Key of `DefectCell.provenance` that becomes the records' config type."""


def label(
    cells: Sequence[DefectCell],
    potential: Potential,
    folder: Path,
    *,
    workers: int = 2,
    batch_atoms: int = LABEL_BATCH_ATOMS,
    progress: Progress | None = None,
) -> list[Record]:
    """Energy (eV), forces (eV/Å) and stress (eV/Å³) of every cell, in the order of the cells.

    Args:
        cells: what to label; `provenance["config_type"]` becomes the config type of the record (`static` without it).
        potential: who labels.
        folder: where the batches go, one file each; what is there already is not done again.
        workers: number of single-thread processes; 1 works in this process. The records do not depend on it.
        batch_atoms: most atoms of the cells of a file, which a kill can cost: fewer for a potential that takes minutes.
        progress: called after every batch with (done, total, label).

    Raises:
        PotentialError: an element is not covered, or the potential fails.
        ResumeError: another process works in the folder.
        DataError: a cell cannot be labelled, or a label is not finite.
    """
    records = []
    how: dict[str, Any] = {"workers": workers, "batch_atoms": batch_atoms, "progress": progress}
    for cell, found in zip(cells, label_each(cells, potential, folder, **how), strict=True):
        if isinstance(found, str):
            raise DataError(f"{cell.name}: has no label, {found}; leave it out")
        records.append(found)
    return records


def label_each(
    cells: Sequence[DefectCell],
    potential: Potential,
    folder: Path,
    *,
    workers: int = 2,
    batch_atoms: int = LABEL_BATCH_ATOMS,
    progress: Progress | None = None,
) -> list[Record | str]:
    """As `label`, with the reason in the place of a record that cannot be had: atoms overlap, or labels are no numbers.

    Raises:
        PotentialError: an element is not covered, or the potential fails.
        ResumeError: another process works in the folder.
    """
    potential.require(elements_of(z for cell in cells for z in cell.numbers))
    identities = [cell_hash(cell) for cell in cells]
    unique = dict(zip(identities, cells, strict=True))
    batches = list(_batches(unique, batch_atoms))
    tasks = [_task(batch, unique, potential) for batch in batches]
    items = sweep(tasks, _label_batch, folder, workers=workers, progress=progress)
    found: dict[str, Evaluation | str] = {}
    for batch, item in zip(batches, items, strict=True):
        sizes = [len(unique[identity]) for identity in batch]
        found |= zip(batch, _unstacked(item.arrays(), sizes, str(item.path)), strict=True)
    made_by = potential.provenance
    made = ((cell, found[identity]) for cell, identity in zip(cells, identities, strict=True))
    return [one if isinstance(one, str) else _record(cell, one, made_by) for cell, one in made]


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


def _batches(unique: Mapping[str, DefectCell], batch_atoms: int) -> Iterator[list[str]]:
    """Identities of cells of one size, up to so many atoms; the largest cells first, which end last."""
    batch: list[str] = []
    for identity in sorted(unique, key=lambda name: (-len(unique[name]), name)):
        atoms = len(unique[identity])
        if batch and (atoms != len(unique[batch[0]]) or (len(batch) + 1) * atoms > batch_atoms):
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
        _evaluate_ahead(batch.cells, calculator)
        found = [_evaluate(cell, calculator) for cell in batch.cells]
    labels = [_no_label(len(cell)) if isinstance(e, str) else e for cell, e in zip(batch.cells, found, strict=True)]
    reasons = [e if isinstance(e, str) else "" for e in found]
    return {
        "energies": np.array([e.energy for e in labels], dtype=float),
        "forces": np.concatenate([e.forces for e in labels]),
        "stresses": np.array([e.stress for e in labels], dtype=float),
        **({_REASONS: np.array(reasons, dtype=np.str_)} if any(reasons) else {}),
    }


def _evaluate_ahead(cells: Sequence[DefectCell], calculator: Any) -> None:
    """Ask a calculator of another process for all cells at once; those that are no matter are not for it to see."""
    from md.labels.evaluator import Divergence, check_geometry

    ahead = getattr(calculator, "evaluate_ahead", None)
    if ahead is None:
        return
    structures = []
    for cell in cells:
        with suppress(Divergence):
            check_geometry(cell.positions, cell.cell, cell.volume)
            structures.append((cell.cell, cell.numbers, cell.positions))
    if structures:
        ahead(structures)


def _no_label(atoms: int) -> Evaluation:
    return Evaluation(np.nan, np.full((atoms, 3), np.nan), np.full(6, np.nan))


def _unstacked(arrays: Mapping[str, np.ndarray[Any, Any]], sizes: Sequence[int], where: str) -> list[Evaluation | str]:
    ends = np.cumsum(sizes)
    energies, forces, stresses = arrays["energies"], arrays["forces"], arrays["stresses"]
    if not len(energies) == len(stresses) == len(sizes) or len(forces) != ends[-1]:
        raise DataError(f"{where}: labels that do not fit the cells of the batch; delete the file")
    parts = np.split(forces, ends[:-1])
    reasons = arrays[_REASONS].tolist() if _REASONS in arrays else [""] * len(sizes)
    columns = zip(reasons, energies, parts, stresses, strict=True)
    return [reason or Evaluation(float(e), f, s) for reason, e, f, s in columns]


def _record(cell: DefectCell, found: Evaluation, made_by: Mapping[str, str]) -> Record:
    # Who made an earlier label says nothing of this one.
    unlabelled = {key: value for key, value in cell.provenance.items() if not key.startswith("potential")}
    labelled = replace(cell, provenance={**unlabelled, **made_by})
    kind = str(cell.provenance.get(CONFIG_TYPE, "static"))
    return Record(labelled, found.energy, found.forces, found.stress, kind)


def _evaluate(cell: DefectCell, calculator: Any) -> Evaluation | str:
    """Labels of a cell, or why it has none."""
    from md.labels.evaluator import Divergence, Evaluator

    # Some calculators keep neighbour lists from cell to cell, and sums come out in another order.
    calculator.reset()
    # Labels of hot or squeezed cells are wanted as they are: only what is not a number at all is refused.
    try:
        return Evaluator(cell.numbers, calculator, cell.volume, largest_force=np.inf)(cell.positions, cell.cell)
    except (Divergence, UnconvergedError) as reason:
        return str(reason)
