"""The training loop of every network: a schedule, averaged weights, and a checkpoint that goes on to the same bits.

A task says what is learnt. Its batch depends on the step and nothing else that changes, so that the state of a training
is its weights, its optimiser and a step number: one that was stopped and one that was not end with the same bits.
Where a task judges, the averaged weights that it judged best are kept, else those of the end.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from augment.errors import ResumeError
from augment.storage.archive import write_atomically
from md.training.processes import Processes

__all__ = ["Course", "LossProgress", "Trainer", "TrainingTask"]

LossProgress = Callable[[int, float], None]
"""Called after each step with its number and its loss."""

CHECKPOINT_SECONDS = 20.0
"""Of work that a kill can cost, besides the step under way."""

Network = TypeVar("Network", bound=nn.Module)
TrainingBatch = TypeVar("TrainingBatch")


class TrainingTask(Protocol[Network, TrainingBatch]):
    """What is learnt: a network, batches, their loss, and how its weights are moved."""

    def identity(self, processes: Processes) -> Any:
        """JSON value of all that decides the result; a checkpoint of another one is refused."""

    def network(self) -> Network:
        """The network as it is before training, a new one with the same weights on every call."""

    def optimiser(self, network: Network) -> torch.optim.Optimizer:
        """What moves the weights."""

    def rate(self, step: int) -> float:
        """Learning rate of a step."""

    def batch(self, step: int, processes: Processes) -> TrainingBatch:
        """What this process learns from in a step."""

    def loss(self, network: Network, batch: TrainingBatch, step: int) -> Tensor:
        """Mean loss of a batch, on the device of the network."""

    def judge(self, network: Network) -> float | None:
        """Loss of what is held out; None where nothing is."""


@dataclass(frozen=True)
class Course:
    """How long a network is trained, and how its weights are averaged.

    Attributes:
        steps: of the optimiser.
        clip: largest norm of the gradient.
        averaging: decay of the moving average of the weights, which is what is kept.
        warmup: the decay of the average is step / (step + warmup) where that is less, since a short training would
            otherwise keep its initial weights.
        judged: steps between two looks at what is held out; 0 for none.
    """

    steps: int
    clip: float
    averaging: float
    warmup: float
    judged: int = 0


class Trainer(Generic[Network, TrainingBatch]):
    """A training, which can be killed at any instant and goes on to the same bits.

    Args:
        task: what is learnt.
        course: how long.
        checkpoint: file that keeps the state; nothing is kept without it.
        processes: that train together, one by default.
        compiled: let torch compile the network; the last bits of a result depend on it.

    Raises:
        ResumeError: the checkpoint is of another training, or damaged.
    """

    def __init__(
        self,
        task: TrainingTask[Network, TrainingBatch],
        course: Course,
        checkpoint: Path | None = None,
        processes: Processes | None = None,
        *,
        compiled: bool = False,
    ) -> None:
        self._learnt, self._course = task, course
        self.checkpoint, self.processes = checkpoint, processes or Processes()
        self.network: Network = task.network().to(self.processes.device)
        self._called: Any = torch.compile(self.network, dynamic=True) if compiled else self.network
        self._weights = {name: p for name, p in self.network.named_parameters() if p.requires_grad}
        self.average = {name: p.detach().clone() for name, p in self._weights.items()}
        self.optimiser = task.optimiser(self.network)
        self.step = 0
        self.losses: list[float] = []
        self.held_out: list[tuple[int, float]] = []
        self.best: dict[str, Tensor] | None = None
        self._resume()

    def run(self, *, until: int | None = None, progress: LossProgress | None = None) -> Network:
        """Train to the end, or to step `until`, and return a network with the averaged weights."""
        end, saved = min(self._course.steps if until is None else until, self._course.steps), time.monotonic()
        while self.step < end:
            self.losses.append(self.advance())
            judged = self._course.judged > 0 and self.step % self._course.judged == 0
            if judged:
                self._judge()
            if judged or self.step == end or time.monotonic() - saved > CHECKPOINT_SECONDS:
                self.save()
                saved = time.monotonic()
            if progress is not None and self.processes.rank == 0:
                progress(self.step, self.losses[-1])
        return self.averaged()

    def advance(self) -> float:
        """One step; the loss before it."""
        for group in self.optimiser.param_groups:
            group["lr"] = self._learnt.rate(self.step)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self._learnt.loss(self._called, self._learnt.batch(self.step, self.processes), self.step)
        loss.backward()  # type: ignore[no-untyped-call]
        mean, weights = loss.detach().clone(), list(self._weights.values())
        self.processes.mean([p.grad for p in weights if p.grad is not None])
        self.processes.mean([mean])
        torch.nn.utils.clip_grad_norm_(weights, self._course.clip)
        self.optimiser.step()
        self.step += 1
        decay = min(self._course.averaging, self.step / (self.step + self._course.warmup))
        torch._foreach_lerp_(list(self.average.values()), [p.detach() for p in weights], 1.0 - decay)
        return float(mean)

    def averaged(self) -> Network:
        """A network with the averaged weights, the best on what is held out if there is any, on the CPU."""
        return self._with(self.average if self.best is None else self.best)

    def _with(self, weights: Mapping[str, Tensor]) -> Network:
        network = self._learnt.network()
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if name in weights:
                    parameter.copy_(weights[name])
        return network.eval()

    def _judge(self) -> None:
        """Keep the averaged weights if none before were better on what is held out."""
        loss = self._learnt.judge(self._with(self.average))
        if loss is None:
            return
        if self.best is None or loss < min(before for _, before in self.held_out):
            self.best = {name: value.clone() for name, value in self.average.items()}
        self.held_out.append((self.step, loss))

    def save(self) -> None:
        """Write the state, whole or not at all; the first process does it."""
        if self.checkpoint is None or self.processes.rank > 0:
            return
        state = {
            "identity": self._learnt.identity(self.processes),
            "step": self.step,
            "losses": self.losses,
            "network": {name: p.detach() for name, p in self._weights.items()},
            "average": self.average,
            "held_out": self.held_out,
            "best": self.best,
            "optimiser": self.optimiser.state_dict(),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomically(self.checkpoint, buffer.getvalue())

    def _resume(self) -> None:
        path = self.checkpoint
        if path is None or not path.exists():
            return
        try:
            state = torch.load(path, weights_only=True, map_location=self.processes.device)
            same = state["identity"] == self._learnt.identity(self.processes)
        except Exception as error:  # noqa: BLE001  a damaged file raises whatever its reader meets first
            raise ResumeError(f"{path}: damaged checkpoint ({error}); delete it and run the command again") from None
        if not same:
            raise ResumeError(f"{path}: belongs to a training with other data or other settings; use another folder")
        self._take(_named(state, list(self._weights)))

    def _take(self, state: Mapping[str, Any]) -> None:
        with torch.no_grad():
            for name, weight in self._weights.items():
                weight.copy_(state["network"][name])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average = {name: state["average"][name] for name in self._weights}
        self.step, self.losses, self.best = state["step"], state["losses"], state["best"]
        self.held_out = [(int(step), float(loss)) for step, loss in state["held_out"]]


def _named(state: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """A state as it is written today; those of students had their weights in a list once."""
    if "weights" not in state:
        return state
    network, average = (dict(zip(names, state[key], strict=True)) for key in ("weights", "average"))
    rest = {"step": state["step"], "optimiser": state["optimizer"], "losses": [], "held_out": [], "best": None}
    return {**rest, "network": network, "average": average}
