"""Learning site occupation: which edits come next to those that are known, and which arrangement is lower."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from augment.cell import IntArray
from augment.errors import DataError
from defectgen.corpus.arrangements import Arrangements
from defectgen.model.network import NetworkConfig, OccupationNetwork, fresh
from defectgen.model.occupied import BOLTZMANN, Occupied, coulomb_of, field_of, next_edits, occupied_batch
from defectgen.representation.conditions import CONDITIONS, Conditions
from defectgen.representation.template import Edges
from md.training.processes import device_of

OCCUPATION_CONFIG = NetworkConfig(width=48, layers=3, cutoff=4.5)

HELD_OUT_DRAWS = 4


@dataclass(frozen=True, eq=False)
class OccupationSample:
    """Some edits of an arrangement known, and the others to be found; two whole arrangements and their energies.

    Attributes:
        seen: what is known.
        node, number, charge: (c,) edits that may come next.
        target: (c,) share of each; uniform over those that are in the arrangement.
        pair: two arrangements of the composition.
        difference: energy of the first over that of the second, eV.
    """

    seen: Occupied
    node: IntArray
    number: IntArray
    charge: IntArray
    target: np.ndarray[Any, np.dtype[np.float64]]
    pair: tuple[Occupied, Occupied]
    difference: float


@dataclass(frozen=True, eq=False)
class OccupationObjective:
    """Arrangements with energies; only those of the split `train` are learnt from.

    Half of the pairs have as condition an arrangement's energy above the lowest; the others a temperature, at which the
    arrangement is drawn with its Boltzmann weight among those of its composition.

    Attributes:
        items: arrangements.
        config: sizes of the network.
        hide: probability with which each condition is hidden.
        anonymous: probability with which an element is known by its descriptors only.
        temperatures: range of the Boltzmann weights, K.
        energy_weight: weight of the loss of energy differences.
    """

    items: Sequence[Arrangements]
    config: NetworkConfig = field(default_factory=lambda: OCCUPATION_CONFIG)
    hide: float = 0.2
    anonymous: float = 0.3
    temperatures: tuple[float, float] = (300.0, 5000.0)
    energy_weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.train:
            raise DataError("no arrangements of the split `train` to learn from")

    @cached_property
    def train(self) -> list[tuple[Arrangements, Edges]]:
        """What is learnt from."""
        return self._of_split("train")

    @cached_property
    def held_out(self) -> list[OccupationSample]:
        """A few draws of each composition of the validation hosts: there are too few hosts to learn to the end."""
        pairs = [pair for pair in self._of_split("valid") for _ in range(HELD_OUT_DRAWS)]
        return [self._drawn(*pair, np.random.default_rng([len(pairs), k])) for k, pair in enumerate(pairs)]

    def _of_split(self, split: str) -> list[tuple[Arrangements, Edges]]:
        return [(a, a.template.edges(self.config.cutoff)) for a in self.items if a.split == split]

    @property
    def identity(self) -> dict[str, Any]:
        """Sizes and probabilities."""
        return {
            "config": asdict(self.config),
            "hide": self.hide,
            "anonymous": self.anonymous,
            "temperatures": list(self.temperatures),
            "energy_weight": self.energy_weight,
        }

    def fresh(self, seed: int) -> OccupationNetwork:
        """An untrained network."""
        return fresh(OccupationNetwork, self.config, seed)

    def draw(self, rng: np.random.Generator) -> OccupationSample:
        """An arrangement with a random part of its edits known."""
        return self._drawn(*self.train[int(rng.integers(len(self.train)))], rng)

    def _drawn(self, item: Arrangements, edges: Edges, rng: np.random.Generator) -> OccupationSample:
        conditions, chosen = self._draw_conditions(item, rng)
        members = rng.permutation(item.members[chosen])
        known = int(rng.integers(len(members)))
        seen, rest = members[:known], members[known:]
        candidates = next_edits(item.node, item.label, seen, rest)
        target = np.isin(candidates, rest).astype(float)
        pair = rng.choice(len(item.energies), size=2, replace=False)
        whole = [self._occupied(item, edges, item.members[k], conditions, whole=True) for k in pair]
        return OccupationSample(
            self._occupied(item, edges, seen, conditions),
            item.node[candidates],
            item.number[candidates],
            item.charge[candidates],
            target / target.sum(),
            (whole[0], whole[1]),
            float(item.energies[pair[0]] - item.energies[pair[1]]),
        )

    def loss(self, network: OccupationNetwork, draws: Sequence[OccupationSample]) -> Tensor:
        """Mean cross-entropy of the next edits, and a Huber loss of energy differences per edit."""
        device = device_of(network)
        batch = occupied_batch([d.seen for d in draws]).to(device)
        starts = np.concatenate([[0], np.cumsum(batch.nodes)[:-1]])
        node = np.concatenate([d.node + s for d, s in zip(draws, starts, strict=True)])
        number = np.concatenate([d.number for d in draws])
        field = np.concatenate([field_of(d.seen, d.node, d.charge) for d in draws])
        tensors = (torch.as_tensor(x, device=device) for x in (node, number, field.astype(np.float32)))
        logits = network(batch, *tensors)
        parts = logits.split([len(d.node) for d in draws])
        targets = [torch.as_tensor(d.target, dtype=logits.dtype, device=device) for d in draws]
        entropy = torch.stack([x.logsumexp(0) - (t * x).sum() for x, t in zip(parts, targets, strict=True)]).mean()
        whole = [x for d in draws for x in d.pair]
        charged = torch.tensor([coulomb_of(x) for x in whole], dtype=logits.dtype, device=device)
        energies = network.energy(occupied_batch(whole).to(device), charged).view(-1, 2)
        true = torch.tensor([d.difference for d in draws], dtype=logits.dtype, device=device)
        off = torch.nn.functional.huber_loss(energies[:, 0] - energies[:, 1], true, delta=0.3)
        total: Tensor = entropy + self.energy_weight * off
        return total

    def _draw_conditions(self, item: Arrangements, rng: np.random.Generator) -> tuple[Conditions, int]:
        hidden = {name for name in CONDITIONS if rng.random() < self.hide}
        numbers = np.unique(np.concatenate([item.template.numbers, item.number])).tolist()
        anonymous = frozenset(int(z) for z in numbers if z and rng.random() < self.anonymous)
        temperature = float(np.exp(rng.uniform(*np.log(self.temperatures))))
        if rng.random() < 0.5:  # noqa: PLR2004  a fair coin between the two ways of asking
            weights = np.exp(-item.excess / (BOLTZMANN * temperature))
            chosen = int(rng.choice(len(weights), p=weights / weights.sum()))
            hidden |= {"energy"}
        else:
            chosen = int(rng.integers(len(item.energies)))
            hidden |= {"temperature"}
        sites = int((item.template.host_numbers > 0).sum())
        features = {"energy": float(item.excess[chosen]), "concentration": item.members.shape[1] / sites}
        return Conditions(temperature, hidden=frozenset(hidden | {"subgroup"}), anonymous=anonymous, **features), chosen

    @staticmethod
    def _occupied(
        item: Arrangements, edges: Edges, members: IntArray, conditions: Conditions, *, whole: bool = False
    ) -> Occupied:
        open_nodes = np.zeros(0, dtype=np.int64) if whole else np.setdiff1d(item.node, item.node[members])
        known = (item.node[members], item.number[members], item.charge[members])
        return Occupied(item.template, edges, *known, open_nodes, conditions)
