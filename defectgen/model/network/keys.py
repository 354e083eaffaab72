"""The Transformer over defect keys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from augment.cell import FloatArray, IntArray
from defectgen.representation.elements import DESCRIPTORS, descriptor_table
from defectgen.representation.template import WYCKOFF_LETTERS, Template

TOKEN = 2 * DESCRIPTORS + len(WYCKOFF_LETTERS) + 1 + 12
"""Features of an edit: species before and after, Wyckoff letter, void or not, harmonics of its fractional position."""


@dataclass(frozen=True)
class KeyConfig:
    """Sizes of the Transformer: width, attention heads, layers."""

    width: int = 64
    heads: int = 4
    layers: int = 3


class KeyNetwork(nn.Module):
    """Logits of the next edit of a key, given those written before it."""

    start: Tensor

    def __init__(self, config: KeyConfig) -> None:
        super().__init__()
        self.config = config
        w = config.width
        self.embed = nn.Linear(TOKEN, w)
        self.start = nn.Parameter(torch.zeros(w))
        layer = nn.TransformerEncoderLayer(w, config.heads, 2 * w, dropout=0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.query = nn.Linear(w, w)

    def forward(self, written: Tensor, candidates: Tensor) -> Tensor:
        """Logits (k + 1, c) of candidate edits (c, TOKEN) after each prefix of the edits written (k, TOKEN)."""
        tokens = torch.cat([self.start[None], self.embed(written)])
        mask = nn.Transformer.generate_square_subsequent_mask(len(tokens), device=tokens.device, dtype=tokens.dtype)
        read = self.layers(tokens[None], mask=mask, is_causal=True)[0]
        scores: Tensor = self.query(read) @ self.embed(candidates).T / candidates.shape[1] ** 0.5
        return scores


def edit_tokens(template: Template, node: IntArray, number: IntArray) -> FloatArray:
    """(k, TOKEN) features of edits that put `number` (k,) at the nodes `node` (k,)."""
    table = descriptor_table()
    letters = np.eye(len(WYCKOFF_LETTERS))[template.wyckoff[node]]
    fractional = template.positions[node] @ np.linalg.inv(template.cell)
    angles = 2 * np.pi * np.concatenate([fractional, 2 * fractional], axis=1)
    void = (template.host_numbers[node] == 0)[:, None]
    parts = [table[template.host_numbers[node]], table[number], letters, void, np.sin(angles), np.cos(angles)]
    return np.concatenate(parts, axis=1).astype(float)
