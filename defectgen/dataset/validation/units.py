"""Ratios that mistaken units and signs leave between labels, and what each means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

UNIT_FACTOR = 1.25
"""A ratio within this factor of one in the table is taken for it."""

EV_A3_IN_GPA = 160.21766208

HARTREE, RYDBERG, KCAL, KJOULE = 27.211386, 13.605693, 0.0433641, 0.01036427
"""eV; the last two for a mole."""

BOHR = 0.529177
"""Å."""


@dataclass(frozen=True)
class Unit:
    """What a ratio of labels means.

    Attributes:
        ratio: that was found.
        expected: that the meaning has.
        meaning: in words.
        advice: what to do.
    """

    ratio: float
    expected: float
    meaning: str
    advice: str

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong."""
        return not self.advice

    @property
    def distance(self) -> float:
        """How far the ratio is from the one that the meaning has, as a logarithm."""
        return float(abs(np.log(abs(self.ratio / self.expected))))

    def with_doubt(self, others: Sequence[Unit]) -> Unit:
        """This meaning, with others that are possible too."""
        if not others:
            return self
        doubt = "; it could also be that " + " or ".join(other.meaning for other in others)
        return replace(self, meaning=self.meaning + doubt)


_ENERGY = {
    "energies in Hartree beside forces in eV/Å": 1 / HARTREE,
    "energies in Rydberg beside forces in eV/Å": 1 / RYDBERG,
    "energies in kcal/mol beside forces in eV/Å": 1 / KCAL,
    "energies in kJ/mol beside forces in eV/Å": 1 / KJOULE,
    "forces in Hartree/Bohr beside energies in eV": HARTREE / BOHR,
    "forces in Rydberg/Bohr beside energies in eV": RYDBERG / BOHR,
    "forces in Hartree/Å beside energies in eV": HARTREE,
    "forces in kcal/mol/Å beside energies in eV": KCAL,
    "forces in kJ/mol/Å beside energies in eV": KJOULE,
    "forces in Hartree/Bohr beside energies in Hartree": 1 / BOHR,
    "energies in meV beside forces in eV/Å": 1e3,
    "forces in meV/Å beside energies in eV": 1e-3,
}

_STRESS = {
    "stresses in GPa": 1 / EV_A3_IN_GPA,
    "stresses in kbar": 0.1 / EV_A3_IN_GPA,
    "stresses in Hartree/Bohr³": HARTREE / BOHR**3,
}


def nearest_unit(ratio: float, *, special: bool = False, stress: bool = False) -> Unit | None:
    """What a ratio of a change of energy to the work of forces (or of the stress) means; None where it means nothing.

    Args:
        ratio: of the two.
        special: it was divided by what it would be for energies of an atom, or for virials under the key of the stress.
        stress: it is of the work of the stress.
    """
    size, sign = abs(ratio), 1 if ratio > 0 else -1
    if not np.isfinite(ratio) or size == 0:
        return None
    if special:
        if max(size, 1 / size) > UNIT_FACTOR:
            return None
        return _special(ratio, sign, stress=stress)
    name, expected = min(
        [("", 1.0), *(_STRESS if stress else _ENERGY).items()], key=lambda item: abs(np.log(size / item[1]))
    )
    if not 1 / UNIT_FACTOR < size / expected < UNIT_FACTOR:
        return None
    turned = "the sign of the stress is turned round" if stress else "forces have the wrong sign (they are gradients)"
    if not name and sign > 0:
        return Unit(ratio, 1.0, "as it should be", "")
    meaning = " and ".join(part for part in (name, turned if sign < 0 else "") if part)
    target = "eV/Å³, positive under tension" if stress else "eV and eV/Å"
    return Unit(ratio, sign * expected, meaning, f"convert them to {target}")


def _special(ratio: float, sign: int, *, stress: bool) -> Unit:
    if stress:
        what = "virials (-V times the stress)" if sign > 0 else "V times the stress"
        return Unit(ratio, 1.0, f"{what} stand under the key of the stress", "divide them by -V, or rename the key")
    turned = "" if sign > 0 else " and forces have the wrong sign"
    return Unit(ratio, 1.0, f"energies of an atom beside forces in eV/Å{turned}", "multiply by the number of atoms")
