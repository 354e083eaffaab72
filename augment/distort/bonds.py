"""Bond distortions of ShakeNBreak: the nearest neighbours of a defect moved in or out, dimers made, the rest rattled.

As many neighbours move as the defect has electrons too many or too few (octet rule). Each way to choose them that the
symmetry distinguishes (cis and trans, ...) counts, the most compact one first. Reference: I. Mosquera-Lois,
S. R. Kavanagh, A. Walsh, D. O. Scanlon, npj Comput. Mater. 9, 25 (2023), doi:10.1038/s41524-023-00973-1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.charges import oxidation_states
from augment.defect import Defect
from augment.distort.copies import Copies, CopyLabel, copies_provenance, copy_stream
from augment.distort.modes import vectors_from_defect
from augment.distort.montecarlo import WIDTH, plan_rattle
from augment.distort.pairs import shortest_distances
from augment.distort.single import DEFAULT_MIN_FRACTION
from augment.errors import ConditionError
from augment.groups.symmetry import BoolArray
from augment.neighbours import shortest_distance

DEFAULT_FACTORS = tuple(round(0.4 + 0.1 * k, 1) for k in range(13))
"""Bond lengths in units of the undistorted ones: -60 % to +60 % in steps of 10 %, as in the paper."""

DEFAULT_RATTLE = 0.1
"""Standard deviation of the rattle in units of the shortest distance of the host, as in the paper."""

MIN_BOND_LENGTH = 1.0
"""Å; a bond distortion that brings a pair closer is left out."""

MIN_BOND_LENGTH_WITH_HYDROGEN = 0.6
"""Å; in the presence of hydrogen, whose bonds are short (0.74 Å in H2)."""

_OCTET = 8
_HALF_OCTET = 4

_SAME_SHELL = 1.05
"""Ratio of distances below which neighbours are equally near."""

_COORDINATION = 1.25
"""Ratio to the nearest distance up to which atoms are the defect's neighbours, between which a dimer may form."""

_MAX_CHOICES = 1000
"""Ways to choose the neighbours; of more, only the most compact is taken."""


@dataclass(frozen=True, eq=False)
class Variant:
    """One distortion before the rattle.

    Attributes:
        name: `bond -40%` or `dimer`.
        atoms: (k,) that move.
        displacements: (n, 3), Å.
    """

    name: str
    atoms: tuple[int, ...]
    displacements: FloatArray


def distorted_neighbours(defect: Defect) -> int:
    """Number of neighbours to move: the electrons too many or too few in this charge state, 8 minus that above 4.

    An element that is not of the host counts with its most common oxidation state.
    """
    states = oxidation_states(defect.host)
    change = defect.charge
    for edit, orbit in zip(defect.edits, defect.orbits, strict=True):
        change += states.get(orbit.element, 0) - _oxidation_state(edit.number, states)
    electrons = abs(change)
    return abs(_OCTET - electrons) if electrons > _HALF_OCTET else electrons


