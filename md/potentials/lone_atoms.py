"""Energies of lone atoms by a potential: what is left of its labels where all bonds are broken."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from md.labels.third_party import silent_evaluation

BOX = 40.0
"""Å; edge of the periodic box around the atom, beyond every cutoff, message passing included."""


def lone_atom_energies(calculator: Any, symbols: Iterable[str]) -> dict[str, float] | None:
    """Energy (eV) of one atom of each element alone in a box; None where the calculator refuses or returns no number.

    Args:
        calculator: ASE calculator.
        symbols: of the elements.
    """
    energies: dict[str, float] = {}
    for symbol in sorted(set(symbols)):
        energy = _energy(calculator, symbol)
        if energy is None:
            return None
        energies[symbol] = energy
    return energies


def _energy(calculator: Any, symbol: str) -> float | None:
    from ase import Atoms

    calculator.reset()
    atom = Atoms([symbol], positions=[[BOX / 2] * 3], cell=[BOX] * 3, pbc=True, calculator=calculator)
    try:
        with silent_evaluation():
            energy = float(atom.get_potential_energy())
    except Exception:  # noqa: BLE001  whatever it is, this calculator has no lone atoms
        return None
    finally:
        calculator.reset()
    return energy if math.isfinite(energy) else None
