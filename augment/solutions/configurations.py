"""Ensembles of a solid solution: all configurations, random ones, or the most random-like, each with its key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from augment.cell import IntArray
from augment.defect import Defect
from augment.defects.orderly import enumerate_orbits
from augment.defects.sampling import SamplingWeight
from augment.errors import DefectError
from augment.solutions.draws import draws
from augment.solutions.exclusion import ExclusiveClusters
from augment.solutions.quasirandom import quasirandom
from augment.solutions.solution import SolidSolution
from augment.storage.missing import did_you_mean

SamplingMode = Literal["exact", "random", "sqs"]

MAX_EXACT = 10_000
"""Configurations that are enumerated without a larger limit."""

_MAX_LISTED = 20_000
"""Configurations of whole fragments, equivalent ones too, that are listed to find the distinct ones: some seconds."""

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
        return None if self.solution.restricted else self.solution.orbits

    def to_dict(self) -> dict[str, Any]:
        """JSON values: what was asked, what was realised, and every configuration."""
        return {
            "mode": self.mode,
            "weight": self.weight,
            "seed": self.seed,
            **self.solution.to_dict(),
            "distinct": self.distinct,
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
    modes = get_args(SamplingMode)
    if mode not in modes:
        raise DefectError(f"mode {mode!r}; {did_you_mean(mode, modes)}the modes are {', '.join(modes)}")
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
    whole = _all_whole(solution) if solution.ties else None
    number = solution.orbits if whole is None else len(whole)
    if number is None or number > most:
        text = "too many to count" if number is None else f"{number}"
        raise DefectError(
            f"{solution.formula} has {text} distinct configurations, more than {most}; "
            "draw random or quasirandom ones, or take a smaller supercell"
        )
    defects = _all_orbits(solution) if whole is None else iter(whole)
    first = next(defects, None)
    if first is None:
        raise _impossible(solution)
    yield first
    yield from defects


def _all_orbits(solution: SolidSolution) -> Iterator[Defect]:
    """The possible ones of all that there are."""
    for orbits in enumerate_orbits(solution.space, solution.recipe.max_size, solution.recipe):
        for members, possible in zip(orbits.members, solution.possible(orbits.members), strict=True):
            if possible or _has_possible_image(solution, members):
                yield Defect.canonical(solution.supercell, solution.space.edits(members))


def _all_whole(solution: SolidSolution) -> list[Defect] | None:
    """The distinct ones of all ways to put whole fragments; None where these are too many to list."""
    clusters = ExclusiveClusters(solution)
    if not clusters.tractable or clusters.configurations > _MAX_LISTED:
        return None
    defects: dict[str, Defect] = {}
    for members in clusters.every():
        defect = Defect(solution.supercell, solution.space.edits(members))
        defects.setdefault(defect.key, defect)
    return list(defects.values())


def _has_possible_image(solution: SolidSolution, members: IntArray) -> bool:
    """Whether an equivalent configuration is possible, where disorder groups have less symmetry than the sites."""
    if not solution.ties:
        return False
    images = np.unique(np.sort(solution.space.permutations[:, members], axis=1), axis=0).astype(np.int64)
    return bool(solution.possible(images).any())


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
    demands = [f"all atoms {solution.min_separation:.2f} Å apart"] * bool(len(solution.clashes))
    demands += ["the atoms of each disorder group together"] * bool(solution.ties)
    return DefectError(
        f"{solution.formula}: no configuration was found with {' and '.join(demands)}; draw by degeneracy, take "
        "another supercell and exact mode, or a smaller separation"
    )