def bond_distorted(
    defect: Defect,
    copies: int | None = None,
    seed: int = 0,
    *,
    start: int = 0,
    neighbours: int | None = None,
    factors: Sequence[float] = DEFAULT_FACTORS,
    dimers: bool | None = None,
    sigma: float | None = None,
    min_distance: float | None = None,
) -> Iterator[Copies]:
    """Stream of bond-distorted and rattled copies, the distortions taken in turn, each time with another rattle.

    Args:
        defect: vacancy, substitution, interstitial or complex; its charge determines how many neighbours move.
        copies: how many; one of each distortion by default.
        seed: of the stream.
        start: number of the first copy.
        neighbours: how many move; by default `distorted_neighbours`.
        factors: bond lengths in units of the undistorted ones.
        dimers: push the closest like neighbours together; by default where an atom is missing.
        sigma: of the rattle, Å; 0 for none. By default a tenth of the shortest distance of the host. The defect's
            own atoms and the neighbours that moved are not rattled.
        min_distance: in the rattle no two atoms come closer, nor closer than before where they are, Å; 0.7 of
            the shortest distance of the host by default.

    Raises:
        ConditionError: the factors, amplitudes, seed or range are not possible, or no distortion is.
    """
    parent, shortest = defect.cell(), shortest_distance(defect.supercell.bulk_cell())
    sigma = DEFAULT_RATTLE * shortest if sigma is None else sigma
    limit = DEFAULT_MIN_FRACTION * shortest if min_distance is None else min_distance
    count = distorted_neighbours(defect) if neighbours is None else neighbours
    if dimers is None:
        dimers = any(edit.number == 0 for edit in defect.edits)
    variants = bond_variants(defect, count, factors, dimers=dimers)
    moved = np.array([v.displacements for v in variants])
    active = np.array([_rattled_atoms(defect, parent, v.atoms) for v in variants])
    labels = tuple(_label(defect, variant, rattled=sigma > 0) for variant in variants)
    amplitudes = np.linalg.norm(moved, axis=-1).max(axis=1)
    plan = plan_rattle(parent, sigma, limit, np.linalg.norm(moved, axis=-1).max(axis=0))
    made = copies_provenance(
        defect, neighbours=count, factors=list(factors), sigma=sigma, min_distance=limit, width=WIDTH
    )

    def make(index: IntArray, rng: np.random.Generator) -> Copies:
        label = index % len(variants)
        shifts = plan.move(moved[label], active[label], rng, crowded=True) if sigma > 0 else moved[label]
        shifts = shifts - shifts.mean(axis=1, keepdims=True)
        return Copies(parent, shifts, np.zeros((len(index), 3, 3)), labels, label, amplitudes[label], seed, index, made)

    stop = start + (len(variants) if copies is None else copies)
    return copy_stream(make, f"bond {parent.key}", seed, start, stop)


def bond_variants(defect: Defect, neighbours: int, factors: Sequence[float], *, dimers: bool) -> tuple[Variant, ...]:
    """The distinct distortions: each factor for each choice of neighbours, then a dimer; too close ones left out.

    Raises:
        ConditionError: a factor is not positive, the cell has too few atoms, or nothing is left.
    """
    parent = defect.cell()
    if not 0 <= neighbours < len(parent) - len(defect.edits) or not all(f > 0 for f in factors) or not defect.edits:
        raise ConditionError(f"{defect.name}: cannot move {neighbours} neighbours by factors {tuple(factors)}")
    radial = _radial(defect, parent)
    variants = []
    for number, atoms in enumerate(neighbour_choices(defect, neighbours)):
        for factor in factors if neighbours else (1.0,):
            if number == 0 or factor != 1:
                shifts = np.zeros_like(radial)
                shifts[list(atoms)] = (factor - 1) * radial[list(atoms)]
                variants.append(Variant(f"bond {100 * (factor - 1):+.0f}%" if neighbours else "rattle", atoms, shifts))
    variants += _dimers(defect, parent) if dimers else []
    closest = MIN_BOND_LENGTH_WITH_HYDROGEN if (parent.numbers == 1).any() else MIN_BOND_LENGTH
    allowed = (
        shortest_distances(parent, np.array([v.displacements for v in variants]).reshape(-1, *radial.shape)) >= closest
    )
    if not allowed.any():
        raise ConditionError(
            f"{defect.name}: every distortion brings atoms closer than {closest} Å; use milder factors"
        )
    return tuple(v for v, keep in zip(variants, allowed, strict=True) if keep)


def neighbour_choices(defect: Defect, count: int) -> tuple[tuple[int, ...], ...]:
    """Sets of the `count` nearest atoms, one for each orbit of such sets under the stabilizer, the most compact first.

    Atoms whose distances differ by less than 5 % are equally near.
    """
    if count == 0:
        return ((),)
    parent = defect.cell()
    distance = np.linalg.norm(vectors_from_defect(defect, parent), axis=-1).min(axis=1)
    distance[np.isin(parent.sites, [e.site for e in defect.edits])] = np.inf
    last = np.sort(distance)[count - 1]
    sure = np.flatnonzero(distance < last / _SAME_SHELL)
    near = np.flatnonzero((distance >= last / _SAME_SHELL) & (distance <= last * _SAME_SHELL))
    apart = _separations(parent)
    if comb(len(near), count - len(sure)) > _MAX_CHOICES:
        by_first = near[np.lexsort((near, np.round(apart[near[0], near], 2)))]
        return (tuple(np.sort(np.concatenate([sure, by_first[: count - len(sure)]])).tolist()),)
    sets = [tuple(sorted((*sure.tolist(), *more))) for more in combinations(near.tolist(), count - len(sure))]
    chosen = _one_per_orbit(defect, sets)
    return tuple(sorted(chosen, key=lambda s: (round(float(apart[np.ix_(s, s)].sum()), 2), s)))


