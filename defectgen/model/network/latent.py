"""Networks of the baselines with a latent variable: autoencoder and generative adversarial network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from defectgen.model.network import Batch, DisplacementNetwork, NetworkConfig, Trunk
from defectgen.model.network.blocks import mlp

LATENT_SIZE = 8
"""Numbers of the latent vector: more than the modes of a relaxed defect."""


Family = Literal["vae", "gan"]


class Reader(Trunk):
    """Numbers of each graph read off a geometry: the posterior of an autoencoder, or the judgement of a critic."""

    def __init__(self, config: NetworkConfig, outputs: int) -> None:
        super().__init__(config)
        self.read = mlp(config.width, config.width, outputs)

    def forward(self, batch: Batch, displacements: Tensor, strain: Tensor) -> Tensor:
        """(g, outputs) means over the nodes, those near the defect first."""
        s = self.features(batch, displacements, strain, strain.new_ones(len(strain))).s
        weight = 0.1 + batch.scalars[:, 2:3]
        each = torch.cat([self.read(s) * weight, weight], dim=1)
        total = each.new_zeros(len(strain), each.shape[1]).index_add(0, batch.graph, each)
        return total[:, :-1] / total[:, -1:]


class LatentNetwork(nn.Module):
    """A decoder of latent vectors, and what it learns from: an encoder or a critic."""

    family: ClassVar[Family]
    readings: ClassVar[int]

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.decoder = DisplacementNetwork(config)
        self.told = nn.Linear(LATENT_SIZE, config.width)
        self.reader = Reader(config, self.readings)

    def forward(self, batch: Batch, noisy: tuple[Tensor, Tensor], latent: Tensor) -> tuple[Tensor, Tensor]:
        """Displacements (m, 3) and strains (g, 3, 3) of latent vectors (g, LATENT_SIZE)."""
        displacements, strain = noisy
        geometry: tuple[Tensor, Tensor] = self.decoder(
            batch, displacements, strain, strain.new_zeros(len(strain)), self.told(latent)
        )
        return geometry


class Autoencoder(LatentNetwork):
    """The decoder with an encoder, which reads the mean and the log variance of the latent vector."""

    family = "vae"
    readings = 2 * LATENT_SIZE


class Adversarial(LatentNetwork):
    """The decoder with a critic, which reads how true a geometry looks."""

    family = "gan"
    readings = 1


FAMILIES: Mapping[str, type[LatentNetwork]] = {"vae": Autoencoder, "gan": Adversarial}
"""Networks of the latent generators."""
