"""Canonical Monte Carlo of a solid solution on a pair expansion, by replica exchange.

Independent chains, each a ladder of temperatures from that wanted up to one at which every species moves freely;
neighbours on a ladder exchange their configurations by the rule of Hukushima and Nemoto, J. Phys. Soc. Jpn. 65, 1604
(1996), doi:10.1143/JPSJ.65.1604. The chains start at different random configurations: they have settled where their
mean energies agree within what each of them scatters (Gelman and Rubin, Stat. Sci. 7, 457 (1992)).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ase import units

from augment.cell import FloatArray, IntArray
from augment.errors import ConditionError
from augment.ordering.exchanges import Replicas, Sites, with_clashes
from augment.ordering.pair_expansion import EditEnergies
from augment.solutions.solution import SolidSolution

EV_PER_KELVIN = float(units.kB)
"""Boltzmann's constant."""

CHAINS = 8
"""Independent ones: their scatter is the error of a mean."""

LADDER_RUNGS = 10
"""Temperatures of a ladder, where one is wanted."""

MAX_DISAGREEMENT = 1.1
"""Largest ratio of Gelman and Rubin, of the energies at each wanted temperature, of chains that agree."""

FIRST_SWEEPS = 400
"""Stretch before anything is kept; a sweep offers as many exchanges as there are sites. What is kept is as long as all
before it."""

MAX_SWEEPS = 12_800

KEPT_CONFIGURATIONS = 400
"""Configurations that each chain keeps at each temperature, of the second half of its sweeps, evenly."""

SweepProgress = Callable[[int, int], None]
"""Called with sweeps done and those that are due at most."""


@dataclass(frozen=True, eq=False)
class ChainSamples:
    """What the chains passed through once they were away from their starts.

    Attributes:
        temperatures: (t,) K, ascending.
        energies: (t, chains, s) of the expansion, eV per supercell.
        members: (t, chains, s, k) edits.
        agreement: (t,) ratio of Gelman and Rubin, 1 where chains agree.
        sweeps: offers of as many exchanges as there are sites.
    """

    temperatures: FloatArray
    energies: FloatArray
    members: IntArray
    agreement: FloatArray
    sweeps: int

    @property
    def settled(self) -> bool:
        """Whether the chains agree at the lowest temperature."""
        return bool(self.agreement[0] < MAX_DISAGREEMENT)

    def mean(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean over chains and samples of values (chains, s, ...), and its standard error by the chains."""
        by_chain = values.mean(axis=1)
        return by_chain.mean(axis=0), by_chain.std(axis=0, ddof=1) / np.sqrt(len(by_chain))


def sample_configurations(
    solution: SolidSolution,
    energies: EditEnergies,
    temperatures: FloatArray,
    starts: IntArray,
    seed: int,
    *,
    max_sweeps: int = MAX_SWEEPS,
    progress: SweepProgress | None = None,
) -> ChainSamples:
    """Configurations at each of some temperatures, with the composition kept.

    Args:
        solution: the numbers of edits.
        energies: of edits and pairs.
        temperatures: (t,) K; a ladder up to free motion is added above.
        starts: (c, k) possible sets of edits, one taken for each chain and rung.
        seed: of the random generator.
        max_sweeps: most sweeps: offers of as many exchanges as there are sites.
        progress: called after each stretch.

    Raises:
        ConditionError: a temperature is not above 0.
        DefectError: the solution cannot be sampled by exchanges.
    """
    wanted = np.unique(np.asarray(temperatures, dtype=float))
    if not len(wanted) or not (np.isfinite(wanted).all() and wanted.min() > 0):
        raise ConditionError("temperatures of an equilibrium must be above 0 K")
    ladder = _ladder(wanted, energies.total(starts))
    rng, sites, full = np.random.default_rng(seed), Sites.of(solution), with_clashes(energies, solution)
    chosen = starts[np.arange(CHAINS * len(ladder)) % len(starts)]
    replicas = Replicas(sites, full, chosen, rng)
    walk = _Walk(replicas, EV_PER_KELVIN * np.tile(ladder, CHAINS), len(ladder), int(sites.size.sum()))
    sweeps, samples, kept_rungs = min(FIRST_SWEEPS, max_sweeps), None, np.flatnonzero(np.isin(ladder, wanted))
    walk.run(sweeps, kept_rungs, rng)
    while samples is None or (sweeps < max_sweeps and (samples.agreement >= MAX_DISAGREEMENT).any()):
        kept = walk.run(sweeps, kept_rungs, rng)
        sweeps *= 2
        samples = ChainSamples(wanted, *kept, agreement=_agreement(kept[0]), sweeps=sweeps)
        if progress is not None:
            progress(sweeps, max_sweeps)
    return samples


def _ladder(wanted: FloatArray, random_energies: FloatArray) -> FloatArray:
    """(r,) K: those wanted, and a geometric ladder above up to where random configurations cost k T."""
    top = max(float(np.std(random_energies)) / EV_PER_KELVIN, 2 * wanted[-1])
    above = np.geomspace(wanted[-1], top, max(LADDER_RUNGS - len(wanted), 3) + 1)[1:]
    return np.concatenate([wanted, above])


def _agreement(energies: FloatArray) -> FloatArray:
    """(t,) ratio of Gelman and Rubin of energies (t, chains, s)."""
    samples = energies.shape[2]
    within = energies.var(axis=2, ddof=1).mean(axis=1)
    between = samples * energies.mean(axis=2).var(axis=1, ddof=1)
    pooled = within * (samples - 1) / samples + between / samples
    # Chains that all stay in one state agree; those that each stay in another do not.
    level = np.where(within > 0, within, np.where(between > 0, np.nan, 1.0))
    return np.asarray(np.nan_to_num(np.sqrt(np.where(within > 0, pooled, 1.0) / level), nan=np.inf))


class _Walk:
    """Replicas on ladders, chain after chain: replica c r + i is rung i of chain c."""

    def __init__(self, replicas: Replicas, kt: FloatArray, rungs: int, sites: int) -> None:
        self._replicas, self._kt, self._rungs, self._sites, self._odd = replicas, kt, rungs, sites, 0

    def run(self, sweeps: int, wanted: IntArray, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
        """Energies (t, chains, s) and edits (t, chains, s, k) at the wanted rungs, evenly over the sweeps."""
        places = np.arange(CHAINS)[None] * self._rungs + wanted[:, None]
        kept = set(np.linspace(0, sweeps - 1, min(KEPT_CONFIGURATIONS, sweeps)).astype(int).tolist())
        energies, members = [], []
        for sweep in range(sweeps):
            for _ in range(self._sites):
                self._replicas.exchange(self._kt)
            self._swap_neighbours(rng)
            if sweep in kept:
                energies.append(self._replicas.energy[places])
                members.append(self._replicas.members[places])
        return np.stack(energies, axis=2), np.stack(members, axis=2)

    def _swap_neighbours(self, rng: np.random.Generator) -> None:
        """Offer neighbours on each ladder to exchange their configurations; even and odd pairs in turn."""
        lower = np.arange(self._odd, self._rungs - 1, 2)
        self._odd = 1 - self._odd
        first = (np.arange(CHAINS)[:, None] * self._rungs + lower).ravel()
        if not len(first):
            return
        energy, beta = self._replicas.energy, 1 / self._kt
        gain = (energy[first] - energy[first + 1]) * (beta[first] - beta[first + 1])
        chosen = first[np.log(rng.random(len(first))) < gain]
        self._replicas.swap(chosen, chosen + 1)
