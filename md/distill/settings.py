"""What is asked of a distillation, and how its minutes are shared out."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from augment.errors import SettingsError
from md.conditions.environment import Environment

__all__ = ["DistilSettings", "Plan"]

MIN_TRAINING_STEPS = 40
"""Of training; below it nothing is learnt."""

_MIN_CUTOFF, _MAX_CUTOFF = 3.0, 8.0
"""Cutoffs, Å: below, atoms have no second neighbours; above, a step costs ten times as much as at the default."""

ROUNDS = 2
"""Times that two students look for cells on which they disagree."""


DISTIL_ATOMS = 72
"""Atoms of the largest cells that are labelled, where nothing is said."""


@dataclass(frozen=True)
class DistilSettings:
    """What a student must be good at, and what may be spent on it.

    Attributes:
        dopants: element symbols to put into every host, besides the elements of the others.
        max_temperature: K; the response is learnt from 0 to here.
        max_pressure: GPa; from 0 to here.
        channels: features of an atom in the student.
        minutes: wall time on two cores; a guide, from the speeds measured at the start.
        seed: of everything random.
        effort: share of the full set of cells; from the minutes and the teacher's speed if None.
        steps: steps of training in all; from the minutes if None.
        max_atoms: atoms of the largest cells that the teacher labels.
        cutoff: of one of the student's two layers, Å. In ionic crystals a defect is felt further than twice 4.5 Å.

    Raises:
        SettingsError: a value is not possible.
        ConditionError: a temperature or a pressure is not possible.
    """

    dopants: tuple[str, ...] = ()
    max_temperature: float = 1500.0
    max_pressure: float = 20.0
    channels: int = 16
    minutes: float = 20.0
    seed: int = 0
    effort: float | None = None
    steps: int | None = None
    max_atoms: int = DISTIL_ATOMS
    cutoff: float = 4.5

    def __post_init__(self) -> None:
        Environment(self.max_temperature, self.max_pressure)
        if self.max_pressure < 0:
            raise SettingsError(f"a highest pressure of {self.max_pressure} GPa; it must not be negative")
        if not (self.minutes > 0 and math.isfinite(self.minutes)):
            raise SettingsError(f"{self.minutes} minutes; give a positive number")
        if self.channels < 1 or self.seed < 0:
            raise SettingsError(f"{self.channels} channels and seed {self.seed}; at least 1 and 0")
        if not _MIN_CUTOFF <= self.cutoff <= _MAX_CUTOFF:
            raise SettingsError(f"a cutoff of {self.cutoff} Å; give one from {_MIN_CUTOFF:g} to {_MAX_CUTOFF:g}")
        if self.effort is not None and not 0 < self.effort <= 10:  # noqa: PLR2004  ten times the usual is a mistake
            raise SettingsError(f"an effort of {self.effort}; give a share of the full set of cells above 0, such as 1")
        if self.steps is not None and self.steps < MIN_TRAINING_STEPS:
            raise SettingsError(f"{self.steps} steps of training are too few; give at least {MIN_TRAINING_STEPS}")

    def identity(self, hosts: Sequence[str], teacher: dict[str, str]) -> str:
        """Hash of all that decides the student: settings, hashes of the hosts, the teacher."""
        text = json.dumps([asdict(self), *hosts, teacher], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Plan:
    """How much is done, from the minutes and the measured speeds; kept, so that a resumed run does the same.

    Attributes:
        effort: share of the full set of cells.
        steps: of training in all.
    """

    effort: float
    steps: int

    @property
    def round_steps(self) -> int:
        """Steps of each of the two students in each round of exploration."""
        return max(1, self.steps // (6 * ROUNDS))

    @property
    def last_steps(self) -> int:
        """Steps of the last training."""
        return max(1, self.steps - 2 * ROUNDS * self.round_steps)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)
