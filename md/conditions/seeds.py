"""The seed of each point of a sweep: its own, and the same whatever else the sweep holds.

Two points that started from the same cell with the same velocities would give the same frames, or nearly the same
where only the pressure differs: twins, which a training set must not hold on both sides of a split.
"""

from __future__ import annotations

import hashlib
import json

from augment.cell import DefectCell
from md.conditions.environment import Environment
from md.conditions.point import Engine

SEED_BITS = 32
"""NumPy takes more, LAMMPS and settings do not."""


def point_seed(seed: int, engine: Engine, cell: DefectCell, environment: Environment) -> int:
    """The seed of one point, from that of the sweep, the engine, the name and key of the cell and the environment."""
    text = json.dumps([seed, engine, cell.name, cell.key, environment.json], sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()) >> (256 - SEED_BITS)
