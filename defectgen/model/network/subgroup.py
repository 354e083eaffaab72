"""The network that says which subgroup of the stabilizer survives: p(H | host, defect, conditions).

A conjugacy class of subgroups is described by its order, its index, the size of the class and the dimensions of its
invariant spaces, and by what it lets the atoms do: the projector A_i onto the vectors at atom i that the class keeps,
as its trace and contracted with a tensor T_i of the atom's surroundings. tr A_i T_i depends on the class, not on which
of its conjugates stands for it, once it is summed over the atoms with weights that the stabilizer does not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from augment.cell import FloatArray
from augment.groups.subgroups import SubgroupClasses
from defectgen.model.network.batch import Batch
from defectgen.model.network.blocks import NetworkConfig, mlp
from defectgen.model.network.trunk import Features, Trunk
from defectgen.representation.template import Template

CLASS_SCALARS = 8

SOFT = 0.3
"""eV/Å²; curvatures beyond it enter by their logarithm."""


@dataclass(frozen=True, eq=False)
class ClassFeatures:
    """What the network sees of the classes of subgroups of one defect; c classes, m nodes.

    Attributes:
        scalars: (c, CLASS_SCALARS) logarithms of order, index and class size, dimensions of the invariant spaces,
            whether it is the whole stabilizer, the least curvature that it releases, and whether that is known.
        freedoms: (c, m, 3, 3) projectors at each node; zero at vacant ones.
    """

    scalars: FloatArray
    freedoms: FloatArray

    @classmethod
    def of(cls, template: Template, classes: SubgroupClasses, curvatures: FloatArray | None = None) -> ClassFeatures:
        """Features of the classes of a defect's stabilizer.

        Args:
            template: the defect.
            classes: of the subgroups of its stabilizer.
            curvatures: (c,) what each releases, eV/Å², if that is known; see `defectgen.energy_surface.curvature`.
        """
        orders = np.array([len(members) for members in classes.members], dtype=float)
        full = float(classes.symmetry.order)
        dimensions = classes.dimensions
        columns = [np.log(orders) / 4, np.log(full / orders) / 4, np.log(classes.sizes) / 4]
        columns += [np.log1p(dimensions[:, 0]) / 4, dimensions[:, 1] / 6.0, (orders == full).astype(float)]
        known = np.full(len(orders), float(curvatures is not None))
        columns += [np.zeros(len(orders)) if curvatures is None else np.arcsinh(curvatures / SOFT) / 3.0, known]
        freedoms = np.zeros((len(orders), len(template.numbers), 3, 3))
        freedoms[:, : template.n_atoms] = classes.freedoms
        return cls(np.stack(columns, axis=1), freedoms)


class SubgroupNetwork(Trunk):
    """Logits of the classes of subgroups of each defect of a batch."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        w = config.width
        self.channels = 8
        self.tensor = mlp(self.basis.width + 2 * w, w, self.channels)
        self.node = mlp(w + 2 + 2 * self.channels, w, w)
        self.weight = mlp(w, w // 2, 1)
        self.score = mlp(2 * w + CLASS_SCALARS, w, w, 1)
        self.direct = nn.Linear(CLASS_SCALARS, 1, bias=False)
        # Before it learns, every class of a defect is alike.
        nn.init.zeros_(self.score[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.direct.weight)

    def forward(self, batch: Batch, classes: Sequence[ClassFeatures]) -> list[Tensor]:
        """Logits (c,) of each graph."""
        features = self.ideal_features(batch)
        tensors = self._tensors(features, batch)
        gate = self.weight(features.s).sigmoid() * batch.occupied[:, None]
        logits, start = [], 0
        for nodes, class_features in zip(batch.nodes, classes, strict=True):
            part = slice(start, start + nodes)
            logits.append(self._scores(features.s[part], tensors[part], gate[part], class_features))
            start += nodes
        return logits

    def _scores(self, s: Tensor, tensors: Tensor, gate: Tensor, class_features: ClassFeatures) -> Tensor:
        scalars = torch.as_tensor(class_features.scalars, dtype=s.dtype, device=s.device)
        freedoms = torch.as_tensor(class_features.freedoms, dtype=s.dtype, device=s.device)
        count = len(scalars)
        along = torch.einsum("cnab,nkab->cnk", freedoms, tensors)
        gained = along - along[:1]  # the first class is the whole stabilizer
        trace = freedoms.diagonal(dim1=2, dim2=3).sum(dim=2) / 3.0
        both = torch.stack([trace, trace - trace[:1]], dim=2)
        each = self.node(torch.cat([s[None].expand(count, -1, -1), both, along, gained], dim=2))
        pooled = (each * gate).sum(dim=1) / gate.sum(dim=0)
        mean = (s * gate).sum(dim=0) / gate.sum(dim=0)
        known = torch.cat([pooled, mean[None].expand(count, -1), scalars], dim=1)
        scores: Tensor = (self.score(known) + self.direct(scalars))[:, 0]
        return scores

    def _tensors(self, features: Features, batch: Batch) -> Tensor:
        """(m, channels, 3, 3) symmetric tensors of the surroundings: dyads of edges with learnt weights."""
        basis, envelope, units = features.edge
        pair = [features.s.index_select(0, batch.senders), features.s.index_select(0, batch.receivers)]
        strength = self.tensor(torch.cat([basis, *pair], dim=1)) * envelope[:, None] * self.config.neighbours**-0.5
        ideal = units[:, 0]
        dyads = strength[:, :, None, None] * (ideal[:, :, None] * ideal[:, None, :])[:, None]
        return features.s.new_zeros(len(features.s), self.channels, 3, 3).index_add(0, batch.receivers, dyads)
