"""Labelled frames of a known pair potential, as a dataset has them."""

from __future__ import annotations

import numpy as np

from defectgen.dataset.frame import Frame
from tests.support.export_runs import WEIGHTS, morse_labels, rock_salt

KEY = "0123456789ab/1.0.0.1.0.1/v4/q+0"


def make_frame(seed: int, *, drop: int | None = 4, kind: str = "relaxed", **facts: str | float) -> Frame:
    """A rattled cell of MgO, with a vacancy and its ideal geometry unless `drop` is None."""
    cell, numbers, positions, sites = rock_salt(4.2, (12, 8), drop, seed)
    ideal = rock_salt(4.2, (12, 8), drop, 10_000)
    energy, forces, stress = morse_labels(cell, positions)
    known = {
        "config_type": kind,
        "name": "v_O" if drop is not None else "bulk",
        "formula": "MgO",
        "host": "MgO/0123456789ab",
        "defect_key": KEY,
        "defect_type": "vacancy" if drop is not None else "pristine",
        "wyckoff": "4b",
        "site_symmetry": "m-3m",
        "stabilizer": "Oh",
        "subgroup": "1",
        "degeneracy": 4,
        "temperature": 300.0,
        "potential": "morse",
        "potential_sha256": WEIGHTS,
        "head": "Default",
        "config_weight": 1.0,
        "split": "train",
    }
    assert len(sites) == len(numbers)
    return Frame(
        np.asarray(numbers, dtype=np.int64),
        positions,
        cell,
        energy=energy,
        forces=forces,
        stress=stress,
        charge=seed % 3 - 1,
        facts={**known, **facts},
        ideal=(ideal[2], ideal[0]),
    )


def make_frames(n: int = 6) -> list[Frame]:
    """Frames of two compositions, relaxed ends and frames of dynamics in turn."""
    kinds = ("relaxed", "md_300K_0GPa")
    return [make_frame(k, drop=None if k % 3 == 0 else 4, kind=kinds[k % 2]) for k in range(n)]
