"""The energy of a configuration as a sum over its edits and their pairs, fitted to energies of some configurations.

    E(S) = E_0 + sum_i e_i + sum_(i<j) w_ij,

with one value to each orbit of edits and of pairs (a cluster expansion that ends with pairs: Sanchez, Ducastelle and
Gratias, Physica A 128, 334 (1984), doi:10.1016/0378-4371(84)90096-7). Energies of pairs are expected to be small where
the edits are far apart (Mueller and Ceder, Phys. Rev. B 80, 024103 (2009), doi:10.1103/PhysRevB.80.024103): the fit is
a least-squares one with a penalty that grows with the distance, of the strength and growth that predict each
configuration best from all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.errors import DataError
from augment.ordering.pair_orbits import NO_PAIR, PairOrbits

STRENGTHS = tuple(float(x) for x in np.logspace(-5, 2, 15))
"""Of the penalty: the squared error of an energy over the squared energy that is expected of a pair."""

GROWTHS = (0.0, 2.0, 4.0, 6.0)
"""Powers of the distance with which the penalty of a pair grows."""

MIN_FITTED = 4
"""Configurations that a fit needs at least."""


class EditEnergies(NamedTuple):
    """What edits and their pairs cost.

    Attributes:
        constant: energy without any, eV.
        single: (m,) of each edit, eV.
        pair: (m, m) of each pair, eV; 0 of two edits at one site.
    """

    constant: float
    single: FloatArray
    pair: FloatArray

    def total(self, members: IntArray) -> FloatArray:
        """(c,) energies of sets (c, k) of edits, eV."""
        pairs = self.pair[members[:, :, None], members[:, None, :]].sum(axis=(1, 2)) / 2
        return np.asarray(self.constant + self.single[members].sum(axis=1) + pairs)


@dataclass(frozen=True, eq=False)
class PairExpansion:
    """A fitted expansion.

    Attributes:
        orbits: of the edits and pairs.
        constant: E_0, eV.
        coefficients: (singles + pairs,) of each orbit, eV.
        left_out_error: root mean square error of each fitted energy, predicted from all others, eV per supercell.
        configurations: that it was fitted to.
    """

    orbits: PairOrbits
    constant: float
    coefficients: FloatArray
    left_out_error: float
    configurations: int

    @classmethod
    def fitted(cls, orbits: PairOrbits, members: IntArray, energies: FloatArray) -> PairExpansion:
        """Fit to the energies (c,), eV per supercell, of sets (c, k) of edits.

        Raises:
            DataError: there are fewer than `MIN_FITTED`, or an energy is not finite.
        """
        if len(members) < MIN_FITTED:
            raise DataError(f"{len(members)} configurations with energies; a pair expansion needs {MIN_FITTED}")
        if not np.isfinite(energies).all():
            raise DataError("an energy of a configuration is not finite")
        counts = orbits.counts(members)
        mean_counts, mean_energy = counts.mean(axis=0), float(energies.mean())
        centred, wanted = counts - mean_counts, energies - mean_energy
        error, best = np.inf, np.zeros(counts.shape[1])
        for strength, growth in product(STRENGTHS, GROWTHS):
            found, left_out = _ridge(centred, wanted, strength * _penalty(orbits, growth))
            if left_out < error:
                error, best = left_out, found
        return cls(orbits, mean_energy - float(mean_counts @ best), best, error, len(members))

    @property
    def energies(self) -> EditEnergies:
        """Of every edit and pair of the space."""
        chosen = np.where(self.orbits.pair == NO_PAIR, 0, self.orbits.pair) + self.orbits.singles
        pair = np.where(self.orbits.pair == NO_PAIR, 0.0, self.coefficients[chosen])
        return EditEnergies(self.constant, self.coefficients[self.orbits.single], pair)

    def predicted(self, members: IntArray) -> FloatArray:
        """(c,) energies of sets (c, k) of edits, eV per supercell."""
        return np.asarray(self.constant + self.orbits.counts(members) @ self.coefficients)


def _penalty(orbits: PairOrbits, growth: float) -> FloatArray:
    """(singles + pairs,) relative penalties; 1 for single edits and the nearest pairs."""
    reach = orbits.distance / orbits.distance.min() if orbits.pairs else np.zeros(0)
    return np.concatenate([np.ones(orbits.singles), reach**growth])


def _ridge(counts: FloatArray, energies: FloatArray, penalty: FloatArray) -> tuple[FloatArray, float]:
    """Coefficients of a penalised fit, and the error of each energy left out, through the dual problem."""
    scaled = counts / penalty
    kernel = scaled @ counts.T
    # The mean is fitted too: it takes one degree of freedom that no penalty sees.
    inverse = np.linalg.inv(kernel + np.eye(len(kernel)))
    smoothing = kernel @ inverse
    leverage = np.minimum(np.diag(smoothing) + 1 / len(energies), 1 - 1e-9)
    residual = (energies - smoothing @ energies) / (1 - leverage)
    return scaled.T @ (inverse @ energies), float(np.sqrt(np.mean(residual**2)))
