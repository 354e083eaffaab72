"""The first cells a student learns from: strained, heated and pressed copies of the crystal and its defects.

Their geometries need no potential. What such cells lack, true minima and true trajectories, the students find
themselves later (`md.distill.explore`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from augment.cell import BULK, DefectCell, FloatArray
from augment.defect import Defect
from augment.defects.editspace import EditSpace
from augment.defects.point_defects import point_defects
from augment.defects.recipe import Recipe
from augment.defects.sampling import sample_complexes
from augment.distort import rattle, strained
from augment.elements import element_symbol
from augment.errors import ConditionError, DefectError
from augment.supercell import Edit, Supercell
from md.campaigns.labelling import CONFIG_TYPE
from md.distill.crystal import Crystal, atoms_apart
from md.distill.network.graphs import ENERGY_WEIGHT, LABEL_WEIGHTS

__all__ = ["CellCounts", "first_cells", "ideal_defects", "phonon_copy", "thermal_copy", "with_config_type"]

_SHEAR = 0.025
"""Of the random traceless strain, standard deviation of a component."""

_PHONON_DISPLACEMENTS = (0.01, 0.04)
"""Å, standard deviations: from where forces are linear to the zero-point motion of a light atom."""

_PHONON_SHEAR = 0.004
"""As `_SHEAR`, of cells whose forces are to be linear in the displacements."""

_MAX_VOIDS = 2
"""Kinds of interstitial site that are filled, widest first: narrower ones relax into these."""

_COLD = 0.5
"""Of the highest temperature: static copies of defects are no hotter, for unrelaxed ones are violent enough."""

_UNLIKE = 1.5
"""Difference of electronegativity (Pauling) above which no atom takes another's site: a cation on an anion's site costs
many electronvolts, and what is learnt about it is lost for the rest."""

_TIGHT = 0.8
"""Of the sum of covalent radii; a foreign atom in a smaller void costs many electronvolts, too."""

_PHONON_WEIGHTS = dict(zip(LABEL_WEIGHTS, (1.0, 20.0, 10.0), strict=True))
"""Of energy, forces and stress of cells with small displacements. Their forces are a tenth of those of hot cells, whose
errors would hide theirs: with these weights the thermal expansion of NaCl was 27 % above its teacher's, before 94 %."""

SMALL_CELL_WEIGHT = 0.1
"""Of the energy of a defect in a medium cell. The energies of large teachers depend on the distance between a defect
and its images further than a student sees; it is to be right where images are far, and learn forces elsewhere."""


@dataclass(frozen=True)
class CellCounts:
    """Numbers of first cells of a host; those of defects are for each defect.

    Attributes:
        small: pristine cells of the small supercell.
        medium: pristine cells of the medium supercell.
        large: pristine cells of the large supercell.
        phonon: pristine cells of the medium supercell, swollen, with small displacements.
        defect_medium: copies of each defect in the medium supercell.
        defect_large: copies in the large one, besides the ideal one.
        pairs: random pairs of defects in the medium supercell, in all.
    """

    small: int = 40
    medium: int = 24
    large: int = 4
    phonon: int = 24
    defect_medium: int = 3
    defect_large: int = 1
    pairs: int = 8

    def scaled(self, effort: float) -> CellCounts:
        """The same shares of another total, of each at least one; those that say how it expands stay as they are."""
        scaled = {name: max(1, round(effort * value)) for name, value in vars(self).items()}
        return CellCounts(**{**scaled, "phonon": self.phonon})


def ideal_defects(supercell: Supercell, dopants: Sequence[str]) -> list[Defect]:
    """The point defects of a host and its dopants, but for atoms on sites of unlike ones and in tight voids."""
    found = point_defects(supercell, dopants=dopants, max_voids=_MAX_VOIDS)
    return [defect for defect in found if _is_likely(defect)]


