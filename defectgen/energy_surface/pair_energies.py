"""Energies of pairs of edits by a potential, of which that of a complex is nearly the sum.

With E_0 of the pristine supercell, E_i of one edit and E_ij of two the energy of a set S of edits is, to second order,

    E(S) = E_0 + sum_i e_i + sum_(i<j) w_ij,    e_i = E_i - E_0,    w_ij = E_ij - E_i - E_j + E_0,

a cluster expansion that ends with pairs (Sanchez, Ducastelle and Gratias, Physica A 128, 334 (1984),
doi:10.1016/0378-4371(84)90096-7). Images of the edits in other cells are in both sides. Symmetry leaves few pairs: the
14 of two vacancies in 64 atoms of a rock salt stand for 2,016.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import units

from augment import Defect, DefectCell, EditSpace
from augment.cell import FloatArray, IntArray
from augment.errors import PotentialError
from augment.ordering.pair_orbits import PairOrbits
from defectgen.representation.arrangements import Arranging
from md.potentials import Potential
from md.relaxation.relax import relax_structure

PAIR_RELAXATION_STEPS = 8
"""Of the relaxation of each pair at most; as many as of the arrangements in the corpus."""

DEFAULT_BOLTZMANN_ENERGY = 0.3
"""eV; k_B T where no temperature is requested. Vacancies bind by more: far below it the same few come again."""


CountProgress = Callable[[int, int], None]
"""Called with energies done and all of them."""


@dataclass(frozen=True, eq=False)
class PairEnergies:
    """Energies of the edits of a space, one by one and in pairs, eV.

    Attributes:
        space: the edits.
        energy: of a cell; NaN where there is none.
        progress: called after each.
    """

    space: EditSpace
    energy: Callable[[DefectCell], float]
    progress: CountProgress | None = None

    @classmethod
    def by(
        cls,
        potential: Potential,
        space: EditSpace,
        steps: int = PAIR_RELAXATION_STEPS,
        progress: CountProgress | None = None,
    ) -> PairEnergies:
        """Energies by a potential, after so many steps of relaxation.

        Raises:
            PotentialError: it does not cover an element.
        """

        def energy(cell: DefectCell) -> float:
            record = relax_structure(cell, potential, fmax=0.05, max_steps=steps).record
            return float("nan") if record is None else float(record.energy)

        return cls(space, energy, progress)

    @cached_property
    def single(self) -> FloatArray:
        """(m,) e_i."""
        return self._tables[0]

    @cached_property
    def pair(self) -> FloatArray:
        """(m, m) w_ij; 0 of two edits that exclude each other, or whose energy is not known."""
        return self._tables[1]

    def total(self, members: IntArray) -> float:
        """Energy of the edits at some places of the space, above the pristine supercell."""
        return float(self.single[members].sum() + self.pair[np.ix_(members, members)].sum() / 2)

    @cached_property
    def _tables(self) -> tuple[FloatArray, FloatArray]:
        space, orbits = self.space, PairOrbits.of(self.space)
        pristine = self.energy(space.supercell.bulk_cell())
        firsts, alone = np.unique(orbits.single, return_index=True)
        chosen = np.triu(space.compatible, 1)
        pairs, at = np.unique(orbits.pair[chosen], return_index=True)
        cells = [(int(k),) for k in alone] + [(int(i), int(j)) for i, j in np.argwhere(chosen)[at]]
        energies = []
        for places in cells:
            energies.append(self.energy(self._cell(places)) - pristine)
            if self.progress is not None:
                self.progress(len(energies), len(cells))
        single = np.array(energies[: len(firsts)])[orbits.single]
        if not np.isfinite(single).all():
            bad = space.names[int(space.label[int(np.flatnonzero(~np.isfinite(single))[0])])]
            raise PotentialError(f"no energy of {bad} alone: its relaxation diverged; choose another potential")
        pair = np.zeros((len(space), len(space)))
        pair[chosen] = np.array(energies[len(firsts) :])[np.searchsorted(pairs, orbits.pair[chosen])]
        pair[chosen] -= (single[:, None] + single)[chosen]
        return single, np.nan_to_num(pair + pair.T)

    def _cell(self, places: Sequence[int]) -> DefectCell:
        return Defect(self.space.supercell, self.space.edits(np.array(places, dtype=np.int64))).cell()


class PairScorer:
    """Logits of the orbits of edits that are possible next, from the energies of pairs with those that are there.

    Args:
        energies: of the pairs.
        temperature: K, of the Boltzmann factors; `DEFAULT_BOLTZMANN_ENERGY` without one.
    """

    def __init__(self, energies: PairEnergies, temperature: float | None = None) -> None:
        self._energies = energies
        self._width = DEFAULT_BOLTZMANN_ENERGY if temperature is None else float(units.kB) * temperature
        label = energies.space.label
        lowest = np.array([energies.single[label == k].min() for k in range(len(energies.space.names))])
        # What an edit of one kind costs must not decide which kind comes next.
        self._single = energies.single - lowest[label]

    def __call__(self, arranged: Sequence[Arranging]) -> FloatArray:
        """(a, o) logits for each of some arrangements under way."""
        return np.stack([self._logits(arranging) for arranging in arranged])

    def energies(self, drawn: Sequence[IntArray]) -> FloatArray:
        """Energy of each finished arrangement, eV, above the pristine supercell."""
        return np.array([self._energies.total(members) for members in drawn])

    def _logits(self, arranging: Arranging) -> FloatArray:
        orbits, pair = arranging.orbits, self._energies.pair
        gained = self._single + pair[:, arranging.members].sum(axis=1)
        within = [pair[np.ix_(m, m)].sum() / 2 for m in orbits.members]
        logits: FloatArray = -(np.bincount(orbits.orbit, gained) + np.array(within)) / self._width
        return logits
