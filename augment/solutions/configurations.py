"""Ensembles of a solid solution: all configurations, random ones, or the most random-like, each with its key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from augment.defect import Defect
from augment.defects.orderly import enumerate_orbits
from augment.defects.sampling import SamplingWeight
from augment.errors import DefectError
from augment.solutions.draws import draws
from augment.solutions.quasirandom import quasirandom
from augment.solutions.solution import SolidSolution

SamplingMode = Literal["exact", "random", "sqs"]

MAX_EXACT = 10_000
"""Configurations that are enumerated without being asked for more."""

_MAX_REPEATS = 1_000
"""Configurations drawn in a row that were drawn before, after which the others are taken to be too rare."""


@dataclass(frozen=True, eq=False)
class Configuration:
    """One symmetry-distinct configuration of an ensemble.

    Attributes:
        defect: its edits, with their canonical key.
        objective: weighted sum of its Warren-Cowley parameters, 0 for perfect disorder; of quasirandom ones only.
    """

    defect: Defect
    objective: float | None = None


@dataclass(frozen=True, eq=False)
class ConfigurationEnsemble:
    """Distinct configurations of a solid solution, and how they came about.

    Attributes:
        solution: the numbers of edits and the supercell.
        mode: `exact` for all of them, `random`, or `sqs` for quasirandom ones.
        weight: of a random ensemble, whether orbits or configurations were alike.
        seed: of the random generator; none for `exact`.
        members: the configurations, no two equivalent.
    """

    solution: SolidSolution
    mode: SamplingMode
    weight: SamplingWeight | None
    seed: int | None
    members: tuple[Configuration, ...]

    @property
    def distinct(self) -> int | None:
        """Number of distinct configurations that there are, drawn or not; None where they are too many to count."""
        if self.mode == "exact":
            return len(self.members)
        return None if len(self.solution.clashes) else self.solution.orbits

    def to_dict(self) -> dict[str, Any]:
        """JSON values: what was asked, what was realised, and every configuration."""
        solution = self.solution
        return {
            "mode": self.mode,
            "weight": self.weight,
            "seed": self.seed,
            "formula": solution.formula,
            "counts": dict(solution.counts),
            "fractions": solution.fractions,
            "formal_charges": dict(solution.charges),
            "net_charge": solution.net_charge,
            "distinct": self.distinct,
            "supercell": solution.supercell.describe(),
            "members": [
                {"key": m.defect.key, "degeneracy": m.defect.degeneracy, "objective": m.objective} for m in self.members
            ],
        }


def ensemble(
    solution: SolidSolution,
    mode: SamplingMode = "random",
    *,
    count: int = 10,
    seed: int = 0,
    weight: SamplingWeight = "degeneracy",
    max_exact: int = MAX_EXACT,
) -> ConfigurationEnsemble:
    """Distinct configurations of a solid solution.

    Args:
        solution: the numbers of edits and the supercell.
        mode: `exact` for all of them, `random` for some, `sqs` for those nearest to perfect disorder, best first.
        count: most that are drawn; fewer where there are fewer.
        seed: of the random generator.
        weight: `degeneracy` draws every configuration of the supercell alike (a random alloy), `orbit` every
            symmetry-distinct one.
        max_exact: most that are enumerated.

    Raises:
        DefectError: there are too many to enumerate, or none leaves the atoms far enough apart.
    """
    if mode not in get_args(SamplingMode):
        raise DefectError(f"mode {mode!r}; the modes are {', '.join(get_args(SamplingMode))}")
    if count < 1:
        raise DefectError(f"{count} configurations; ask for at least one")
    if mode == "exact":
        return ConfigurationEnsemble(solution, mode, None, None, tuple(map(Configuration, _all(solution, max_exact))))
    if mode == "sqs":
        best = quasirandom(solution, count, seed)
        return ConfigurationEnsemble(solution, mode, None, seed, tuple(Configuration(*each) for each in best))
    drawn = _some(solution, count, seed, weight)
    return ConfigurationEnsemble(solution, mode, weight, seed, tuple(map(Configuration, drawn)))


def _all(solution: SolidSolution, most: int) -> Iterator[Defect]:
    """Every distinct configuration.

    Raises:
        DefectError: there are more than `most`, or none.
    """
    if solution.orbits is None or solution.orbits > most:
        number = "too many to count" if solution.orbits is None else f"{solution.orbits}"
        raise DefectError(
            f"{solution.formula} has {number} distinct configurations, more than {most}; "
            "draw random or quasirandom ones, or take a smaller supercell"
        )
    count = 0
    for orbits in enumerate_orbits(solution.space, solution.recipe.max_size, solution.recipe):
        for members in orbits.members[solution.possible(orbits.members)]:
            count += 1
            yield Defect.canonical(solution.supercell, solution.space.edits(members))
    if not count:
        raise _impossible(solution)


def _some(solution: SolidSolution, count: int, seed: int, weight: SamplingWeight) -> list[Defect]:
    """Random distinct configurations, in the order in which they came up."""
    if solution.orbits is not None and solution.orbits <= count:
        return list(_all(solution, count))
    defects: dict[str, Defect] = {}
    repeats = 0
    for members in draws(solution, seed, weight):
        defect = Defect(solution.supercell, solution.space.edits(members))
        repeats = repeats + 1 if defect.key in defects else 0
        defects.setdefault(defect.key, defect)
        if len(defects) == count or repeats == _MAX_REPEATS:
            break
    if not defects:
        raise _impossible(solution)
    return list(defects.values())


def _impossible(solution: SolidSolution) -> DefectError:
    return DefectError(
        f"{solution.formula}: no configuration was found with all atoms {solution.min_separation:.2f} Å apart; "
        "draw by degeneracy, take a smaller supercell and exact mode, or a smaller separation"
    )
