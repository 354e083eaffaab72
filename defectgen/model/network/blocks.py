"""Blocks of the message-passing network: sizes, embeddings of nodes and edges, and one layer.

The blocks are those of PaiNN (Schütt, Unke and Gastegger, 2021, doi:10.48550/arXiv.2102.03150). Features are scalars
s_i and polar vectors v_i; only products that keep parity are formed (no cross product), so rotations, reflections,
translations and permutations of the input act on the output as they should.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from augment.errors import SettingsError
from defectgen.model.network.batch import FORCE_FEATURES, NODE_SCALARS, Batch
from defectgen.representation.elements import DESCRIPTORS, MAX_NUMBER, covalent_radii
from defectgen.representation.template import WYCKOFF_LETTERS, Marker

EDGE_BLOCK = 512
"""Edges whose messages, a few hundred numbers each, stay in the second-level cache of a core."""


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the network.

    Attributes:
        width: channels of scalars and of vectors.
        layers: message-passing layers.
        cutoff: range of the graph in the ideal geometry, Å.
        radial: Gaussians per distance.
        embedding: width of the element embedding.
        neighbours: typical number of neighbours, by whose root sums over messages are divided.
        voids: empty voids this near to the defect are nodes too, Å; 0 for none.
        forces: whether forces along a descent from the ideal cell are input features, where they are known.
    """

    width: int = 72
    layers: int = 3
    cutoff: float = 5.0
    radial: int = 12
    embedding: int = 24
    neighbours: float = 40.0
    voids: float = 0.0
    forces: bool = False

    def __post_init__(self) -> None:
        if min(self.width, self.layers, self.radial, self.embedding) < 1 or self.cutoff <= 0:
            raise SettingsError(f"network sizes must be positive: {asdict(self)}")


def mlp(*widths: int) -> nn.Sequential:
    """Linear layers with SiLU between them."""
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


class NodeEmbedding(nn.Module):
    """Scalars of each node from its element, host element, marker, Wyckoff letter and the conditions."""

    elements: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.register_buffer("elements", torch.zeros(MAX_NUMBER + 1, DESCRIPTORS))
        self.species = nn.Embedding(MAX_NUMBER + 1, config.embedding)
        # Descriptors carry over to elements without training data, whose learnt part stays zero.
        nn.init.zeros_(self.species.weight)
        self.marker = nn.Embedding(len(Marker), 8)
        self.wyckoff = nn.Embedding(len(WYCKOFF_LETTERS), 8)
        self.element_width = DESCRIPTORS + config.embedding
        self.scalars = NODE_SCALARS if config.forces else NODE_SCALARS - FORCE_FEATURES
        self.mix = mlp(2 * self.element_width + 8 + 8 + self.scalars, config.width, config.width)

    def element(self, numbers: Tensor, known: Tensor) -> Tensor:
        """(k, element_width) descriptors and learnt embedding of elements (k,), the latter times `known` (k, 1)."""
        return torch.cat([self.elements[numbers], self.species(numbers) * known], dim=1)

    def forward(self, batch: Batch) -> Tensor:
        """(m, width) scalars."""
        parts = []
        for k, numbers in enumerate((batch.numbers, batch.host_numbers)):
            parts += [self.element(numbers, batch.known[:, k : k + 1])]
        parts += [self.marker(batch.markers), self.wyckoff(batch.wyckoff), batch.scalars[:, : self.scalars]]
        mixed: Tensor = self.mix(torch.cat(parts, dim=1))
        return mixed


