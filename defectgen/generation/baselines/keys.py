"""Complexes from a Transformer that writes defect keys edit by edit, the way language models write crystals.

A key is written edit by edit in any order, each one token of the species before and after, the Wyckoff letter and the
place; attention is over what was written before (Vaswani et al., 2017, doi:10.48550/arXiv.1706.03762). The tokens do
not know the crystal's graph: what a model over text can know.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from augment import Defect, EditSpace, Recipe
from augment.cell import FloatArray
from augment.groups.symmetry import FiniteGroup
from defectgen.corpus.arrangements import pristine_template
from defectgen.model.network.keys import KeyNetwork, edit_tokens
from defectgen.representation.arrangements import Arranging, OrbitSpace, draw_arrangements


class KeyScorer:
    """The Transformer as a scorer of orbits, for one edit space."""

    def __init__(self, network: KeyNetwork, space: EditSpace) -> None:
        self._network, self._space = network, space
        template, node = pristine_template(space)
        self._tokens = torch.as_tensor(edit_tokens(template, node, space.number), dtype=torch.float32)

    def __call__(self, arranged: Sequence[Arranging]) -> FloatArray:
        """Mean logit of the edits of each orbit, (a, o)."""
        rows = []
        for arranging in arranged:
            orbits = arranging.orbits
            written = [int(e) for k in arranging.drawn for e in orbits.members[k]]
            with torch.inference_mode():
                logits = self._network(self._tokens[written], self._tokens)[-1].double().numpy()
            rows.append(np.bincount(orbits.orbit, weights=logits, minlength=len(orbits)) / orbits.size)
        return np.array(rows)


def propose_keys(
    network: KeyNetwork, space: EditSpace, recipe: Recipe, n: int, seed: int, *, H: FiniteGroup | None = None
) -> list[Defect]:
    """Draw `n` complexes from the Transformer, with species, counts and H exact as in `propose_complexes`."""
    drawn = draw_arrangements(OrbitSpace(space, H), recipe, n, seed, KeyScorer(network, space))
    return [Defect(space.supercell, space.edits(members)) for members in drawn]
