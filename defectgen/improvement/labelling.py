"""Labels of chosen cells by density functional theory: inputs are written, and what finished is taken in.

The user runs the inputs and brings the results into the run with `defectgen label`; the same command then goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from augment.cell import DefectCell
from augment.errors import DataError
from augment.storage.archive import read_cells, write_cells
from defectgen.calculations.folder import write_inputs
from defectgen.calculations.jobs import CalculationJob, structure_hash
from defectgen.calculations.settings import CalculationSettings
from defectgen.run.folder import RunFolder
from md.labels.calculated import CALCULATED_RECORDS, CalculatedRecord, read_calculated
from md.labels.record import Record

__all__ = ["CalculationLabeller", "LabelSource"]

MAX_UNFINISHED = 0.2
"""Share of the calculations that may fail: the others are learnt from."""


class LabelSource(Protocol):
    """Has cells labelled, once."""

    def labelled(self, name: str, make: Callable[[], list[DefectCell]]) -> list[Record]:
        """Records of the cells that `make` gives, which are kept under a name."""


@dataclass(frozen=True)
class CalculationLabeller:
    """Labels by calculations of a run.

    Attributes:
        run: where `defectgen label` keeps what finished.
        folder: of the improvement; inputs go to `inputs/NAME` in it.
        formula: of the host.
        settings: of the calculations, single points.
    """

    run: RunFolder
    folder: Path
    formula: str
    settings: CalculationSettings

    def labelled(self, name: str, make: Callable[[], list[DefectCell]]) -> list[Record]:
        """Records of the cells that `make` gives.

        Raises:
            DataError: calculations are still to be run; their inputs have been written.
        """
        path, inputs = self.folder / f"{name}.npz", self.folder / "inputs" / name
        if not path.exists():
            write_cells(path, make())
        cells = read_cells(path)
        jobs = [CalculationJob(f"{k:03d}_{cell.name}", cell, "improvement") for k, cell in enumerate(cells)]
        write_inputs(inputs, jobs, self.settings, {"formula": self.formula, "run": str(self.run.path)})
        done = self._finished()
        found = [record for cell in cells if (record := _as_record(cell, done.get(structure_hash(cell)))) is not None]
        if len(found) < (1 - MAX_UNFINISHED) * len(cells):
            raise DataError(
                f"{len(cells) - len(found)} of {len(cells)} calculations are to be run: {inputs} has their inputs; "
                f"`defectgen label {self.run.path} --from {inputs}` takes the results in, then run this again"
            )
        return found

    def _finished(self) -> dict[str, CalculatedRecord]:
        path = self.run.file(*CALCULATED_RECORDS.parts)
        records = read_calculated(path) if path.is_file() else []
        return {str(r.cell.provenance["dft"]["inputs_sha256"]): r for r in records}


def _as_record(cell: DefectCell, found: CalculatedRecord | None) -> Record | None:
    """A record to learn from; None where forces or stress are missing."""
    if found is None or found.forces is None or found.stress is None:
        return None
    said = {**found.cell.provenance, **cell.provenance, "potential": found.cell.provenance["potential"]}
    labelled = found.cell.with_geometry(found.cell.positions, found.cell.cell, **said)
    return Record(labelled, found.energy, found.forces, found.stress, str(cell.provenance.get("config_type", "dft")))
