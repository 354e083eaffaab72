"""Recipes: how many edits a complex has, of which kinds, and whether their charges must balance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from augment.cell import IntArray
from augment.charges import formal_charges
from augment.defects.editspace import EditSpace
from augment.errors import DefectError
from augment.groups.symmetry import BoolArray


@dataclass(frozen=True)
class Recipe:
    """What complexes to make.

    Attributes:
        min_size: fewest edits.
        max_size: most edits.
        counts: fewest and most edits of a kind, by the kind's name; any number of the others.
        neutral: only complexes whose formal charges can sum to zero.
    """

    min_size: int
    max_size: int
    counts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    neutral: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.min_size <= self.max_size:
            raise DefectError(
                f"complexes of {self.min_size} to {self.max_size} edits; the size is at least 1, the most not below it"
            )
        for name, (fewest, most) in self.counts.items():
            if not 0 <= fewest <= most:
                raise DefectError(f"{fewest} to {most} of {name}; the fewest is at least 0 and not above the most")

    @classmethod
    def exactly(cls, counts: Mapping[str, int]) -> Recipe:
        """So many edits of each kind, and nothing else."""
        size = sum(counts.values())
        return cls(size, size, {name: (count, count) for name, count in counts.items()})

    def sizes(self, space: EditSpace) -> range:
        """The sizes to make.

        Raises:
            DefectError: a count is of a kind that the space lacks, or more edits are requested than there are sites.
        """
        for name, (fewest, _) in self.counts.items():
            if name not in space.names:
                raise DefectError(f"a count of {name}, which is not among the kinds ({', '.join(space.names)})")
            there = len(np.unique(space.site[space.label == space.names.index(name)]))
            if fewest > there:
                raise DefectError(f"{fewest} of {name}, but the supercell has {there} such sites; take a larger one")
        sites = len(np.unique(space.site))
        if self.max_size > sites:
            raise DefectError(
                f"complexes of {self.max_size} edits, but the kinds asked for have {sites} sites in the supercell; "
                "ask for fewer or take a larger supercell"
            )
        if self.neutral:
            self._check_charges(space)
        return range(self.min_size, self.max_size + 1)

    def _check_charges(self, space: EditSpace) -> None:
        charges = [_charges(space, label) for label in range(len(space.names))]
        totals, balanced = {0}, False
        for size in range(1, self.max_size + 1):
            totals = {total + charge for total in totals for charge in set().union(*charges)}
            balanced |= size >= self.min_size and 0 in totals
        if not balanced:
            said = ", ".join(f"{n} {'/'.join(f'{q:+d}' for q in c)}" for n, c in zip(space.names, charges, strict=True))
            raise DefectError(f"no complex of {self.min_size} to {self.max_size} edits is neutral ({said}); add a kind")

    def limits(self, space: EditSpace) -> IntArray:
        """(names,) most edits of each kind."""
        return np.array([self.counts.get(name, (0, self.max_size))[1] for name in space.names], dtype=np.int64)

    def accepts(self, space: EditSpace, members: IntArray) -> BoolArray:
        """Whether each set (c, k) of edits has enough of each kind and, where asked, balanced charges."""
        if not self.counts and not self.neutral:
            return np.ones(len(members), dtype=bool)
        counts = (space.label[members][:, :, None] == np.arange(len(space.names))).sum(axis=1)
        return self.accepts_counts(space, counts)

    def accepts_counts(self, space: EditSpace, counts: IntArray) -> BoolArray:
        """Whether each composition (c, names), in edits of each kind, is requested."""
        accepted = np.ones(len(counts), dtype=bool)
        for name, (fewest, most) in self.counts.items():
            count = counts[:, space.names.index(name)]
            accepted &= (count >= fewest) & (count <= most)
        if self.neutral:
            compositions, which = np.unique(counts, axis=0, return_inverse=True)
            charges = [_charges(space, label) for label in range(len(space.names))]
            balanced = np.array([_balances(row.tolist(), charges) for row in compositions], dtype=bool)
            accepted &= balanced[which.reshape(-1)]
        return accepted


def _charges(space: EditSpace, label: int) -> tuple[int, ...]:
    """Formal charges that an edit of a kind can bring; the same at each of its orbits, which hold one element."""
    first = int(np.argmax(space.label == label))
    table = space.supercell.table_with(space.site)
    orbit = int(table.orbit[space.site[first]])
    return formal_charges(space.supercell.host, orbit, int(space.number[first]))


def _balances(counts: list[int], charges: list[tuple[int, ...]]) -> bool:
    """Whether so many edits of each kind, each with one of its kind's charges, can sum to zero."""
    totals = {0}
    for count, choices in zip(counts, charges, strict=True):
        for _ in range(count):
            totals = {total + charge for total in totals for charge in choices}
    return 0 in totals
