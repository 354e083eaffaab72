"""A reservoir of atoms: a phase of known composition and energy that a crystal exchanges atoms with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from augment.errors import ConditionError
from defectgen.thermodynamics.gases import GASES

__all__ = ["Reservoir", "VibrationalEnergy", "formula_composition", "plain_formula"]

WHOLE_ATOMS = 1e-6
"""Atoms of a formula that are off a whole number by less are whole."""

VibrationalEnergy = Callable[[float], float]
"""Vibrational free energy (eV) at a temperature (K)."""


@dataclass(frozen=True)
class Reservoir:
    """A phase that atoms come from and go to.

    Attributes:
        name: `Al2O3 (corundum)`, `O2 gas`, `O given`.
        composition: atoms of each element in a formula unit.
        energy: eV of a formula unit at 0 K, on the energy scale of the potential.
        volume: Å³ of a formula unit; 0 of a gas.
        source: who made the energy, and how.
        gas: element of the molecules, where it is a gas.
        vibrations: vibrational free energy of a formula unit, where it is known.
    """

    name: str
    composition: Mapping[str, int]
    energy: float
    volume: float = 0.0
    source: str = "computed"
    gas: str | None = None
    vibrations: VibrationalEnergy | None = field(default=None, compare=False)

    @property
    def formula(self) -> str:
        """Reduced formula."""
        return plain_formula(self.composition)

    @property
    def atoms(self) -> int:
        """In a formula unit."""
        return sum(self.composition.values())

    def gibbs(self, temperature: float, pressure: float = 0.0, partial: Mapping[str, float] | None = None) -> float:
        """Gibbs energy of a formula unit, eV: E + F(T) + P V of a solid, E + shift(T, p) of a gas.

        The volume is that at 0 K and no pressure: the P V of tens of GPa, where crystals are compressed, is too large.

        Args:
            temperature: K.
            pressure: on solids, GPa.
            partial: partial pressures of gases, bar, by element; 1 where not given.

        Raises:
            ConditionError: the temperature is outside of the table of the gas.
        """
        from ase import units

        if self.gas is not None:
            found = GASES[self.gas]
            shift = found.shift(temperature, (partial or {}).get(self.gas, 1.0))
            zero = found.zero_point / 2 if self.vibrations is not None else 0.0
            return self.energy + shift + zero
        warm = self.vibrations(temperature) if self.vibrations is not None else 0.0
        return self.energy + warm + pressure * float(units.GPa) * self.volume

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "name": self.name, "formula": self.formula, "energy_per_atom": self.energy / self.atoms,
            "volume_per_atom": self.volume / self.atoms, "source": self.source,
        }  # fmt: skip


def plain_formula(composition: Mapping[str, int]) -> str:
    """`Al2O3`."""
    from pymatgen.core import Composition

    if len(composition) == 1:  # where others write O2, N2
        return next(iter(composition))
    return str(Composition(dict(composition)).reduced_formula)


def formula_composition(formula: str) -> dict[str, int]:
    """Atoms of each element of a formula, as small as whole numbers can be.

    Raises:
        ConditionError: it is no formula.
    """
    from pymatgen.core import Composition, Element

    try:
        amounts = Composition(formula).get_el_amt_dict()
        known = all(Element.is_valid_symbol(symbol) for symbol in amounts)
    except (ValueError, KeyError):
        amounts, known = {}, False
    whole = {symbol: round(amount) for symbol, amount in amounts.items()}
    if not known or not whole or any(abs(whole[s] - amounts[s]) > WHOLE_ATOMS or not whole[s] for s in whole):
        raise ConditionError(f"{formula!r}: no chemical formula with whole numbers of atoms")
    divisor = math.gcd(*whole.values())
    return {symbol: count // divisor for symbol, count in whole.items()}
