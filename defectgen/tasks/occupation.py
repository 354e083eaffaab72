"""Learning who sits where: which edits come next to those that are known, and which arrangement is lower."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from augment.cell import FloatArray, IntArray
from augment.errors import DataError
from defectgen.corpus.arrangements import Arrangements
from defectgen.network import Batch, Item, NetworkConfig, OccupationNetwork, collate, fresh
from defectgen.representation import CONDITIONS, Conditions, Edges, Marker, Template, nearest_images
from defectgen.train import device_of

BOLTZMANN = 8.617333262e-5
"""eV/K."""

OCCUPATION_CONFIG = NetworkConfig(width=48, layers=3, cutoff=4.5)

HELD_OUT_DRAWS = 4


@dataclass(frozen=True, eq=False)
class Occupied:
    """A pristine supercell with some edits known.

    Attributes:
        template: the pristine supercell.
        edges: its edges.
        node: (k,) nodes whose edit is known.
        number: (k,) what each holds.
        charge: (k,) formal charge of each, e.
        open_nodes: nodes that may still be edited.
        conditions: what is asked for.
    """

    template: Template
    edges: Edges
    node: IntArray
    number: IntArray
    charge: IntArray
    open_nodes: IntArray
    conditions: Conditions


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
class OccupationTask:
    """Arrangements with energies; only those of the split `train` are learnt from.

    Half of the pairs are told an arrangement's energy above the lowest; the others a temperature, at which the
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
        conditions, chosen = self._asked(item, rng)
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
        told = (torch.as_tensor(x, device=device) for x in (node, number, field.astype(np.float32)))
        logits = network(batch, *told)
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

    def _asked(self, item: Arrangements, rng: np.random.Generator) -> tuple[Conditions, int]:
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
        asked = {"energy": float(item.excess[chosen]), "concentration": item.members.shape[1] / sites}
        return Conditions(temperature, hidden=frozenset(hidden | {"subgroup"}), anonymous=anonymous, **asked), chosen

    @staticmethod
    def _occupied(
        item: Arrangements, edges: Edges, members: IntArray, conditions: Conditions, *, whole: bool = False
    ) -> Occupied:
        open_nodes = np.zeros(0, dtype=np.int64) if whole else np.setdiff1d(item.node, item.node[members])
        known = (item.node[members], item.number[members], item.charge[members])
        return Occupied(item.template, edges, *known, open_nodes, conditions)


def next_edits(node: IntArray, label: IntArray, seen: IntArray, rest: IntArray) -> IntArray:
    """Edits that may come next: of a kind of which some are left, at a node that is not taken."""
    return np.flatnonzero(np.isin(label, label[rest]) & ~np.isin(node, node[seen]))


def field_of(seen: Occupied, node: IntArray, charge: IntArray) -> FloatArray:
    """(c,) q sum q'/d of charges (c,) at nodes (c,) with the edits that are known, nearest images, e²/Å."""
    if len(seen.node) == 0:
        return np.zeros(len(node))
    positions = seen.template.positions
    distance = nearest_images(positions[node], positions[seen.node], seen.template.cell)
    # An edit at a node that is known cannot be made; its distance is that of a bond, whatever it is.
    return np.asarray(charge * (seen.charge / np.maximum(distance, 1.0)).sum(axis=1))


def coulomb_of(whole: Occupied) -> float:
    """Sum of q q'/d over the pairs of the edits that are known, nearest images, e²/Å."""
    own = whole.charge**2 / 1.0  # each edit's own term in `field_of`, at its least distance
    return float((field_of(whole, whole.node, whole.charge) - own).sum() / 2.0)


def occupied_batch(items: Sequence[Occupied], dtype: torch.dtype = torch.float32) -> Batch:
    """The pristine supercells of some partly known arrangements as a batch that shows what is known.

    A known edit shows its species and marker; a site that may still be edited is marked as unknown; closeness is that
    to the known edits.
    """
    batch = collate([Item(o.template, o.edges, o.conditions) for o in items], dtype)
    numbers, markers, scalars = batch.numbers.clone(), batch.markers.clone(), batch.scalars.clone()
    start = 0
    for item in items:
        template = item.template
        markers[start + torch.as_tensor(item.open_nodes)] = Marker.UNKNOWN
        at = start + torch.as_tensor(item.node)
        numbers[at] = torch.as_tensor(item.number)
        void = template.host_numbers[item.node] == 0
        kind = np.where(void, Marker.INTERSTITIAL, np.where(item.number == 0, Marker.VACANCY, Marker.SUBSTITUTED))
        markers[at] = torch.as_tensor(kind.astype(np.int64))
        if len(item.node):
            near = nearest_images(template.positions, template.positions[item.node], template.cell).min(axis=1)
            closeness = torch.as_tensor(np.exp(-near / 3.0), dtype=dtype)
            scalars[start : start + len(near), 2] = closeness
        start += len(template.numbers)
    return replace(batch, numbers=numbers, markers=markers, scalars=scalars)
