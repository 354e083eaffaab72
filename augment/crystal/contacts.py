"""How close atoms come to each other in known crystals, and what is closer than that."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.elements import MAX_ATOMIC_NUMBER, element_number
from augment.errors import CifError

if TYPE_CHECKING:
    from pymatgen.core import Structure

OVERLAP_FRACTION = 0.5
"""Of the sum of covalent radii; two atoms of partly filled sites are not there together when closer."""

MIN_CONTACT_RATIO = 0.6
"""Of the shortest known contact; no crystal has a shorter one, at any pressure."""

UNUSUAL_CONTACT_RATIO = 0.9
"""Of the shortest known contact; a crystal is read with a warning when it has a shorter one."""

_UNOBSERVED_FRACTION = 0.8
"""Of the sum of covalent radii: nine tenths of the shortest contacts that are known are longer."""

_TABLE = Path(__file__).parent / "data" / "contacts.json"


@dataclass(frozen=True)
class ClosestPair:
    """The two atoms of a crystal that are closest to each other for their elements.

    Attributes:
        atoms: their indices.
        distance: Å.
        shortest: contact of these elements in known crystals, Å.
    """

    atoms: tuple[int, int]
    distance: float
    shortest: float

    @property
    def ratio(self) -> float:
        """Of the distance to the shortest one known."""
        return self.distance / self.shortest


@cache
def shortest_contacts() -> FloatArray:
    """Å, by two atomic numbers (101, 101): observed, and no longer than the sum of covalent radii."""
    from ase.data import covalent_radii

    radii = np.asarray(covalent_radii[: MAX_ATOMIC_NUMBER + 1], dtype=float)
    bond = radii[:, None] + radii
    contacts: FloatArray = _UNOBSERVED_FRACTION * bond
    for pair, distance in json.loads(_TABLE.read_text(encoding="ascii")).items():
        a, b = (element_number(symbol) or 0 for symbol in pair.split("-"))
        contacts[a, b] = contacts[b, a] = min(distance, bond[a, b])
    return contacts


def tightest_contact(structure: Structure) -> ClosestPair | None:
    """The pair of atoms that is shortest against its elements' contacts; None where all are far apart."""
    if len(structure) == 0:
        return None
    numbers: IntArray = np.array(structure.atomic_numbers, dtype=np.int64)
    contacts = shortest_contacts()
    reach = float(contacts[np.ix_(np.unique(numbers), np.unique(numbers))].max())
    first, second, _, distance = structure.get_neighbor_list(r=reach + 0.1, exclude_self=True)
    if len(distance) == 0:
        return None
    shortest = contacts[numbers[first], numbers[second]]
    worst = int(np.argmin(distance / shortest))
    return ClosestPair((int(first[worst]), int(second[worst])), float(distance[worst]), float(shortest[worst]))


def check_overlap(structure: Structure, where: str) -> None:
    """Refuse a structure in which atoms are closer than in any crystal.

    Raises:
        CifError: names the closest pair.
    """
    if fault := overlap_of(structure):
        raise CifError(f"{where}: {fault}")


def contact_notes(structure: Structure) -> tuple[str, ...]:
    """A line on the closest pair where no known crystal has such atoms so close; none elsewhere."""
    pair = tightest_contact(structure)
    if pair is None or pair.ratio >= UNUSUAL_CONTACT_RATIO:
        return ()
    note = (
        f"atoms {_names(structure, pair)} are {pair.distance:.2f} Å apart; "
        f"the shortest such distance in known crystals is {pair.shortest:.2f} Å"
    )
    return (note,)


def overlap_of(structure: Structure) -> str:
    """What makes a structure impossible: too many atoms for its volume, or two too close; empty where nothing does."""
    if structure.volume < len(structure):
        return f"a cell of {structure.volume:.3g} Å³ cannot hold {len(structure)} atoms"
    pair = tightest_contact(structure)
    if pair is None or pair.ratio >= MIN_CONTACT_RATIO:
        return ""
    return (
        f"atoms {_names(structure, pair)} overlap ({pair.distance:.2f} Å apart); remove one or correct the coordinates"
    )


def _names(structure: Structure, pair: ClosestPair) -> str:
    return " and ".join(f"{structure[k].specie}{k + 1}" for k in pair.atoms)
