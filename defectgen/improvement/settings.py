"""What is asked of an improvement."""

from __future__ import annotations

from dataclasses import dataclass

from augment.errors import SettingsError
from md.conditions.environment import check_temperature
from md.distill.settings import MIN_TRAINING_STEPS

__all__ = ["ImproveSettings"]

MIN_CYCLE_LABELS = 8
"""Half of them are chosen before there is a committee, which learns from those."""


@dataclass(frozen=True)
class ImproveSettings:
    """How a student is improved.

    Attributes:
        cycles: at most.
        labels: cells that the teacher labels in a cycle.
        steps: of training at the end of a cycle; each student of the committee has a sixth.
        temperature: highest of the dynamics that cells are taken from, K.
        evaluations: of the search of each defect in a cycle; 0 for proposals of the model alone.
        max_defects: that a cycle looks at, others in the next.
        held_out: share of the defects on which errors are measured, by cells that stay the same.
        chosen_on: share of the defects that decides when to stop, likewise.
        min_gain: the force error on those has to fall by this share in a cycle, or it is the last.
        seed: of everything random.

    Raises:
        SettingsError: a value is not possible.
        ConditionError: the temperature is not possible.
    """

    cycles: int = 3
    labels: int = 40
    steps: int = 2000
    temperature: float = 1000.0
    evaluations: int = 0
    max_defects: int = 20
    held_out: float = 0.2
    chosen_on: float = 0.2
    min_gain: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        if self.labels < MIN_CYCLE_LABELS or self.cycles < 1 or self.max_defects < 1:
            raise SettingsError(
                f"{self.cycles} cycles of {self.labels} labels on {self.max_defects} defects; give at least one cycle, "
                f"one defect and {MIN_CYCLE_LABELS} labels"
            )
        if self.steps < MIN_TRAINING_STEPS:
            raise SettingsError(f"{self.steps} steps of training are too few; give at least {MIN_TRAINING_STEPS}")
        if not (0 < self.held_out < 1 and 0 < self.chosen_on < 1 and self.held_out + self.chosen_on < 1):
            raise SettingsError(
                f"shares of {self.held_out:g} and {self.chosen_on:g} held out leave nothing to learn from"
            )
        if not 0 <= self.min_gain < 1 or self.seed < 0 or self.evaluations < 0:
            raise SettingsError("the least gain is a share from 0 to 1; seed and evaluations cannot be negative")
