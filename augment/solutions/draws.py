"""Random configurations of a solid solution: every configuration of the supercell alike, or every distinct one."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np

from augment.cell import IntArray
from augment.defects.burnside import CycleCounter
from augment.defects.sampling import SamplingWeight
from augment.errors import DefectError
from augment.solutions.exclusion import ExclusiveClusters
from augment.solutions.solution import SolidSolution

_MAX_IMPOSSIBLE = 200_000
"""Configurations drawn in a row that are impossible, after which the search is given up."""

_BATCH = 1_000
"""Configurations drawn at once."""


def draws(solution: SolidSolution, seed: int, weight: SamplingWeight) -> Iterator[IntArray]:
    """Possible sets of edits (k,), drawn independently until none has come up for long.

    Args:
        solution: the numbers of edits and the supercell.
        seed: of the random generator.
        weight: `degeneracy` draws every configuration alike, `orbit` every distinct one.

    Raises:
        DefectError: kinds share a part of their sites, or there are too many distinct configurations to draw each
            alike.
    """
    if weight == "degeneracy" and solution.restricted:
        clusters = ExclusiveClusters(solution)
        if clusters.tractable:
            yield from clusters.draw(seed)
            return
    misses = 0
    for batch in (_shuffles if weight == "degeneracy" else _orbits)(solution, seed):
        fitting = batch[solution.possible(batch)]
        misses = 0 if len(fitting) else misses + len(batch)
        if misses >= _MAX_IMPOSSIBLE:
            return
        yield from fitting


def _shuffles(solution: SolidSolution, seed: int) -> Iterator[IntArray]:
    """Batches (c, k) of sets of edits: the species of each sublattice in a random order on its sites."""
    rng = np.random.default_rng(seed)
    while True:
        parts = []
        for sublattice in solution.sublattices:
            species = np.repeat(np.arange(len(sublattice.counts)), sublattice.counts)
            placed = rng.permuted(np.broadcast_to(species, (_BATCH, len(species))), axis=1)
            parts.append(sublattice.members(placed))
        yield np.sort(np.concatenate(parts, axis=1), axis=1)


def _orbits(solution: SolidSolution, seed: int) -> Iterator[IntArray]:
    """Batches (1, k) of sets of edits, every orbit alike."""
    if solution.orbits is None:
        raise DefectError(
            f"{solution.formula} has too many configurations to draw each distinct one alike; "
            "draw by degeneracy, as in a random alloy"
        )
    counter = CycleCounter(solution.space, solution.recipe, solution.recipe.max_size)
    rng = random.Random(seed)  # noqa: S311  not for secrets
    while True:
        yield counter.draw(rng, by_orbit=True)[None]
