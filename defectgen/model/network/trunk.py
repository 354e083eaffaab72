"""The trunk that every network shares: message passing from a template and a geometry to features of its nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from augment.errors import DataError
from defectgen.model.network.batch import FORCE_FEATURES, Batch
from defectgen.model.network.blocks import EdgeBasis, Interaction, NetworkConfig, NodeEmbedding, clip_length, mlp
from defectgen.representation.conditions import Conditions
from defectgen.representation.elements import descriptor_table

DISPLACEMENT_SCALE = 0.1
"""Å; displacements are of order one in this unit inside the network."""
STRAIN_SCALE = 0.02
"""Strain per 10 GPa or 1000 K of a typical solid; strains are of order one in this unit inside the network."""

SELDOM_KNOWN = 10
"""First of the conditions that labels may not know: charge, energy and concentration, with their flags."""

Edge = tuple[Tensor, Tensor, Tensor]
"""Radial basis (e, b), envelope (e,) and the unit vectors (e, 2, 3) of the ideal and the present geometry."""


class Features(NamedTuple):
    """Scalars (m, w), vectors (m, 3, w), condition (m, w) of the nodes, and the edges they were found with."""

    s: Tensor
    v: Tensor
    condition: Tensor
    edge: Edge


class Trunk(nn.Module):
    """Scalars and vectors of the nodes of a graph, given displacements, strain, conditions and the diffusion time.

    A network is made by `fresh`, which fills its table of elements, or from stored weights, which hold it.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        w = config.width
        self.embed = NodeEmbedding(config)
        self.basis = EdgeBasis(config)
        self.conditions = mlp(Conditions.WIDTH + 7 + int(config.forces), w, w)
        with torch.no_grad():
            # What no label ever knows, such as a charge, must not change an answer.
            first = next(self.conditions.parameters())
            first[:, SELDOM_KNOWN : Conditions.WIDTH] = 0.0
        self.start = nn.Linear(w, w)
        self.push = nn.Linear(w, FORCE_FEATURES * w) if config.forces else None
        self.layers = nn.ModuleList(Interaction(config, self.basis.width) for _ in range(config.layers))
        self.norm = nn.LayerNorm(w)

    def features(
        self, batch: Batch, displacements: Tensor, strain: Tensor, time: Tensor, extra: Tensor | None = None
    ) -> Features:
        """Features of the nodes.

        Args:
            batch: templates and conditions.
            displacements: (m, 3) noisy displacements, Å.
            strain: (g, 3, 3) noisy strain.
            time: (g,) from 0 (noise) to 1 (clean).
            extra: (g, width) further features of each graph, such as a latent vector.
        """
        parts = [batch.conditions, _time_features(time), _strain_invariants(strain)]
        known = torch.cat([*parts, batch.known_forces] if self.config.forces else parts, dim=1)
        whole = self.conditions(known) if extra is None else self.conditions(known) + extra
        condition = whole.index_select(0, batch.graph)
        edge = self._edges(batch, displacements, strain)
        s = self.embed(batch) + condition
        v = self.start(s)[:, None] * (displacements / DISPLACEMENT_SCALE)[:, :, None]
        if self.push is not None:
            v = v + torch.einsum("mpw,mpx->mxw", self.push(s).unflatten(1, (FORCE_FEATURES, -1)), batch.pushes)
        for layer in self.layers:
            s, v = layer(s, v, batch, edge, condition)
        return Features(self.norm(s), clip_length(v), condition, edge)

    def ideal_features(self, batch: Batch) -> Features:
        """Features of the ideal geometry, for what depends on the defect alone."""
        graphs, like = len(batch.nodes), batch.vectors
        zero, time = like.new_zeros(len(batch.numbers), 3), like.new_zeros(graphs)
        return self.features(batch, zero, like.new_zeros(graphs, 3, 3), time)

    def _edges(self, batch: Batch, displacements: Tensor, strain: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Radial basis, envelope, and the (e, 2, 3) unit vectors of the ideal and the present geometry."""
        deform = torch.eye(3, dtype=strain.dtype, device=strain.device) + strain
        frame = deform.index_select(0, batch.graph.index_select(0, batch.receivers))
        vectors = torch.einsum("ea,eab->eb", batch.vectors, frame)
        vectors = vectors + displacements.index_select(0, batch.senders)
        vectors = vectors - displacements.index_select(0, batch.receivers)
        both = torch.stack([batch.vectors, vectors], dim=1)
        lengths = torch.sqrt((both**2).sum(dim=2) + 1e-8)
        basis, envelope = self.basis(batch, lengths[:, 0], lengths[:, 1])
        return basis, envelope, both / lengths[:, :, None]


AnyNetwork = TypeVar("AnyNetwork", bound="Trunk")
AnyModule = TypeVar("AnyModule", bound=nn.Module)
Sizes = TypeVar("Sizes")


def fresh(kind: type[AnyNetwork], config: NetworkConfig, seed: int) -> AnyNetwork:
    """An untrained float32 network; the same for the same seed, whatever torch's global state."""
    default = torch.get_default_dtype()  # potentials of other packages change it
    try:
        torch.set_default_dtype(torch.float32)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = kind(config)
    finally:
        torch.set_default_dtype(default)
    network.embed.elements.copy_(torch.as_tensor(descriptor_table()))
    return network


def restored(kind: Callable[[Sizes], AnyModule], config: Sizes, state: Mapping[str, Tensor]) -> AnyModule:
    """A float32 network with given weights, ready for use.

    Raises:
        DataError: the weights are those of another network.
    """
    with torch.random.fork_rng(devices=[]):
        network = kind(config).to(torch.float32)
    try:
        network.load_state_dict(dict(state))
    except RuntimeError as error:
        raise DataError(f"weights do not fit the network of {config}: {str(error).splitlines()[0]}") from None
    return network.eval()


def _time_features(time: Tensor) -> Tensor:
    """(g, 5) smooth functions of the diffusion time."""
    angles = torch.pi * time[:, None] * torch.tensor([1.0, 2.0], dtype=time.dtype, device=time.device)
    return torch.cat([time[:, None], torch.sin(angles), torch.cos(angles)], dim=1)


def _strain_invariants(strain: Tensor) -> Tensor:
    """(g, 2) trace and size of the strain, which the network may use as scalars."""
    scaled = strain / STRAIN_SCALE
    trace = scaled.diagonal(dim1=1, dim2=2).sum(dim=1)
    size = torch.sqrt((scaled**2).sum(dim=(1, 2)) + 1e-6)
    return torch.stack([trace, size], dim=1)
