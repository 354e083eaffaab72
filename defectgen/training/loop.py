"""How the parts of the generative model are trained: AdamW with a cosine schedule on pairs that are drawn anew.

Every pair of a step is drawn from a generator seeded by (seed, step, place in the batch). Under torchrun each process
draws its places of the batch and gradients are averaged over the processes. The loop itself is `md.training.loop`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from augment.errors import SettingsError
from md.training.loop import Course, Network, Trainer
from md.training.processes import Processes

Draw = TypeVar("Draw")

_AVERAGE_WARMUP = 9.0
"""Steps; a short run would otherwise keep its initial weights in the average."""


class Objective(Protocol[Network, Draw]):
    """What is learnt: a network, training pairs, and their loss."""

    @property
    def identity(self) -> dict[str, Any]:
        """JSON values that decide the result besides the data."""

    @property
    def held_out(self) -> Sequence[Draw]:
        """Pairs that are not learnt from, whose loss decides when it is best; none where the end is taken."""

    def fresh(self, seed: int) -> Network:
        """An untrained network, the same for the same seed."""

    def draw(self, rng: np.random.Generator) -> Draw:
        """One training pair."""

    def loss(self, network: Network, draws: Sequence[Draw]) -> Tensor:
        """Mean loss of some training pairs, on the device of the network."""


@dataclass(frozen=True)
class TrainSettings:
    """How a network is trained.

    Attributes:
        steps: optimiser steps.
        batch: training pairs a step, of all processes together.
        rate: peak learning rate.
        warmup: steps of linear warm-up; a cosine to zero follows.
        decay: weight decay.
        averaging: decay of the exponential moving average of the weights, which is what is kept.
        clip: largest norm of the gradient.
        seed: decides initial weights, batches and noise.
        checkpoint: steps between checkpoints at which what is held out is judged.
    """

    steps: int = 2600
    batch: int = 8
    rate: float = 6e-4
    warmup: int = 100
    decay: float = 1e-2
    averaging: float = 0.998
    clip: float = 1.0
    seed: int = 0
    checkpoint: int = 200

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.checkpoint) < 1 or not 0.0 <= self.averaging < 1.0:
            raise SettingsError(f"training settings out of range: {asdict(self)}")

    @property
    def course(self) -> Course:
        """What the loop needs of it."""
        return Course(self.steps, self.clip, self.averaging, _AVERAGE_WARMUP, self.checkpoint)


class Training(Trainer[Network, list[Draw]], Generic[Network, Draw]):
    """A run of training on drawn pairs.

    Args:
        task: what is learnt.
        settings: how it is trained.
        folder: where the checkpoint is kept; nothing is kept without it.
        processes: that train together.
        compiled: let torch compile the network; the last bits of a result depend on it.
        judge: error of a network on what is held out, the same in every process; by default the mean loss of the
            held-out pairs of the task.

    Raises:
        SettingsError: the processes cannot share a batch.
        ResumeError: the checkpoint is of another training, or damaged.
    """

    def __init__(
        self,
        task: Objective[Network, Draw],
        settings: TrainSettings | None = None,
        folder: Path | None = None,
        processes: Processes | None = None,
        *,
        compiled: bool = False,
        judge: Callable[[Network], float] | None = None,
    ) -> None:
        self.task, self.settings = task, settings or TrainSettings()
        count = 1 if processes is None else processes.count
        if self.settings.batch % count:
            raise SettingsError(f"a batch of {self.settings.batch} is not divided by {count} processes")
        checkpoint = None if folder is None else folder / "checkpoint.pt"
        super().__init__(
            _Pairs(task, self.settings, judge), self.settings.course, checkpoint, processes, compiled=compiled
        )


@dataclass(frozen=True, eq=False)
class _Pairs(Generic[Network, Draw]):
    """A task on drawn pairs as the loop sees it."""

    task: Objective[Network, Draw]
    settings: TrainSettings
    judged_by: Callable[[Network], float] | None = None

    def identity(self, processes: Processes) -> dict[str, Any]:
        return {"task": self.task.identity, "settings": asdict(self.settings), "processes": processes.count}

    def network(self) -> Network:
        return self.task.fresh(self.settings.seed)

    def optimiser(self, network: Network) -> torch.optim.Optimizer:
        return torch.optim.AdamW(network.parameters(), lr=self.settings.rate, weight_decay=self.settings.decay)

    def rate(self, step: int) -> float:
        return self.settings.rate * learning_rate_factor(step, self.settings)

    def batch(self, step: int, processes: Processes) -> list[Draw]:
        """The training pairs of a step in this process; they depend on the seed and the step only."""
        places = range(processes.rank, self.settings.batch, processes.count)
        return [self.task.draw(np.random.default_rng([self.settings.seed, step, k])) for k in places]

    def loss(self, network: Network, batch: list[Draw], _step: int) -> Tensor:
        return self.task.loss(network, batch)

    def judge(self, network: Network) -> float | None:
        if self.judged_by is not None:
            return self.judged_by(network)
        pairs, size = self.task.held_out, self.settings.batch
        if not pairs:
            return None
        with torch.no_grad():
            parts = [pairs[k : k + size] for k in range(0, len(pairs), size)]
            return sum(len(part) * float(self.task.loss(network, part)) for part in parts) / len(pairs)


def learning_rate_factor(step: int, settings: TrainSettings) -> float:
    """Linear warm-up, then a cosine that ends at zero."""
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return 0.5 * (1.0 + float(np.cos(np.pi * done)))
