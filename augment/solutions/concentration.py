"""Impurities at a concentration: how many of each kind, in which supercell, with formal charges that balance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from augment.charges import oxidation_states
from augment.defects.kinds import kinds
from augment.elements import element_symbol
from augment.errors import DefectError, SupercellError
from augment.host import Host
from augment.solutions.fragment_numbers import LinkedKinds, linked_kinds
from augment.solutions.fragments import DisorderRules
from augment.solutions.solution import SolidSolution
from augment.supercell import Supercell
from augment.supercells.search import DEFAULT_IMAGE_DISTANCE, DEFAULT_MAX_ATOMS, find_supercell
from augment.supercells.sublattices import longest_possible

FRACTION_TOLERANCE = 1e-3
"""Fractions are often written with three decimals."""

MAX_DEPARTURE = 0.1
"""A fraction that departs by more from what was asked is of another material, even where it is the nearest."""

_REACH = 2
"""Edits above and below a fraction that are tried, so that one of the choices balances charges of up to 4 e."""

_DIGITS = 9
"""Decimals of a departure that count: two this close are equal."""

_ROUNDING = 10.0**-_DIGITS


@dataclass(frozen=True)
class Concentration:
    """How much of which impurities a crystal is to hold.

    Attributes:
        fractions: of the sites of a kind that are edited so, above 0 and up to 1, by the kind's name (`Al_Mg`, `v_O`).
        counts: numbers of the kinds that are given by number instead.
        compensate: kind that is added in the number that balances the formal charges of the others (`v_Mg`).
        neutral: whether the formal charges must sum to zero without one, by the choice of the numbers.
        states: oxidation states by element that differ from the usual; the usual ones are the host's own and, of a
            dopant, the common one nearest to that of the site.
        tolerance: largest departure of a realised fraction; None for the nearest that a supercell can have, up to 0.1.
    """

    fractions: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    compensate: str | None = None
    neutral: bool = False
    states: Mapping[str, int] = field(default_factory=dict)
    tolerance: float | None = FRACTION_TOLERANCE

    def __post_init__(self) -> None:
        if not self.fractions and not self.counts:
            raise DefectError("no impurity given; name some with their fraction of the sites, such as Al_Mg=0.05")
        for name, fraction in self.fractions.items():
            if not 0 < fraction <= 1:
                raise DefectError(f"{name}={fraction:g}: a fraction of the sites is above 0 and at most 1")
        for name, count in self.counts.items():
            if count < 1:
                raise DefectError(f"{count} of {name}; give a positive number")
        doubled = (self.fractions.keys() & self.counts.keys()) | ({self.compensate} & set(self.names))
        if doubled:
            raise DefectError(f"{min(map(str, doubled))} is given twice; give each kind one amount")
        if self.tolerance is not None and not self.tolerance >= 0:
            raise DefectError(f"tolerance {self.tolerance} of a fraction; give 0 or more")

    @property
    def names(self) -> tuple[str, ...]:
        """The kinds that are requested, without the compensating one."""
        return (*self.fractions, *self.counts)


def formal_charge(host: Host, name: str, states: Mapping[str, int]) -> int:
    """Formal charge (e) of one edit of a kind: of the states that a dopant may take, the nearest to the site's.

    Args:
        host: gives the oxidation states of its own elements.
        name: of the kind.
        states: oxidation states by element that override the usual ones.
    """
    from pymatgen.core import Element

    kind = kinds(host, name)[0]
    oxidation = {**oxidation_states(host), **states}
    before = oxidation.get(host.orbit(kind.orbit).element, 0)
    put = element_symbol(kind.number)
    if not kind.number or not any(oxidation.values()):
        return -before
    choices = (oxidation[put],) if put in oxidation else Element(put).common_oxidation_states or (0,)
    return min((state - before for state in choices), key=lambda charge: (abs(charge), charge))


def pristine_charge(host: Host, states: Mapping[str, int]) -> int:
    """Sum of the oxidation states in a primitive cell, e; other than 0 only where `states` overrides the usual ones."""
    oxidation = {**oxidation_states(host), **states}
    return sum(oxidation[orbit.element] * len(orbit.members) for orbit in host.atoms.orbits)


def realise(
    host: Host,
    concentration: Concentration,
    *,
    supercell: Supercell | None = None,
    min_image_distance: float = DEFAULT_IMAGE_DISTANCE,
    max_atoms: int = DEFAULT_MAX_ATOMS,
    keep_point_group: bool = True,
    min_separation: float = 0.0,
    disorder: DisorderRules | None = None,
) -> SolidSolution:
    """The numbers of edits that a concentration means, in the smallest supercell that can have them.

    Args:
        host: the pristine crystal.
        concentration: what it is to hold.
        supercell: where; by default the smallest that realises the fractions within their tolerance or, without a
            tolerance, that of all sizes which comes nearest.
        min_image_distance: between a site and its nearest image, Å, where no supercell is given.
        max_atoms: most atoms of a supercell that is not given.
        keep_point_group: only supercells invariant under the host's point group.
        min_separation: Å; of two editable sites closer than this, at most one holds an atom.
        disorder: which atoms are there together.

    Raises:
        DefectError: a kind does not fit the host, or the charges cannot be balanced so.
        SupercellError: no supercell realises the concentration.
    """
    request = _RequestedNumbers(host, concentration, disorder)
    request.check_balance()
    if supercell is not None:
        counts = request.counts(supercell.index)
        if counts is None:
            nearest = request.loosened().counts(supercell.index)
            raise SupercellError(
                f"{supercell.n_atoms} atoms do not realise {request}{request.numbers_text(nearest, supercell)}"
            )
        return request.solution(supercell, counts, min_separation)

    def search(wanted: _RequestedNumbers) -> tuple[Supercell, dict[str, int]] | None:
        for index, numbers in wanted.candidates(max_atoms // host.n_lattice):
            candidate = _of_index(host, index, min_image_distance, keep_point_group=keep_point_group)
            if candidate is not None:
                return candidate, numbers
        return None

    chosen = search(request)
    if chosen is None:
        nearest_cell, nearest = search(request.loosened()) or (None, None)
        also = ", the point group kept," if keep_point_group else ""
        wider = ", or supercells that break the point group (--any-supercell)" if keep_point_group else ""
        raise SupercellError(
            f"{host.formula}: no supercell of up to {max_atoms} atoms with images {min_image_distance:g} Å apart{also} "
            f"realises {request}{request.numbers_text(nearest, nearest_cell)}{wider}"
        )
    return request.solution(*chosen, min_separation)


def _of_index(host: Host, index: int, min_image_distance: float, *, keep_point_group: bool) -> Supercell | None:
    """The widest supercell of a number of primitive cells, if it is wide enough (Å)."""
    volume = index * abs(float(np.linalg.det(host.primitive)))
    if host.normal is None and longest_possible(volume) < min_image_distance:
        return None  # a layer has as many cells in its plane as it needs, whatever its vacuum adds to the volume
    size = index * host.n_lattice
    try:
        return find_supercell(
            host,
            min_image_distance=min_image_distance,
            min_atoms=size,
            max_atoms=size,
            keep_point_group=keep_point_group,
        )
    except SupercellError:
        return None


@dataclass(frozen=True, eq=False)
class _RequestedNumbers:
    """A concentration in a host: the numbers that it means in a supercell of any size."""

    host: Host
    concentration: Concentration
    disorder: DisorderRules | None = None

    def __str__(self) -> str:
        wanted = self.concentration
        amounts = [
            *(f"{k}={v:g}" for k, v in wanted.fractions.items()),
            *(f"{k}={n}" for k, n in wanted.counts.items()),
        ]
        tolerance = "" if wanted.tolerance is None or not wanted.fractions else f" within {wanted.tolerance:g}"
        balanced = (
            f" balanced by {wanted.compensate}" if wanted.compensate else " with balanced charges" * wanted.neutral
        )
        return ", ".join(amounts) + tolerance + balanced

    def solution(self, supercell: Supercell, counts: Mapping[str, int], min_separation: float) -> SolidSolution:
        """So many edits in a supercell."""
        pristine = self.pristine * supercell.index
        return SolidSolution(supercell, counts, self.charges, pristine, min_separation, self.disorder)

    def loosened(self) -> _RequestedNumbers:
        """The same without a tolerance."""
        return replace(self, concentration=replace(self.concentration, tolerance=None))

    def numbers_text(self, counts: Mapping[str, int] | None, supercell: Supercell | None) -> str:
        """What is nearest, in words for an error."""
        if counts is None or supercell is None:
            return "; allow more atoms, a larger tolerance, or another balance of charges"
        nearest = [f"{k} = {n / (supercell.index * self.sites[k]):.4g}" for k, n in counts.items()]
        return f"; {', '.join(nearest)} in {supercell.n_atoms} atoms is nearest: allow more atoms or a larger tolerance"

    @cached_property
    def sites(self) -> dict[str, int]:
        """Sites in the primitive cell that each kind can be at."""
        return {name: sum(len(self.host.orbit(k).members) for k in orbits) for name, orbits in self._orbits.items()}

    @cached_property
    def charges(self) -> dict[str, int]:
        """Formal charge of each kind, e."""
        return {name: formal_charge(self.host, name, self.concentration.states) for name in self.sites}

    @cached_property
    def pristine(self) -> int:
        """Charge of a primitive cell of the host, e."""
        return pristine_charge(self.host, self.concentration.states)

    def check_balance(self) -> None:
        """Refuse a compensating kind whose charge has the wrong sign, or charges of one sign that are to balance."""
        wanted, charges = self.concentration, self.charges
        if self.pristine or not (wanted.compensate or wanted.neutral):
            return
        listed = ", ".join(f"{name} {charge:+d}" for name, charge in charges.items())
        signs = {int(np.sign(charges[name])) for name in wanted.names} - {0}
        if wanted.compensate and len(signs) == 1 and np.sign(charges[wanted.compensate]) not in {-s for s in signs}:
            raise DefectError(
                f"{wanted.compensate} cannot balance the others: formal charges are {listed} e; "
                f"name a kind of the other sign, or give oxidation states"
            )
        if wanted.neutral and not wanted.compensate and len(signs) == 1:
            raise DefectError(
                f"no numbers balance: formal charges are {listed} e; add a kind of the other sign, "
                "or give oxidation states"
            )

    def candidates(self, most: int) -> Iterator[tuple[int, dict[str, int]]]:
        """Numbers of primitive cells and of edits: the smallest first or, without a tolerance, the nearest."""
        every = ((index, self.counts(index)) for index in range(1, most + 1))
        possible = ((index, counts) for index, counts in every if counts is not None)
        if self.concentration.tolerance is not None:
            return possible
        return iter(sorted(possible, key=lambda item: (round(self._departure(*item), _DIGITS), item[0])))

    def _departure(self, index: int, counts: Mapping[str, int]) -> float:
        """Largest departure of a fraction, of the kinds that are counted."""
        fractions = self.concentration.fractions
        off = (abs(n / (index * self.sites[k]) - fractions[k]) for k, n in counts.items() if k in fractions)
        return max(off, default=0.0)

    def counts(self, index: int) -> dict[str, int] | None:
        """Numbers of edits in so many primitive cells, the nearest that fit and balance; none where there are none."""
        wanted = self.concentration
        balanced = wanted.compensate is not None or wanted.neutral
        given = sum(self.charges[name] * count for name, count in wanted.counts.items())
        start = index * self.pristine + given if balanced else 0
        # For each total charge, the nearest numbers of the kinds so far.
        best: dict[int, tuple[float, dict[str, int]]] = {start: (0.0, dict(wanted.counts))}
        for choices in self._choices(index):
            grown: dict[int, tuple[float, dict[str, int]]] = {}
            for chosen in choices:
                step = sum(self.charges[name] * number for name, number in chosen.items()) if balanced else 0
                off = self._departure(index, chosen)
                for total, (departure, numbers) in best.items():
                    worst = max(departure, off)
                    if total + step not in grown or worst < grown[total + step][0] - _ROUNDING:
                        grown[total + step] = worst, numbers | chosen
            best = grown
        for total, (_, numbers) in sorted(best.items(), key=lambda item: (item[1][0], abs(item[0]), item[0])):
            trial = self._balanced(numbers, total)
            if trial is not None and self._fits(trial, index):
                return trial
        return None

    def _choices(self, index: int) -> Iterator[list[dict[str, int]]]:
        """Numbers of edits near the fractions, nearest first: of each kind, or of kinds that a disorder group links."""
        linked = {name for link in self._links for name in link.constants}
        for link in self._links:
            fitting = [numbers for numbers in link.numbers(index) if self._near(numbers, index)]
            yield sorted(fitting, key=lambda numbers: self._departure(index, numbers))
        for name, fraction in self.concentration.fractions.items():
            if name not in linked:
                exact = fraction * index * self.sites[name]
                near = range(math.floor(exact) - _REACH, math.ceil(exact) + _REACH + 1)
                fitting = [{name: n} for n in near if self._near({name: n}, index)]
                yield sorted(fitting, key=lambda numbers: self._departure(index, numbers))

    @cached_property
    def _links(self) -> tuple[LinkedKinds, ...]:
        names = list(self.concentration.fractions)
        return () if self.disorder is None else linked_kinds(self.host, self.disorder, names)

    def _near(self, numbers: Mapping[str, int], index: int) -> bool:
        """Whether there are sites for so many edits, and each fraction is as near as it has to be."""
        tolerance = self.concentration.tolerance
        limit = (MAX_DEPARTURE if tolerance is None else tolerance) + _ROUNDING
        return all(0 <= n <= index * self.sites[k] for k, n in numbers.items()) and (
            self._departure(index, numbers) <= limit
        )

    def _balanced(self, numbers: dict[str, int], total: int) -> dict[str, int] | None:
        """The numbers with that of the compensating kind; none where a total charge cannot be balanced."""
        if total == 0:
            return numbers
        name = self.concentration.compensate
        each = self.charges[name] if name else 0
        return numbers | {name: -total // each} if name and each and total % each == 0 and total * each < 0 else None

    def _fits(self, numbers: Mapping[str, int], index: int) -> bool:
        """Whether there is an edit, and no orbit holds more of them than it has sites for."""
        return any(numbers.values()) and all(
            sum(n for other, n in numbers.items() if self._orbits[other] <= self._orbits[name])
            <= index * self.sites[name]
            for name in numbers
        )

    @cached_property
    def _orbits(self) -> dict[str, frozenset[int]]:
        """Orbits that each kind can be at."""
        names = [*self.concentration.names, *filter(None, [self.concentration.compensate])]
        return {name: frozenset(kind.orbit for kind in kinds(self.host, name)) for name in names}
