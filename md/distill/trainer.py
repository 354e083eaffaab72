"""Training of a student on energies, forces and stresses, resumed from a checkpoint to the same bits.

Energies come late. Forces and stresses shape the potential while the steps are long; in the last part of the training
the pull on energies grows, so that energy differences between cells (a defect and the crystal) come out right. The
error of an energy counts as its square over the number of atoms, the variance of a sum of independent atomic errors.
"""

from __future__ import annotations

import copy
import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from md.distill.network.dense import DenseGraphs, DenseMace, Labels
from md.distill.network.graphs import LABEL_WEIGHTS, LabelledGraph, collate_labelled, labelled_graphs
from md.distill.network.student import StudentShape, initial_network
from md.distill.optimizer import RotatedAdam
from md.labels.record import Record
from md.labels.third_party import one_torch_thread, silent_evaluation
from md.students.network import doubled
from md.training.loop import Course, LossProgress, Trainer
from md.training.processes import Processes

__all__ = ["StudentTrainSettings", "step_seconds", "train_student"]

Report = Callable[[int, int, str], None]
_Batch = tuple[DenseGraphs, Labels, Any]

TRAINING_BATCH_ATOMS = 64
"""Atoms a step: more cost in proportion, fewer waste half the time on overhead."""

_MAX_GRADIENT = 0.1
"""Below what almost every batch has, so that all count alike: squeezed and hot cells have gradients a hundred times
those of cold ones, and would set the pace of all the others."""

_LARGE_FORCE = 0.4
"""eV/Å; of larger forces the relative error counts, or hot cells and close pairs of atoms would be all of the loss."""

_AVERAGE_WARMUP = 10.0
"""Steps; a short memory at first, or the average would drag the random weights along."""

MAX_TRAINING_FORCE = 20.0
"""eV/Å; cells with a larger force are left out: no crystal in the range of conditions shows one."""

EV_PER_A3 = 160.2
"""GPa."""


@dataclass(frozen=True)
class StudentTrainSettings:
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

    @property
    def course(self) -> Course:
        """What the loop needs of it."""
        return Course(self.steps, _MAX_GRADIENT, self.average, _AVERAGE_WARMUP)

    def energy_at(self, step: int) -> float:
        """Weight of the energies at a step."""
        return self.late_energy if step >= (1 - self.late) * self.steps else self.energy


