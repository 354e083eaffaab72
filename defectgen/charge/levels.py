"""Formation energies against the Fermi level: which charge state is stable where, and the levels between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from augment.errors import DataError

__all__ = ["ChargeState", "TransitionLevel", "stable_states", "transition_level", "transition_levels"]


@dataclass(frozen=True)
class ChargeState:
    """A defect in one charge state.

    Attributes:
        name: of the defect, without the charge.
        charge: e.
        energy: formation energy with the Fermi level at the valence-band maximum, corrected, eV.
        degeneracy: of the state at one site: orientations and spins.
    """

    name: str
    charge: int
    energy: float
    degeneracy: float = 1.0

    def at(self, fermi_level: float) -> float:
        """Formation energy, eV, with the Fermi level so far above the valence-band maximum, eV."""
        return self.energy + self.charge * fermi_level


@dataclass(frozen=True)
class TransitionLevel:
    """Where two charge states of a defect cost the same.

    Attributes:
        name: of the defect.
        charges: above and below: the more positive first, which is the stable one below the level.
        level: above the valence-band maximum, eV.
    """

    name: str
    charges: tuple[int, int]
    level: float

    @property
    def label(self) -> str:
        """As the field writes it: `ε(+2/0)`."""
        return "ε({:+d}/{:+d})".format(*self.charges).replace("+0", "0")


def transition_level(one: ChargeState, other: ChargeState) -> TransitionLevel:
    """The level between two charge states, stable or not.

    Raises:
        DataError: both have one charge.
    """
    if one.charge == other.charge:
        raise DataError(f"{one.name}: two states of charge {one.charge:+d} have no level between them")
    high, low = sorted((one, other), key=lambda state: -state.charge)
    level = (low.energy - high.energy) / (high.charge - low.charge)
    return TransitionLevel(one.name, (high.charge, low.charge), level)


def stable_states(states: Sequence[ChargeState]) -> list[ChargeState]:
    """Of the charge states of one defect those that are lowest at some Fermi level, the most positive first.

    Of several states of one charge the lowest counts.
    """
    lowest: dict[int, ChargeState] = {}
    for state in states:
        if state.charge not in lowest or state.energy < lowest[state.charge].energy:
            lowest[state.charge] = state
    kept: list[ChargeState] = []
    for state in sorted(lowest.values(), key=lambda s: -s.charge):
        # A state whose levels to both neighbours are in the wrong order is nowhere lowest.
        while len(kept) > 1 and transition_level(kept[-2], state).level <= transition_level(kept[-2], kept[-1]).level:
            kept.pop()
        kept.append(state)
    return kept


def transition_levels(states: Sequence[ChargeState], band_gap: float = np.inf) -> list[TransitionLevel]:
    """The levels between stable charge states of one defect that lie in the gap, eV, from below."""
    found = [transition_level(one, other) for one, other in pairwise(stable_states(states))]
    return [level for level in found if 0 <= level.level <= band_gap]
