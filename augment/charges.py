"""Likely charge states of point defects, from the oxidation-state statistics that pymatgen carries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from augment.host import Host

MAX_CHARGE = 4
"""e; states beyond this are not seen in practice."""


@lru_cache(maxsize=64)
def oxidation_states(host: Host) -> dict[str, int]:
    """Most likely oxidation state of each element of the host; all zero where no neutral assignment exists."""
    from pymatgen.core import Composition

    guesses = Composition(host.formula).oxi_state_guesses()
    best = guesses[0] if guesses else {}
    return {element: round(best.get(element, 0.0)) for element in host.elements}


def likely_charges(host: Host, edits: Sequence[tuple[str, str]]) -> tuple[int, ...]:
    """Charges (e) from neutral to full ionisation of a set of edits.

    Args:
        host: gives the oxidation states of its own elements.
        edits: (element at the site, element put there), empty for a void or a vacancy.
    """
    lowest = highest = 0
    for old, new in edits:
        before = oxidation_states(host).get(old, 0)
        changes = [state - before for state in _states(host, new)]
        lowest += min(0, *changes)
        highest += max(0, *changes)
    return tuple(range(max(lowest, -MAX_CHARGE), min(highest, MAX_CHARGE) + 1))


def _states(host: Host, element: str) -> tuple[int, ...]:
    """Oxidation states to expect of an element in this host; (0,) for nothing there or in a metallic host."""
    own = oxidation_states(host)
    if not element or not any(own.values()):
        return (0,)
    from pymatgen.core import Element

    common = Element(element).common_oxidation_states
    return tuple({*common, own[element]} if element in own else common) or (0,)
