"""Cells made and labelled once: what a distillation or a refinement keeps in its folder, and goes on from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from augment.cell import DefectCell
from augment.errors import DataError
from augment.storage.archive import read_cells, write_cells
from md.campaigns.labelling import LABEL_BATCH_ATOMS, label_each
from md.jobs.sweep import OpenStage
from md.labels.record import Record, read_records, write_records
from md.potentials import Potential

__all__ = ["CellLabeller"]

MAX_MISSING = 0.2
"""Of the cells: where more have no label something is wrong with all of them."""


@dataclass(frozen=True)
class CellLabeller:
    """Has cells labelled in a folder.

    Attributes:
        teacher: who labels.
        folder: where cells, labels and batches are kept.
        workers: processes.
        stage: opens the progress.
        batch_atoms: of the cells of a batch, which a kill can cost.
    """

    teacher: Potential
    folder: Path
    workers: int
    stage: OpenStage
    batch_atoms: int = LABEL_BATCH_ATOMS

    def labelled(self, name: str, make: Callable[[], list[DefectCell]]) -> list[Record]:
        """Records of the cells that `make` gives; a cell that the teacher cannot label is left out, and counted.

        Raises:
            DataError: more than a fifth of the cells have no label.
            PotentialError: the teacher fails.
        """
        done, path = self.folder / f"{name}_labels.npz", self.folder / f"{name}.npz"
        if done.exists():
            return read_records(done)
        if not path.exists():
            write_cells(path, make())
        cells = read_cells(path)
        with self.stage(f"labels by {self.teacher.name} ({len(cells)} cells)", "batches") as report:
            found = label_each(
                cells, self.teacher, self.folder / "labels",
                workers=self.workers, batch_atoms=self.batch_atoms, progress=report,
            )  # fmt: skip
            missing = [f"{c.name}: {one}" for c, one in zip(cells, found, strict=True) if isinstance(one, str)]
            if missing:
                report(1, 1, f"left out, as they have no label: {len(missing)} of {len(cells)} cells ({missing[0]})")
        if len(missing) > MAX_MISSING * len(cells):
            raise DataError(
                f"{self.teacher.name} has no label for {len(missing)} of {len(cells)} cells; the first is {missing[0]}"
            )
        records = [one for one in found if isinstance(one, Record)]
        write_records(done, records)
        return records
