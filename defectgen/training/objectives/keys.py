"""What the Transformer over defect keys learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from augment.cell import FloatArray, IntArray
from augment.errors import DataError
from defectgen.corpus.arrangements import Arrangements
from defectgen.model.network.keys import KeyConfig, KeyNetwork, edit_tokens
from defectgen.model.occupied import BOLTZMANN, next_edits
from md.training.processes import device_of


@dataclass(frozen=True, eq=False)
class KeySample:
    """The edits of a key in order, those that could be written, and which of them was, at each place."""

    written: FloatArray
    candidates: FloatArray
    allowed: np.ndarray[Any, np.dtype[np.bool_]]
    targets: IntArray


@dataclass(frozen=True, eq=False)
class KeyObjective:
    """Keys of arrangements, drawn with their Boltzmann weights; only those of the split `train` are learnt from.

    Attributes:
        items: arrangements with energies.
        config: sizes of the network.
        temperature: of the weights, K.
    """

    items: Sequence[Arrangements]
    config: KeyConfig = field(default_factory=KeyConfig)
    temperature: float = 1000.0

    def __post_init__(self) -> None:
        if not self.train:
            raise DataError("no arrangements of the split `train` to learn from")

    @cached_property
    def train(self) -> list[Arrangements]:
        """What is learnt from."""
        return [item for item in self.items if item.split == "train"]

    @property
    def held_out(self) -> tuple[()]:
        """None: it learns to the end."""
        return ()

    @property
    def identity(self) -> dict[str, Any]:
        """Sizes and temperature."""
        return {"config": asdict(self.config), "temperature": self.temperature}

    def fresh(self, seed: int) -> KeyNetwork:
        """An untrained network."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return KeyNetwork(self.config).to(torch.float32)

    def draw(self, rng: np.random.Generator) -> KeySample:
        """The key of an arrangement, its edits in random order."""
        item = self.train[int(rng.integers(len(self.train)))]
        weights = np.exp(-item.excess / (BOLTZMANN * self.temperature))
        members = rng.permutation(item.members[int(rng.choice(len(weights), p=weights / weights.sum()))])
        every = edit_tokens(item.template, item.node, item.number)
        allowed = np.zeros((len(members), len(item.node)), dtype=bool)
        for k in range(len(members)):
            allowed[k, next_edits(item.node, item.label, members[:k], members[k:])] = True
        return KeySample(every[members], every, allowed, members)

    def loss(self, network: KeyNetwork, draws: Sequence[KeySample]) -> Tensor:
        """Mean cross-entropy of the edits of the keys."""
        device = device_of(network)
        losses = []
        for sample in draws:
            written, candidates = (
                torch.as_tensor(x, dtype=torch.float32, device=device) for x in (sample.written, sample.candidates)
            )
            logits = network(written[:-1], candidates)
            masked = logits.masked_fill(~torch.as_tensor(sample.allowed, device=device), -torch.inf)
            losses.append(nn.functional.cross_entropy(masked, torch.as_tensor(sample.targets, device=device)))
        return torch.stack(losses).mean()
