"""What the baselines with a latent variable learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from augment.errors import SettingsError
from defectgen.corpus.cases import Case
from defectgen.model.bridge import Bridge
from defectgen.model.network import Batch, NetworkConfig, collate
from defectgen.model.network.latent import FAMILIES, LATENT_SIZE, Family, LatentNetwork
from defectgen.representation.elements import descriptor_table
from defectgen.training.objectives.displacements import (
    DisplacementObjective,
    DisplacementSample,
    DisplacementSettings,
    geometry_loss,
    node_weights,
    padded_displacements,
)
from md.training.processes import device_of


@dataclass(frozen=True, eq=False)
class LatentSample:
    """A training pair whose noisy state is that of t = 0, and a latent vector (LATENT_SIZE,) of white noise."""

    pair: DisplacementSample
    latent: np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class LatentObjective:
    """Geometries of labelled defects for a latent generator.

    Attributes:
        cases: labelled defects.
        family: `vae` or `gan`.
        config: sizes of the networks.
        settings: what is drawn.
        bridge: the noise of the start.
        divergence: weight of the Kullback-Leibler divergence of the posterior from white noise.
        judgement: weight of the critic's judgement beside the error of the geometry, which keeps the game stable.
    """

    cases: Sequence[Case]
    family: Family = "vae"
    config: NetworkConfig = field(default_factory=lambda: NetworkConfig(width=48, layers=3))
    settings: DisplacementSettings = field(default_factory=DisplacementSettings)
    bridge: Bridge = field(default_factory=Bridge)
    divergence: float = 0.02
    judgement: float = 0.05

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise SettingsError(f"no latent generator is called {self.family!r}; there are vae and gan")

    @cached_property
    def pairs(self) -> DisplacementObjective:
        """Where training pairs come from."""
        return DisplacementObjective(self.cases, self.config, self.settings, self.bridge)

    @property
    def held_out(self) -> tuple[()]:
        """None: a game between two networks has no loss that says which weights are best."""
        return ()

    @property
    def identity(self) -> dict[str, Any]:
        """Family, sizes, settings and weights."""
        return {**self.pairs.identity, "latent": [self.family, self.divergence, self.judgement]}

    def fresh(self, seed: int) -> LatentNetwork:
        """Untrained networks."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = FAMILIES[self.family](self.config).to(torch.float32)
        table = torch.as_tensor(descriptor_table())
        for part in (network.decoder, network.reader):
            part.embed.elements.copy_(table)
        return network

    def draw(self, rng: np.random.Generator) -> LatentSample:
        """A training pair at t = 0 and a latent vector."""
        pair = self.pairs.draw(rng)
        noise = self.bridge.noise(pair.symmetry, 0.0, rng)
        return LatentSample(replace(pair, noisy=noise, time=0.0), rng.standard_normal(LATENT_SIZE))

    def loss(self, network: LatentNetwork, draws: Sequence[LatentSample]) -> Tensor:
        """Mean loss of the decoder and of what it learns from."""
        device = device_of(network)
        pairs = [d.pair for d in draws]
        batch = collate([p.item for p in pairs]).to(device)
        noisy, clean = (tensor.to(device) for tensor in padded_displacements(pairs))
        strain = torch.as_tensor(np.array([p.clean.strain for p in pairs]), dtype=torch.float32, device=device)
        white = torch.as_tensor(np.array([d.latent for d in draws]), dtype=torch.float32, device=device)
        start = (noisy, torch.zeros_like(strain))
        learn = self._autoencoded if self.family == "vae" else self._judged
        latent, extra = learn(network, batch, (clean, strain), white)
        moved, strained = network(batch, start, latent)
        snapshot = torch.tensor([p.item.conditions.snapshot for p in pairs], device=device)[batch.graph]
        weights = node_weights(pairs, self.settings.near).to(device)
        error = geometry_loss(moved - clean, strained - strain, snapshot, weights, self.settings)
        total: Tensor = error + extra(moved, strained)
        return total

    def _autoencoded(self, network: LatentNetwork, batch: Batch, true: tuple[Tensor, Tensor], white: Tensor) -> Any:
        mean, log_variance = network.reader(batch, *true).chunk(2, dim=1)
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1.0 - log_variance).sum(dim=1).mean()
        latent = mean + (0.5 * log_variance).exp() * white
        return latent, lambda _u, _e: self.divergence * divergence

    def _judged(self, network: LatentNetwork, batch: Batch, true: tuple[Tensor, Tensor], white: Tensor) -> Any:
        def judged(moved: Tensor, strained: Tensor) -> Tensor:
            softplus = nn.functional.softplus
            real = network.reader(batch, *true)
            made = network.reader(batch, moved.detach(), strained.detach())
            critic = softplus(-real).mean() + softplus(made).mean()
            # The critic as the decoder sees it is fixed: one optimiser serves both sides of the game.
            fixed = {name: value.detach() for name, value in network.reader.named_parameters()}
            fooled = functional_call(network.reader, fixed, (batch, moved, strained))
            total: Tensor = self.judgement * (critic + softplus(-fooled).mean())
            return total

        return white, judged
