"""The network that predicts clean displacements and strain from noisy ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from defectgen.model.network.batch import STEP_SCALE, Batch
from defectgen.model.network.blocks import NetworkConfig, mlp
from defectgen.model.network.trunk import DISPLACEMENT_SCALE, STRAIN_SCALE, Edge, Trunk, fresh, restored


class StrainHead(nn.Module):
    """A symmetric strain per graph: isotropic part, edge dyads and products of node vectors, averaged over nodes."""

    def __init__(self, config: NetworkConfig, edge_width: int) -> None:
        super().__init__()
        w = config.width
        self.node = mlp(w, w // 2, 1 + 8)
        self.pair = mlp(w, w // 2, w // 2)
        self.edge = mlp(edge_width, w // 2, w // 2)
        self.out = nn.Linear(w // 2, 1)
        self.left = nn.Linear(w, 8, bias=False)
        self.right = nn.Linear(w, 8, bias=False)
        self.scale = 1.0 / config.neighbours

    def forward(self, s: Tensor, v: Tensor, batch: Batch, edge: Edge) -> Tensor:
        """(g, 3, 3) strains, before their scale."""
        basis, envelope, units = edge
        node = self.node(s)
        isotropic = node[:, :1, None] * torch.eye(3, dtype=s.dtype, device=s.device)
        products = torch.einsum("mac,mbc,mc->mab", self.left(v), self.right(v), node[:, 1:])
        pair = self.pair(s)
        channels = pair.index_select(0, batch.senders) * pair.index_select(0, batch.receivers)
        strength = self.out(channels * self.edge(basis))[:, 0] * envelope * self.scale
        ideal = units[:, 0]
        dyads = strength[:, None, None] * ideal[:, :, None] * ideal[:, None, :]
        tensors = (isotropic + 0.5 * (products + products.mT)).index_add(0, batch.receivers, dyads)
        counts = torch.tensor(batch.nodes, dtype=s.dtype, device=s.device)
        total = s.new_zeros(len(batch.nodes), 3, 3).index_add(0, batch.graph, tensors)
        return total / counts[:, None, None]


class DisplacementNetwork(Trunk):
    """Clean displacements and strain from noisy ones, given a template, conditions and the diffusion time."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        w = config.width
        self.gate = mlp(2 * w, w, w + 1)
        self.read = nn.Linear(w, 1, bias=False)
        self.strain = StrainHead(config, self.basis.width)
        self.trust = mlp(2 * w, w // 2, 1) if config.forces else None
        if self.trust is not None:
            # Before it learns better it believes the steps that the forces suggest.
            nn.init.zeros_(self.trust[-1].weight)  # type: ignore[arg-type]
            nn.init.ones_(self.trust[-1].bias)  # type: ignore[arg-type]

    def forward(
        self, batch: Batch, displacements: Tensor, strain: Tensor, time: Tensor, extra: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Clean displacements (m, 3) in Å and strains (g, 3, 3); the arguments are those of `features`."""
        features = self.features(batch, displacements, strain, time, extra)
        known = torch.cat([features.s, features.condition], dim=1)
        gate = self.gate(known)
        # The last gate lets what is already right through, more and more so towards the end of the path.
        passed = gate[:, -1:] * time.index_select(0, batch.graph)[:, None]
        moved = self.read(gate[:, None, :-1] * features.v)[:, :, 0] * DISPLACEMENT_SCALE + passed * displacements
        if self.trust is not None:
            moved = moved + self.trust(known) * batch.pushes[:, -1] * STEP_SCALE
        scale = (batch.strain_scale * STRAIN_SCALE)[:, None, None]
        return moved * batch.occupied[:, None], self.strain(features.s, features.v, batch, features.edge) * scale


def fresh_network(config: NetworkConfig, seed: int) -> DisplacementNetwork:
    """An untrained network of displacements."""
    return fresh(DisplacementNetwork, config, seed)


def network_from_state(config: NetworkConfig, state: Mapping[str, Tensor]) -> DisplacementNetwork:
    """A network of displacements with given weights.

    Raises:
        DataError: the weights are those of another network.
    """
    return restored(DisplacementNetwork, config, state)
