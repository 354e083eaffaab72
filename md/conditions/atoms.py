"""What is given of the atoms of a cell besides their places: which are held, their masses, their first momenta."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from augment.cell import FloatArray, IntArray


@dataclass(frozen=True)
class AtomSettings:
    """What a user gives of the atoms of a run; nothing by default.

    Attributes:
        fixed: the atoms that do not move, by number from 0.
        masses: (n) amu; empty for those of the elements.
        momenta: (n) of three components in ASE units, sqrt(amu eV), that the run starts with; empty for velocities
            drawn from the temperature.
    """

    fixed: tuple[int, ...] = ()
    masses: tuple[float, ...] = ()
    momenta: tuple[tuple[float, ...], ...] = ()

    def masses_of(self, numbers: IntArray) -> FloatArray:
        """(n,) masses of atoms with these atomic numbers, amu."""
        from ase.data import atomic_masses

        return np.array(self.masses, dtype=float) if self.masses else np.asarray(atomic_masses[numbers], dtype=float)

    def mobile(self, atoms: int) -> IntArray:
        """The atoms that move, of so many."""
        return np.setdiff1d(np.arange(atoms), self.fixed)

    def velocities(self, numbers: IntArray) -> FloatArray | None:
        """(n, 3) velocities that the run starts with, ASE units; None where no momenta are given."""
        if not self.momenta:
            return None
        velocities = np.array(self.momenta, dtype=float) / self.masses_of(numbers)[:, None]
        velocities[list(self.fixed)] = 0.0
        return velocities

    def freedom(self, atoms: int) -> int:
        """Degrees of freedom of so many atoms: those of the mobile ones, or 3n - 3 with the centre of mass at rest."""
        return max(3 * len(self.mobile(atoms)) if self.fixed else 3 * atoms - 3, 1)

    @property
    def json(self) -> dict[str, Any]:
        """What is given, as JSON values."""
        given = {"fixed": self.fixed, "masses": self.masses, "momenta": self.momenta}
        return {
            name: [list(v) if isinstance(v, tuple) else v for v in values] for name, values in given.items() if values
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> AtomSettings:
        """Inverse of `json`."""
        momenta = tuple(tuple(float(x) for x in momentum) for momentum in values.get("momenta", ()))
        return cls(tuple(values.get("fixed", ())), tuple(values.get("masses", ())), momenta)


NATURAL = AtomSettings()
"""Every atom moves, with the mass of its element, at a velocity drawn from the temperature."""
