"""Configurations of a solid solution in equilibrium under a potential: relaxed with their cells, at a pressure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from ase import units

from augment.cell import DefectCell, FloatArray
from augment.defect import Defect
from augment.errors import ConditionError
from augment.ordering import EquilibratedEnsemble, EquilibrateSettings, EquilibrateStage, equilibrate
from augment.solutions.solution import SolidSolution
from md.campaigns.relax_and_md import relax_all
from md.labels.record import Record
from md.potentials import Potential
from md.relaxation.relax import Relaxation, RelaxSettings
from md.relaxation.relaxed_host import layer_of

CONFIGURATION_FMAX = 0.05
"""eV/Å; the energies of configurations are compared to some meV per atom."""

MAX_CONFIGURATION_STEPS = 150


@dataclass(frozen=True, eq=False)
class EquilibratedCells:
    """An ensemble in equilibrium, and the relaxed geometries of its members.

    Attributes:
        ensemble: what was drawn, and how.
        records: of its members, in their order, with energy, forces and stress.
        unfinished: relaxations that ran out of steps, of all that were made.
    """

    ensemble: EquilibratedEnsemble
    records: tuple[Record, ...]
    unfinished: int

    @property
    def cells(self) -> list[DefectCell]:
        """The relaxed geometries."""
        return [record.cell for record in self.records]


def equilibrated_cells(
    solution: SolidSolution,
    potential: Potential,
    settings: EquilibrateSettings,
    *,
    pressure: float = 0.0,
    folder: str | Path | None = None,
    workers: int = 1,
    progress: EquilibrateStage | None = None,
) -> EquilibratedCells:
    """Configurations of a solid solution as they occur at a temperature and a pressure, its composition kept.

    The enthalpy of a configuration is that of its atoms and cell at rest: vibrations are left out.

    Args:
        solution: the numbers of edits and the supercell.
        potential: what they are relaxed with.
        settings: temperature, how many, and what it may cost.
        pressure: GPa; not of a layer.
        folder: keeps each relaxation in a file; what is there already is not done again. None keeps nothing.
        workers: processes; results do not depend on their number.
        progress: called with what is done, how much of it and of how much.

    Raises:
        ConditionError: a layer is put under pressure.
        DataError: too few configurations have an enthalpy.
        DefectError: the solution cannot be sampled by exchanges, or no configuration is possible.
        PotentialError: an element is not covered, or the potential fails.
    """
    host = solution.supercell.host
    if host.has_vacuum and pressure:
        raise ConditionError(f"{host.formula}: {pressure:g} GPa would close the vacuum of the layer; leave it out")
    how = RelaxSettings(
        CONFIGURATION_FMAX, MAX_CONFIGURATION_STEPS, relax_cell=True, pressure=pressure, layer=layer_of(host)
    )
    with nullcontext(str(folder)) if folder is not None else TemporaryDirectory() as path:
        relaxer = _Relaxer(potential, how, Path(path), workers, progress)
        ensemble = equilibrate(solution, relaxer, settings, stage=progress)
    records = tuple(relaxer.records[member.defect.key] for member in ensemble.members)
    return EquilibratedCells(ensemble, records, relaxer.unfinished)


@dataclass(eq=False)
class _Relaxer:
    """Relaxes configurations, and keeps their ends by key; none of one that diverged."""

    potential: Potential
    settings: RelaxSettings
    folder: Path
    workers: int
    stage: EquilibrateStage | None
    records: dict[str, Record] = field(default_factory=dict)
    unfinished: int = 0

    def __call__(self, defects: Sequence[Defect]) -> FloatArray:
        """(n,) E + P V of each, eV per supercell; NaN of one that diverged."""

        def report(done: float, total: int, _label: str) -> None:
            if self.stage is not None:
                self.stage("relaxations", int(done), total)

        cells = [defect.cell() for defect in defects]
        done = relax_all(
            cells, self.potential, self.folder, self.settings, workers=self.workers, progress=report, ends_only=True
        )
        return np.array([self._kept(defect, outcome) for defect, outcome in zip(defects, done, strict=True)])

    def _kept(self, defect: Defect, outcome: Relaxation) -> float:
        record = outcome.record
        if record is None or outcome.status == "diverged":
            return float("nan")
        self.unfinished += outcome.status == "not_converged"
        self.records[defect.key] = record
        volume = abs(float(np.linalg.det(record.cell.cell)))
        return float(record.energy) + self.settings.pressure * float(units.GPa) * volume
