"""Numbers of edits that whole fragments make: the kinds of edit of a disorder group rise and fall together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import floor

import numpy as np

from augment.crystal.reading.disorder import MAX_OCCUPANCY_DIFFERENCE
from augment.defects.kinds import kinds
from augment.host import Host
from augment.solutions.fragment_states import connected_parts, whole_fragments
from augment.solutions.fragments import DisorderGroup, DisorderRules
from augment.supercell import Supercell

_REACH = 2
"""Numbers of fragments on either side of the nearest that are tried."""


@dataclass(frozen=True)
class GroupAmount:
    """A disorder group in one primitive cell.

    Attributes:
        group: which.
        fragments: whole ones, there or not.
        occupancy: fraction of them that is there.
    """

    group: DisorderGroup
    fragments: int
    occupancy: float


@dataclass(frozen=True)
class LinkedKinds:
    """Kinds of edit whose numbers follow from those of some groups of fragments.

    Attributes:
        groups: whose fragments make them.
        constants: by name, edits in a primitive cell without any fragment.
        slopes: by name, edits that each fragment of each group adds.
    """

    groups: tuple[GroupAmount, ...]
    constants: Mapping[str, int]
    slopes: Mapping[str, tuple[int, ...]]

    def numbers(self, index: int) -> Iterator[dict[str, int]]:
        """Numbers of edits in so many primitive cells, for numbers of fragments near the occupancies."""
        near = [self._near(amount, index) for amount in self.groups]
        for present in product(*near):
            if self._fits(present, index):
                yield {
                    name: index * constant + int(np.dot(self.slopes[name], present))
                    for name, constant in self.constants.items()
                }

    def _near(self, amount: GroupAmount, index: int) -> range:
        exact, most = amount.occupancy * amount.fragments * index, amount.fragments * index
        return range(max(floor(exact) - _REACH, 0), min(floor(exact) + 1 + _REACH, most) + 1)

    def _fits(self, present: Sequence[int], index: int) -> bool:
        """Whether each place of a cluster holds one fragment at most, and one where its occupancies sum to 1.

        Clusters whose groups have different numbers of places are left to the draws.
        """
        for cluster in {amount.group[0] for amount in self.groups}:
            mine = [(a, n) for a, n in zip(self.groups, present, strict=True) if a.group[0] == cluster]
            if len({amount.fragments for amount, _ in mine}) > 1:
                continue
            places, total = mine[0][0].fragments * index, sum(n for _, n in mine)
            full = sum(amount.occupancy for amount, _ in mine) > 1 - MAX_OCCUPANCY_DIFFERENCE * len(mine)
            if total > places or (full and len(mine) > 1 and total < places):
                return False
        return True


def linked_kinds(host: Host, rules: DisorderRules, names: Sequence[str]) -> tuple[LinkedKinds, ...]:
    """Kinds of edit that the fragments of a host make, those that depend on each other together.

    Kinds of an orbit that also holds what no fragment brings are left out: their numbers are free.

    Args:
        host: the parent of a disordered crystal.
        rules: of its disorder groups.
        names: of the kinds of edit, each of one orbit.
    """
    amounts, atoms = _amounts(host, rules)
    forms: dict[str, tuple[int, tuple[int, ...]]] = {}
    for name in names:
        [kind] = kinds(host, name)
        form = _form(host, rules, kind.orbit, kind.number, amounts, atoms)
        if form is not None:
            forms[name] = form
    clusters = sorted({amount.group[0] for amount in amounts})
    pairs = [
        (clusters.index(a), clusters.index(b))
        for _, slopes in forms.values()
        for a, b in product([amount.group[0] for amount, s in zip(amounts, slopes, strict=True) if s], repeat=2)
    ]
    part = connected_parts(len(clusters), pairs)
    linked = []
    for k in range(int(part.max()) + 1):
        chosen = [g for g, amount in enumerate(amounts) if part[clusters.index(amount.group[0])] == k]
        mine = {name: form for name, form in forms.items() if any(form[1][g] for g in chosen)}
        slopes = {name: tuple(form[1][g] for g in chosen) for name, form in mine.items()}
        if mine:
            constants = {name: form[0] for name, form in mine.items()}
            linked.append(LinkedKinds(tuple(amounts[g] for g in chosen), constants, slopes))
    return tuple(linked)


def _amounts(host: Host, rules: DisorderRules) -> tuple[list[GroupAmount], list[dict[tuple[int, int], int]]]:
    """The groups of a primitive cell, and for each how many atoms of each orbit and element a fragment of it has."""
    amounts, atoms = [], []
    wholes = whole_fragments(rules, Supercell.primitive(host))
    for group in rules.occupancies:
        claims = [claim for of, claim in wholes if of == group]
        counted: dict[tuple[int, int], int] = {}
        for site, numbers in (item for claim in claims for item in claim.items()):
            for number in numbers if len(numbers) == 1 else ():
                key = int(host.atoms.orbit[site]), number
                counted[key] = counted.get(key, 0) + 1
        amounts.append(GroupAmount(group, len(claims), rules.occupancies[group]))
        atoms.append({key: n // len(claims) for key, n in counted.items() if n % len(claims) == 0})
    return amounts, atoms


def _form(
    host: Host,
    rules: DisorderRules,
    orbit: int,
    number: int,
    amounts: Sequence[GroupAmount],
    atoms: Sequence[Mapping[tuple[int, int], int]],
) -> tuple[int, tuple[int, ...]] | None:
    """Edits in a primitive cell as a linear form in the numbers of fragments; None where it is no such form."""
    members = host.atoms.orbits[orbit].members
    if any(rules.free.get(site, frozenset({-1})) - {0} for site in members):
        return None
    if number:
        slopes = tuple(each.get((orbit, number), 0) for each in atoms)
        return (0, slopes) if any(slopes) else None
    slopes = tuple(-sum(n for (o, _), n in each.items() if o == orbit) for each in atoms)
    covered = -sum(s * amount.fragments for s, amount in zip(slopes, amounts, strict=True))
    return (len(members), slopes) if covered == len(members) else None
