"""Results that are computed once and kept in a run folder by what they depend on, so that a stopped command goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import DefectCell
from augment.storage.archive import write_atomically
from md.potentials import Potential

__all__ = ["ResultCache"]

Values = dict[str, Any]


@dataclass(frozen=True)
class ResultCache:
    """JSON results of a potential, one file each, named by the hash of what they were computed from.

    Attributes:
        folder: where they are kept; None keeps nothing.
        potential: who computes them; its weights are part of every hash.
    """

    folder: Path | None
    potential: Potential

    def get(self, name: str, made_from: Mapping[str, Any], compute: Callable[[], Values]) -> Values:
        """What is kept under this hash, or what `compute` returns, which is then kept; a damaged file is made again."""
        if self.folder is None:
            return compute()
        text = json.dumps({"potential": self.potential.sha256, **made_from}, sort_keys=True)
        plain = "".join(c if c.isalnum() else "-" for c in name)
        path = self.folder / f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            kept = None
        if isinstance(kept, dict):
            return kept
        values = compute()
        write_atomically(path, (json.dumps(values) + "\n").encode())
        return values


def fingerprint(cell: DefectCell) -> str:
    """Hash of a geometry: lattice, elements and positions to 1e-8 Å."""
    arrays = (np.round(cell.cell, 8) + 0.0, cell.numbers, np.round(cell.positions, 8) + 0.0)
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()
