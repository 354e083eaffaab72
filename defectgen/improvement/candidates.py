"""Cells that a teacher could label, found by a student around defects: what it relaxes to, and moments of hot runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from augment.cell import DefectCell
from augment.defect import Defect
from augment.distort import strained
from defectgen.generation.geometries import generate
from defectgen.ground_states import SearchSettings, search
from defectgen.model.weights import Model
from md.distill.curriculum import with_config_type
from md.distill.explore import hot_frames, relaxed_path
from md.distill.run import calculator_of
from md.potentials import Potential
from md.relaxation.relaxed_host import RelaxedHost, pristine

__all__ = ["NetworkPotential", "candidate_cells", "frozen_cells"]

_FRAMES = 4
"""Moments of the hot run of each defect."""

_FROZEN_FRAMES = 2
"""The same of each held-out defect."""

_SWELLING = (0.97, 1.04)
"""Volumes of hot cells over that of the host at rest."""


@dataclass(frozen=True)
class NetworkPotential(Potential):
    """A student in memory, for use in this process.

    Attributes:
        network: `ScaleShiftMACE`, float64.
    """

    network: Any = field(default=None, repr=False, compare=False)

    def load(self) -> Any:
        """Its calculator."""
        return calculator_of(self.network)


def candidate_cells(
    defects: Sequence[Defect],
    potential: NetworkPotential,
    reference: RelaxedHost,
    model: Model,
    temperature: float,
    evaluations: int,
    seed: Sequence[int],
) -> list[DefectCell]:
    """Cells around defects, and of the pristine crystal, as a student sees them.

    Args:
        defects: of the run.
        potential: the student.
        reference: the host at rest.
        model: that proposes geometries.
        temperature: highest, K.
        evaluations: of a search of each defect, whose minima are starts too; 0 for none.
        seed: of everything random.
    """
    rng, calculator = np.random.default_rng([*seed, 21]), potential.calculator()
    found: list[DefectCell] = []
    for defect in defects:
        placed = reference.on(defect)
        starts = generate(
            [placed], n=1, subgroup="1", model=model, forces=potential, keep_cell=True, seed=int(rng.integers(2**31))
        )
        if evaluations:
            how = SearchSettings(evaluations=evaluations, seed=int(rng.integers(2**31)))
            starts += [m.record.cell for m in search(defect, potential, on=reference, settings=how, model=model).minima]
        for start in starts:
            path = relaxed_path(start, calculator)
            found += [with_config_type(cell, "defect_relaxation") for cell in path]
            found += _hot(path[-1] if path else start, calculator, temperature, _FRAMES, rng)
    bulk = reference.place(pristine(defects[0].supercell))
    return found + _hot(bulk, calculator, temperature, _FRAMES, rng, "bulk_dynamics")


def frozen_cells(
    defects: Sequence[Defect], potential: Potential, reference: RelaxedHost, temperature: float, seed: Sequence[int]
) -> list[DefectCell]:
    """Cells that errors are measured on, the same in every cycle: ends and hot moments of held-out defects."""
    rng, calculator = np.random.default_rng([*seed, 22]), potential.calculator()
    found: list[DefectCell] = []
    for defect in defects:
        path = relaxed_path(reference.place(defect), calculator)
        found += [with_config_type(cell, "defect_relaxation") for cell in path[-1:]]
        end = path[-1] if path else reference.place(defect)
        found += _hot(end, calculator, temperature, _FROZEN_FRAMES, rng)
    return found


def _hot(
    cell: DefectCell, calculator: Any, temperature: float, frames: int, rng: np.random.Generator,
    kind: str = "defect_dynamics",
) -> list[DefectCell]:  # fmt: skip
    """Moments of a run at a random volume and temperature."""
    swollen = strained(cell, (rng.uniform(*_SWELLING) ** (1 / 3) - 1) * np.eye(3))
    heat = temperature * rng.uniform(0.3, 1.0)
    return [with_config_type(frame, kind) for frame in hot_frames(swollen, calculator, heat, frames, rng)]