class EdgeBasis(nn.Module):
    """Radial features of the ideal and the present length of each edge, and the length in covalent radii."""

    radii: Tensor
    centres: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.cutoff = config.cutoff
        self.register_buffer("radii", torch.as_tensor(covalent_radii(np.arange(MAX_NUMBER + 1)), dtype=torch.float32))
        self.register_buffer("centres", torch.linspace(0.5, config.cutoff, config.radial))
        self.sharpness = 0.5 * (config.radial / config.cutoff) ** 2
        self.width = 3 * config.radial

    def forward(self, batch: Batch, ideal: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """(e, 3 radial) features and the (e,) envelope, smooth and zero at the cutoff, from (e,) lengths in Å."""
        bond = self.radii[batch.numbers[batch.senders]] + self.radii[batch.numbers[batch.receivers]]
        reduced = ideal / bond.clamp(min=1.0) * (self.cutoff / 3.0)
        lengths = torch.stack([ideal, present, reduced], dim=1)
        basis = torch.exp(-self.sharpness * (lengths[:, :, None] - self.centres) ** 2)
        envelope = 0.5 * (torch.cos(torch.pi * ideal / self.cutoff) + 1.0)
        return basis.flatten(1), envelope


class Interaction(nn.Module):
    """One PaiNN layer: messages along edges, then an update within each node, both modulated by the conditions."""

    def __init__(self, config: NetworkConfig, edge_width: int) -> None:
        super().__init__()
        w = config.width
        self.norm = nn.LayerNorm(w)
        self.norm_update = nn.LayerNorm(w)
        self.condition = nn.Linear(w, 2 * w)
        self.content = mlp(w, w, 4 * w)
        self.filter = mlp(edge_width, w // 2, 4 * w)
        self.left = nn.Linear(w, w, bias=False)
        self.right = nn.Linear(w, w, bias=False)
        self.update = mlp(2 * w, w, 3 * w)
        self.scale = config.neighbours**-0.5

    def forward(
        self, s: Tensor, v: Tensor, batch: Batch, edge: tuple[Tensor, Tensor, Tensor], condition: Tensor
    ) -> tuple[Tensor, Tensor]:
        """New (m, w) scalars and (m, 3, w) vectors; `edge` is basis, envelope and the two unit vectors."""
        v = clip_length(v)
        gain, shift = self.condition(condition).chunk(2, dim=1)
        content = self.content(self.norm(s) * (1.0 + gain) + shift)
        to_s, to_v = torch.zeros_like(s), torch.zeros_like(v)
        for part in edge_blocks(len(batch.senders)):
            receivers = batch.receivers[part]
            scalars, vectors = self._messages(content, v, batch.senders[part], tuple(x[part] for x in edge))
            to_s.index_add_(0, receivers, scalars)
            to_v.index_add_(0, receivers, vectors)
        s, v = s + to_s, v + to_v
        v = clip_length(v)
        left, right = self.left(v), self.right(v)
        # The small constant keeps the gradient of the norm finite where symmetry makes a vector vanish.
        norms = torch.sqrt((right**2).sum(dim=1) + 1e-6)
        a, b, c = self.update(torch.cat([self.norm_update(s), norms], dim=1)).chunk(3, dim=1)
        return s + a + b * (left * right).sum(dim=1), v + c[:, None] * left

    def _messages(self, content: Tensor, v: Tensor, senders: Tensor, edge: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Scalars (e, w) and vectors (e, 3, w) that go along some edges."""
        basis, envelope, units = edge
        weights = self.filter(basis) * (envelope * self.scale)[:, None]
        message = content.index_select(0, senders) * weights
        width = v.shape[2]
        carried = v.index_select(0, senders) * message[:, None, width : 2 * width]
        # Two unit vectors of each edge times their weights, summed: the hot spot of the network, as one operation.
        vectors = torch.baddbmm(carried, units.transpose(1, 2), message[:, 2 * width :].reshape(-1, 2, width))
        return message[:, :width], vectors


def edge_blocks(count: int) -> list[slice]:
    """Edges that are looked at together: all while gradients are kept, otherwise as many as a cache holds."""
    step = count if torch.is_grad_enabled() else EDGE_BLOCK
    return [slice(first, first + step) for first in range(0, count, max(1, step))]


def clip_length(v: Tensor) -> Tensor:
    """Vectors (m, 3, w) with their root-mean-square length over channels kept below one; short ones hardly change.

    Without it the products of vectors grow from layer to layer and training diverges.
    """
    square: Tensor = (v**2).sum(dim=1, keepdim=True).mean(dim=2, keepdim=True)
    return v / torch.sqrt(1.0 + square)
