"""Cells that a new teacher could label, made by the student: strained, hot, displaced and defective ones.

They are small, for labels of density functional theory grow with the cube of the number of atoms. Kinds are kept
apart: the cells that decide the expansion of a crystal, small displacements at enlarged volumes, look dull beside hot
ones, and would not be chosen among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from augment.cell import DefectCell
from augment.distort import strained
from md.distill.crystal import Crystal
from md.distill.curriculum import (
    SMALL_CELL_WEIGHT,
    ideal_defects,
    phonon_copy,
    random_strain,
    thermal_copy,
    with_config_type,
)
from md.distill.explore import hot_frames, relaxed_path

__all__ = ["SHARES", "candidates", "volume_curve"]

SHARES: Mapping[str, float] = {
    "bulk_phonon": 0.25,
    "bulk_static": 0.25,
    "bulk_dynamics": 0.3,
    "defect_relaxed": 0.08,
    "defect_dynamics": 0.12,
}
"""Of the labels, by kind."""

CURVE = (0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06)
"""Volumes of the curve of energy over volume, over the student's."""

_SHEAR = 0.02
"""Standard deviation of a component of the traceless strain of hot cells."""

_COPIES = 60
"""Candidates of each kind of pristine cell of a host."""

_HOT_RUNS, _HOT_FRAMES = 8, 6

_HOT_DEFECTS = 0.6
"""Of the highest temperature."""


def candidates(
    crystal: Crystal, dopants: Sequence[str], calculator: Any, temperature: float, seed: Sequence[int]
) -> dict[str, list[DefectCell]]:
    """Cells by kind (`SHARES`); energies of small cells with a defect count little, as their images are near.

    Args:
        crystal: the relaxed host, with its supercells.
        dopants: element symbols to put in.
        calculator: the student's.
        temperature: highest, K.
        seed: of everything random.
    """
    rng = np.random.default_rng([*seed, 5])
    pristine = crystal.cells["small"].bulk_cell()
    found: dict[str, list[DefectCell]] = {
        "bulk_phonon": [phonon_copy(pristine, crystal, rng) for _ in range(_COPIES)],
        "bulk_static": [thermal_copy(pristine, crystal, temperature, rng, "bulk_static") for _ in range(_COPIES)],
        "bulk_dynamics": list(_hot(pristine, crystal, calculator, temperature, rng, "bulk_dynamics", _HOT_RUNS)),
        "defect_relaxed": [],
        "defect_dynamics": [],
    }
    for defect in ideal_defects(crystal.cells["large"], dopants):
        path = relaxed_path(defect.cell(), calculator)
        found["defect_relaxed"] += [with_config_type(cell, "defect_relaxed", SMALL_CELL_WEIGHT) for cell in path]
        if path:
            heat = _HOT_DEFECTS * temperature
            hot = _hot(path[-1], crystal, calculator, heat, rng, "defect_dynamics", 1)
            found["defect_dynamics"] += [with_config_type(c, "defect_dynamics", SMALL_CELL_WEIGHT) for c in hot]
    return found


def volume_curve(crystal: Crystal) -> list[DefectCell]:
    """The pristine cell at the volumes of `CURVE`, its shape and the places of its atoms as in the crystal."""
    pristine = crystal.cells["small"].bulk_cell()
    swollen = [strained(pristine, (ratio ** (1 / 3) - 1) * np.eye(3)) for ratio in CURVE]
    return [with_config_type(cell, "bulk_volume") for cell in swollen]


def _hot(
    cell: DefectCell,
    crystal: Crystal,
    calculator: Any,
    temperature: float,
    rng: np.random.Generator,
    kind: str,
    runs: int,
) -> Iterator[DefectCell]:
    """Moments of runs at random strains and temperatures up to `temperature` (K)."""
    low, high = crystal.volumes
    for _ in range(runs):
        start = strained(cell, random_strain(rng, low, high, _SHEAR))
        heat = temperature * rng.uniform(0.1, 1.0)
        for frame in hot_frames(start, calculator, heat, _HOT_FRAMES, rng):
            yield with_config_type(frame, kind)
