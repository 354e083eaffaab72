"""Learning which symmetry survives: cross-entropy between the classes of subgroups and what the lowest label keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from augment.errors import DataError
from defectgen.corpus.cases import Apart, Case, Label, check_cases
from defectgen.model.network import BatchItem, ClassFeatures, NetworkConfig, SubgroupNetwork, collate, fresh
from defectgen.representation.conditions import CONDITIONS, Conditions
from md.training.processes import device_of

SUBGROUP_CONFIG = NetworkConfig(width=48, layers=2)
"""Three classes of answers for a few thousand defects need a smaller network than their geometries."""


@dataclass(frozen=True, eq=False)
class SubgroupSample:
    """One defect under some conditions, its classes, and which of them survives."""

    item: BatchItem
    classes: ClassFeatures
    target: int


@dataclass(frozen=True, eq=False)
class SubgroupObjective:
    """Surviving subgroups of labelled defects; only those of the split `train` are learnt from.

    Attributes:
        cases: labelled defects.
        config: sizes of the network.
        hide: probability with which each condition is hidden.
        anonymous: probability with which an element is known by its descriptors only.
        apart: what may not be in two splits.
    """

    cases: Sequence[Case]
    config: NetworkConfig = field(default_factory=lambda: SUBGROUP_CONFIG)
    hide: float = 0.2
    anonymous: float = 0.3
    apart: Apart = "host"

    def __post_init__(self) -> None:
        check_cases(self.cases, self.apart)
        if not self.train:
            raise DataError("no case of the split `train` has a symmetry to lose")

    @cached_property
    def train(self) -> list[tuple[Case, list[Label]]]:
        """Training cases with a stabilizer, each with its lowest relaxed label at each pressure."""
        chosen = [(case, lowest_labels(case)) for case in self.cases if case.split == "train"]
        return [(case, labels) for case, labels in chosen if labels and case.symmetry.order > 1]

    @property
    def identity(self) -> dict[str, Any]:
        """Sizes and probabilities."""
        return {"config": asdict(self.config), "hide": self.hide, "anonymous": self.anonymous}

    @cached_property
    def held_out(self) -> list[SubgroupSample]:
        """The lowest labels of the validation hosts: there are too few hosts to learn to the end."""
        cases = [case for case in self.cases if case.split == "valid" and case.symmetry.order > 1]
        return [subgroup_sample(case, label, self.config) for case in cases for label in lowest_labels(case)]

    def fresh(self, seed: int) -> SubgroupNetwork:
        """An untrained network."""
        return fresh(SubgroupNetwork, self.config, seed)

    def draw(self, rng: np.random.Generator) -> SubgroupSample:
        """A case, one of its pressures, and the class that survives there."""
        case, labels = self.train[int(rng.integers(len(self.train)))]
        label = labels[int(rng.integers(len(labels)))]
        hidden = frozenset(name for name in CONDITIONS if rng.random() < self.hide)
        elements = np.unique(np.concatenate([case.template.numbers, case.template.host_numbers])).tolist()
        anonymous = frozenset(z for z in elements if rng.random() < self.anonymous)
        return subgroup_sample(case, label, self.config, hidden, anonymous)

    def loss(self, network: SubgroupNetwork, draws: Sequence[SubgroupSample]) -> Tensor:
        """Mean cross-entropy in units of the logarithm of the number of classes."""
        batch = collate([s.item for s in draws]).to(device_of(network))
        logits = network(batch, [s.classes for s in draws])
        each = [scores.logsumexp(0) - scores[s.target] for scores, s in zip(logits, draws, strict=True)]
        total: Tensor = sum(each[1:], each[0])
        return total / len(draws)


def lowest_labels(case: Case) -> list[Label]:
    """The lowest relaxed label at each pressure."""
    relaxed = [x for x in case.labels if x.temperature == 0 and np.isfinite(x.energy)]
    pressures = sorted({x.pressure for x in relaxed})
    return [min((x for x in relaxed if x.pressure == p), key=lambda x: x.energy) for p in pressures]


def subgroup_sample(
    case: Case,
    label: Label,
    config: NetworkConfig,
    hidden: frozenset[str] = frozenset(),
    anonymous: frozenset[int] = frozenset(),
) -> SubgroupSample:
    """A defect under the conditions of a label, without its subgroup, and the class that survives.

    Raises:
        DataError: the operations that the label keeps are those of no representative.
    """
    members_kept = case.kept(label)
    matching = [k for k, members in enumerate(case.classes.members) if tuple(members.tolist()) == members_kept]
    if not matching:
        raise DataError(f"{case.formula} {case.name}: a label keeps operations that stand for no class of subgroups")
    conditions = subgroup_conditions(case.symmetry.order, label.temperature, label.pressure, hidden, anonymous)
    template = case.template.with_voids(config.voids)
    item = BatchItem(template, template.edges(config.cutoff), conditions)
    soft = None if "forces" in hidden else case.curvatures
    return SubgroupSample(item, ClassFeatures.of(template, case.classes, soft), matching[0])


def subgroup_conditions(
    order: int, temperature: float, pressure: float, hidden: frozenset[str], anonymous: frozenset[int] = frozenset()
) -> Conditions:
    """Conditions of the network of subgroups: no subgroup, and the order of the stabilizer as its own."""
    masked = hidden | {"subgroup"}
    return Conditions(temperature, pressure, order, order, hidden=masked, anonymous=anonymous)
