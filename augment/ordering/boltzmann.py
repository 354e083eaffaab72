"""Configurations of a solid solution as they occur at a temperature, by the enthalpies of any source.

Where all distinct configurations can be evaluated, Boltzmann sums over them are exact. Else a pair expansion is fitted
to random configurations, sampled by Monte Carlo, and fitted again with what came up, round by round; its error for
configurations that it had not seen is stated. The configurations that are returned are a Markov chain whose proposals
are independent draws of the expansion's equilibrium, accepted by the enthalpies themselves,

    min(1, exp(-(D_new - D_old) / k T)),    D = H - H_expansion,

(delayed acceptance: Christen and Fox, J. Comput. Graph. Stat. 14, 795 (2005), doi:10.1198/106186005X76983), so that an
error of the expansion costs acceptance but does not bias them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.defect import Defect
from augment.defects.orderly import enumerate_orbits
from augment.errors import ConditionError, DataError
from augment.ordering.members import EquilibratedEnsemble, EquilibratedMember
from augment.ordering.pair_expansion import MIN_FITTED, PairExpansion
from augment.ordering.pair_orbits import PairOrbits
from augment.ordering.replica_exchange import EV_PER_KELVIN, ChainSamples, sample_configurations
from augment.ordering.short_range_order import OrderParameters, ShellOrder
from augment.solutions.draws import draws
from augment.solutions.solution import SolidSolution

EnthalpySource = Callable[[Sequence[Defect]], FloatArray]
"""Enthalpies (n,) of configurations, eV per supercell; NaN of one that has none."""

EquilibrateStage = Callable[[str, int, int], None]
"""Called with what is done, how much of it and of how much."""

RANDOM_SHARE = 0.4
"""Of the evaluations that the expansion is first fitted to: random configurations, which see every pair."""

FITTING_ROUNDS = 3
"""Of drawing configurations of the equilibrium, evaluating them and fitting again."""

RANDOM_STARTS = 64
"""Random configurations that the chains start from."""


@dataclass(frozen=True)
class EquilibrateSettings:
    """How an equilibrium is sampled.

    Attributes:
        temperature: K.
        samples: configurations that are drawn.
        evaluations: enthalpies for the pair expansion; as many more as samples follow.
        seed: of the random generator.

    Raises:
        ConditionError: a value is not possible.
    """

    temperature: float
    samples: int = 10
    evaluations: int = 60
    seed: int = 0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.temperature) and self.temperature > 0):
            raise ConditionError(f"a temperature of {self.temperature:g} K; equilibrium needs one above 0 K")
        if self.samples < 1:
            raise ConditionError(f"{self.samples} configurations; ask for at least one")
        least = int(np.ceil(MIN_FITTED / RANDOM_SHARE))
        if self.evaluations < least:
            raise ConditionError(f"{self.evaluations} evaluations; a pair expansion needs {least} at least")


def equilibrate(
    solution: SolidSolution,
    enthalpies: EnthalpySource,
    settings: EquilibrateSettings,
    *,
    stage: EquilibrateStage | None = None,
) -> EquilibratedEnsemble:
    """Configurations of a solid solution as they occur at a temperature, its composition kept.

    Args:
        solution: the numbers of edits and the supercell.
        enthalpies: of configurations.
        settings: temperature, how many, and what it may cost.
        stage: called as it goes on.

    Raises:
        DataError: too few configurations have an enthalpy.
        DefectError: the solution cannot be sampled by exchanges, or no configuration is possible.
    """
    run = _Evaluated(solution, enthalpies, stage)
    number = None if solution.restricted else solution.orbits
    if number is not None and number <= settings.evaluations + settings.samples:
        return _enumerated(run, settings)
    return _sampled(run, settings)


class _Evaluated:
    """Enthalpies of configurations, each symmetry-distinct one evaluated once."""

    def __init__(self, solution: SolidSolution, source: EnthalpySource, stage: EquilibrateStage | None) -> None:
        self.solution, self._source, self._stage = solution, source, stage
        self.known: dict[str, float] = {}

    def defect(self, members: IntArray) -> Defect:
        return Defect(self.solution.supercell, self.solution.space.edits(members))

    def say(self, what: str, done: int, total: int) -> None:
        if self._stage is not None:
            self._stage(what, done, total)

    def enthalpies(self, members: IntArray, what: str) -> FloatArray:
        """(c,) of sets (c, k) of edits."""
        defects = [self.defect(row) for row in members]
        new = {defect.key: defect for defect in defects if defect.key not in self.known}
        self.say(what, 0, len(new))
        if new:
            found = self._source(list(new.values()))
            self.known.update(zip(new, map(float, found), strict=True))
        self.say(what, len(new), len(new))
        return np.array([self.known[defect.key] for defect in defects])

    def unseen(self, candidates: Iterable[IntArray], most: int) -> IntArray:
        """(c, k) distinct sets of edits that were not evaluated, the first ones."""
        chosen: dict[str, IntArray] = {}
        for members in candidates:
            key = self.defect(members).key
            if key not in self.known:
                chosen.setdefault(key, members)
            if len(chosen) == most:
                break
        width = self.solution.recipe.max_size
        return np.array(list(chosen.values()), dtype=np.int64).reshape(len(chosen), width)


def _enumerated(run: _Evaluated, settings: EquilibrateSettings) -> EquilibratedEnsemble:
    """Exact Boltzmann sums over every distinct configuration."""
    solution = run.solution
    orbits = enumerate_orbits(solution.space, solution.recipe.max_size, solution.recipe)
    members = np.concatenate([each.members for each in orbits if each.members.shape[1] == solution.recipe.max_size])
    found = run.enthalpies(members, "enthalpies of all distinct configurations")
    if not np.isfinite(found).any():
        raise _nothing(solution)
    defects = [run.defect(row) for row in members]
    logs = np.log([float(d.degeneracy) for d in defects])
    logs -= np.where(np.isfinite(found), found - np.nanmin(found), np.inf) / (EV_PER_KELVIN * settings.temperature)
    share = np.exp(logs - np.logaddexp.reduce(logs))
    parameters = OrderParameters.of(solution)
    mean = share @ parameters.values(members)
    order = tuple(replace(pair, value=float(a)) for pair, a in zip(parameters.pairs, mean, strict=True))
    drawn = Counter(np.random.default_rng(settings.seed).choice(len(share), settings.samples, p=share).tolist())
    kept = tuple(
        EquilibratedMember(defects[k], float(found[k]), times, float(share[k])) for k, times in drawn.most_common()
    )
    return EquilibratedEnsemble(
        solution, settings.temperature, settings.seed, kept, order, len(run.known),
        exact=True, expansion_error=None, acceptance=1.0, settled=True,
    )  # fmt: skip


def _sampled(run: _Evaluated, settings: EquilibrateSettings) -> EquilibratedEnsemble:
    """Draws of a pair expansion's equilibrium, accepted by the enthalpies."""
    solution, rng = run.solution, np.random.default_rng(settings.seed)
    starts = np.array(list(islice(draws(solution, settings.seed, "degeneracy"), RANDOM_STARTS)), dtype=np.int64)
    if not len(starts):
        raise DataError(f"{solution.formula}: no configuration is possible; allow a smaller separation")
    orbits = PairOrbits.of(solution.space)
    members = run.unseen(_random(solution, settings.seed), max(MIN_FITTED, int(RANDOM_SHARE * settings.evaluations)))
    found = run.enthalpies(members, "enthalpies of random configurations")
    expansion = _fitted(solution, orbits, members, found)
    samples = _equilibrium(run, expansion, starts, settings, 0)
    each = -(-(settings.evaluations - len(members)) // FITTING_ROUNDS)
    for number in range(1, FITTING_ROUNDS + 1):
        count = min(each, settings.evaluations - len(members))
        # Where equilibrium has few configurations, random ones tell what the expansion may have wrong elsewhere.
        more = run.unseen(chain(_shuffled(samples, rng), _random(solution, settings.seed)), count)
        if not len(more):
            break
        found = np.append(found, run.enthalpies(more, f"enthalpies of round {number} of {FITTING_ROUNDS}"))
        members = np.concatenate([members, more])
        expansion = _fitted(solution, orbits, members, found)
        samples = _equilibrium(run, expansion, starts, settings, number)
    return _accepted(run, expansion, samples, settings, rng)


def _fitted(solution: SolidSolution, orbits: PairOrbits, members: IntArray, found: FloatArray) -> PairExpansion:
    """An expansion of the enthalpies that are known."""
    known = np.isfinite(found)
    if known.sum() < MIN_FITTED:
        raise _nothing(solution)
    return PairExpansion.fitted(orbits, members[known], found[known])


def _random(solution: SolidSolution, seed: int) -> Iterable[IntArray]:
    """Random configurations, so many that enough of them are distinct."""
    return islice(draws(solution, seed + 1, "degeneracy"), 10_000)


def _equilibrium(
    run: _Evaluated, expansion: PairExpansion, starts: IntArray, settings: EquilibrateSettings, number: int
) -> ChainSamples:
    temperature = np.array([settings.temperature])

    def report(done: int, most: int) -> None:
        run.say("sweeps of the Monte Carlo", done, most)

    return sample_configurations(
        run.solution, expansion.energies, temperature, starts, settings.seed + number, progress=report
    )


def _shuffled(samples: ChainSamples, rng: np.random.Generator) -> Iterable[IntArray]:
    every = samples.members[0].reshape(-1, samples.members.shape[-1])
    return (every[k] for k in rng.permutation(len(every)))


def _accepted(
    run: _Evaluated,
    expansion: PairExpansion,
    samples: ChainSamples,
    settings: EquilibrateSettings,
    rng: np.random.Generator,
) -> EquilibratedEnsemble:
    """The Markov chain of the enthalpies, with the order of the expansion's long chains beside it."""
    proposed = np.array(list(islice(_shuffled(samples, rng), settings.samples)), dtype=np.int64)
    new = np.array([run.defect(row).key not in run.known for row in proposed])
    found = run.enthalpies(proposed, "enthalpies of the configurations drawn")
    excess = np.where(np.isfinite(found), found - expansion.predicted(proposed), np.inf)
    unseen = excess[new & np.isfinite(excess)]
    if not np.isfinite(excess).any():
        raise _nothing(run.solution)
    current, drawn, moved = int(np.argmax(np.isfinite(excess))), Counter[int](), 0
    for k in range(len(proposed)):
        step = (excess[k] - excess[current]) / (EV_PER_KELVIN * settings.temperature)
        if k != current and np.log(rng.random()) < -step:
            current, moved = k, moved + 1
        drawn[current] += 1
    offered = max(len(proposed) - 1, 1)
    error = float(np.sqrt(np.mean(unseen**2))) if len(unseen) else expansion.left_out_error
    return EquilibratedEnsemble(
        run.solution, settings.temperature, settings.seed, _members(run, proposed, found, drawn),
        _order(run.solution, samples), len(run.known), exact=False, expansion_error=error,
        acceptance=moved / offered if len(proposed) > 1 else 1.0, settled=samples.settled,
    )  # fmt: skip


def _members(
    run: _Evaluated, proposed: IntArray, found: FloatArray, drawn: Counter[int]
) -> tuple[EquilibratedMember, ...]:
    """Distinct ones of the chain, most often drawn first."""
    times, first = Counter[str](), dict[str, int]()
    for k, count in drawn.items():
        key = run.defect(proposed[k]).key
        times[key] += count
        first.setdefault(key, k)
    return tuple(
        EquilibratedMember(run.defect(proposed[first[key]]), float(found[first[key]]), count)
        for key, count in times.most_common()
    )


def _order(solution: SolidSolution, samples: ChainSamples) -> tuple[ShellOrder, ...]:
    """Short-range order of the chains, with its standard error by their scatter."""
    parameters, members = OrderParameters.of(solution), samples.members[0]
    values = parameters.values(members.reshape(-1, members.shape[-1])).reshape(*members.shape[:2], -1)
    mean, error = samples.mean(values)
    return tuple(
        replace(pair, value=float(a), error=float(e)) for pair, a, e in zip(parameters.pairs, mean, error, strict=True)
    )


def _nothing(solution: SolidSolution) -> DataError:
    return DataError(
        f"{solution.formula}: too few configurations have an enthalpy: their relaxations diverged; "
        "choose another potential"
    )
