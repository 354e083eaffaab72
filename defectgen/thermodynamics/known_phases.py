"""Crystals that a host can be in equilibrium with: a table of published structures, and what users add to it.

`phases.csv` has ground states of elements, common binaries and some ternaries: formula, prototype, Hermann-Mauguin
symbol with its setting, lattice (Å, degrees), one atom of each orbit, and where it was published. A potential relaxes
them, so that they only have to lead to the right minimum.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from augment.cell import FloatArray
from augment.host import Host

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["KnownPhase", "known_phases", "measured_enthalpies"]

SAME_COORDINATE = 1e-3
"""In fractions of the lattice; published coordinates have three digits or more."""


@dataclass(frozen=True)
class KnownPhase:
    """A published crystal structure.

    Attributes:
        formula: reduced formula.
        prototype: name of the structure type.
        space_group: Hermann-Mauguin symbol, with the setting where there are several.
        lattice: a, b, c in Å, and three angles in degrees.
        sites: element and fractional coordinates of one atom of each orbit.
        source: where it was published.
    """

    formula: str
    prototype: str
    space_group: str
    lattice: tuple[float, ...]
    sites: tuple[tuple[str, tuple[float, ...]], ...]
    source: str

    @property
    def name(self) -> str:
        """`TiO2 (rutile)`; an element is named by its structure type too."""
        kind = self.prototype.removeprefix(f"{self.formula} ").strip("()")
        return f"{self.formula} ({kind})"

    @property
    def elements(self) -> frozenset[str]:
        """Symbols."""
        return frozenset(element for element, _ in self.sites)

    def structure(self) -> Structure:
        """The conventional cell with all atoms."""
        from pymatgen.core import Lattice, Structure

        orbits = [(element, self._orbit(np.array(point))) for element, point in self.sites]
        species = [element for element, orbit in orbits for _ in orbit]
        points = [point for _, orbit in orbits for point in orbit]
        return Structure(Lattice.from_parameters(*self.lattice), species, points)

    def host(self) -> Host:
        """The crystal, described as every other host."""
        from augment.host import host_from_structure

        return host_from_structure(self.structure(), self.name)

    def _orbit(self, point: FloatArray) -> list[FloatArray]:
        import gemmi

        found: list[FloatArray] = []
        for operation in gemmi.SpaceGroup(self.space_group).operations():
            image = np.array(operation.apply_to_xyz(point.tolist())) % 1
            apart = [image - other for other in found]
            if not any(np.abs(d - np.rint(d)).max() < SAME_COORDINATE for d in apart):
                found.append(image)
        return found


def known_phases(elements: Iterable[str]) -> list[KnownPhase]:
    """The phases of the table that hold no other elements."""
    allowed = set(elements)
    return [phase for phase in _table() if phase.elements <= allowed]


@lru_cache(maxsize=1)
def _table() -> tuple[KnownPhase, ...]:
    lines = files("defectgen.thermodynamics").joinpath("phases.csv").read_text(encoding="utf-8").splitlines()
    return tuple(_phase(row) for row in csv.DictReader(lines))


def _phase(row: Mapping[str, str]) -> KnownPhase:
    lattice = tuple(float(row[name]) for name in ("a", "b", "c", "alpha", "beta", "gamma"))
    words = [site.split() for site in row["sites"].split("; ")]
    sites = tuple((element, tuple(float(Fraction(x)) for x in point)) for element, *point in words)
    return KnownPhase(row["formula"], row["prototype"], row["space_group"], lattice, sites, row["source"])


@lru_cache(maxsize=1)
def measured_enthalpies() -> Mapping[str, float]:
    """Measured enthalpies of formation at 298.15 K of binary compounds, kJ/mol of formula units, by formula."""
    text = files("defectgen.thermodynamics").joinpath("formation_enthalpies.csv").read_text(encoding="utf-8")
    return {row["formula"]: float(row["enthalpy"]) for row in csv.DictReader(text.splitlines())}
