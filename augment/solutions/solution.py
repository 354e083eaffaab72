"""A solid solution: so many edits of each kind in a supercell, and how many configurations of them there are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from augment.cell import IntArray
from augment.defects.burnside import count_orbits
from augment.defects.editspace import EditSpace
from augment.defects.recipe import Recipe
from augment.elements import MAX_ATOMIC_NUMBER, element_symbol, full_formula
from augment.errors import DefectError
from augment.groups.symmetry import GRID_SPACING, BoolArray
from augment.solutions.fragment_states import TiedSites, tied_sites
from augment.solutions.fragments import DisorderRules
from augment.supercell import Supercell

MAX_COUNTING = 1_000_000
"""Numbers of edits of each kind x sites; the orbits of larger problems take minutes to count."""


@dataclass(frozen=True, eq=False)
class Sublattice:
    """Sites that some kinds of edit share, and how many of each species they hold.

    Attributes:
        sites: (n,) of the supercell, ascending.
        species: atomic number of the pristine sites, then that of each kind; 0 for none.
        counts: sites with each species.
        edits: (n, kinds) place in the edit space of each kind at each site.
    """

    sites: IntArray
    species: tuple[int, ...]
    counts: tuple[int, ...]
    edits: IntArray

    @property
    def configurations(self) -> int:
        """Number of ways to put the species on the sites."""
        return math.factorial(len(self.sites)) // math.prod(math.factorial(n) for n in self.counts)

    def members(self, placed: IntArray) -> IntArray:
        """Edits (c, k) that put `species[placed[:, i]]` on each site i of c configurations (c, n)."""
        row, site = np.nonzero(placed)
        return self.edits[site, placed[row, site] - 1].reshape(len(placed), -1)


@dataclass(frozen=True, eq=False)
class SolidSolution:
    """Numbers of edits of some kinds in a supercell.

    Attributes:
        supercell: where.
        counts: edits of each kind, by its name.
        charges: formal charge of one edit of each kind, e.
        pristine_charge: sum of the oxidation states of the pristine supercell, e.
        min_separation: Å; of two editable sites closer than this, at most one holds an atom, unless one disorder
            group puts an atom on both.
        disorder: which atoms are there together; None where nothing is said of that.
    """

    supercell: Supercell
    counts: Mapping[str, int]
    charges: Mapping[str, int]
    pristine_charge: int = 0
    min_separation: float = 0.0
    disorder: DisorderRules | None = None

    @cached_property
    def space(self) -> EditSpace:
        """All edits of the kinds that there are any of."""
        return EditSpace.of(self.supercell, [name for name, count in self.counts.items() if count])

    @cached_property
    def recipe(self) -> Recipe:
        """Exactly the numbers of edits."""
        return Recipe.exactly({name: count for name, count in self.counts.items() if count})

    @property
    def fractions(self) -> dict[str, float]:
        """Realised fraction of the sites of each kind."""
        return {name: self.counts[name] / n for name, n in zip(self.space.names, self._sites_of_names, strict=True)}

    @property
    def _sites_of_names(self) -> list[int]:
        return [int((self.space.label == label).sum()) for label in range(len(self.space.names))]

    @property
    def net_charge(self) -> int:
        """Sum of the formal charges, e; 0 where they balance."""
        return self.pristine_charge + sum(self.charges[name] * count for name, count in self.counts.items())

    @cached_property
    def formula(self) -> str:
        """What a supercell holds, as pymatgen writes it."""
        numbers = self.supercell.table_with(self.space.site).numbers
        amounts = np.bincount(numbers, minlength=MAX_ATOMIC_NUMBER + 1)
        for name, count in zip(self.space.names, self._counted, strict=True):
            first = int(np.argmax(self.space.label == self.space.names.index(name)))
            amounts[numbers[self.space.site[first]]] -= count
            amounts[self.space.number[first]] += count
        composition = {element_symbol(z): int(n) for z, n in enumerate(amounts) if z and n}
        return full_formula(composition)

    @property
    def _counted(self) -> list[int]:
        return [self.counts[name] for name in self.space.names]

    def to_dict(self) -> dict[str, object]:
        """JSON values: formula, numbers, fractions, charges and supercell."""
        return {
            "formula": self.formula,
            "counts": dict(self.counts),
            "fractions": self.fractions,
            "formal_charges": dict(self.charges),
            "net_charge": self.net_charge,
            "supercell": self.supercell.describe(),
        }

    @cached_property
    def sublattices(self) -> tuple[Sublattice, ...]:
        """The sets of sites that are edited, each with the kinds that share it.

        Raises:
            DefectError: two kinds share some of their sites only.
        """
        space, labels_by_sites = self.space, dict[tuple[int, ...], list[int]]()
        for label in range(len(space.names)):
            labels_by_sites.setdefault(tuple(space.site[space.label == label].tolist()), []).append(label)
        every = [site for sites in labels_by_sites for site in sites]
        if len(set(every)) < len(every):
            raise DefectError(
                f"some of {', '.join(space.names)} share a part of their sites; "
                "name them by the same sites (v_O_8c and F_O_8c), or draw by orbit"
            )
        return tuple(self._sublattice(np.array(sites), labels) for sites, labels in labels_by_sites.items())

    def _sublattice(self, sites: IntArray, labels: list[int]) -> Sublattice:
        edits = np.stack([np.flatnonzero(self.space.label == label) for label in labels], axis=1)
        counts = [self._counted[label] for label in labels]
        species = (int(self.supercell.table_with(sites).numbers[sites[0]]), *self.space.number[edits[0]].tolist())
        return Sublattice(sites, species, (len(sites) - sum(counts), *counts), edits)

    @cached_property
    def orbits(self) -> int | None:
        """Number of symmetry-distinct configurations, by Burnside's lemma; None where it takes too long.

        Configurations with atoms too close together are counted as well.
        """
        states = math.prod(count + 1 for count in self._counted)
        if states * len(np.unique(self.space.site)) > MAX_COUNTING:
            return None
        return next(count_orbits(self.space, self.recipe))[1]

    @cached_property
    def clashes(self) -> IntArray:
        """(k, 2) pairs of editable sites, as places among `sites`, that are too close for two atoms."""
        if self.min_separation <= 0:
            return np.zeros((0, 2), dtype=np.int64)
        near = self.supercell.distances(self.sites) < self.min_separation - GRID_SPACING
        place = {int(site): k for k, site in enumerate(self.sites)}
        for whole in (whole for tie in self.ties for whole in tie.wholes):
            members = [place[site] for site in whole if site in place]
            near[np.ix_(members, members)] = False
        return np.argwhere(np.triu(near, k=1))

    @cached_property
    def ties(self) -> tuple[TiedSites, ...]:
        """Sites whose atoms depend on each other by disorder groups."""
        return () if self.disorder is None else tied_sites(self.disorder, self.supercell)

    @property
    def restricted(self) -> bool:
        """Whether some configurations are impossible: sites exclude each other, or have their atoms together."""
        return bool(len(self.clashes) or self.ties)

    @cached_property
    def sites(self) -> IntArray:
        """(n,) the sites that can be edited."""
        return np.unique(self.space.site)

    def possible(self, members: IntArray) -> BoolArray:
        """Whether each set (c, k) of edits leaves no two atoms too close together, and no fragment in part."""
        held = self.supercell.table_with(self.sites).numbers
        numbers = np.broadcast_to(held, (len(members), len(held))).copy()
        np.put_along_axis(numbers, self.space.site[members], self.space.number[members], axis=1)
        filled = numbers[:, self.sites] > 0
        fitting = np.asarray(~(filled[:, self.clashes[:, 0]] & filled[:, self.clashes[:, 1]]).any(axis=1))
        for tie in self.ties:
            fitting[fitting] = tie.allows(numbers[fitting])
        return fitting
