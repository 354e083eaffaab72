"""Objectives that start from the weights of a model, and the error by which weights are chosen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np
from torch import Tensor, nn

from defectgen.benchmark.held_out import diffusion, mean_scores
from defectgen.corpus.cases import Case, Label, cases_to_arrays
from defectgen.model.bridge import Bridge
from defectgen.model.network import DisplacementNetwork, SubgroupNetwork, restored
from defectgen.model.weights import Model
from defectgen.training.loop import Draw, Objective
from defectgen.training.objectives.displacements import DisplacementObjective, DisplacementSettings
from defectgen.training.objectives.subgroups import SUBGROUP_CONFIG, SubgroupObjective
from md.training.loop import Network

__all__ = [
    "StartedFrom",
    "cases_hash",
    "displacements_from",
    "error_of_displacements",
    "resting_pairs",
    "subgroups_from",
]

_JUDGE_STEPS = 6
"""Of the sampler, where weights are compared: more take longer and order them alike."""

_ANONYMOUS = 0.1
"""Probability with which an element is known by its descriptors only: runs are to be learnt with their elements."""


@dataclass(frozen=True, eq=False)
class StartedFrom(Generic[Network, Draw]):
    """An objective whose network starts from given weights.

    Attributes:
        objective: what is learnt.
        start: the network to start from; None for a new one.
        data: hash of the cases.
    """

    objective: Objective[Network, Draw]
    start: Network | None
    data: str

    @property
    def identity(self) -> dict[str, Any]:
        """Of the objective, the weights and the cases."""
        return {**self.objective.identity, "start": weights_hash(self.start), "data": self.data}

    @property
    def held_out(self) -> Sequence[Draw]:
        """Of the objective."""
        return self.objective.held_out

    def fresh(self, seed: int) -> Network:
        """A new network with the weights to start from."""
        if self.start is None:
            return self.objective.fresh(seed)
        config: Any = self.start.config
        return restored(type(self.start), config, self.start.state_dict()).train()

    def draw(self, rng: np.random.Generator) -> Draw:
        """One training pair."""
        return self.objective.draw(rng)

    def loss(self, network: Network, draws: Sequence[Draw]) -> Tensor:
        """Mean loss of some training pairs."""
        return self.objective.loss(network, draws)


def weights_hash(network: nn.Module | None) -> str:
    """Hash of the weights of a network; empty without one."""
    if network is None:
        return ""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode() + value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def cases_hash(cases: Sequence[Case]) -> str:
    """Hash of cases and their splits."""
    digest = hashlib.sha256()
    for name, array in sorted(cases_to_arrays(cases).items()):
        digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def displacements_from(
    cases: Sequence[Case], model: Model | None, config: Any
) -> StartedFrom[DisplacementNetwork, Any]:
    """Learning where atoms of these defects move, starting from a model or, with a config of a network, anew."""
    settings = DisplacementSettings(anonymous=_ANONYMOUS)
    bridge = Bridge() if model is None else model.bridge
    start = None if model is None else model.network
    size = config if start is None else start.config
    objective = DisplacementObjective(cases, size, settings, bridge, apart="defect")
    return StartedFrom(objective, start, cases_hash(cases))


def subgroups_from(cases: Sequence[Case], start: SubgroupNetwork | None) -> StartedFrom[SubgroupNetwork, Any] | None:
    """Learning which symmetry of these defects survives; None where all or none of them keep theirs."""
    learnt = [case for case in cases if case.split == "train" and case.symmetry.order > 1]
    outcomes = [any(x.broken for x in case.labels[:1]) for case in learnt if case.labels[0].temperature == 0]
    judged = [case for case in cases if case.split == "valid" and case.symmetry.order > 1]
    if not judged or len(set(outcomes)) < 2:  # noqa: PLR2004  both kinds
        return None
    config = SUBGROUP_CONFIG if start is None else start.config
    return StartedFrom(SubgroupObjective(cases, config, apart="defect"), start, cases_hash(cases))


def resting_pairs(cases: Sequence[Case], split: str) -> list[tuple[Case, Label]]:
    """Geometries at rest of the defects of a split."""
    return [(c, x) for c in cases if c.split == split for x in c.labels if x.temperature == 0 and not x.snapshot]


def error_of_displacements(
    pairs: Sequence[tuple[Case, Label]], bridge: Bridge
) -> Callable[[DisplacementNetwork], float]:
    """Mean error (Å) near the defect of what a network generates, as a function of the network."""

    def judged(network: DisplacementNetwork) -> float:
        model = Model("in training", network, bridge, {"elements": []}, "")
        return mean_scores(pairs, diffusion(model, steps=_JUDGE_STEPS, spread=0.0))["error"]

    return judged
