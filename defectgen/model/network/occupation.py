"""The network of site occupation: logits of the edits that are possible while some of them are known.

The nodes are the sites of the pristine supercell. A node whose edit is known shows what it holds; every node that may
still be edited is marked as unknown. An edit that puts the element Z at node i scores f(s_i, Z); the species that a
site would get is represented by its embedding, so that elements are alike where their descriptors are. A second head
reads the energy of a whole arrangement, up to a constant of the composition. Both add the energy of formal point
charges, screened as much as the network learns, which reaches beyond the graph.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from defectgen.model.network.batch import Batch
from defectgen.model.network.blocks import NetworkConfig, mlp
from defectgen.model.network.trunk import Trunk

COULOMB = 14.399645
"""e²/(4 pi epsilon_0) in eV Å."""

SCREENING = 0.1
"""Inverse of the dielectric constant that training starts from."""


class OccupationNetwork(Trunk):
    """Logits of edits, and energies of arrangements."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        w = config.width
        self.put = mlp(self.embed.element_width, w, w)
        self.edit = mlp(2 * w, w, 1)
        self.each_energy = mlp(2 * w, w, 1)
        self.screening = nn.Parameter(torch.tensor([SCREENING, SCREENING]))

    def forward(self, batch: Batch, node: Tensor, number: Tensor, charged: Tensor) -> Tensor:
        """Logits (c,) of edits that put the elements `number` (c,) at nodes `node` (c,) of the batch.

        `charged` (c,) is q sum q'/d of each with the edits that are known, e²/Å.
        """
        s = self.ideal_features(batch).s
        what = self.put(self.embed.element(number, s.new_ones(len(number), 1)))
        scores: Tensor = self.edit(torch.cat([s.index_select(0, node), what], dim=1))[:, 0]
        return scores - COULOMB * self.screening[0] * charged

    def energy(self, batch: Batch, charged: Tensor) -> Tensor:
        """Energies (g,) of finished arrangements in eV, up to a constant of their composition.

        `charged` (g,) is the sum of q q'/d over their pairs of edits, e²/Å.
        """
        features = self.ideal_features(batch)
        each = self.each_energy(torch.cat([features.s, features.condition], dim=1))[:, 0]
        # What is near an edit decides; far nodes are those of the pristine crystal.
        total: Tensor = each.new_zeros(len(batch.nodes)).index_add(0, batch.graph, each * batch.scalars[:, 2])
        return total + COULOMB * self.screening[1] * charged
