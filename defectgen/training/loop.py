"""The training loop that every model shares: AdamW with a cosine schedule, averaged weights, and exact resume.

Where a task has pairs held out, the averaged weights of the checkpoint at which their loss was least are kept.

Every pair of a step is drawn from a generator seeded by (seed, step, place in the batch), so the state of a run is its
weights, its optimiser and a step number: a run that was stopped and one that was not end with the same bits. Under
torchrun each process draws its places of the batch and gradients are averaged over the processes.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from augment.errors import ResumeError, SettingsError
from augment.storage.archive import write_atomically

Progress = Callable[[int, float], None]
"""Called after each step with its number and its loss."""

Network = TypeVar("Network", bound=nn.Module)
Draw = TypeVar("Draw")


class Task(Protocol[Network, Draw]):
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
        checkpoint: steps between checkpoints.
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


@dataclass(frozen=True)
class Processes:
    """The processes that train together; one by default.

    Attributes:
        rank: of this process.
        count: of all.
        device: of its tensors.
    """

    rank: int = 0
    count: int = 1
    device: str = "cpu"

    @classmethod
    def of_environment(cls, device: str | None = None) -> Processes:
        """The processes that torchrun started, joined; or this one alone.

        Args:
            device: `cpu` or `cuda`; by default a GPU if there is one.
        """
        kind = device or ("cuda" if torch.cuda.is_available() else "cpu")
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if kind == "cuda":
            # Sums in another order would make a resumed run end with other bits.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(mode=True)
        if count == 1:
            return cls(device=kind)
        torch.distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if kind == "cuda":
            torch.cuda.set_device(local)
        return cls(torch.distributed.get_rank(), count, f"cuda:{local}" if kind == "cuda" else "cpu")

    def mean(self, values: Sequence[Tensor]) -> None:
        """Replace tensors by their means over the processes."""
        if self.count == 1 or not values:
            return
        flat = torch.cat([value.reshape(-1) for value in values])
        torch.distributed.all_reduce(flat)
        flat /= self.count
        for value, mean in zip(values, torch.split(flat, [value.numel() for value in values]), strict=True):
            value.copy_(mean.view_as(value))


@dataclass(eq=False)
class Training(Generic[Network, Draw]):
    """A run of training, which can be stopped after any checkpoint and goes on to the same bits.

    Attributes:
        task: what is learnt.
        settings: how it is trained.
        folder: where the checkpoint is kept; nothing is kept without it.
        processes: that train together.
        compiled: let torch compile the network; the last bits of a result depend on it.
    """

    task: Task[Network, Draw]
    settings: TrainSettings = field(default_factory=TrainSettings)
    folder: Path | None = None
    processes: Processes = field(default_factory=Processes)
    compiled: bool = False

    def __post_init__(self) -> None:
        if self.settings.batch % self.processes.count:
            raise SettingsError(f"a batch of {self.settings.batch} is not divided by {self.processes.count} processes")
        self.network: Network = self.task.fresh(self.settings.seed).to(self.processes.device)
        self.called: Any = torch.compile(self.network, dynamic=True) if self.compiled else self.network
        self.average = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=self.settings.rate, weight_decay=self.settings.decay
        )
        self.step = 0
        self.losses: list[float] = []
        self.held_out: list[tuple[int, float]] = []
        self.best: dict[str, Tensor] | None = None
        self._resume()

    @property
    def checkpoint(self) -> Path | None:
        """File of the checkpoint."""
        return None if self.folder is None else self.folder / "checkpoint.pt"

    def run(self, *, until: int | None = None, progress: Progress | None = None) -> Network:
        """Train to the end, or to step `until`, and return a network with the averaged weights."""
        end = self.settings.steps if until is None else min(until, self.settings.steps)
        while self.step < end:
            self.losses.append(self._advance())
            if progress is not None and self.processes.rank == 0:
                progress(self.step, self.losses[-1])
            if self.step % self.settings.checkpoint == 0 or self.step == end:
                self._judge()
                self._save()
        return self.averaged()

    def averaged(self) -> Network:
        """A copy of the network with the averaged weights, the best on held-out pairs if there are any, on the CPU."""
        return self._copy(self.average if self.best is None else self.best)

    def _copy(self, weights: Mapping[str, Tensor]) -> Network:
        network = self.task.fresh(self.settings.seed)
        network.load_state_dict({name: value.cpu() for name, value in weights.items()})
        return network.eval()

    def _judge(self) -> None:
        """Keep the averaged weights if the held-out pairs were never told better."""
        pairs, step = self.task.held_out, self.settings.batch
        if not pairs or self.step % self.settings.checkpoint:
            return
        network = self._copy(self.average)
        with torch.no_grad():
            parts = [pairs[k : k + step] for k in range(0, len(pairs), step)]
            loss = sum(len(part) * float(self.task.loss(network, part)) for part in parts) / len(pairs)
        if self.best is None or loss < min(before for _, before in self.held_out):
            self.best = {name: value.clone() for name, value in self.average.items()}
        self.held_out.append((self.step, loss))

    def batch(self, step: int) -> list[Draw]:
        """The training pairs of a step in this process; they depend on the seed and the step only."""
        places = range(self.processes.rank, self.settings.batch, self.processes.count)
        return [self.task.draw(np.random.default_rng([self.settings.seed, step, k])) for k in places]

    def _advance(self) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate * learning_rate_factor(self.step, self.settings)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.task.loss(self.called, self.batch(self.step))
        loss.backward()  # type: ignore[no-untyped-call]
        mean = loss.detach().clone()
        self.processes.mean([p.grad for p in self.network.parameters() if p.grad is not None])
        self.processes.mean([mean])
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        self.optimiser.step()
        self.step += 1
        # A short run would otherwise keep its initial weights in the average.
        decay = min(self.settings.averaging, self.step / (self.step + 9.0))
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1.0 - decay)
        return float(mean)

    def _identity(self) -> dict[str, Any]:
        return {"task": self.task.identity, "settings": asdict(self.settings), "processes": self.processes.count}

    def _save(self) -> None:
        if self.checkpoint is None or self.processes.rank > 0:
            return
        state = {
            "identity": self._identity(),
            "step": self.step,
            "losses": self.losses,
            "network": self.network.state_dict(),
            "average": self.average,
            "held_out": self.held_out,
            "best": self.best,
            "optimiser": self.optimiser.state_dict(),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomically(self.checkpoint, buffer.getvalue())

    def _resume(self) -> None:
        if self.checkpoint is None or not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=True, map_location=self.processes.device)
        if state["identity"] != self._identity():
            raise ResumeError(f"{self.checkpoint} belongs to a run with other settings; give another folder")
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average, self.step, self.losses = state["average"], state["step"], state["losses"]
        self.best, self.held_out = state["best"], [(int(step), float(loss)) for step, loss in state["held_out"]]


def learning_rate_factor(step: int, settings: TrainSettings) -> float:
    """Linear warm-up, then a cosine that ends at zero."""
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return 0.5 * (1.0 + float(np.cos(np.pi * done)))


def device_of(network: nn.Module) -> torch.device:
    """Where the weights of a network are."""
    return next(network.parameters()).device
