"""What is asked of a training on runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from augment.errors import SettingsError
from defectgen.training.loop import TrainSettings

__all__ = ["FRESH", "FineTuneSettings"]

FRESH = "none"
"""In the place of a model to start from: a new network."""

_SUBGROUP_STEPS = 0.15
"""Of the steps: the network of subgroups is small, and has one answer a defect."""


@dataclass(frozen=True)
class FineTuneSettings:
    """How a model is trained on runs.

    Attributes:
        start: model to start from, by name, folder or file; `none` for a new network.
        steps: of training.
        batch: geometries a step, of all processes together.
        rate: peak learning rate.
        held_out: share of the defects that is held out and only measured on.
        chosen_on: share of the defects that decides which of the weights on the way are kept.
        check: steps between two looks at those.
        seed: of everything random.

    Raises:
        SettingsError: a value is not possible.
    """

    start: str = "default"
    steps: int = 600
    batch: int = 4
    rate: float = 1e-3
    held_out: float = 0.2
    chosen_on: float = 0.1
    check: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if not (0 < self.held_out < 1 and 0 < self.chosen_on < 1 and self.held_out + self.chosen_on < 1):
            raise SettingsError(
                f"shares of {self.held_out:g} held out and {self.chosen_on:g} to choose on; both must be above 0, and "
                "something must be left to learn from"
            )
        if self.seed < 0 or not self.rate > 0:
            raise SettingsError(
                f"seed {self.seed} and rate {self.rate:g}; the first cannot be negative, nor the second 0"
            )
        self.course(self.steps)

    def course(self, steps: int) -> TrainSettings:
        """The course of a training of so many steps."""
        return TrainSettings(
            steps=steps,
            batch=self.batch,
            rate=self.rate,
            warmup=min(50, steps // 4),
            averaging=0.99,
            seed=self.seed,
            checkpoint=max(1, min(self.check, steps // 4)),
        )

    @property
    def subgroup_steps(self) -> int:
        """Of the network of which symmetry survives."""
        return max(1, round(_SUBGROUP_STEPS * self.steps))

    def identity(self) -> dict[str, Any]:
        """JSON values that decide the result."""
        return asdict(self)
