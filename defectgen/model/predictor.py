"""The network of displacements bound to one defect and what is asked, as a function of states and a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from augment import CellSymmetry
from augment.groups.distortion import Distortion
from augment.groups.subgroups import freedom_of
from defectgen.model.bridge import Predictor
from defectgen.model.network import Batch, BatchItem, collate, node_freedom
from defectgen.model.weights import Model
from defectgen.representation.conditions import CONDITIONS, Conditions
from defectgen.representation.template import Template


def predictor(
    model: Model,
    templates: Template | Sequence[Template],
    conditions: Conditions,
    guidance: float = 1.0,
    *,
    groups: tuple[CellSymmetry, CellSymmetry] | None = None,
) -> Predictor:
    """The network as a function of one state or several at once, and a time; vacant nodes are added here.

    Args:
        model: the trained network and its noise.
        templates: the defect, with the empty voids that the network is meant to see; of several states each has its
            own, which differ in their energy features alone, or all have one.
        conditions: of the request.
        guidance: weight of the conditions (classifier-free guidance, Ho and Salimans, 2022,
            doi:10.48550/arXiv.2207.12598); with 1 one pass of the network answers, otherwise two.
        groups: H and the full stabilizer, whose freedoms of each atom are input features.
    """
    each = [templates] if isinstance(templates, Template) else list(templates)
    template, edges = each[0], each[0].edges(model.network.config.cutoff)
    free = None if groups is None else node_freedom(template, *(freedom_of(group) for group in groups))
    conditional = _Bound(model, [BatchItem(template_of_state, edges, conditions, free) for template_of_state in each])
    if guidance == 1.0:
        return conditional
    nothing = replace(conditions, hidden=frozenset(CONDITIONS))
    unconditional = _Bound(model, [BatchItem(template_of_state, edges, nothing, free) for template_of_state in each])

    def guided(state: Distortion, now: float) -> Distortion:
        base = unconditional(state, now)
        return base + (conditional(state, now) - base).scaled(guidance)

    return guided


class _Bound:
    """The network bound to one item, or to one for each state."""

    def __init__(self, model: Model, items: list[BatchItem]) -> None:
        self._network, self._items = model.network, items
        template = items[0].template
        self._atoms, self._nodes = template.n_atoms, len(template.numbers)
        self._batches: dict[int, Batch] = {}

    def __call__(self, state: Distortion, now: float) -> Distortion:
        import torch

        single = state.displacements.ndim == 2  # noqa: PLR2004  one state has no leading axis
        u = state.displacements.reshape(-1, self._atoms, 3)
        count = len(u)
        if count not in self._batches:
            self._batches = {count: collate(self._items * (count // len(self._items)))}
        moved = np.zeros((count, self._nodes, 3))
        moved[:, : self._atoms] = u
        with torch.inference_mode():
            clean, strain = self._network(
                self._batches[count],
                torch.as_tensor(moved.reshape(-1, 3), dtype=torch.float32),
                torch.as_tensor(state.strain.reshape(-1, 3, 3), dtype=torch.float32),
                torch.full((count,), now, dtype=torch.float32),
            )
        displacements = clean.double().numpy().reshape(count, self._nodes, 3)[:, : self._atoms]
        strains = strain.double().numpy()
        return Distortion(displacements[0], strains[0]) if single else Distortion(displacements, strains)
