"""E(3)-equivariant message passing on scalars and polar vectors, which predicts the clean displacements and strain.

The blocks are those of PaiNN (Schütt, Unke and Gastegger, 2021, doi:10.48550/arXiv.2102.03150). Features are scalars
s_i and polar vectors v_i; only products that keep parity are formed (no cross product), so rotations, reflections,
translations and permutations of the input act on the output as they should.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from augment.cell import FloatArray, IntArray
from augment.errors import DataError, SettingsError
from defectgen.elements import DESCRIPTORS, MAX_NUMBER, covalent_radii, descriptor_table
from defectgen.representation import WYCKOFF_LETTERS, Conditions, Edges, Marker, Template

DISPLACEMENT_SCALE = 0.1
"""Å; displacements are of order one in this unit inside the network."""
STRAIN_SCALE = 0.02
"""Strain per 10 GPa or 1000 K of a typical solid; strains are of order one in this unit inside the network."""


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
    """

    width: int = 72
    layers: int = 3
    cutoff: float = 5.0
    radial: int = 12
    embedding: int = 24
    neighbours: float = 40.0

    def __post_init__(self) -> None:
        if min(self.width, self.layers, self.radial, self.embedding) < 1 or self.cutoff <= 0:
            raise SettingsError(f"network sizes must be positive: {asdict(self)}")


@dataclass(frozen=True, eq=False)
class Batch:
    """Several templates with their conditions as one disjoint graph; m nodes, e edges, g graphs.

    Attributes:
        numbers, host_numbers, markers, wyckoff: (m,) indices of embeddings.
        known: (m, 2) 0 where the learnt embedding of the element, of the host's element, is hidden; else 1.
        scalars: (m, 3) log site-symmetry order, log multiplicity, closeness to the defect.
        graph: (m,) graph of each node.
        senders, receivers: (e,) nodes.
        vectors: (e, 3) ideal vectors from receiver to sender, Å.
        conditions: (g, Conditions.WIDTH).
        strain_scale: (g,) see `Conditions.strain_scale`.
        nodes: number of nodes of each graph, in order.
    """

    numbers: Tensor
    host_numbers: Tensor
    markers: Tensor
    wyckoff: Tensor
    known: Tensor
    scalars: Tensor
    graph: Tensor
    senders: Tensor
    receivers: Tensor
    vectors: Tensor
    conditions: Tensor
    strain_scale: Tensor
    nodes: tuple[int, ...]


def collate(items: Sequence[tuple[Template, Edges, Conditions]], dtype: torch.dtype = torch.float32) -> Batch:
    """One disjoint graph of several templates; float tensors are of `dtype`."""
    templates, edges, conditions = zip(*items, strict=True)
    nodes = tuple(len(t.numbers) for t in templates)
    starts = np.concatenate([[0], np.cumsum(nodes)[:-1]])

    def ints(arrays: Sequence[IntArray]) -> Tensor:
        return torch.as_tensor(np.concatenate(arrays).astype(np.int64))

    def floats(array: FloatArray) -> Tensor:
        return torch.as_tensor(np.asarray(array, dtype=float), dtype=dtype)

    return Batch(
        numbers=ints([t.numbers for t in templates]),
        host_numbers=ints([t.host_numbers for t in templates]),
        markers=ints([t.markers for t in templates]),
        wyckoff=ints([t.wyckoff for t in templates]),
        known=floats(np.concatenate([_known(t, c) for t, c in zip(templates, conditions, strict=True)])),
        scalars=floats(np.concatenate([_node_scalars(t) for t in templates])),
        graph=torch.repeat_interleave(torch.arange(len(nodes)), torch.tensor(nodes)),
        senders=ints([e.senders + s for e, s in zip(edges, starts, strict=True)]),
        receivers=ints([e.receivers + s for e, s in zip(edges, starts, strict=True)]),
        vectors=floats(np.concatenate([e.vectors for e in edges])),
        conditions=floats(np.array([c.vector() for c in conditions])),
        strain_scale=floats(np.array([c.strain_scale for c in conditions])),
        nodes=nodes,
    )


def _known(template: Template, conditions: Conditions) -> FloatArray:
    both = np.stack([template.numbers, template.host_numbers], axis=1)
    return np.where(np.isin(both, sorted(conditions.anonymous)), 0.0, 1.0)


def _node_scalars(template: Template) -> FloatArray:
    orders = np.log(np.stack([template.site_order, template.multiplicity], axis=1)) / 4.0
    closeness = np.exp(-template.defect_distance / 3.0)
    return np.concatenate([orders, closeness[:, None]], axis=1)


