"""Likely charge states of point defects, from oxidation states: those of the file, else those that pymatgen counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice, product
from math import ceil, comb, floor, prod

import numpy as np

from augment.elements import element_symbol
from augment.host import Host

MAX_CHARGE = 4
"""e; states beyond this are not seen in practice."""

_DIGITS = 4
"""Decimals of a charge that count."""

MAX_EFFORT = 100_000
"""Combinations of mixed oxidation states that are tried; beyond, each element gets one state."""


@lru_cache(maxsize=64)
def oxidation_states(host: Host) -> dict[str, int]:
    """Oxidation states of the host's elements: of its file, else the most likely; zero where none is neutral."""
    from pymatgen.core import Composition, Element

    if host.oxidation:
        return nearest_states(dict(Composition(host.formula).get_el_amt_dict()), host.oxidation)
    composition = Composition(host.formula)
    amounts = {element: round(amount) for element, amount in composition.get_el_amt_dict().items()}
    states = {e: Element(e).icsd_oxidation_states or Element(e).oxidation_states or (0,) for e in amounts}
    # One element can take as many ways to mix its states, and all together as many total charges.
    mixtures = sum(comb(n + len(states[e]) - 1, n) for e, n in amounts.items())
    totals = prod(n * (max(states[e]) - min(states[e])) + 1 for e, n in amounts.items())
    if max(mixtures, totals) > MAX_EFFORT:
        best = _one_state_each(amounts, {e: tuple(s) for e, s in states.items()})
    else:
        best = next(iter(composition.oxi_state_guesses()), {})
    return {element: round(best.get(element, 0.0)) for element in host.elements}


def nearest_states(amounts: Mapping[str, float], stated: Mapping[str, float]) -> dict[str, int]:
    """Oxidation states by element: those stated, else, of the common ones, those nearest to a neutral crystal.

    Of equally near ones, those that are lower on more electronegative elements. A stated mean of several states
    (Mn 3.5) becomes one of the two whole ones beside it. Zero in a crystal of metals of which none is stated.

    Args:
        amounts: atoms of each element.
        stated: by element, of some of them.
    """
    from pymatgen.core import Element

    choices = [
        tuple({floor(stated[e]), ceil(stated[e])}) if e in stated else Element(e).common_oxidation_states or (0,)
        for e in amounts
    ]
    chosen = [each for each in islice(product(*choices), MAX_EFFORT) if stated or min(each) < 0 < max(each)]
    if not chosen:
        return dict.fromkeys(amounts, 0)
    weighted = np.array(chosen) * np.array(list(amounts.values()))
    total = np.abs(weighted.sum(axis=1)).round(_DIGITS)
    polar = (weighted * [Element(symbol).X for symbol in amounts]).sum(axis=1)
    return dict(zip(amounts, chosen[int(np.lexsort((polar, total))[0])], strict=True))


def imbalance(amounts: Mapping[str, float], stated: Mapping[str, float], tolerance: float = 0.0) -> str:
    """What to say where the states that a file states for every element do not sum to zero; empty where they do.

    Args:
        amounts: atoms of each element in a formula unit.
        stated: oxidation states by element.
        tolerance: e in a formula unit.
    """
    total = round(sum(n * stated.get(e, 0.0) for e, n in amounts.items()), _DIGITS)
    if not amounts.keys() <= stated.keys() or abs(total) <= tolerance:
        return ""
    listed = ", ".join(f"{e} {stated[e]:+g}" for e in amounts)
    unit = "".join(f"{e}{n:g}" if n != 1 else e for e, n in amounts.items())
    return (
        f"the oxidation states in the file ({listed}) give {unit} a charge of {total:+g} e; they are used as they are"
    )


def host_imbalance(host: Host) -> str:
    """What to say where the oxidation states of the host's file do not sum to zero; empty where they do."""
    from pymatgen.core import Composition

    amounts = {e: float(n) for e, n in Composition(host.formula).get_el_amt_dict().items()}
    return imbalance(amounts, host.oxidation)


def _one_state_each(amounts: dict[str, int], states: dict[str, tuple[int, ...]]) -> dict[str, float]:
    """Neutral assignment of one state to each element with the fewest uncommon states; empty where there is none."""
    from pymatgen.core import Element

    neutral = [
        dict(zip(amounts, chosen, strict=True))
        for chosen in islice(product(*(states[e] for e in amounts)), MAX_EFFORT)
        if sum(n * q for n, q in zip(amounts.values(), chosen, strict=True)) == 0 and any(chosen)
    ]
    uncommon = [sum(q not in Element(e).common_oxidation_states for e, q in chosen.items()) for chosen in neutral]
    return {e: float(q) for e, q in neutral[uncommon.index(min(uncommon))].items()} if neutral else {}


def formal_charges(host: Host, orbit: int, number: int) -> tuple[int, ...]:
    """Formal charges (e) that putting an element on a site of an orbit can bring, ascending; 0 removes the atom.

    An element of the host keeps its oxidation state there, another may take any of its common ones.
    """
    before = oxidation_states(host).get(host.orbit(orbit).element, 0)
    put = element_symbol(number) if number else ""
    return tuple(sorted(state - before for state in _states(host, put)))


def likely_charges(host: Host, edits: Sequence[tuple[str, str]]) -> tuple[int, ...]:
    """Charges (e) from neutral to full ionisation of a set of edits.

    Args:
        host: gives the oxidation states of its own elements.
        edits: (element at the site, element put there), empty for a void or a vacancy.
    """
    lowest = highest = 0
    for old, new in edits:
        before = oxidation_states(host).get(old, 0)
        changes = [state - before for state in _likely_states(host, new)]
        lowest += min(0, *changes)
        highest += max(0, *changes)
    return tuple(range(max(lowest, -MAX_CHARGE), min(highest, MAX_CHARGE) + 1))


def _states(host: Host, element: str) -> tuple[int, ...]:
    """Oxidation states of an element in this host: its own there, else its common ones; (0,) where none is known."""
    states = oxidation_states(host)
    if not element or not any(states.values()):
        return (0,)
    return (states[element],) if element in states else _common_states(element)


def _likely_states(host: Host, element: str) -> tuple[int, ...]:
    """As `_states`, but an element of the host may take its common states as well."""
    states = _states(host, element)
    is_host_element = element in oxidation_states(host) and any(oxidation_states(host).values())
    return tuple({*states, *_common_states(element)}) if is_host_element else states


@lru_cache(maxsize=128)
def _common_states(element: str) -> tuple[int, ...]:
    from pymatgen.core import Element

    return tuple(Element(element).common_oxidation_states) or (0,)
