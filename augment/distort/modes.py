"""Displacements along one irreducible representation of the defect's stabilizer, in directions that keep a subgroup.

For an irrep Γ of H and an isotropy subgroup K of Γ the displacements are P_Γ P_K times noise: a random direction among
those that transform as Γ and that K leaves alone. H' = K is then exactly the symmetry kept. The trivial irrep keeps
all of H (a breathing mode), every other one breaks it, as a Jahn-Teller or an off-centre distortion would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.defect import Defect
from augment.distort.copies import Copies, CopyLabel, copies_provenance, copy_stream
from augment.distort.pairs import Pairs, approaching_pairs
from augment.distort.single import DEFAULT_MIN_FRACTION
from augment.errors import ConditionError
from augment.groups.irreps import displacement_characters, irreps, isotropy_subgroups, subgroup_weights
from augment.neighbours import shortest_distance

if TYPE_CHECKING:
    from scipy.sparse import csr_array

DEFAULT_AMPLITUDE = (0.05, 0.4)
"""Å, least and largest displacement of the atom that moves most: from thermal motion to a broken bond's."""

DEFAULT_DECAY = 4.0
"""Å over which displacements fade away from the defect: the first few shells of neighbours move."""

_SHRINK = 0.9
"""Factor on the amplitude of a copy whose atoms come too close."""


@dataclass(frozen=True, eq=False)
class SymmetryMode:
    """One irrep and one symmetry that displacements along it can keep.

    Attributes:
        label: of the copies.
        operator: (3n, 3n) projector onto these displacements.
    """

    label: CopyLabel
    operator: csr_array


def modes(defect: Defect, *, only: Sequence[str] | None = None) -> tuple[SymmetryMode, ...]:
    """All modes of a defect: irreps, each with one isotropy subgroup per conjugacy class under H.

    Args:
        defect: its stabilizer is H.
        only: labels of the irreps wanted (`T1u`); all by default.

    Raises:
        ConditionError: a requested irrep has no displacement, or there is none at all.
    """
    group, action = defect.stabilizer, defect.symmetry()
    free = displacement_characters(action)
    able = [irrep for irrep in irreps(group, action) if irrep.copies_in(free) > 0]
    names = [irrep.label for irrep in able]
    missing = set(only or ()) - set(names)
    if missing or not names:
        raise ConditionError(
            f"{defect.name}: no displacement transforms as {', '.join(sorted(missing)) or 'anything'}; "
            f"those of this defect: {', '.join(names) or 'none'}"
        )
    return tuple(
        SymmetryMode(
            CopyLabel("mode", irrep.label, subgroup.symbol, subgroup.multiplicity),
            action.displacement_operator(subgroup_weights(group, irrep, subgroup.members)),
        )
        for irrep in able
        if only is None or irrep.label in only
        for subgroup in isotropy_subgroups(group, irrep.characters)
    )


def mode_distorted(
    defect: Defect,
    copies: int,
    seed: int,
    *,
    start: int = 0,
    only: Sequence[str] | None = None,
    amplitude: tuple[float, float] = DEFAULT_AMPLITUDE,
    decay: float = DEFAULT_DECAY,
    min_distance: float | None = None,
    cell: DefectCell | None = None,
) -> Iterator[Copies]:
    """Stream of copies displaced along irreps, the modes taken in turn.

    Args:
        defect: gives H and the place from which displacements fade.
        copies: how many.
        seed: of the stream.
        start: number of the first copy.
        only: labels of the irreps wanted; all by default.
        amplitude: least and most of the largest displacement, Å; drawn evenly in between.
        decay: displacements are multiplied by exp(-(d / decay)²) at the distance d from the nearest edited site, Å.
        min_distance: no two atoms come closer, Å; 0.7 of the shortest distance by default. The amplitude of a copy
            that breaks it shrinks.
        cell: H-invariant geometry to start from, such as the relaxed one; the ideal one by default.

    Raises:
        ConditionError: the amplitudes, distances, irreps, seed or range are not possible.
    """
    parent = defect.cell() if cell is None else cell
    shortest = shortest_distance(parent)
    limit = DEFAULT_MIN_FRACTION * shortest if min_distance is None else min_distance
    if not (0 <= amplitude[0] <= amplitude[1] and decay > 0 and 0 <= limit <= shortest):
        raise ConditionError(
            f"amplitudes {amplitude} Å, decay {decay} Å and least distance {limit:.2f} Å: amplitudes must ascend from "
            f"0, the decay be positive and the distance at most {shortest:.2f} Å, the shortest of the undistorted cell"
        )
    chosen = modes(defect, only=only)
    labels = tuple(mode.label for mode in chosen)
    envelope = np.exp(-np.square(distances_to_defect(defect, defect.cell()).min(axis=1) / decay))
    pairs = approaching_pairs(parent, limit, np.full(len(parent), amplitude[1]))
    made = copies_provenance(defect, amplitude=amplitude, decay=decay, min_distance=limit, only=list(only or ()))

    def make(index: IntArray, rng: np.random.Generator) -> Copies:
        label = index % len(chosen)
        noise = rng.normal(size=(len(index), len(parent), 3)) * envelope[:, None]
        size = rng.uniform(*amplitude, size=len(index))
        for mode in np.unique(label):
            noise[label == mode] = _apply(chosen[mode].operator, noise[label == mode])
        noise -= noise.mean(axis=1, keepdims=True)
        moved = noise * (size / np.linalg.norm(noise, axis=-1).max(axis=1))[:, None, None]
        factors = _held_apart(pairs, moved, limit)
        moved *= factors[:, None, None]
        strains = np.zeros((len(index), 3, 3))
        return Copies(parent, moved, strains, labels, label, size * factors, seed, index, made)

    return copy_stream(make, f"mode {parent.key}", seed, start, start + copies)


def distances_to_defect(defect: Defect, cell: DefectCell) -> FloatArray:
    """Distances (n, edits) of the atoms of a cell from each edited site, to its nearest image, Å."""
    return np.asarray(np.linalg.norm(vectors_from_defect(defect, cell), axis=-1))


def vectors_from_defect(defect: Defect, cell: DefectCell) -> FloatArray:
    """Vectors (n, edits, 3) from each edited site to the nearest image of each atom of a cell, Å."""
    from ase.geometry import find_mic

    sites = defect.supercell.sites.positions[[e.site for e in defect.edits]]
    vectors = cell.positions[:, None] - sites
    return np.asarray(find_mic(vectors.reshape(-1, 3), cell.cell)[0]).reshape(vectors.shape)


def _apply(operator: csr_array, displacements: FloatArray) -> FloatArray:
    flat = displacements.reshape(len(displacements), -1)
    return np.asarray((operator @ flat.T).T).reshape(displacements.shape)


def _held_apart(pairs: Pairs, displacements: FloatArray, limit: float) -> FloatArray:
    """Factors (m,) on displacements (m, n, 3) that keep all pairs `limit` apart, Å; 1 where nothing is too close."""
    factors = np.ones(len(displacements))
    close = np.arange(len(displacements))
    while True:
        distances = pairs.distances(displacements[close] * factors[close, None, None])
        close = close[distances.min(axis=1, initial=np.inf) < limit]
        if len(close) == 0:
            return factors
        factors[close] *= _SHRINK
