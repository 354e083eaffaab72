"""Exchanges of two species on a sublattice: the moves of a Monte Carlo that keeps the composition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.errors import DefectError
from augment.groups.symmetry import BoolArray
from augment.ordering.pair_expansion import EditEnergies
from augment.solutions.solution import SolidSolution

FORBIDDEN = 100.0
"""eV; what two atoms cost that are too close: no temperature of a crystal pays for it."""


@dataclass(frozen=True, eq=False)
class Sites:
    """The sites of a solution that exchange their species, sublattice by sublattice.

    Attributes:
        edit: (n, species) edit that puts each species on each site; the number of edits for the species that is there
            in the pristine crystal.
        start: (sublattices,) first site of each sublattice.
        size: (sublattices,) sites of each.
    """

    edit: IntArray
    start: IntArray
    size: IntArray

    @property
    def part(self) -> IntArray:
        """(n,) the sublattice of each site."""
        return np.repeat(np.arange(len(self.size)), self.size)

    @classmethod
    def of(cls, solution: SolidSolution) -> Sites:
        """Those of the sublattices that hold more than one species.

        Raises:
            DefectError: disorder groups tie sites, kinds share a part of their sites, or there is nothing to exchange.
        """
        if solution.ties:
            raise DefectError(
                f"{solution.formula}: disorder groups of the CIF hold atoms together, which exchanges would tear "
                "apart; draw random configurations"
            )
        mixed = [part for part in solution.sublattices if sum(count > 0 for count in part.counts) > 1]
        if not mixed:
            raise DefectError(f"{solution.formula} has one configuration only: there is nothing to equilibrate")
        none, width = len(solution.space), max(len(part.counts) for part in mixed)
        rows = np.full((sum(len(part.sites) for part in mixed), width), none, dtype=np.int64)
        sizes = np.array([len(part.sites) for part in mixed], dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        for begin, part in zip(starts, mixed, strict=True):
            rows[begin : begin + len(part.sites), 1 : len(part.counts)] = part.edits
        return cls(rows, starts, sizes)

    def species(self, members: IntArray, edits: int) -> IntArray:
        """(c, n) species on each site of sets (c, k) of edits, of so many that there are."""
        held = np.zeros((len(members), len(self.edit)), dtype=np.int64)
        place = np.full(edits + 1, -1, dtype=np.int64)
        kind = np.zeros(edits + 1, dtype=np.int64)
        for column in range(1, self.edit.shape[1]):
            place[self.edit[:, column]] = np.arange(len(self.edit))
            kind[self.edit[:, column]] = column
        place[edits] = -1
        for row, chosen in zip(held, members, strict=True):
            here = chosen[place[chosen] >= 0]
            row[place[here]] = kind[here]
        return held


def with_clashes(energies: EditEnergies, solution: SolidSolution) -> EditEnergies:
    """The energies, with `FORBIDDEN` for every two sites that are filled and too close.

    A site is filled by its pristine atom or by an edit; the product of both sites' fillings is a sum over edits and
    pairs as well.
    """
    if not len(solution.clashes):
        return energies
    space, single, pair, constant = solution.space, energies.single.copy(), energies.pair.copy(), energies.constant
    held = solution.supercell.table_with(solution.sites).numbers
    for a, b in solution.clashes.tolist():
        change = []
        for site in (solution.sites[a], solution.sites[b]):
            filled = float(held[site] > 0)
            change.append((filled, np.where(space.site == site, (space.number > 0) - filled, 0.0)))
        (filled_a, by_a), (filled_b, by_b) = change
        constant += FORBIDDEN * filled_a * filled_b
        single += FORBIDDEN * (filled_a * by_b + filled_b * by_a)
        pair += FORBIDDEN * (np.outer(by_a, by_b) + np.outer(by_b, by_a))
    return EditEnergies(constant, single, pair)


class Replicas:
    """Configurations of one solution, each at a temperature of its own, that make exchanges together.

    Args:
        sites: where species are exchanged.
        energies: of the edits, clashes included.
        members: (r, k) edits of each replica at the start.
        rng: the generator to draw from.
    """

    def __init__(self, sites: Sites, energies: EditEnergies, members: IntArray, rng: np.random.Generator) -> None:
        self._sites, self._rng, count = sites, rng, len(energies.single)
        # One more edit that changes nothing stands for the pristine species of any site.
        self._pair = np.zeros((count + 1, count + 1))
        self._pair[:count, :count] = energies.pair
        self._edits = count
        self.species = sites.species(members, count)
        self._fixed = [np.setdiff1d(row, sites.edit) for row in members]
        self._edited = np.stack([np.flatnonzero(row) for row in self.species])
        self._part = sites.part
        single = np.append(energies.single, 0.0)
        present = np.zeros((len(members), count + 1))
        np.put_along_axis(present, members, 1.0, axis=1)
        self._field = single + present @ self._pair
        self.energy: FloatArray = energies.total(members)

    @property
    def members(self) -> IntArray:
        """(r, k) edits of each replica, ascending."""
        chosen = np.take_along_axis(self._sites.edit[None], self.species[:, :, None], axis=2)[:, :, 0]
        rows = [
            np.sort(np.concatenate([row[row < self._edits], fixed]))
            for row, fixed in zip(chosen, self._fixed, strict=True)
        ]
        return np.array(rows, dtype=np.int64)

    def exchange(self, kt: FloatArray) -> BoolArray:
        """Offer one exchange to every replica at its temperature (r,), eV; True where it was accepted and a change.

        An edit of any sublattice, and any site of that one: as likely as the exchange back.
        """
        sites, r = self._sites, np.arange(len(self.species))
        slot = self._rng.integers(self._edited.shape[1], size=len(r))
        a = self._edited[r, slot]
        b = sites.start[self._part[a]] + self._rng.integers(sites.size[self._part[a]])
        on_a, on_b = self.species[r, a], self.species[r, b]
        out_a, out_b, in_a, in_b = sites.edit[a, on_a], sites.edit[b, on_b], sites.edit[a, on_b], sites.edit[b, on_a]
        w, field = self._pair, self._field
        change = field[r, in_a] + field[r, in_b] - field[r, out_a] - field[r, out_b]
        change += w[in_a, in_b] + w[out_a, out_b] - w[in_a, out_a] - w[in_a, out_b] - w[in_b, out_a] - w[in_b, out_b]
        accepted = (on_a != on_b) & (np.log(self._rng.random(len(r))) < -change / kt)
        c = np.flatnonzero(accepted)
        self.species[c, a[c]], self.species[c, b[c]] = on_b[c], on_a[c]
        field[c] += w[in_a[c]] + w[in_b[c]] - w[out_a[c]] - w[out_b[c]]
        moved = c[on_b[c] == 0]
        self._edited[moved, slot[moved]] = b[moved]
        self.energy[c] += change[c]
        return np.asarray(accepted)

    def swap(self, first: IntArray, second: IntArray) -> None:
        """Give the configurations of some replicas to others, and theirs to them."""
        for array in (self.species, self._edited, self._field, self.energy):
            array[np.concatenate([first, second])] = array[np.concatenate([second, first])]
