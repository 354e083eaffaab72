"""What is asked of a refinement."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from augment.errors import SettingsError
from md.conditions.environment import Environment
from md.distill.settings import MIN_TRAINING_STEPS

__all__ = ["REFINE_ATOMS", "REFINE_STEPS", "RefineSettings"]

MIN_LABELS = 12
"""Below it there is nothing to hold out and little to learn."""

SMALLEST_CELL, LARGEST_CELL = 4, 64
"""Atoms of the largest cells that are labelled: below, there is no phonon but at the zone's edges; above, a label of
plane waves takes an hour."""


MIN_DEFECT_ATOMS = 16
"""Of MgO, vacancies learnt from cells of 8 atoms, which hold more of their images than of themselves, made a Schottky
pair 5 eV too expensive."""

REFINE_ATOMS, REFINE_STEPS = 16, 4000
"""Atoms of the largest cells that are labelled, and steps of training, where nothing is said."""


@dataclass(frozen=True)
class RefineSettings:
    """How many labels a student is refined on, of which cells, and how much of what it knew it has to keep.

    Attributes:
        labels: cells that the new teacher labels, over all hosts, besides the curves of energy over volume.
        max_atoms: of the cells that are labelled.
        defects: label cells with point defects as well, where they have `MIN_DEFECT_ATOMS`.
        max_temperature: K; of the cells.
        max_pressure: GPa; of the cells.
        steps: of training.
        replay: weight of the cells that the student labels itself, against those of the new teacher.
        seed: of everything random.

    Raises:
        SettingsError: a value is not possible.
        ConditionError: a temperature or a pressure is not possible.
    """

    labels: int = 200
    max_atoms: int = REFINE_ATOMS
    defects: bool = True
    max_temperature: float = 1500.0
    max_pressure: float = 20.0
    steps: int = REFINE_STEPS
    replay: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        Environment(self.max_temperature, self.max_pressure)
        if self.labels < MIN_LABELS:
            raise SettingsError(f"{self.labels} labels are too few to refine on; give at least {MIN_LABELS}")
        if not SMALLEST_CELL <= self.max_atoms <= LARGEST_CELL:
            raise SettingsError(
                f"labels of cells of {self.max_atoms} atoms; give from {SMALLEST_CELL} to {LARGEST_CELL} atoms"
            )
        if self.steps < MIN_TRAINING_STEPS:
            raise SettingsError(f"{self.steps} steps of training are too few; give at least {MIN_TRAINING_STEPS}")
        if not 0 <= self.replay <= 1:
            raise SettingsError(f"a weight of {self.replay} for what the student knew; give one from 0 to 1")
        if self.max_pressure < 0 or self.seed < 0:
            raise SettingsError(f"a pressure of {self.max_pressure} GPa and seed {self.seed}; neither can be negative")

    @property
    def with_defects(self) -> bool:
        """Whether cells with defects are labelled."""
        return self.defects and self.max_atoms >= MIN_DEFECT_ATOMS

    def identity(self, hosts: Sequence[str], student: str, teacher: dict[str, str]) -> str:
        """Hash of all that decides the outcome: settings, hashes of the hosts and of the student, the teacher."""
        text = json.dumps([asdict(self), *hosts, student, teacher], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]
