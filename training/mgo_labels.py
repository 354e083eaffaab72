"""The teacher's labels: made item by item in parallel, kept in one compressed extended-XYZ file, split for MACE."""

from __future__ import annotations

import gzip
import io
import multiprocessing
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
from mgo_cells import Item, label_item, plan

from augment.store import write_atomically
from md.potentials import Potential, resolve_potential
from md.record import Record, read_records

LABELS = Path(__file__).resolve().parent / "mgo_labels.extxyz.gz"

Splits = Mapping[str, Sequence[Any]]
"""ASE Atoms with REF_energy, REF_forces and REF_stress, by split."""


def make_labels(path: Path, folder: Path, *, workers: int, quick: bool) -> None:
    """Label every item of the plan that `folder` lacks, then write all of them to `path` (extended XYZ, gzip)."""
    teacher = resolve_potential("chgnet")
    items = plan(quick=quick)
    started = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:
        jobs = {pool.submit(label_item, item, folder, teacher): item for item in items}
        for done, job in enumerate(as_completed(jobs), start=1):
            seconds = time.perf_counter() - started
            print(f"{done}/{len(items)} {jobs[job].name}: {job.result()} cells, {seconds:.0f} s", flush=True)
    write_atomically(path, _compressed(items, folder, teacher))


def read_labels(path: Path) -> Splits:
    """All labelled cells by split (`train`, `valid`, `test`, `unseen`)."""
    from ase.io import read

    with gzip.open(path, "rt", encoding="utf-8") as stream:
        frames = read(stream, index=":", format="extxyz")
    splits: dict[str, list[Any]] = defaultdict(list)
    for frame in frames:
        splits[frame.info["split"]].append(frame)
    return splits


def write_splits(splits: Splits, folder: Path) -> None:
    """Write `train.extxyz` and `valid.extxyz` into `folder` for MACE's trainer."""
    from ase.io import write

    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "valid"):
        write(folder / f"{split}.extxyz", list(splits[split]), format="extxyz")


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _compressed(items: Sequence[Item], folder: Path, teacher: Potential) -> bytes:
    from ase.io import write

    frames = [_frame(record, item, teacher) for item in items for record in read_records(folder / f"{item.name}.npz")]
    text = io.StringIO()
    write(text, frames, format="extxyz")
    return gzip.compress(text.getvalue().encode(), mtime=0)


def _frame(record: Record, item: Item, teacher: Potential) -> Any:
    """ASE Atoms with the keys that MACE reads, and who made the labels."""
    atoms = record.cell.to_ase()
    atoms.wrap()
    atoms.info = {
        "REF_energy": record.energy,
        "REF_stress": np.array(record.stress),
        "config_type": record.config_type,
        "split": item.split,
        "item": item.name,
        "potential": teacher.name,
        "potential_sha256": teacher.sha256[:16],
    }
    atoms.arrays["REF_forces"] = record.forces
    return atoms
