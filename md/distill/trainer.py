"""Training of a student on energies, forces and stresses, resumed from a checkpoint to the same bits.

Energies come late. Forces and stresses shape the potential while the steps are long; in the last part of the training
the pull on energies grows, so that energy differences between cells (a defect and the crystal) come out right. The
error of an energy counts as its square over the number of atoms, the variance of a sum of independent atomic errors.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augment.errors import ResumeError
from augment.storage.archive import write_atomically
from md.distill.network.dense import DenseGraphs, DenseMace, Labels
from md.distill.network.graphs import LabelledGraph, collate, energy_weight, labelled_graphs
from md.distill.network.student import StudentShape, initial_network
from md.labels.record import Record
from md.labels.third_party import one_torch_thread, quiet_evaluation
from md.students.network import doubled

__all__ = ["TrainSettings", "step_seconds", "train_student"]

Report = Callable[[int, int, str], None]
_Batch = tuple[DenseGraphs, Labels, Any]

BATCH_ATOMS = 64
"""Atoms a step: more cost in proportion, fewer waste half the time on overhead."""

_LONGEST_GRADIENT = 0.1
"""Below what almost every batch has, so that all count alike: squeezed and hot cells have gradients a hundred times
those of cold ones, and would set the pace of all the others."""

_LARGE_FORCE = 2.0
"""eV/Å; of larger forces the relative error counts, or a few close pairs of atoms would be all of the loss."""

VIOLENT = 20.0
"""eV/Å; cells with a larger force are left out: no crystal in the range of conditions shows one."""

_CHECKPOINT_SECONDS = 20.0


@dataclass(frozen=True)
class TrainSettings:
    """How a student is trained.

    Attributes:
        steps: number of optimizer steps.
        seed: of initial weights and of the order of the cells.
        rate: learning rate of Adam at the start.
        last_rate: learning rate at the end, reached along a cosine.
        energy: weight of (eV)² an atom in the first part.
        late_energy: the same in the last part.
        late: share of the steps that is the last part.
        stress: weight of (eV/Å³)².
        average: decay of the moving average of the weights, which is what is kept.
    """

    steps: int
    seed: int = 0
    rate: float = 0.03
    last_rate: float = 1e-4
    energy: float = 0.3
    late_energy: float = 30.0
    late: float = 0.4
    stress: float = 1000.0
    average: float = 0.995

    def learning_rate(self, step: int) -> float:
        """Cosine from `rate` to `last_rate`, after a short linear start."""
        done = step / max(self.steps, 1)
        cosine = self.last_rate + (self.rate - self.last_rate) * (1 + math.cos(math.pi * done)) / 2
        return cosine * min(1.0, (step + 1) / 50)

    def energy_at(self, step: int) -> float:
        """Weight of the energies at a step."""
        return self.late_energy if step >= (1 - self.late) * self.steps else self.energy


def train_student(
    records: Sequence[Record],
    shape: StudentShape,
    settings: TrainSettings,
    checkpoint: Path,
    *,
    start: Any = None,
    progress: Report | None = None,
) -> Any:
    """Train a student and return it in float64.

    Args:
        records: the labelled cells.
        shape: of the network.
        settings: how.
        checkpoint: file that keeps the state; the same call goes on from it, and ends at once where it had ended.
        start: weights (a float64 network of the same shape) to begin with; random ones without it.
        progress: called with (steps done, of how many, the losses).

    Raises:
        ResumeError: the checkpoint belongs to another training.
    """
    calm = [r for r in records if np.abs(r.forces).max() < VIOLENT]
    with _repeatable():
        network = initial_network(calm, shape, settings.seed) if start is None else start
        state = _State(network, settings, _identity(calm, shape, settings, network), shape.channels)
        state.load(checkpoint)
        if state.step < settings.steps:
            _run(state, labelled_graphs(calm, network), checkpoint, progress or (lambda _done, _total, _text: None))
        return state.averaged()


@contextmanager
def _repeatable() -> Iterator[None]:
    """Train inside: on one thread, without warnings, and with the same rounding from the first step on.

    The compiled parts of a network are optimised after their first calls, which changes the last digits: a resumed
    training would not end where the whole one does.
    """
    import torch

    plain = torch.jit.optimized_execution(should_optimize=False)  # type: ignore[attr-defined]
    with one_torch_thread(wanted=True), quiet_evaluation(), plain:
        yield


def step_seconds(records: Sequence[Record], shape: StudentShape) -> float:
    """Time of one step of training, s: the median of a few."""
    settings = TrainSettings(steps=12)
    with _repeatable():
        state = _State(initial_network(records, shape, 0), settings, "", shape.channels)
        sample = list(_batches(labelled_graphs(records[: 4 * BATCH_ATOMS], state.network), shape.r_max, 0, 0))
        taken = []
        for step in range(settings.steps):
            began = time.perf_counter()
            state.advance(sample[step % len(sample)])
            taken.append(time.perf_counter() - began)
    return float(np.median(taken[2:]))


class _State:
    """Network, optimizer and moving average at a step."""

    def __init__(self, network: Any, settings: TrainSettings, identity: str, channels: int) -> None:
        import copy

        from md.distill.optimizer import RotatedAdam

        self.dense = DenseMace(copy.deepcopy(network).requires_grad_(requires_grad=True)).float()
        self.settings, self.identity, self.step = settings, identity, 0
        self._weights = [p for p in self.network.parameters() if p.requires_grad]
        self._average = [p.detach().clone() for p in self._weights]
        self._optimizer = RotatedAdam(self._weights, settings.rate, channels)

    @property
    def network(self) -> Any:
        """The MACE whose weights are trained."""
        return self.dense.network

    def advance(self, batch: _Batch) -> tuple[float, float, float]:
        """One step; mean squared errors of energy (eV² an atom), damped forces and stress of the batch before it."""
        import torch

        for group in self._optimizer.param_groups:
            group["lr"] = self.settings.learning_rate(self.step)
        self._optimizer.zero_grad(set_to_none=True)
        errors = _errors(self.dense, batch)
        loss = self.settings.energy_at(self.step) * errors[0] + errors[1] + self.settings.stress * errors[2]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._weights, _LONGEST_GRADIENT)
        self._optimizer.step()
        self.step += 1
        # A short memory at first, or the average would drag the random weights along.
        decay = min(self.settings.average, self.step / (self.step + 10))
        torch._foreach_lerp_(self._average, [p.detach() for p in self._weights], 1 - decay)
        return errors[0].item(), errors[1].item(), errors[2].item()

    def averaged(self) -> Any:
        """The network with the averaged weights, in float64."""
        import torch

        with torch.no_grad():
            for weight, average in zip(self._weights, self._average, strict=True):
                weight.copy_(average)
        return doubled(self.network)

    def save(self, path: Path) -> None:
        """Write the state, whole or not at all."""
        import io

        import torch

        buffer = io.BytesIO()
        content = {
            "identity": self.identity,
            "step": self.step,
            "weights": [p.detach() for p in self._weights],
            "average": self._average,
            "optimizer": self._optimizer.state_dict(),
        }
        torch.save(content, buffer)
        write_atomically(path, buffer.getvalue())

    def load(self, path: Path) -> None:
        """Take the state from a file, if there is one.

        Raises:
            ResumeError: it is of another training, or damaged.
        """
        import torch

        if not path.exists():
            return
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
            same = found["identity"] == self.identity
        except Exception as error:  # noqa: BLE001  a damaged file raises whatever its reader meets first
            raise ResumeError(f"{path}: damaged checkpoint ({error}); delete it and run the command again") from None
        if not same:
            raise ResumeError(f"{path}: belongs to a training with other cells or settings; use another folder")
        with torch.no_grad():
            for weight, value in zip(self._weights, found["weights"], strict=True):
                weight.copy_(value)
        self._average, self.step = list(found["average"]), int(found["step"])
        self._optimizer.load_state_dict(found["optimizer"])


def _run(state: _State, data: Sequence[LabelledGraph], checkpoint: Path, progress: Report) -> None:
    saved, per_epoch = time.monotonic(), len(list(_order(data, 0, 0)))
    recent: list[tuple[float, float, float]] = []
    while state.step < state.settings.steps:
        epoch, skip = divmod(state.step, per_epoch)
        for batch in _batches(data, state.dense.r_max, state.settings.seed, epoch, skip, per_epoch):
            recent.append(state.advance(batch))
            if time.monotonic() - saved > _CHECKPOINT_SECONDS:
                state.save(checkpoint)
                saved = time.monotonic()
            if state.step == state.settings.steps:
                break
        energy, forces, stress = np.sqrt(np.mean(recent[-per_epoch:], axis=0))
        gpa = 160.2 * stress
        progress(state.step, state.settings.steps, f"{1000 * forces:.0f} meV/Å, {1000 * energy:.1f} meV, {gpa:.2f} GPa")
    state.save(checkpoint)


def _order(data: Sequence[LabelledGraph], seed: int, epoch: int) -> Iterator[list[int]]:
    """Indices of the batches of an epoch: cells in random order, so many that the batch has `BATCH_ATOMS`."""
    batch: list[int] = []
    atoms = 0
    for index in np.random.default_rng([seed, epoch]).permutation(len(data)):
        batch.append(int(index))
        atoms += len(data[index])
        if atoms >= BATCH_ATOMS:
            yield batch
            batch, atoms = [], 0
    if batch:
        yield batch


def _batches(
    data: Sequence[LabelledGraph], cutoff: float, seed: int, epoch: int, skip: int = 0, count: int | None = None
) -> Iterator[_Batch]:
    """Batches of an epoch from the `skip`-th on, `count` in all (the order decides how many there would be)."""
    order = list(_order(data, seed, epoch))
    wanted = len(order) if count is None else count
    for indices in (order * 2)[skip:wanted]:
        yield collate([data[i] for i in indices], cutoff)


def _errors(dense: DenseMace, batch: _Batch) -> tuple[Any, Any, Any]:
    """Mean squared errors of a batch: energies over the number of atoms, forces, stresses."""
    graphs, labels, weights = batch
    out = dense(graphs)
    atoms = graphs.cells.bincount(minlength=len(weights))
    energy = (weights * (out.energy - labels.energy) ** 2 / atoms).mean()
    size = 1 + (labels.forces**2).sum(dim=1, keepdim=True) / _LARGE_FORCE**2
    forces = ((out.forces - labels.forces) ** 2 / size).mean()
    stress = ((out.stress - labels.stress) ** 2).mean()
    return energy, forces, stress


def _identity(records: Sequence[Record], shape: StudentShape, settings: TrainSettings, network: Any) -> str:
    digest = hashlib.sha256(repr((shape, settings)).encode())
    for record in records:
        digest.update(np.array([record.energy, energy_weight(record)]).tobytes())
        digest.update(np.ascontiguousarray(record.cell.positions).tobytes())
        digest.update(np.ascontiguousarray(record.forces).tobytes())
    for parameter in network.parameters():
        digest.update(parameter.detach().numpy().tobytes())
    return digest.hexdigest()
