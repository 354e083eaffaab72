"""What a potential says about rock-salt MgO, so that a student can be held against its teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from augment.errors import PotentialError

EV_PER_CUBIC_ANGSTROM = 160.21766208
"""GPa."""

_GUESS = 4.25
_SPREAD = 0.02
"""Of the lattice constant to either side: wide enough to average over the bumps of a teacher with many cutoffs."""

_POINTS = 11
_ROUNDS = 4


def equation_of_state(calculator: Any, guess: float = _GUESS) -> tuple[float, float]:
    """Lattice constant (Å) and bulk modulus (GPa) of MgO from a third-order Birch-Murnaghan fit.

    Birch, Phys. Rev. 71, 809 (1947): E is a polynomial of third degree in V^(-2/3). The fit spans 2 % of the
    lattice constant to either side of the minimum, which is found in a few rounds.

    Raises:
        PotentialError: the energy has no minimum near the guess.
    """
    constant = guess
    for _ in range(_ROUNDS):
        centre = constant
        constant, modulus = _fit(calculator, centre)
        if abs(constant / centre - 1) < _SPREAD / 20:
            return constant, modulus
    raise PotentialError(f"MgO has no equilibrium volume near a = {guess:.2f} Å; the potential is unfit for it")


def _fit(calculator: Any, centre: float) -> tuple[float, float]:
    from ase.build import bulk

    constants, energies = centre * np.linspace(1 - _SPREAD, 1 + _SPREAD, _POINTS), []
    for constant in constants:
        # Eight primitive cells see what one does, and float32 noise per atom is smaller.
        atoms = bulk("MgO", "rocksalt", constant).repeat(2)
        atoms.calc = calculator
        energies.append(atoms.get_potential_energy() / 8)
    energy = np.polynomial.Polynomial.fit((constants**3 / 4) ** (-2 / 3), energies, 3).convert()
    curvature = energy.deriv(2)
    roots = np.asarray(energy.deriv().roots(), dtype=complex)
    minima = [x for x in roots.real[roots.imag == 0] if x > 0 and curvature(x) > 0]
    if not minima:
        raise PotentialError(f"the energy of MgO has no minimum near a = {centre:.2f} Å; the potential is unfit")
    volume = float(minima[0]) ** -1.5
    # B = V d²E/dV² with x = V^(-2/3), so dx/dV = -2/3 V^(-5/3); the first derivative vanishes.
    modulus = volume * float(curvature(minima[0])) * (4 / 9) * volume ** (-10 / 3)
    return (4 * volume) ** (1 / 3), modulus * EV_PER_CUBIC_ANGSTROM


@dataclass(frozen=True)
class VacancyEnergies:
    """Energies of the two vacancies of MgO, each alone in a cell.

    Attributes:
        v_mg: E(cell with a magnesium vacancy) - E(pristine cell), eV: the formation energy up to mu(Mg).
        v_o: E(cell with an oxygen vacancy) - E(pristine cell), eV: the formation energy up to mu(O).
        formula_unit: energy of a formula unit of the pristine crystal, eV.
    """

    v_mg: float
    v_o: float
    formula_unit: float

    @property
    def schottky(self) -> float:
        """Energy of a separated Schottky pair, eV: the chemical potentials cancel in the sum."""
        return self.v_mg + self.v_o + self.formula_unit


def vacancy_energies(calculator: Any, lattice_constant: float, *, relaxed: bool) -> VacancyEnergies:
    """Vacancy energies in 64-site cells at fixed volume.

    Args:
        calculator: an ASE calculator with energies and forces.
        lattice_constant: of the pristine crystal, Å; take each potential's own.
        relaxed: relax the positions to 0.02 eV/Å first.
    """
    from ase.build import bulk

    pristine = bulk("MgO", "rocksalt", lattice_constant, cubic=True).repeat(2)
    pristine.calc = calculator
    perfect = float(pristine.get_potential_energy())
    energies = [_vacancy_energy(pristine, number, relaxed=relaxed) - perfect for number in (12, 8)]
    return VacancyEnergies(energies[0], energies[1], perfect / 32)


def _vacancy_energy(pristine: Any, number: int, *, relaxed: bool) -> float:
    from ase.optimize import FIRE

    atoms = pristine.copy()
    del atoms[int(np.flatnonzero(atoms.numbers == number)[0])]
    atoms.calc = pristine.calc
    if relaxed:
        FIRE(atoms, logfile=None).run(fmax=0.02, steps=200)
    return float(atoms.get_potential_energy())
