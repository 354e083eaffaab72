"""Atoms of disorder groups in a host: fragments, which are there whole or not at all, and which exclude each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.reading.disorder import CifFragment
from augment.crystal.standard import StandardCrystal

Cell = tuple[int, int, int]
"""Integer coordinates of a primitive cell."""

DisorderGroup = tuple[int, str]
"""Number of a cluster that is disordered together, and the code of a group in it."""

SPLIT_FRACTION = 0.75
"""No bond is shorter than this fraction of the sum of covalent radii: partly filled sites closer than that, which
together are filled once at most, are one atom in two places."""

MIN_HYDROGEN_DISTANCE = 1.2
"""Å; no two hydrogen atoms of a crystal are closer (1.5 Å in water, methyl and ammonium), but the two halves of one
that is disordered along a hydrogen bond are (0.8 Å in ice)."""


def split_limits(numbers: IntArray) -> FloatArray:
    """Distances (n, n) below which two atoms of these elements are one in two places, Å."""
    from ase.data import covalent_radii

    radius, hydrogen = covalent_radii[numbers], numbers == 1
    limits = SPLIT_FRACTION * (radius[:, None] + radius)
    return np.where(hydrogen[:, None] & hydrogen, MIN_HYDROGEN_DISTANCE, limits)


@dataclass(frozen=True)
class Fragment:
    """Atoms of one disorder group that are there together.

    Attributes:
        group: that it is of.
        places: site of the primitive cell, and cell, of each atom.
        numbers: atomic numbers that each atom may have.
        joins: whether it is one with other fragments of its group that share an atom on a special position; else
            these are its alternatives.
    """

    group: DisorderGroup
    places: tuple[tuple[int, Cell], ...]
    numbers: tuple[frozenset[int], ...]
    joins: bool


@dataclass(frozen=True, eq=False)
class DisorderRules:
    """What the disorder groups of a crystal demand of its configurations.

    Attributes:
        fragments: those of one primitive cell; the lattice repeats them.
        exclusions: fragments that are never there together: first, second, and the cell of the second where the first
            is in cell 0.
        free: by site of the primitive cell with a fragment, atomic numbers that may be there without one, 0 for none.
        occupancies: fraction of the fragments of each group that are there.
    """

    fragments: tuple[Fragment, ...]
    exclusions: frozenset[tuple[int, int, Cell]]
    free: Mapping[int, frozenset[int]]
    occupancies: Mapping[DisorderGroup, float]


def disorder_rules(
    listed: Iterable[CifFragment], crystal: StandardCrystal, mixtures: Sequence[Sequence[tuple[int, float]]]
) -> DisorderRules | None:
    """Rules of the fragments of a file in the primitive cell of its parent; None where there are none.

    Args:
        listed: of the cell of the file.
        crystal: the parent, with the way from that cell to its own.
        mixtures: atomic numbers and occupancies at each site of the primitive cell, 0 for none.
    """
    numbered: dict[Fragment, int] = {}
    occupancies: dict[DisorderGroup, float] = {}
    made_by: dict[tuple[int, int], list[tuple[int, IntArray]]] = {}
    for fragment in listed:
        placed, origin = _placed(fragment, crystal, mixtures)
        if placed.places:
            index = numbered.setdefault(placed, len(numbered))
            occupancies[placed.group] = fragment.occupancy
            made_by.setdefault((fragment.cluster, fragment.operation), []).append((index, origin))
    if not numbered:
        return None
    fragments = tuple(numbered)
    exclusions = {
        (i, j, _cell(there - here))
        for made in made_by.values()
        for i, here in made
        for j, there in made
        if fragments[i].group < fragments[j].group
    }
    return DisorderRules(fragments, frozenset(exclusions), _free(fragments, mixtures), occupancies)


def _placed(
    fragment: CifFragment, crystal: StandardCrystal, mixtures: Sequence[Sequence[tuple[int, float]]]
) -> tuple[Fragment, IntArray]:
    """The fragment on the sites of the parent, moved so that its first atom is in cell 0, and whence (3,).

    Atoms of sites that one species fills are left out: they are there in any case.
    """
    points = fragment.points @ crystal.linear.T + crystal.shift
    gap = points[:, None] - crystal.points
    cells = np.rint(gap).astype(np.int64)
    site = np.linalg.norm((gap - cells) @ crystal.primitive, axis=-1).argmin(axis=1)
    atoms = sorted(
        (int(b), _cell(cells[k, b]), fragment.numbers[k]) for k, b in enumerate(site) if len(mixtures[b]) > 1
    )
    origin = np.array(atoms[0][1] if atoms else (0, 0, 0), dtype=np.int64)
    places = tuple((b, _cell(np.array(cell) - origin)) for b, cell, _ in atoms)
    group = (fragment.cluster, fragment.group)
    return Fragment(group, places, tuple(n for *_, n in atoms), not fragment.about_special_position), origin


def _cell(coordinates: IntArray) -> Cell:
    x, y, z = (int(c) for c in coordinates)
    return x, y, z


def _free(fragments: Iterable[Fragment], mixtures: Sequence[Sequence[tuple[int, float]]]) -> dict[int, frozenset[int]]:
    """What may be at a site that no fragment at hand has an atom on."""
    claimed: dict[int, set[int]] = {}
    for fragment in fragments:
        for (site, _), numbers in zip(fragment.places, fragment.numbers, strict=True):
            claimed.setdefault(site, set()).update(numbers)
    return {site: frozenset(z for z, _ in mixtures[site]) - numbers for site, numbers in claimed.items()}