def _mlp(*widths: int) -> nn.Sequential:
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
        element_width = DESCRIPTORS + config.embedding
        self.mix = _mlp(2 * element_width + 8 + 8 + 3, config.width, config.width)

    def forward(self, batch: Batch) -> Tensor:
        """(m, width) scalars."""
        parts = []
        for k, numbers in enumerate((batch.numbers, batch.host_numbers)):
            parts += [self.elements[numbers], self.species(numbers) * batch.known[:, k : k + 1]]
        parts += [self.marker(batch.markers), self.wyckoff(batch.wyckoff), batch.scalars]
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
    """One PaiNN layer: messages along edges, then an update within each node, both told the conditions."""

    def __init__(self, config: NetworkConfig, edge_width: int) -> None:
        super().__init__()
        w = config.width
        self.norm = nn.LayerNorm(w)
        self.norm_update = nn.LayerNorm(w)
        self.condition = nn.Linear(w, 2 * w)
        self.content = _mlp(w, w, 4 * w)
        self.filter = _mlp(edge_width, w // 2, 4 * w)
        self.left = nn.Linear(w, w, bias=False)
        self.right = nn.Linear(w, w, bias=False)
        self.update = _mlp(2 * w, w, 3 * w)
        self.scale = config.neighbours**-0.5

    def forward(
        self, s: Tensor, v: Tensor, batch: Batch, edge: tuple[Tensor, Tensor, Tensor], condition: Tensor
    ) -> tuple[Tensor, Tensor]:
        """New (m, w) scalars and (m, 3, w) vectors; `edge` is basis, envelope and the two unit vectors."""
        basis, envelope, units = edge
        v = bounded(v)
        gain, shift = self.condition(condition).chunk(2, dim=1)
        normed = self.norm(s) * (1.0 + gain) + shift
        weights = self.filter(basis) * (envelope * self.scale)[:, None]
        message = self.content(normed).index_select(0, batch.senders) * weights
        to_s, carry, along_ideal, along_present = message.chunk(4, dim=1)
        vectors = v.index_select(0, batch.senders) * carry[:, None]
        vectors = vectors + units[:, 0, :, None] * along_ideal[:, None]
        vectors = vectors + units[:, 1, :, None] * along_present[:, None]
        s = s.index_add(0, batch.receivers, to_s)
        v = v.index_add(0, batch.receivers, vectors)
        v = bounded(v)
        left, right = self.left(v), self.right(v)
        # The small constant keeps the gradient of the norm finite where symmetry makes a vector vanish.
        norms = torch.sqrt((right**2).sum(dim=1) + 1e-6)
        a, b, c = self.update(torch.cat([self.norm_update(s), norms], dim=1)).chunk(3, dim=1)
        return s + a + b * (left * right).sum(dim=1), v + c[:, None] * left


def bounded(v: Tensor) -> Tensor:
    """Vectors (m, 3, w) with their root-mean-square length over channels kept below one; short ones hardly change.

    Without it the products of vectors grow from layer to layer and training diverges.
    """
    square: Tensor = (v**2).sum(dim=1, keepdim=True).mean(dim=2, keepdim=True)
    return v / torch.sqrt(1.0 + square)


class StrainHead(nn.Module):
    """A symmetric strain per graph: isotropic part, edge dyads and products of node vectors, averaged over nodes."""

    def __init__(self, config: NetworkConfig, edge_width: int) -> None:
        super().__init__()
        w = config.width
        self.node = _mlp(w, w // 2, 1 + 8)
        self.pair = _mlp(w, w // 2, w // 2)
        self.edge = _mlp(edge_width, w // 2, w // 2)
        self.out = nn.Linear(w // 2, 1)
        self.left = nn.Linear(w, 8, bias=False)
        self.right = nn.Linear(w, 8, bias=False)
        self.scale = 1.0 / config.neighbours

    def forward(self, s: Tensor, v: Tensor, batch: Batch, edge: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """(g, 3, 3) strains, before their scale."""
        basis, envelope, units = edge
        node = self.node(s)
        isotropic = node[:, :1, None] * torch.eye(3, dtype=s.dtype)
        products = torch.einsum("mac,mbc,mc->mab", self.left(v), self.right(v), node[:, 1:])
        pair = self.pair(s)
        channels = pair.index_select(0, batch.senders) * pair.index_select(0, batch.receivers)
        strength = self.out(channels * self.edge(basis))[:, 0] * envelope * self.scale
        ideal = units[:, 0]
        dyads = strength[:, None, None] * ideal[:, :, None] * ideal[:, None, :]
        tensors = (isotropic + 0.5 * (products + products.mT)).index_add(0, batch.receivers, dyads)
        counts = torch.tensor(batch.nodes, dtype=s.dtype)
        total = torch.zeros(len(batch.nodes), 3, 3, dtype=s.dtype).index_add(0, batch.graph, tensors)
        return total / counts[:, None, None]


class DisplacementNetwork(nn.Module):
    """Clean displacements and strain from noisy ones, given a template, conditions and the diffusion time.

    A network is made by `fresh_network`, which fills its table of elements, or from stored weights, which hold it.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        w = config.width
        self.embed = NodeEmbedding(config)
        self.basis = EdgeBasis(config)
        self.conditions = _mlp(Conditions.WIDTH + 7, w, w)
        self.start = nn.Linear(w, w)
        self.layers = nn.ModuleList(Interaction(config, self.basis.width) for _ in range(config.layers))
        self.norm = nn.LayerNorm(w)
        self.gate = _mlp(2 * w, w, w + 1)
        self.read = nn.Linear(w, 1, bias=False)
        self.strain = StrainHead(config, self.basis.width)

    def forward(self, batch: Batch, displacements: Tensor, strain: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Clean displacements (m, 3) in Å and strains (g, 3, 3).

        Args:
            batch: templates and conditions.
            displacements: (m, 3) noisy displacements, Å.
            strain: (g, 3, 3) noisy strain.
            time: (g,) from 0 (noise) to 1 (clean).
        """
        told = torch.cat([batch.conditions, _time_features(time), _strain_invariants(strain)], dim=1)
        condition = self.conditions(told).index_select(0, batch.graph)
        edge = self._edges(batch, displacements, strain)
        s = self.embed(batch) + condition
        v = self.start(s)[:, None] * (displacements / DISPLACEMENT_SCALE)[:, :, None]
        for layer in self.layers:
            s, v = layer(s, v, batch, edge, condition)
        s, v = self.norm(s), bounded(v)
        gate = self.gate(torch.cat([s, condition], dim=1))
        # The last gate lets what is already right through, more and more so towards the end of the path.
        passed = gate[:, -1:] * time.index_select(0, batch.graph)[:, None]
        moved = self.read(gate[:, None, :-1] * v)[:, :, 0] * DISPLACEMENT_SCALE + passed * displacements
        atoms = (batch.markers != Marker.VACANCY).to(moved.dtype)
        scale = (batch.strain_scale * STRAIN_SCALE)[:, None, None]
        return moved * atoms[:, None], self.strain(s, v, batch, edge) * scale

    def _edges(self, batch: Batch, displacements: Tensor, strain: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Radial basis, envelope, and the (e, 2, 3) unit vectors of the ideal and the present geometry."""
        deform = torch.eye(3, dtype=strain.dtype) + strain
        frame = deform.index_select(0, batch.graph.index_select(0, batch.receivers))
        vectors = torch.einsum("ea,eab->eb", batch.vectors, frame)
        vectors = vectors + displacements.index_select(0, batch.senders)
        vectors = vectors - displacements.index_select(0, batch.receivers)
        both = torch.stack([batch.vectors, vectors], dim=1)
        lengths = torch.sqrt((both**2).sum(dim=2) + 1e-8)
        basis, envelope = self.basis(batch, lengths[:, 0], lengths[:, 1])
        return basis, envelope, both / lengths[:, :, None]


def fresh_network(config: NetworkConfig, seed: int) -> DisplacementNetwork:
    """An untrained float32 network; the same for the same seed, whatever torch's global state."""
    default = torch.get_default_dtype()  # potentials of other packages change it
    try:
        torch.set_default_dtype(torch.float32)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = DisplacementNetwork(config)
    finally:
        torch.set_default_dtype(default)
    network.embed.elements.copy_(torch.as_tensor(descriptor_table()))
    return network


def network_from_state(config: NetworkConfig, state: Mapping[str, Tensor]) -> DisplacementNetwork:
    """A float32 network with given weights, ready for use.

    Raises:
        DataError: the weights are those of another network.
    """
    with torch.random.fork_rng(devices=[]):
        network = DisplacementNetwork(config).to(torch.float32)
    try:
        network.load_state_dict(dict(state))
    except RuntimeError as error:
        raise DataError(f"weights do not fit the network of {config}: {str(error).splitlines()[0]}") from None
    return network.eval()


def _time_features(time: Tensor) -> Tensor:
    """(g, 5) smooth functions of the diffusion time."""
    angles = torch.pi * time[:, None] * torch.tensor([1.0, 2.0], dtype=time.dtype)
    return torch.cat([time[:, None], torch.sin(angles), torch.cos(angles)], dim=1)


def _strain_invariants(strain: Tensor) -> Tensor:
    """(g, 2) trace and size of the strain, which the network may use as scalars."""
    scaled = strain / STRAIN_SCALE
    trace = scaled.diagonal(dim1=1, dim2=2).sum(dim=1)
    size = torch.sqrt((scaled**2).sum(dim=(1, 2)) + 1e-6)
    return torch.stack([trace, size], dim=1)
