"""Learning where atoms move: denoising of labelled geometries along the bridge, each with a symmetry that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from augment.cell import FloatArray
from augment.errors import DataError
from augment.groups.cell_symmetry import CellSymmetry
from augment.groups.distortion import Distortion, project
from augment.groups.subgroups import freedom_of
from defectgen.corpus.cases import Apart, Case, Label, check_cases
from defectgen.model.bridge import Bridge
from defectgen.model.network import (
    DISPLACEMENT_SCALE,
    STRAIN_SCALE,
    BatchItem,
    DisplacementNetwork,
    NetworkConfig,
    collate,
    fresh_network,
    node_freedom,
)
from defectgen.representation.conditions import CONDITIONS, Conditions
from defectgen.representation.template import Edges, Template
from md.training.processes import device_of


@dataclass(frozen=True)
class DisplacementSettings:
    """What training pairs are drawn.

    Attributes:
        hide: probability with which each condition is hidden from the network (classifier-free guidance).
        anonymous: probability with which an element is known by its descriptors only.
        subgroup: probability of a proper subgroup of its symmetry as H for the lowest geometry of a defect.
        snapshots: share of snapshots among the geometries drawn.
        path: probability with which the noise is around a geometry of the relaxation's path, not the ideal one.
        near: range in Å of the extra weight of atoms near the defect.
        strain_weight: weight of the strain's loss.
    """

    hide: float = 0.1
    anonymous: float = 0.3
    subgroup: float = 0.5
    snapshots: float = 0.15
    path: float = 0.15
    near: float = 3.0
    strain_weight: float = 0.2


@dataclass(frozen=True, eq=False)
class DisplacementSample:
    """One training pair before collation: what is seen, the noisy state, the clean one, the time, and H."""

    item: BatchItem
    noisy: Distortion
    clean: Distortion
    time: float
    symmetry: CellSymmetry


@dataclass(frozen=True, eq=False)
class DisplacementObjective:
    """Displacements and strains of labelled defects; only those of the split `train` are learnt from.

    Attributes:
        cases: labelled defects.
        config: sizes of the network.
        settings: what is drawn.
        bridge: the noise.
        apart: what may not be in two splits.
    """

    cases: Sequence[Case]
    config: NetworkConfig = field(default_factory=NetworkConfig)
    settings: DisplacementSettings = field(default_factory=DisplacementSettings)
    bridge: Bridge = field(default_factory=Bridge)
    apart: Apart = "host"

    def __post_init__(self) -> None:
        check_cases(self.cases, self.apart)
        if not self.train:
            raise DataError("no case of the split `train` to learn from")

    @cached_property
    def train(self) -> list[Case]:
        """What is learnt from."""
        return [case for case in self.cases if case.split == "train" and case.labels]

    @cached_property
    def graphs(self) -> list[tuple[Template, Edges]]:
        """Template and edges of each training case."""
        templates = [case.template.with_voids(self.config.voids) for case in self.train]
        return [(template, template.edges(self.config.cutoff)) for template in templates]

    @property
    def held_out(self) -> Sequence[DisplacementSample]:
        """None: the loss of random noise says little, and the error on the validation hosts falls to the end."""
        return ()

    @property
    def identity(self) -> dict[str, Any]:
        """Sizes, settings and noise."""
        return {"config": asdict(self.config), "settings": asdict(self.settings), "bridge": asdict(self.bridge)}

    def fresh(self, seed: int) -> DisplacementNetwork:
        """An untrained network."""
        return fresh_network(self.config, seed)

    def draw(self, rng: np.random.Generator) -> DisplacementSample:
        """A geometry, an H that it has, and a point on its bridge."""
        index = int(rng.integers(len(self.train)))
        case = self.train[index]
        label = choose_label(case.labels, self.settings.snapshots, rng)
        symmetry = choose_subgroup(case, label, self.settings.subgroup, rng)
        template, edges = self.graphs[index]
        template = template.with_descent(descent_for(case, label, symmetry, rng))
        conditions = conditions_of_label(case, label, symmetry, rng, self.settings.hide, self.settings.anonymous)
        free = node_freedom(template, freedom_of(symmetry), freedom_of(case.symmetry))
        clean = project(label.state, symmetry)
        noise = self.bridge.noise(symmetry, conditions.strain_scale, rng)
        if label.path is not None and rng.random() < self.settings.path:
            partial = Distortion(label.path[int(rng.integers(len(label.path)))], np.zeros((3, 3)))
            noise = noise + project(partial, symmetry)
        time = 0.0 if self.bridge.schedule == "regression" else float(rng.random())
        return DisplacementSample(
            BatchItem(template, edges, conditions, free), self.bridge.corrupt(clean, noise, time), clean, time, symmetry
        )

    def loss(self, network: DisplacementNetwork, draws: Sequence[DisplacementSample]) -> Tensor:
        """Mean loss of some training pairs; see `geometry_loss`."""
        device = device_of(network)
        batch = collate([s.item for s in draws]).to(device)
        noisy, clean = (tensor.to(device) for tensor in padded_displacements(draws))
        strains = np.array([[s.noisy.strain, s.clean.strain] for s in draws])
        strain, target = torch.as_tensor(strains, dtype=torch.float32, device=device).unbind(1)
        time = torch.tensor([s.time for s in draws], dtype=torch.float32, device=device)
        moved, strained = network(batch, noisy, strain, time)
        snapshot = torch.tensor([s.item.conditions.snapshot for s in draws], device=device)[batch.graph]
        return geometry_loss(
            moved - clean,
            strained - target,
            snapshot,
            node_weights(draws, self.settings.near).to(device),
            self.settings,
        )


def geometry_loss(
    moved: Tensor, strained: Tensor, snapshot: Tensor, weights: Tensor, settings: DisplacementSettings
) -> Tensor:
    """Mean loss of errors of displacements (m, 3) and strains (g, 3, 3).

    Relaxed geometries are a function of the conditions: their displacement error counts by a pseudo-Huber norm, so that
    one atom that moves far does not hide the rest. Snapshots are a distribution, whose bridge needs the conditional
    mean, hence squares; the strain is a function of the conditions in both. Atoms near the defect weigh more.
    """
    squares = ((moved / DISPLACEMENT_SCALE) ** 2).sum(dim=1)
    error = torch.where(snapshot, squares, torch.sqrt(squares + 0.04) - 0.2)
    strain_error = torch.sqrt(((strained / STRAIN_SCALE) ** 2).sum(dim=(1, 2)) + 0.04) - 0.2
    total: Tensor = (weights * error).sum() / len(strained) + settings.strain_weight * strain_error.mean()
    return total


def conditions_of_label(
    case: Case, label: Label, symmetry: CellSymmetry, rng: np.random.Generator, hide: float, anonymous: float
) -> Conditions:
    """Conditions of a label under H, some of them hidden."""
    elements = np.unique(np.concatenate([case.template.numbers, case.template.host_numbers])).tolist()
    return Conditions(
        label.temperature,
        label.pressure,
        symmetry.order,
        case.symmetry.order,
        label.snapshot,
        frozenset(name for name in CONDITIONS if rng.random() < hide),
        frozenset(z for z in elements if rng.random() < anonymous),
        label.charge,
        case.excess_energy(label),
        case.template.concentration,
    )


def choose_label(labels: Sequence[Label], snapshots: float, rng: np.random.Generator) -> Label:
    """A label: with the probability given a snapshot, where there are any."""
    kinds = [[x for x in labels if x.snapshot], [x for x in labels if not x.snapshot]]
    wanted = kinds[0] if kinds[0] and (not kinds[1] or rng.random() < snapshots) else kinds[1]
    return wanted[int(rng.integers(len(wanted)))]


def choose_subgroup(case: Case, label: Label, probability: float, rng: np.random.Generator) -> CellSymmetry:
    """A symmetry that the geometry has, or for a thermal mean is expected to have when it is sampled for long."""
    if label.snapshot:
        return case.symmetry.generated_by([])
    if label.temperature > 0:
        breaks = any(other.broken for other in case.labels if other.temperature == 0)
        return case.symmetry.generated_by([]) if breaks else _lowered(case.symmetry, probability, rng)
    symmetry = case.symmetry_of(label)
    # A geometry above the lowest is the answer for its own symmetry only.
    return symmetry if case.excess_energy(label) else _lowered(symmetry, probability, rng)


def descent_for(case: Case, label: Label, symmetry: CellSymmetry, rng: np.random.Generator) -> FloatArray | None:
    """Points (n, k, 2, 3) that a generator would have of the geometry with H, one of those towards it drawn."""
    descent = case.template.descent
    if descent is None:
        return None
    n, lower = case.template.n_atoms, symmetry.order < case.symmetry.order and label.temperature == 0
    points = case.towards(label) if lower and (label.broken or symmetry.order == 1) else None
    if points is None:
        return descent[:n]
    return np.concatenate([descent[:n, :-1], points[int(rng.integers(len(points)))][:, None]], axis=1)


def _lowered(symmetry: CellSymmetry, probability: float, rng: np.random.Generator) -> CellSymmetry:
    if rng.random() >= probability:
        return symmetry
    return symmetry.generated_by(rng.integers(symmetry.order, size=int(rng.integers(3))).tolist())


def node_weights(samples: Sequence[DisplacementSample], near: float) -> Tensor:
    """(m,) weights that sum to one over the real atoms of each graph: larger near the defect, zero for vacant sites."""
    parts: list[FloatArray] = []
    for sample in samples:
        template = sample.item.template
        weights = 0.3 + np.exp(-((template.defect_distance / near) ** 2))
        weights[template.n_atoms :] = 0.0
        parts.append(weights / weights.sum())
    return torch.as_tensor(np.concatenate(parts), dtype=torch.float32)


def padded_displacements(samples: Sequence[DisplacementSample]) -> tuple[Tensor, Tensor]:
    """Noisy and clean displacements of all nodes; vacant sites do not move."""
    parts: list[FloatArray] = []
    for s in samples:
        vacant = len(s.item.template.numbers) - s.item.template.n_atoms
        both = np.stack([s.noisy.displacements, s.clean.displacements], axis=1)
        parts.append(np.pad(both, [(0, vacant), (0, 0), (0, 0)]))
    stacked = torch.as_tensor(np.concatenate(parts), dtype=torch.float32)
    noisy, clean = stacked.unbind(1)
    return noisy, clean
