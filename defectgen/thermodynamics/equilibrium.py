"""How many defects of each kind a crystal holds in equilibrium: mass action with site balance, open or closed.

Every species d has c_d = N_d w_d prod x_0(s) per primitive cell, w_d = g exp(-G / k T), N_d its places, x_0(s) the
share of sites of orbit s that are pristine, which all defects together leave: the sites of an orbit are conserved.
In an open crystal the chemical potentials are those of a limit. In a closed one they are such that the excess of each
element over the formula is zero (conservation of mass), with sum of nu mu = G of the host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from augment.cell import FloatArray
from augment.errors import ConditionError, DataError
from defectgen.thermodynamics.species import CrystalConditions, DefectSpecies

__all__ = ["CrystalSites", "Equilibrium", "closed_equilibrium", "open_equilibrium"]

MAX_ITERATIONS = 5000

CONVERGED = 1e-12
"""Relative change of the pristine shares at which the balance of sites has settled."""

DAMPING = 0.5

MAX_SHIFT = 60.0
"""eV; chemical potentials further from the start mean that the defects cannot balance one another."""

BALANCED = 1e-6
"""Relative excess of an element that is none."""

TINY = 1e-300


@dataclass(frozen=True)
class CrystalSites:
    """The primitive cell of a host.

    Attributes:
        counts: sites in the primitive cell of each orbit, by its number; voids too.
        composition: atoms in the primitive cell, by element.
        volume: of the primitive cell, Å³.
    """

    counts: Mapping[int, int]
    composition: Mapping[str, int]
    volume: float


@dataclass(frozen=True)
class Equilibrium:
    """Numbers of defects.

    Attributes:
        condition: name of the limit, or `stoichiometric`.
        at: temperature and pressures.
        chemical_potentials: eV per atom.
        gibbs: Gibbs energies of formation, eV, by key.
        gibbs_error: what is known of their errors, eV, by key; over k T, that of the logarithm of a number.
        per_cell: defects per primitive cell, by key.
        per_place: share of its places that a defect takes, by key.
        excess: atoms of each element above the host's formula, per primitive cell.
    """

    condition: str
    at: CrystalConditions
    chemical_potentials: Mapping[str, float]
    gibbs: Mapping[str, float]
    gibbs_error: Mapping[str, float | None]
    per_cell: Mapping[str, float]
    per_place: Mapping[str, float]
    excess: Mapping[str, float]

    def to_dict(self, volume: float) -> dict[str, Any]:
        """JSON values; densities in 1/cm³ from the volume of the primitive cell, Å³."""
        return {
            "condition": self.condition,
            "temperature": self.at.temperature,
            "pressure": self.at.pressure,
            "thermal_pressure": self.at.thermal_pressure,
            "chemical_potentials": dict(self.chemical_potentials),
            "gibbs": dict(self.gibbs),
            "gibbs_error": dict(self.gibbs_error),
            "site_fraction": dict(self.per_place),
            "per_cell": dict(self.per_cell),
            "density": {key: value / volume * 1e24 for key, value in self.per_cell.items()},
            "excess_per_cell": dict(self.excess),
        }


def open_equilibrium(
    species: Sequence[DefectSpecies],
    sites: CrystalSites,
    mu: Mapping[str, float],
    at: CrystalConditions,
    condition: str,
) -> Equilibrium:
    """Defects of a crystal that exchanges atoms with reservoirs of known chemical potentials.

    Raises:
        ConditionError: a chemical potential is missing.
        DataError: the balance of sites does not settle.
    """
    weights = np.array([each.log_weight(mu, at) for each in species])
    per_cell = _balanced(species, sites, weights)
    excess = dict.fromkeys(sites.composition, 0.0)
    for each, count in zip(species, per_cell, strict=True):
        for symbol, atoms in each.added.items():
            excess[symbol] = excess.get(symbol, 0.0) + atoms * float(count)
    keys = [each.key for each in species]
    shares = [count / each.places for each, count in zip(species, per_cell, strict=True)]
    return Equilibrium(
        condition, at, dict(mu), {each.key: each.gibbs(mu, at) for each in species},
        {each.key: each.gibbs_error(at.temperature) for each in species},
        dict(zip(keys, map(float, per_cell), strict=True)), dict(zip(keys, map(float, shares), strict=True)), excess,
    )  # fmt: skip


def _balanced(species: Sequence[DefectSpecies], sites: CrystalSites, log_weights: FloatArray) -> FloatArray:
    """Defects per primitive cell with every orbit's sites conserved."""
    orbits = sorted({orbit for each in species for orbit in each.orbits})
    taken = np.array([[each.orbits.count(orbit) for orbit in orbits] for each in species], dtype=float)
    taken = taken.reshape(len(species), len(orbits))
    counts = np.array([sites.counts[orbit] for orbit in orbits], dtype=float)
    full = np.log([each.places for each in species]) + log_weights if species else np.zeros(0)
    log_free = np.zeros(len(orbits))
    for _ in range(MAX_ITERATIONS):
        # Of a species on n sites of an orbit, n - 1 shares stay on the right: a point defect alone is solved at once.
        occupied = np.full(len(orbits), 0.0)
        for j in range(len(orbits)):
            some = taken[:, j] > 0
            ratio = full[some] + taken[some] @ log_free - log_free[j] - np.log(counts[j])
            occupied[j] = np.logaddexp.reduce(np.append(ratio + np.log(taken[some, j]), 0.0))
        change = -occupied - log_free
        if np.abs(change).max(initial=0.0) < CONVERGED:
            break
        log_free = log_free + (change if taken.sum(axis=1).max(initial=0.0) <= 1 else DAMPING * change)
    else:
        raise DataError(
            "the balance of sites does not settle: complexes would fill the crystal at these chemical potentials"
        )
    return np.asarray(np.exp(full + taken @ log_free), dtype=float)


