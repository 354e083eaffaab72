"""Solutions in small supercells, of which every configuration can be listed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.defect import Defect
from augment.defects.orderly import enumerate_orbits
from augment.ordering.pair_expansion import PairExpansion
from augment.ordering.pair_orbits import PairOrbits
from augment.solutions.concentration import Concentration, realise
from augment.solutions.solution import SolidSolution
from augment.supercell import conventional_supercell
from tests.support.crystals import host


def solution(name: str, counts: dict[str, int], repeat: int | tuple[int, int, int] = 2, **options) -> SolidSolution:
    crystal = host(name)
    cells = conventional_supercell(crystal, np.diag(np.broadcast_to(repeat, 3)))
    return realise(crystal, Concentration(counts=counts), supercell=cells, **options)


def known_expansion(made: SolidSolution, seed: int = 0, scale: float = 0.15) -> PairExpansion:
    """An expansion with random energies of every orbit, eV."""
    orbits, rng = PairOrbits.of(made.space), np.random.default_rng(seed)
    energies = np.concatenate([rng.normal(size=orbits.singles), scale * rng.normal(size=orbits.pairs)])
    return PairExpansion(orbits, 1.0, energies, 0.0, 0)


@dataclass(frozen=True)
class Listed:
    """Every distinct configuration: its edits (c, k) and number of copies (c,)."""

    members: IntArray
    copies: FloatArray

    @classmethod
    def of(cls, made: SolidSolution) -> Listed:
        size = made.recipe.max_size
        found = [each.members for each in enumerate_orbits(made.space, size, made.recipe)]
        members = np.concatenate([each for each in found if each.shape[1] == size])
        images = made.space.permutations
        copies = [len(np.unique(np.sort(images[:, row], axis=1), axis=0)) for row in members]
        return cls(members, np.array(copies, dtype=float))

    def weights(self, energies: FloatArray, kt: float) -> FloatArray:
        logs = np.log(self.copies) - (energies - energies.min()) / kt
        return np.exp(logs - np.logaddexp.reduce(logs))


def places(made: SolidSolution, defects: list[Defect]) -> IntArray:
    """(c, k) where the edits of defects are in the space of a solution."""
    at = {(s, n): k for k, (s, n) in enumerate(zip(made.space.site.tolist(), made.space.number.tolist(), strict=True))}
    return np.array([sorted(at[edit.site, edit.number] for edit in defect.edits) for defect in defects])
