"""Training of the diffusion model: one loss, AdamW with a cosine schedule, averaged weights, and exact resume.

Every step draws from a generator seeded by (seed, step), so the state of a run is its weights, its optimiser and a step
number: a run that was stopped and one that was not end with the same bits.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from augment.errors import DataError, ResumeError, SettingsError
from augment.invariant import CellSymmetry
from augment.store import write_atomically
from defectgen.corpus.case import Case, Label, check_split
from defectgen.diffusion import Bridge, State, project
from defectgen.network import (
    DISPLACEMENT_SCALE,
    STRAIN_SCALE,
    DisplacementNetwork,
    NetworkConfig,
    collate,
    fresh_network,
    network_from_state,
)
from defectgen.representation import Conditions, Edges

Progress = Callable[[int, float], None]
"""Called after each step with its number and its loss."""


@dataclass(frozen=True)
class TrainSettings:
    """How the network is trained.

    Attributes:
        steps: optimiser steps.
        batch: geometries a step.
        rate: peak learning rate.
        warmup: steps of linear warm-up; a cosine to zero follows.
        decay: weight decay.
        averaging: decay of the exponential moving average of the weights, which is what is kept.
        hide: probability with which each condition is hidden from the network (classifier-free guidance).
        anonymous: probability with which an element is known by its descriptors only.
        subgroup: probability of a proper subgroup of the stabilizer as H for a geometry that has all of it.
        snapshots: share of snapshots among the geometries drawn.
        near: range in Å of the extra weight of atoms near the defect.
        strain_weight: weight of the strain's loss.
        seed: decides initial weights, batches and noise.
        checkpoint: steps between checkpoints.
    """

    steps: int = 2600
    batch: int = 8
    rate: float = 6e-4
    warmup: int = 100
    decay: float = 1e-2
    averaging: float = 0.998
    hide: float = 0.1
    anonymous: float = 0.3
    subgroup: float = 0.5
    snapshots: float = 0.15
    near: float = 3.0
    strain_weight: float = 0.2
    seed: int = 0
    checkpoint: int = 200

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.checkpoint) < 1 or not 0.0 <= self.averaging < 1.0:
            raise SettingsError(f"training settings out of range: {asdict(self)}")


@dataclass(frozen=True, eq=False)
class Sample:
    """One training pair before collation: what is seen, the noisy state, the clean one."""

    case: Case
    edges: Edges
    conditions: Conditions
    noisy: State
    clean: State
    time: float


@dataclass(eq=False)
class Training:
    """A run of training, which can be stopped after any checkpoint and goes on to the same bits.

    Attributes:
        cases: labelled defects; only those of the split `train` are learnt from.
        config: sizes of the network.
        settings: how it is trained.
        bridge: the noise.
        folder: where the checkpoint is kept; nothing is kept without it.
    """

    cases: Sequence[Case]
    config: NetworkConfig = field(default_factory=NetworkConfig)
    settings: TrainSettings = field(default_factory=TrainSettings)
    bridge: Bridge = field(default_factory=Bridge)
    folder: Path | None = None

    def __post_init__(self) -> None:
        check_split(self.cases)
        self.train = [case for case in self.cases if case.split == "train" and case.labels]
        if not self.train:
            raise DataError("no case of the split `train` to learn from")
        self.network = fresh_network(self.config, self.settings.seed)
        self.average = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=self.settings.rate, weight_decay=self.settings.decay
        )
        self.step = 0
        self.losses: list[float] = []
        self._edges = [case.template.edges(self.config.cutoff) for case in self.train]
        self._resume()

    @property
    def checkpoint(self) -> Path | None:
        """File of the checkpoint."""
        return None if self.folder is None else self.folder / "checkpoint.pt"

    def run(self, *, until: int | None = None, progress: Progress | None = None) -> DisplacementNetwork:
        """Train to the end, or to step `until`, and return a network with the averaged weights."""
        end = self.settings.steps if until is None else min(until, self.settings.steps)
        while self.step < end:
            loss = self._advance()
            self.losses.append(loss)
            if progress is not None:
                progress(self.step, loss)
            if self.step % self.settings.checkpoint == 0 or self.step == end:
                self._save()
        return self.averaged()

    def averaged(self) -> DisplacementNetwork:
        """A copy of the network with the averaged weights."""
        return network_from_state(self.config, self.average)

    def batch(self, step: int) -> list[Sample]:
        """The training pairs of a step; they depend on the seed and the step only."""
        rng = np.random.default_rng([self.settings.seed, step])
        return [self._draw(rng) for _ in range(self.settings.batch)]

    def _draw(self, rng: np.random.Generator) -> Sample:
        index = int(rng.integers(len(self.train)))
        case = self.train[index]
        label = _choose_label(case.labels, self.settings.snapshots, rng)
        symmetry = choose_subgroup(case, label, self.settings.subgroup, rng)
        names = ("temperature", "pressure", "subgroup")
        elements = np.unique([case.template.numbers, case.template.host_numbers]).tolist()
        conditions = Conditions(
            label.temperature,
            label.pressure,
            symmetry.order,
            case.symmetry.order,
            label.snapshot,
            frozenset(name for name in names if rng.random() < self.settings.hide),
            frozenset(z for z in elements if rng.random() < self.settings.anonymous),
        )
        clean = project(label.state, symmetry)
        noise = self.bridge.noise(symmetry, conditions.strain_scale, rng)
        time = float(rng.random())
        return Sample(case, self._edges[index], conditions, self.bridge.corrupt(clean, noise, time), clean, time)

    def _advance(self) -> float:
        samples = self.batch(self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate * learning_rate_factor(self.step, self.settings)
        self.optimiser.zero_grad(set_to_none=True)
        loss = loss_of(self.network, samples, self.settings)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        # A short run would otherwise keep its initial weights in the average.
        decay = min(self.settings.averaging, self.step / (self.step + 9.0))
        for name, value in self.network.state_dict().items():
            self.average[name].lerp_(value, 1.0 - decay)
        return float(loss.detach())

    def _identity(self) -> dict[str, Any]:
        return {"config": asdict(self.config), "settings": asdict(self.settings), "bridge": asdict(self.bridge)}

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        state = {
            "identity": self._identity(),
            "step": self.step,
            "losses": self.losses,
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomically(self.checkpoint, buffer.getvalue())

    def _resume(self) -> None:
        if self.checkpoint is None or not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=True)
        if state["identity"] != self._identity():
            raise ResumeError(f"{self.checkpoint} belongs to a run with other settings; give another folder")
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average, self.step, self.losses = state["average"], state["step"], state["losses"]


def learning_rate_factor(step: int, settings: TrainSettings) -> float:
    """Linear warm-up, then a cosine that ends at zero."""
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return 0.5 * (1.0 + float(np.cos(np.pi * done)))


def choose_subgroup(case: Case, label: Label, probability: float, rng: np.random.Generator) -> CellSymmetry:
    """A symmetry that the geometry has, or for a thermal mean is expected to have when it is sampled for long."""
    full = case.symmetry
    breaks = any(other.broken for other in case.labels if other.temperature == 0)
    broken = breaks if label.temperature > 0 else label.broken
    if broken or label.snapshot:
        return subgroup(full, [])
    # With a lower broken geometry known, the symmetric one is the answer for the full stabilizer only.
    if breaks or rng.random() >= probability:
        return full
    return subgroup(full, rng.integers(full.order, size=int(rng.integers(3))).tolist())


def subgroup(symmetry: CellSymmetry, generators: Sequence[int]) -> CellSymmetry:
    """The subgroup that some operations generate (none: the trivial group); only its order is named."""
    rotations, permutations = symmetry.rotations, symmetry.permutations
    index = {_operation_name(r, p): k for k, (r, p) in enumerate(zip(rotations, permutations, strict=True))}
    identity = index[_operation_name(np.eye(3), np.arange(permutations.shape[1]))]
    members, frontier = {identity}, [identity]
    while frontier:
        k = frontier.pop()
        for g in generators:
            product = index[_operation_name(rotations[g] @ rotations[k], permutations[g][permutations[k]])]
            if product not in members:
                members.add(product)
                frontier.append(product)
    chosen = sorted(members)
    return CellSymmetry(f"order {len(chosen)}", rotations[chosen], permutations[chosen])


def _operation_name(rotation: np.ndarray[Any, Any], permutation: np.ndarray[Any, Any]) -> bytes:
    # Rotations are orthogonal; half a unit of 1e-3 tells any two of a point group apart and forgives rounding.
    return np.rint(1e3 * rotation).astype(np.int32).tobytes() + permutation.astype(np.int32).tobytes()


def _choose_label(labels: Sequence[Label], snapshots: float, rng: np.random.Generator) -> Label:
    kinds = [[x for x in labels if x.snapshot], [x for x in labels if not x.snapshot]]
    wanted = kinds[0] if kinds[0] and (not kinds[1] or rng.random() < snapshots) else kinds[1]
    return wanted[int(rng.integers(len(wanted)))]


def loss_of(network: DisplacementNetwork, samples: Sequence[Sample], settings: TrainSettings) -> Tensor:
    """Mean loss of some training pairs.

    Relaxed geometries are a function of the conditions: their displacement error counts by a pseudo-Huber norm, so that
    one atom that moves far does not hide the rest. Snapshots are a distribution, whose bridge needs the conditional
    mean, hence squares; the strain is a function of the conditions in both. Atoms near the defect weigh more.
    """
    batch = collate([(s.case.template, s.edges, s.conditions) for s in samples])
    noisy, clean = padded_displacements(samples)
    strains = np.array([[s.noisy.strain, s.clean.strain] for s in samples])
    strain, target = torch.as_tensor(strains, dtype=torch.float32).unbind(1)
    time = torch.tensor([s.time for s in samples], dtype=torch.float32)
    moved, strained = network(batch, noisy, strain, time)
    squares = (((moved - clean) / DISPLACEMENT_SCALE) ** 2).sum(dim=1)
    snapshot = torch.tensor([s.conditions.snapshot for s in samples])[batch.graph]
    error = torch.where(snapshot, squares, torch.sqrt(squares + 0.04) - 0.2)
    weights = torch.as_tensor(np.concatenate([node_weights(s, settings.near) for s in samples]), dtype=torch.float32)
    strain_error = torch.sqrt((((strained - target) / STRAIN_SCALE) ** 2).sum(dim=(1, 2)) + 0.04) - 0.2
    total: Tensor = (weights * error).sum() / len(samples) + settings.strain_weight * strain_error.mean()
    return total


def node_weights(sample: Sample, near: float) -> np.ndarray[Any, Any]:
    """(m,) weights that sum to one over the real atoms: larger near the defect, zero for vacated sites."""
    template = sample.case.template
    weights = 0.3 + np.exp(-((template.defect_distance / near) ** 2))
    weights[template.n_atoms :] = 0.0
    return np.asarray(weights / weights.sum())


def padded_displacements(samples: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    """Noisy and clean displacements of all nodes; vacated sites do not move."""
    parts: list[np.ndarray[Any, Any]] = []
    for s in samples:
        vacated = len(s.case.template.numbers) - s.case.template.n_atoms
        both = np.stack([s.noisy.displacements, s.clean.displacements], axis=1)
        parts.append(np.pad(both, [(0, vacated), (0, 0), (0, 0)]))
    stacked = torch.as_tensor(np.concatenate(parts), dtype=torch.float32)
    noisy, clean = stacked.unbind(1)
    return noisy, clean
