"""Several templates with their conditions as one disjoint graph of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from augment.cell import FloatArray, IntArray
from defectgen.energy_surface.quasi_newton import DESCENT_POINTS, secant_step
from defectgen.representation.conditions import Conditions
from defectgen.representation.template import Edges, Template

FORCE_FEATURES = DESCENT_POINTS + 2
"""Vectors that are input features of each node: forces of a descent, its last point and where it leads."""

NODE_SCALARS = 5 + FORCE_FEATURES
"""Scalars of a node besides its embeddings; the last are the lengths of these vectors."""

FORCE_SCALE = 0.1
"""eV/Å; forces below it are features in proportion, larger ones by the logarithm of their length: next to a defect they
are a thousand times those far away."""

MIN_FORCE_LENGTH = 1e-9
"""eV/Å; keeps the direction of a force of zero length finite."""

STEP_SCALE = 0.1
"""Å; displacements are of order one in this unit."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Several templates with their conditions as one disjoint graph; m nodes, e edges, g graphs.

    Attributes:
        numbers, host_numbers, markers, wyckoff: (m,) indices of embeddings.
        known: (m, 2) 0 where the learnt embedding of the element, of the host's element, is hidden; else 1.
        scalars: (m, NODE_SCALARS) log site-symmetry order, log multiplicity, closeness to the defect, the share of
            the directions in which H, and the full stabilizer, let the atom move, and the lengths of what pushes it.
        pushes: (m, FORCE_FEATURES, 3) forces at the points of a descent, log-scaled, the displacement of the last point
            and the one that they suggest, in units of `STEP_SCALE`; zero where they are unknown.
        known_forces: (g, 1) whether they are known.
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
    pushes: Tensor
    known_forces: Tensor
    graph: Tensor
    senders: Tensor
    receivers: Tensor
    vectors: Tensor
    conditions: Tensor
    strain_scale: Tensor
    nodes: tuple[int, ...]

    def to(self, device: torch.device | str) -> Batch:
        """The batch on a device."""
        moved = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "nodes"}
        return replace(self, **{name: tensor.to(device) for name, tensor in moved.items()})

    @property
    def occupied(self) -> Tensor:
        """(m,) 1 for an atom, 0 for a vacant site."""
        return (self.numbers > 0).to(self.vectors.dtype)


@dataclass(frozen=True, eq=False)
class BatchItem:
    """One graph before collation.

    Attributes:
        template: nodes.
        edges: of the ideal geometry.
        conditions: of the request.
        freedom: (m, 2) share of the directions that H, and the full stabilizer, let each node move; 0 where unknown.
    """

    template: Template
    edges: Edges
    conditions: Conditions
    freedom: FloatArray | None = None


def collate(items: Sequence[BatchItem], dtype: torch.dtype = torch.float32) -> Batch:
    """One disjoint graph of several templates; float tensors are of `dtype`."""
    templates, edges = [item.template for item in items], [item.edges for item in items]
    conditions = [item.conditions for item in items]
    pushes = [_pushes(item) for item in items]
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
        scalars=floats(np.concatenate([_node_scalars(item, p) for item, p in zip(items, pushes, strict=True)])),
        pushes=floats(np.concatenate(pushes)),
        known_forces=floats(np.array([[_has_forces(item)] for item in items])),
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


def _has_forces(item: BatchItem) -> bool:
    return item.template.descent is not None and "forces" not in item.conditions.hidden


def _pushes(item: BatchItem) -> FloatArray:
    """(m, FORCE_FEATURES, 3) forces, their lengths log-scaled, the last displacement and the one that they suggest."""
    points = item.template.descent
    if points is None or not _has_forces(item):
        return np.zeros((len(item.template.numbers), FORCE_FEATURES, 3))
    forces = points[:, :, 1]
    lengths = np.linalg.norm(forces, axis=2, keepdims=True)
    scaled = forces * np.log1p(lengths / FORCE_SCALE) / np.maximum(lengths, MIN_FORCE_LENGTH)
    return np.concatenate([scaled, np.stack([points[:, -1, 0], secant_step(points)], axis=1) / STEP_SCALE], axis=1)


def _node_scalars(item: BatchItem, pushes: FloatArray) -> FloatArray:
    template = item.template
    orders = np.log(np.stack([template.site_order, template.multiplicity], axis=1)) / 4.0
    closeness = np.exp(-template.defect_distance / 3.0)
    free = (
        np.zeros((len(closeness), 2)) if item.freedom is None or "subgroup" in item.conditions.hidden else item.freedom
    )
    return np.concatenate([orders, closeness[:, None], free, np.linalg.norm(pushes, axis=2)], axis=1)


def node_freedom(template: Template, given: FloatArray, full: FloatArray) -> FloatArray:
    """(m, 2) share of the directions that H and the stabilizer let each node move, from their projectors (n, 3, 3)."""
    free = np.zeros((len(template.numbers), 2))
    free[: template.n_atoms] = np.stack([np.trace(p, axis1=1, axis2=2) for p in (given, full)], axis=1) / 3.0
    return free
