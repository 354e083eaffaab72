"""Geometries from a latent variable: a variational autoencoder and a generative adversarial network.

Both decode a latent vector z and H-invariant noise into displacements with the network of the bridge, in one step.
The autoencoder (Kingma and Welling, 2014, doi:10.48550/arXiv.1312.6114) learns z from the geometry; the adversarial
network (Goodfellow et al., 2014, doi:10.48550/arXiv.1406.2661) draws it and learns from a critic of geometries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from augment import CellSymmetry, Defect, DefectCell
from augment.groups.distortion import Distortion, apply_distortion, project
from augment.groups.subgroups import freedom_of
from defectgen.energy_surface.source import DefectForces
from defectgen.generation.request import GeometryRequest
from defectgen.generation.subgroup_choice import find_subgroup
from defectgen.generation.validity import MAX_BATCH_NODES, sample_seed, without_overlap
from defectgen.model.bridge import Bridge
from defectgen.model.network import BatchItem, collate, node_freedom
from defectgen.model.network.latent import LATENT_SIZE, LatentNetwork
from defectgen.representation.conditions import Conditions
from defectgen.representation.template import Template


@dataclass(frozen=True, eq=False)
class LatentGenerator:
    """A trained latent generator of geometries.

    Attributes:
        network: the trained networks.
        bridge: the noise that they were trained with.
        forces: potential whose energy surfaces are input features, if the networks have learnt from any.
    """

    network: LatentNetwork
    bridge: Bridge
    forces: DefectForces | None = None

    @property
    def name(self) -> str:
        """In tables."""
        return self.network.family

    def __call__(self, ask: Any) -> Iterable[DefectCell]:
        """Structures that a request of the benchmark asks for."""
        climate = {"temperature": ask.temperature, "pressure": ask.pressure, "snapshot": ask.snapshot}
        return self.sample(ask.defect, GeometryRequest(subgroup=ask.subgroup, n=ask.n, seed=ask.seed, **climate))

    def sample(self, defect: Defect, request: GeometryRequest) -> list[DefectCell]:
        """`n` geometries of a defect with the requested H, decoded in batches of at most `MAX_BATCH_NODES`."""
        ideal, symmetry, config = defect.cell(), find_subgroup(defect, request), self.network.config
        surface = None if self.forces is None else self.forces(defect)
        descent = None if surface is None else surface.descent
        template = Template.of(ideal, defect.supercell.sites, voids=config.voids, descent=descent)
        conditions = Conditions(
            request.temperature,
            request.pressure,
            symmetry.order,
            defect.stabilizer.order,
            request.snapshot,
            concentration=template.concentration,
        )
        free = node_freedom(template, freedom_of(symmetry), freedom_of(defect.symmetry()))
        item = BatchItem(template, template.edges(config.cutoff), conditions, free)
        rngs = [np.random.default_rng(sample_seed(request.seed, defect.key, self.name, k)) for k in range(request.n)]
        step = max(1, MAX_BATCH_NODES // len(template.numbers))
        batches = (self._decoded(item, symmetry, rngs[first : first + step]) for first in range(0, request.n, step))
        cells = []
        for k, state in enumerate(state for batch in batches for state in batch):
            cell = apply_distortion(ideal, without_overlap(ideal, state)[0])
            info = {"geometry": "generated", "generator": self.name, "subgroup": symmetry.symbol, "sample": k}
            cells.append(cell.with_geometry(cell.positions, cell.cell, **info, seed=request.seed))
        return cells

    def _decoded(
        self, item: BatchItem, symmetry: CellSymmetry, rngs: Sequence[np.random.Generator]
    ) -> Iterator[Distortion]:
        """One state with the symmetry for each source of noise."""
        count, atoms = len(rngs), item.template.n_atoms
        noise = np.zeros((count, len(item.template.numbers), 3))
        for row, rng in zip(noise, rngs, strict=True):
            row[:atoms] = self.bridge.noise(symmetry, 0.0, rng).displacements
        latent = torch.as_tensor(np.array([rng.standard_normal(LATENT_SIZE) for rng in rngs]), dtype=torch.float32)
        start = (torch.as_tensor(noise.reshape(-1, 3), dtype=torch.float32), torch.zeros(count, 3, 3))
        with torch.inference_mode():
            u, e = self.network(collate([item] * count), start, latent)
        moved = u.double().numpy().reshape(noise.shape)[:, :atoms]
        states = project(Distortion(moved, e.double().numpy()), symmetry)
        yield from (Distortion(x, strain) for x, strain in zip(states.displacements, states.strain, strict=True))