def closed_equilibrium(
    species: Sequence[DefectSpecies],
    sites: CrystalSites,
    start: Mapping[str, float],
    at: CrystalConditions,
    condition: str = "stoichiometric",
) -> Equilibrium:
    """Defects of a crystal that keeps its formula: chemical potentials follow from the conservation of mass.

    In the dilute crystal they minimise the convex sum of all concentrations along the changes that leave sum of nu mu
    as it is; the balance of sites then corrects them.

    Args:
        species: defects without foreign elements.
        sites: of the host.
        start: chemical potentials with sum of nu mu = G of the host, eV.
        at: temperature and pressures.
        condition: its name.

    Raises:
        ConditionError: the defects cannot balance one another: all take, or add, too much of an element.
    """
    elements = sorted(sites.composition)
    basis = _changes(np.array([sites.composition[symbol] for symbol in elements], dtype=float))
    added = np.array([[each.added.get(symbol, 0) for symbol in elements] for each in species], dtype=float)
    along = added.reshape(len(species), len(elements)) @ basis.T
    shift = _balancing(species, start, at, along) if len(basis) else np.zeros(0)

    def potentials(shift: FloatArray) -> dict[str, float]:
        moved = shift @ basis if len(basis) else np.zeros(len(elements))
        return {symbol: start[symbol] + float(change) for symbol, change in zip(elements, moved, strict=True)}

    def imbalance(shift: FloatArray) -> FloatArray:
        found = open_equilibrium(species, sites, potentials(shift), at, condition)
        counts = np.array([found.per_cell[each.key] for each in species])
        return np.asarray(counts @ along / np.maximum(counts @ np.abs(along), TINY), dtype=float)

    if len(basis) and np.abs(imbalance(shift)).max() > BALANCED:
        from scipy.optimize import root

        solved = root(imbalance, shift, tol=BALANCED)
        if np.abs(imbalance(solved.x)).max() > np.sqrt(BALANCED):
            raise ConditionError("the defects do not balance one another when they crowd; ask for lower temperatures")
        shift = np.asarray(solved.x, dtype=float)
    return replace(open_equilibrium(species, sites, potentials(shift), at, condition), condition=condition)


def _changes(formula: FloatArray) -> FloatArray:
    """Orthonormal changes (k, n) of chemical potentials that leave sum of nu mu as it is."""
    from scipy.linalg import null_space

    return np.asarray(null_space(formula[None]).T, dtype=float)


def _balancing(
    species: Sequence[DefectSpecies], start: Mapping[str, float], at: CrystalConditions, along: FloatArray
) -> FloatArray:
    """Shift (k,) of the chemical potentials, eV, that balances dilute defects: the minimum of log sum of c."""
    from ase import units
    from scipy.optimize import minimize

    kt = float(units.kB) * at.temperature
    at_start = np.array([np.log(each.places) + each.log_weight(start, at) for each in species])

    def value(shift: FloatArray) -> tuple[float, FloatArray]:
        logs = at_start + along @ shift / kt
        total = float(np.logaddexp.reduce(logs))
        # In units of k T the minimum is narrow; scaled by it, the slope is a mean excess.
        return total * kt, np.exp(logs - total) @ along

    _check_balance(species, along)
    found = minimize(value, np.zeros(along.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 2000})
    if np.linalg.norm(found.x) > MAX_SHIFT:
        raise _unbalanced(species)
    return np.asarray(found.x, dtype=float)


def _check_balance(species: Sequence[DefectSpecies], along: FloatArray) -> None:
    """Check that positive numbers of defects exist that leave no excess, in every direction of composition."""
    from scipy.optimize import linprog

    moving = along[np.abs(along).max(axis=1, initial=0.0) > 0] if along.size else along
    if not len(moving) or np.linalg.matrix_rank(moving) < along.shape[1]:
        raise _unbalanced(species)
    # A strictly positive balance exists unless a direction is left in which every defect goes to one side.
    for sign in (1, -1):
        for axis in np.eye(along.shape[1]):
            direction = sign * axis
            solved = linprog(
                np.ones(len(moving)), A_eq=moving.T, b_eq=direction, bounds=[(0, None)] * len(moving), method="highs"
            )
            if not solved.success:
                raise _unbalanced(species)


def _unbalanced(species: Sequence[DefectSpecies]) -> ConditionError:
    names = ", ".join(each.name for each in species) or "none"
    return ConditionError(
        f"the defects of the run ({names}) cannot keep the composition: there must be some that take and some that add "
        "of each element over another; relax vacancies of every element, or antisites and interstitials"
    )