def first_cells(
    crystal: Crystal, dopants: Sequence[str], temperature: float, amounts: CellCounts, seed: Sequence[int]
) -> list[DefectCell]:
    """The cells of the first round, each with its config type and the weight of its energy in its provenance.

    Args:
        crystal: the relaxed host, its range and its supercells.
        dopants: element symbols to put in.
        temperature: highest, K.
        amounts: how many of each.
        seed: of everything random.
    """
    rng = np.random.default_rng([*seed, 1])
    made: list[DefectCell] = []
    for size, count in (("small", amounts.small), ("medium", amounts.medium), ("large", amounts.large)):
        pristine = crystal.cells[size].bulk_cell()
        made.append(with_config_type(pristine, "bulk_static", 1.0))
        made += [thermal_copy(pristine, crystal, temperature, rng, "bulk_static") for _ in range(count)]
    swollen = crystal.cells["medium"].bulk_cell()
    made += [phonon_copy(swollen, crystal, rng) for _ in range(amounts.phonon)]
    for defect in ideal_defects(crystal.cells["large"], dopants):
        cell = defect.cell()
        made.append(with_config_type(cell, "defect_static", 1.0))
        for _ in range(amounts.defect_large):
            made.append(thermal_copy(cell, crystal, _COLD * temperature, rng, "defect_static"))
    medium = ideal_defects(crystal.cells["medium"], dopants)
    several = [defect for defect in medium for _ in range(amounts.defect_medium)]
    pairs = _pairs(crystal.cells["medium"], medium, amounts.pairs, sum(seed))
    for defect in [*several, *(pair for pair in pairs if atoms_apart(pair.cell(), crystal.nearest))]:
        kind = "complex_static" if len(defect.edits) > 1 else "defect_static"
        cell = thermal_copy(defect.cell(), crystal, _COLD * temperature, rng, kind, SMALL_CELL_WEIGHT)
        made.append(cell)
    return made


def _is_likely(defect: Defect) -> bool:
    return all(_fits(defect.supercell, edit) for edit in defect.edits if edit.number)


def _fits(supercell: Supercell, edit: Edit) -> bool:
    """Whether an atom is alike the one whose site it takes, or, if it is foreign, small enough for its void."""
    from ase.data import covalent_radii
    from pymatgen.core import Element

    held, symbol = int(supercell.sites.numbers[edit.site]), element_symbol(edit.number)
    if held:
        return bool(abs(Element(symbol).X - Element(element_symbol(held)).X) < _UNLIKE)
    host = supercell.host
    radius = host.orbits[int(supercell.sites.orbit[edit.site])].radius
    least = min(covalent_radii[Element(e).Z] for e in host.elements)
    return symbol in host.elements or radius > _TIGHT * (covalent_radii[edit.number] + least)


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
    return with_config_type(moved, kind, energy_weight)


def phonon_copy(cell: DefectCell, crystal: Crystal, rng: np.random.Generator) -> DefectCell:
    """A copy at a volume that heat alone gives, its atoms moved by a few hundredths of an Å.

    How frequencies fall while a crystal swells decides its thermal expansion; violent cells say little of it.
    """
    moved = strained(cell, random_strain(rng, *crystal.warm_volumes, _PHONON_SHEAR))
    moved = rattle(moved, rng.uniform(*_PHONON_DISPLACEMENTS), int(rng.integers(2**31)))
    quiet = with_config_type(moved, "bulk_phonon")
    return replace(quiet, provenance={**quiet.provenance, **_PHONON_WEIGHTS})


def random_strain(rng: np.random.Generator, low: float, high: float, shear: float) -> FloatArray:
    """A strain (3, 3) whose volume ratio is uniform in (low, high), with a symmetric traceless part."""
    free = rng.normal(scale=shear, size=(3, 3))
    free = (free + free.T) / 2
    deformation = np.eye(3) + free - np.trace(free) / 3 * np.eye(3)
    ratio = rng.uniform(low, high) / np.linalg.det(deformation)
    return np.asarray(deformation * ratio ** (1 / 3) - np.eye(3), dtype=float)


def with_config_type(cell: DefectCell, kind: str, energy_weight: float = 1.0) -> DefectCell:
    """The cell with its config type and how much its energy counts in training."""
    return replace(cell, provenance={**cell.provenance, CONFIG_TYPE: kind, ENERGY_WEIGHT: energy_weight})


def _pairs(supercell: Supercell, single: Sequence[Defect], count: int, seed: int) -> list[Defect]:
    """Random pairs of point defects no further apart than half the cell."""
    names = tuple(dict.fromkeys(defect.name for defect in single if defect.name != BULK))
    try:
        space = EditSpace.of(supercell, names, supercell.image_distance / 2)
        return list(sample_complexes(space, Recipe(2, 2), count, seed))
    except DefectError:
        return []
