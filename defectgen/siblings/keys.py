"""A Transformer that writes defect keys edit by edit: who sits where, the way language models write crystals.

A key is written edit by edit in any order, each one token of the species before and after, the Wyckoff letter and the
place; attention is over what was written before (Vaswani et al., 2017, doi:10.48550/arXiv.1706.03762). The tokens do
not know the crystal's graph: what a model over text can know.
"""

from __future__ import annotations
