"""Which edits a network of site occupation has made so far, and which it may make next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from augment.cell import FloatArray, IntArray
from defectgen.model.network import Batch, BatchItem, collate
from defectgen.representation.conditions import Conditions
from defectgen.representation.template import Edges, Marker, Template, nearest_images

BOLTZMANN = 8.617333262e-5
"""eV/K."""


@dataclass(frozen=True, eq=False)
class Occupied:
    """A pristine supercell with some edits known.

    Attributes:
        template: the pristine supercell.
        edges: its edges.
        node: (k,) nodes whose edit is known.
        number: (k,) what each holds.
        charge: (k,) formal charge of each, e.
        open_nodes: nodes that may still be edited.
        conditions: of the request.
    """

    template: Template
    edges: Edges
    node: IntArray
    number: IntArray
    charge: IntArray
    open_nodes: IntArray
    conditions: Conditions


def next_edits(node: IntArray, label: IntArray, seen: IntArray, rest: IntArray) -> IntArray:
    """Edits that may come next: of a kind of which some are left, at a node that is not taken."""
    return np.flatnonzero(np.isin(label, label[rest]) & ~np.isin(node, node[seen]))


def field_of(seen: Occupied, node: IntArray, charge: IntArray) -> FloatArray:
    """(c,) q sum q'/d of charges (c,) at nodes (c,) with the edits that are known, nearest images, e²/Å."""
    if len(seen.node) == 0:
        return np.zeros(len(node))
    positions = seen.template.positions
    distance = nearest_images(positions[node], positions[seen.node], seen.template.cell)
    # An edit at a node that is known cannot be made; its distance is that of a bond, whatever it is.
    return np.asarray(charge * (seen.charge / np.maximum(distance, 1.0)).sum(axis=1))


def coulomb_of(whole: Occupied) -> float:
    """Sum of q q'/d over the pairs of the edits that are known, nearest images, e²/Å."""
    self_energy = whole.charge**2 / 1.0  # each edit's own term in `field_of`, at its least distance
    return float((field_of(whole, whole.node, whole.charge) - self_energy).sum() / 2.0)


def occupied_batch(items: Sequence[Occupied], dtype: torch.dtype = torch.float32) -> Batch:
    """The pristine supercells of some partly known arrangements as a batch that shows what is known.

    A known edit shows its species and marker; a site that may still be edited is marked as unknown; closeness is that
    to the known edits.
    """
    batch = collate([BatchItem(o.template, o.edges, o.conditions) for o in items], dtype)
    numbers, markers, scalars = batch.numbers.clone(), batch.markers.clone(), batch.scalars.clone()
    start = 0
    for item in items:
        template = item.template
        markers[start + torch.as_tensor(item.open_nodes)] = Marker.UNKNOWN
        at = start + torch.as_tensor(item.node)
        numbers[at] = torch.as_tensor(item.number)
        void = template.host_numbers[item.node] == 0
        kind = np.where(void, Marker.INTERSTITIAL, np.where(item.number == 0, Marker.VACANCY, Marker.SUBSTITUTED))
        markers[at] = torch.as_tensor(kind.astype(np.int64))
        if len(item.node):
            near = nearest_images(template.positions, template.positions[item.node], template.cell).min(axis=1)
            closeness = torch.as_tensor(np.exp(-near / 3.0), dtype=dtype)
            scalars[start : start + len(near), 2] = closeness
        start += len(template.numbers)
    return replace(batch, numbers=numbers, markers=markers, scalars=scalars)