def _dimers(defect: Defect, parent: DefectCell) -> list[Variant]:
    """The two closest like neighbours of the defect moved to the sum of their covalent radii, if they are farther."""
    from ase.data import covalent_radii
    from ase.geometry import find_mic

    distance = np.linalg.norm(vectors_from_defect(defect, parent), axis=-1).min(axis=1)
    distance[np.isin(parent.sites, [e.site for e in defect.edits])] = np.inf
    near = np.flatnonzero(distance <= _COORDINATION * distance.min())
    apart = _separations(parent)
    like = [(int(i), int(j)) for i, j in combinations(near, 2) if parent.numbers[i] == parent.numbers[j]]
    if not like:
        return []
    i, j = min(like, key=lambda pair: (round(float(apart[pair]), 2), pair))
    length = 2 * covalent_radii[parent.numbers[i]]
    if length >= apart[i, j]:
        return []
    vector = find_mic(parent.positions[j] - parent.positions[i], parent.cell)[0]
    shifts = np.zeros_like(parent.positions)
    shifts[i] = (1 - length / apart[i, j]) / 2 * vector
    shifts[j] = -shifts[i]
    return [Variant("dimer", (i, j), shifts)]


def _label(defect: Defect, variant: Variant, *, rattled: bool) -> CopyLabel:
    """Label of a variant: H' is what maps the atoms that move onto themselves, and nothing after a rattle."""
    group = defect.stabilizer
    if rattled:
        return CopyLabel(variant.name, "", "1", group.order)
    images = np.sort(defect.symmetry().permutations[:, list(variant.atoms)], axis=1)
    members = np.flatnonzero((images == np.sort(variant.atoms)).all(axis=1)) if variant.displacements.any() else None
    subgroup = group if members is None else group.subset(members)
    return CopyLabel(variant.name, "", subgroup.symbol, group.order // subgroup.order)


def _rattled_atoms(defect: Defect, parent: DefectCell, moved: Sequence[int]) -> BoolArray:
    active = ~np.isin(parent.sites, [e.site for e in defect.edits])
    active[list(moved)] = False
    return active


def _radial(defect: Defect, parent: DefectCell) -> FloatArray:
    """Vectors (n, 3) from the nearest edited site to each atom, the mean over sites that are equally near, Å."""
    vectors = vectors_from_defect(defect, parent)
    distance = np.linalg.norm(vectors, axis=-1)
    nearest = distance <= distance.min(axis=1, keepdims=True) + 1e-3  # Å; equally near
    return np.asarray((vectors * nearest[..., None]).sum(axis=1) / nearest.sum(axis=1)[:, None])


def _separations(parent: DefectCell) -> FloatArray:
    """Distances (n, n) between atoms, to the nearest image, Å."""
    from ase.geometry import get_distances

    return np.asarray(get_distances(parent.positions, cell=parent.cell, pbc=True)[1])


def _one_per_orbit(defect: Defect, sets: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """The least set of each orbit under the stabilizer."""
    images = np.sort(defect.symmetry().permutations[:, np.array(sets)], axis=2)
    return sorted({min(map(tuple, column)) for column in images.transpose(1, 0, 2).tolist()})


def _oxidation_state(number: int, states: dict[str, int]) -> int:
    """Oxidation state of what an edit puts at a site; 0 for nothing."""
    if number == 0:
        return 0
    from pymatgen.core import Element

    element = Element.from_Z(number)
    if element.symbol in states:
        return states[element.symbol]
    likely = element.common_oxidation_states or element.oxidation_states or (0,)
    return int(likely[0])
