"""Supercells with the defects that a crystal holds in equilibrium: as many of each kind as chance puts into one.

Defects that are far apart are independent, so that a supercell of N primitive cells holds a Poisson number of each
species, of mean N c. Each is put on a random one of its places; two on one site are drawn again, and so are two that
make a complex which is a species itself, as that one is counted with its own binding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from augment.defect import Defect
from augment.errors import ConditionError
from augment.supercell import Edit, Supercell

MAX_PLACINGS = 1000
"""Draws of the places of the defects of one supercell, after which they do not fit."""

MAX_DRAWN = 10_000_000
"""Supercells that are drawn at once: some hundred MB of numbers."""


def draw_supercells(
    defects: Sequence[Defect], per_cell: Mapping[str, float], supercell: Supercell, count: int, seed: int
) -> Counter[Defect]:
    """How often each configuration comes up among some supercells, the pristine one among them.

    Args:
        defects: the species, in the supercell.
        per_cell: of each species by its key, per primitive cell.
        supercell: what is drawn.
        count: how many.
        seed: of the random generator.

    Raises:
        ConditionError: the number is not possible, or the defects are so many that they do not fit.
    """
    if not 0 < count <= MAX_DRAWN:
        raise ConditionError(f"{count} supercells; draw from 1 to {MAX_DRAWN:,}")
    rng = np.random.default_rng(seed)
    means = np.array([per_cell[defect.key] * supercell.index for defect in defects])
    numbers, times = np.unique(rng.poisson(means, size=(count, len(means))), axis=0, return_counts=True)
    images = [supercell.images(np.array([edit.site for edit in defect.edits])) for defect in defects]
    species = {defect.key: defect for defect in defects}
    drawn, canonical = Counter[Defect](), dict[str, Defect]()
    for row, repeats in zip(numbers.tolist(), times.tolist(), strict=True):
        chosen = [k for k, number in enumerate(row) for _ in range(number)]
        if not chosen:
            drawn[Defect(supercell, ())] += repeats
        elif len(chosen) == 1:
            drawn[defects[chosen[0]]] += repeats
        else:
            for _ in range(repeats):
                placed = _placed(defects, images, chosen, species, rng)
                drawn[canonical.setdefault(placed.key, placed)] += 1
    return drawn


def _placed(
    defects: Sequence[Defect],
    images: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.integer]]],
    chosen: Sequence[int],
    species: Mapping[str, Defect],
    rng: np.random.Generator,
) -> Defect:
    """Several defects on random places of one supercell."""
    for _ in range(MAX_PLACINGS):
        edits = [
            Edit(int(site), edit.number)
            for k in chosen
            for site, edit in zip(images[k][rng.integers(len(images[k]))], defects[k].edits, strict=True)
        ]
        if len({edit.site for edit in edits}) < len(edits):
            continue
        found = Defect(defects[0].supercell, tuple(edits))
        if found.key not in species:
            return found
    raise ConditionError(
        f"{len(chosen)} defects do not fit into a supercell of {defects[0].supercell.index} primitive cells; "
        "ask for a lower temperature"
    )