def train_student(
    records: Sequence[Record],
    shape: StudentShape,
    settings: StudentTrainSettings,
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
    calm = [r for r in records if np.abs(r.forces).max() < MAX_TRAINING_FORCE]
    with _repeatable():
        network = initial_network(calm, shape, settings.seed) if start is None else start
        task = _Student(calm, shape, settings, network)
        trainer = Trainer(task, settings.course, checkpoint)
        dense = trainer.run(progress=None if progress is None else task.reporter(progress))
        return doubled(dense.network)


@contextmanager
def _repeatable() -> Iterator[None]:
    """Train inside: on one thread, without warnings, and with the same rounding from the first step on.

    The compiled parts of a network are optimised after their first calls, which changes the last digits: a resumed
    training would not end where the whole one does.
    """
    import torch

    plain = torch.jit.optimized_execution(should_optimize=False)  # type: ignore[attr-defined]
    with one_torch_thread(wanted=True), silent_evaluation(), plain:
        yield


def step_seconds(records: Sequence[Record], shape: StudentShape) -> float:
    """Time of one step of training, s: the median of a few."""
    settings = StudentTrainSettings(steps=12)
    with _repeatable():
        network = initial_network(records, shape, 0)
        trainer = Trainer(_Student(records[: 4 * TRAINING_BATCH_ATOMS], shape, settings, network), settings.course)
        taken = []
        for _ in range(settings.steps):
            began = time.perf_counter()
            trainer.advance()
            taken.append(time.perf_counter() - began)
    return float(np.median(taken[2:]))


class _Student:
    """A student as the loop sees it, which goes through its cells in epochs.

    Args:
        records: the labelled cells.
        shape: of the network.
        settings: how it is trained.
        start: the network before training, float64.
    """

    def __init__(
        self, records: Sequence[Record], shape: StudentShape, settings: StudentTrainSettings, start: Any
    ) -> None:
        self.records, self.shape, self.settings, self.start = records, shape, settings, start
        self.errors: list[tuple[float, float, float]] = []
        self._epoch: tuple[int, list[list[int]]] = (-1, [])

    def identity(self, _processes: Processes) -> str:
        """Hash of the cells, their labels, the first weights and the settings."""
        digest = hashlib.sha256(repr((self.shape, self.settings)).encode())
        for record in self.records:
            weights = [record.cell.provenance.get(name, 1.0) for name in LABEL_WEIGHTS]
            digest.update(np.array([record.energy, *weights], dtype=float).tobytes())
            digest.update(np.ascontiguousarray(record.cell.positions).tobytes())
            digest.update(np.ascontiguousarray(record.forces).tobytes())
        for parameter in self.start.parameters():
            digest.update(parameter.detach().numpy().tobytes())
        return digest.hexdigest()

    def network(self) -> DenseMace:
        """The network at the start, in float32."""
        return DenseMace(copy.deepcopy(self.start).requires_grad_(requires_grad=True)).float()

    def optimiser(self, network: DenseMace) -> RotatedAdam:
        """Adam in the axes of the gradients."""
        return RotatedAdam(
            [p for p in network.parameters() if p.requires_grad], self.settings.rate, self.shape.channels
        )

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        return self.settings.learning_rate(step)

    @cached_property
    def data(self) -> list[LabelledGraph]:
        """The graphs of the cells, the constant parts of the network taken off their labels."""
        return labelled_graphs(self.records, self.start)

    @cached_property
    def per_epoch(self) -> int:
        """Steps in which the cells are gone through about once."""
        return len(_order(self.data, 0, 0))

    def batch(self, step: int, _processes: Processes) -> _Batch:
        """The batch of a step; it depends on the seed and the step only."""
        epoch, place = divmod(step, self.per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = epoch, _order(self.data, self.settings.seed, epoch)
        order = self._epoch[1]
        return collate_labelled([self.data[i] for i in order[place % len(order)]], float(self.start.r_max))

    def loss(self, network: DenseMace, batch: _Batch, step: int) -> Any:
        """Of energies, damped forces and stress."""
        energy, forces, stress = _errors(network, batch)
        self.errors.append((energy.item(), forces.item(), stress.item()))
        return self.settings.energy_at(step) * energy + forces + self.settings.stress * stress

    def judge(self, _network: DenseMace) -> None:
        """Nothing is held out: the averaged weights of the end are kept."""

    def reporter(self, progress: Report) -> LossProgress:
        """What reports each epoch that ends, with the errors in it."""

        def report_epoch(step: int, _loss: float) -> None:
            if step % self.per_epoch and step < self.settings.steps:
                return
            energy, forces, stress = np.sqrt(np.mean(self.errors[-self.per_epoch :], axis=0))
            text = f"{1000 * forces:.0f} meV/Å, {1000 * energy:.1f} meV, {EV_PER_A3 * stress:.2f} GPa"
            progress(step, self.settings.steps, text)

        return report_epoch


def _order(data: Sequence[LabelledGraph], seed: int, epoch: int) -> list[list[int]]:
    """Indices of the batches of an epoch: cells in random order, so many that the batch has `TRAINING_BATCH_ATOMS`."""
    batches: list[list[int]] = [[]]
    atoms = 0
    for index in np.random.default_rng([seed, epoch]).permutation(len(data)):
        if atoms >= TRAINING_BATCH_ATOMS:
            batches.append([])
            atoms = 0
        batches[-1].append(int(index))
        atoms += len(data[index])
    return batches


def _errors(dense: DenseMace, batch: _Batch) -> tuple[Any, Any, Any]:
    """Weighted mean squared errors of a batch: energies over the number of atoms, forces, stresses."""
    graphs, labels, weights = batch
    out = dense(graphs)
    atoms = graphs.cells.bincount(minlength=len(weights))
    of_energy, of_forces, of_stress = weights.unbind(dim=1)
    energy = (of_energy * (out.energy - labels.energy) ** 2 / atoms).mean()
    size = 1 + (labels.forces**2).sum(dim=1, keepdim=True) / _LARGE_FORCE**2
    forces = (of_forces[graphs.cells, None] * (out.forces - labels.forces) ** 2 / size).mean()
    stress = (of_stress[:, None, None] * (out.stress - labels.stress) ** 2).mean()
    return energy, forces, stress
