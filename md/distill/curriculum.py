"""The first cells a student learns from: strained, heated and pressed copies of the crystal and all its defects.

Their geometries need no potential. What such cells lack, true minima and true trajectories, the students find
themselves later (`md.distill.explore`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from augment.cell import BULK, DefectCell, FloatArray
from augment.defect import Defect
from augment.distort import bond_distorted, rattle, strained
from augment.dumbbells import split_interstitials
from augment.editspace import EditSpace
from augment.enumerate import point_defects
from augment.errors import ConditionError, DefectError
from augment.recipe import Recipe
from augment.sampling import sample_complexes
from augment.supercell import Supercell
from md.distill.crystal import Crystal
from md.distill.trainer import ENERGY_WEIGHT
from md.labels import CONFIG_TYPE

__all__ = ["Amounts", "first_cells", "ideal_defects", "marked", "thermal_copy"]

_SHEAR = 0.025
"""Of the random traceless strain, standard deviation of a component."""

_MAX_VOIDS = 3
"""Kinds of interstitial site that are filled, widest first: narrower ones relax into these."""

_BONDS = (0.85, 0.92, 1.1, 1.2)
"""Lengths of the bonds around a defect, of the ideal ones: as far as relaxations and heat move them."""

_SMALL_CELL_WEIGHT = 0.1
"""Of the energy of a defect in a medium cell. The energies of large teachers depend on the distance between a defect
and its images further than a student sees; it is to be right where images are far, and learn forces elsewhere."""


@dataclass(frozen=True)
class Amounts:
    """Numbers of first cells; those of defects are for each defect.

    Attributes:
        small: pristine cells of the small supercell.
        medium: pristine cells of the medium supercell.
        large: pristine cells of the large supercell.
        defect_medium: distorted copies of each defect in the medium supercell.
        defect_large: copies in the large one.
        pairs: random pairs of defects in the medium supercell, in all.
    """

    small: int = 60
    medium: int = 50
    large: int = 8
    defect_medium: int = 8
    defect_large: int = 5
    pairs: int = 40

    def scaled(self, effort: float) -> Amounts:
        """The same shares of another total; of each at least one."""
        return Amounts(*(max(1, round(effort * value)) for value in vars(self).values()))


def ideal_defects(crystal: Crystal, supercell: Supercell, dopants: Sequence[str]) -> list[Defect]:
    """Every point defect of the host and its dopants in a supercell, split interstitials apart."""
    host = crystal.host
    foreign = [symbol for symbol in dopants if symbol not in host.elements]
    return point_defects(supercell, dopants=foreign, max_voids=_MAX_VOIDS)


def first_cells(
    crystal: Crystal,
    cells: Mapping[str, Supercell],
    dopants: Sequence[str],
    temperature: float,
    amounts: Amounts,
    seed: int,
) -> list[DefectCell]:
    """The cells of the first round, each with its config type and the weight of its energy in `info`.

    Args:
        crystal: the relaxed host and its range.
        cells: supercells by size.
        dopants: element symbols to put in.
        temperature: highest, K.
        amounts: how many of each.
        seed: of everything random.
    """
    rng = np.random.default_rng([seed, 1])
    made: list[DefectCell] = []
    for size, count in (("small", amounts.small), ("medium", amounts.medium), ("large", amounts.large)):
        pristine = cells[size].bulk_cell()
        made.append(marked(pristine, "bulk_static", 1.0))
        made += [thermal_copy(pristine, crystal, temperature, rng, "bulk_static") for _ in range(count)]
    for defect in ideal_defects(crystal, cells["large"], dopants):
        cell = defect.cell()
        made.append(marked(cell, "defect_static", 1.0))
        made += [thermal_copy(cell, crystal, temperature, rng, "defect_static") for _ in range(amounts.defect_large)]
    medium = ideal_defects(crystal, cells["medium"], dopants)
    for defect in medium:
        for parent in islice(_copies(defect, seed), amounts.defect_medium):
            made.append(thermal_copy(parent, crystal, temperature, rng, "defect_static", _SMALL_CELL_WEIGHT))
    for defect in [*_pairs(cells["medium"], medium, amounts.pairs, seed), *_dumbbells(crystal, cells["medium"])]:
        made.append(thermal_copy(defect.cell(), crystal, temperature, rng, "complex_static", _SMALL_CELL_WEIGHT))
    return made


def thermal_copy(
    cell: DefectCell,
    crystal: Crystal,
    temperature: float,
    rng: np.random.Generator,
    kind: str,
    energy_weight: float = 1.0,
) -> DefectCell:
    """A copy at a random volume, shear and heat, drawn evenly from cold to `temperature` (K)."""
    low, high = crystal.volumes
    moved = strained(cell, random_strain(rng, low, high, _SHEAR))
    amplitude = crystal.amplitude(temperature * rng.random())
    seed = int(rng.integers(2**31))
    try:
        moved = rattle(moved, amplitude, seed)
    except ConditionError:  # an interstitial in a narrow void: leave the rattle out
        moved = rattle(moved, 0.0, seed)
    return marked(moved, kind, energy_weight)


def random_strain(rng: np.random.Generator, low: float, high: float, shear: float) -> FloatArray:
    """A strain (3, 3) whose volume ratio is uniform in (low, high), with a symmetric traceless part."""
    free = rng.normal(scale=shear, size=(3, 3))
    free = (free + free.T) / 2
    deformation = np.eye(3) + free - np.trace(free) / 3 * np.eye(3)
    ratio = rng.uniform(low, high) / np.linalg.det(deformation)
    return np.asarray(deformation * ratio ** (1 / 3) - np.eye(3), dtype=float)


def marked(cell: DefectCell, kind: str, energy_weight: float = 1.0) -> DefectCell:
    """The cell with its config type and how much its energy counts in training."""
    return replace(cell, info={**cell.info, CONFIG_TYPE: kind, ENERGY_WEIGHT: energy_weight})


def _copies(defect: Defect, seed: int) -> Iterator[DefectCell]:
    """The ideal cell and bond-distorted ones in turn."""
    try:
        distorted = (copy for batch in bond_distorted(defect, copies=64, seed=seed, factors=_BONDS) for copy in batch)
        for copy in distorted:
            yield defect.cell()
            yield copy
    except ConditionError:
        pass
    while True:
        yield defect.cell()


def _pairs(supercell: Supercell, single: Sequence[Defect], count: int, seed: int) -> list[Defect]:
    """Random pairs of point defects no further apart than half the cell."""
    names = tuple(dict.fromkeys(defect.name for defect in single if defect.name != BULK))
    try:
        space = EditSpace.of(supercell, names, supercell.image_distance / 2)
        return list(sample_complexes(space, Recipe(2, 2), count, seed))
    except DefectError:
        return []


def _dumbbells(crystal: Crystal, supercell: Supercell) -> list[Defect]:
    """Split interstitials of the host's own elements."""
    from ase.data import atomic_numbers

    return list(split_interstitials(supercell, [int(atomic_numbers[e]) for e in crystal.host.elements]))
