"""Special quasirandom structures: configurations whose pair correlations are nearest to those of perfect disorder.

The Warren-Cowley parameter of species a and b in a shell of neighbours is

    α_ab = 1 - N_ab / (x_a x_b N),

where N_ab is the number of ordered pairs of a and b at that distance, N that of all pairs, and x the fractions of the
species; it is 0 in a random solution. The objective is the sum of |α_ab| / k over pairs of unlike species and over the
shells k = 1, 2, ... of each sublattice (Zunger et al., Phys. Rev. Lett. 65, 353 (1990)). The search is that of the
library sqsgenerator (Gehringer et al., Comput. Phys. Commun. 286, 108664 (2023)); it knows no sites that exclude each
other or are filled together, of which the best of many random configurations is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.defect import Defect
from augment.elements import element_symbol
from augment.errors import DefectError
from augment.solutions.draws import draws
from augment.solutions.solution import SolidSolution, Sublattice

SHELLS = 4
"""Shells of neighbours on a sublattice whose pairs are compared."""

ITERATIONS = 100_000
"""Configurations that are tried: some seconds on one core for a hundred sites."""

EXCLUSIVE_ITERATIONS = 1_000
"""Random configurations that are compared where sites depend on each other."""

_COPIES = 10
"""Configurations of one objective that are kept for each wanted: many are equivalent."""

_DIGITS = 9
"""Decimals of an objective that count."""

_SHELL_WIDTH = 0.25
"""Å; neighbours no farther than this beyond the first of a shell belong to it."""


def quasirandom(
    solution: SolidSolution, count: int, seed: int, *, shells: int = SHELLS, iterations: int = ITERATIONS
) -> list[tuple[Defect, float]]:
    """The best distinct configurations found, with their objectives, best first.

    Args:
        solution: the numbers of edits and the supercell.
        count: most that are returned.
        seed: of the random generator.
        shells: of neighbours on each sublattice.
        iterations: configurations that are tried.

    Raises:
        DefectError: the library is not installed, kinds share a part of their sites, or no configuration was found
            that leaves the atoms far enough apart.
    """
    best: dict[str, tuple[Defect, float]] = {}
    search = _search_apart(solution, seed, shells) if solution.restricted else None
    for members, value in search or _search(solution, count, seed, shells, iterations):
        defect = Defect(solution.supercell, solution.space.edits(members))
        best.setdefault(defect.key, (defect, round(value, _DIGITS)))
    if not best:
        raise DefectError(
            f"{solution.formula}: no quasirandom configuration has all atoms {solution.min_separation:.2f} Å apart"
            f"{' and the atoms of each disorder group together' if solution.ties else ''}; "
            "draw random ones, or allow a smaller separation"
        )
    # The library lists equal ones in an order of its own.
    return sorted(best.values(), key=lambda item: (item[1], item[0].key))[:count]


def warren_cowley(
    solution: SolidSolution, sublattice: Sublattice, placed: IntArray, shells: int = SHELLS
) -> FloatArray:
    """Warren-Cowley parameters (shells, s, s) of the species `placed` (n,) on the sites of a sublattice."""
    distance = solution.supercell.distances(sublattice.sites)
    edges = shell_edges(distance, shells)
    shell = np.searchsorted(edges, distance)
    occupied = np.eye(len(sublattice.counts))[placed]
    share = occupied.mean(axis=0)
    parameters = np.zeros((len(edges) - 1, len(share), len(share)))
    for k in range(1, len(edges)):
        pairs = occupied.T @ (shell == k) @ occupied
        parameters[k - 1] = 1 - pairs / (pairs.sum() * np.outer(share, share))
    return parameters


def objective(parameters: FloatArray) -> float:
    """Sum of |α| over unlike species of Warren-Cowley parameters (shells, s, s), each over the number of its shell."""
    unlike = np.triu(np.ones(parameters.shape[1:]), k=1)
    weights = 1 / np.arange(1, len(parameters) + 1)
    return float((np.abs(parameters) * unlike * weights[:, None, None]).sum())


def shell_edges(distance: FloatArray, shells: int) -> list[float]:
    """Distances between the shells of neighbours, Å: from 0 to beyond the last that is wanted."""
    lengths = np.unique(np.round(distance[distance > _SHELL_WIDTH], 6))
    edges = [0.0]
    while len(lengths) and len(edges) <= shells:
        inside = lengths <= lengths[0] + _SHELL_WIDTH
        beyond = lengths[~inside][:1]
        edges.append(float(lengths[inside][-1] + beyond[0]) / 2 if len(beyond) else float(lengths[-1]) + _SHELL_WIDTH)
        lengths = lengths[~inside]
    return edges


def _search(
    solution: SolidSolution, count: int, seed: int, shells: int, iterations: int
) -> Iterator[tuple[IntArray, float]]:
    """Edits and objectives of the best configurations, best first."""
    try:
        from sqsgenerator import optimize, parse_config
    except ImportError:
        raise DefectError(
            "quasirandom structures need the library sqsgenerator; install it with pip install 'defectgen[sqs]', "
            "or draw random configurations"
        ) from None
    mixed = [part for part in solution.sublattices if sum(n > 0 for n in part.counts) > 1]
    pure = [part.edits[:, np.flatnonzero(part.counts)[0] - 1] for part in solution.sublattices if part not in mixed]
    if not mixed:
        yield np.sort(np.concatenate(pure)), 0.0
        return
    first = np.cumsum([1, *(len(part.counts) for part in mixed)])
    parsed = parse_config(_settings(solution, mixed, first, count, seed, shells) | {"iterations": iterations})
    if hasattr(parsed, "msg"):
        raise DefectError(f"{solution.formula}: sqsgenerator refuses the problem ({parsed.key}: {parsed.msg})")
    ends = np.cumsum([len(part.sites) for part in mixed])[:-1]
    pack = optimize(parsed)  # kept: its iterator does not keep it alive
    for value, results in pack:
        for result in results:
            placed = np.split(np.array(result.structure().species), ends)
            chosen = [
                part.members((codes - code)[None])[0] for part, codes, code in zip(mixed, placed, first, strict=False)
            ]
            yield np.sort(np.concatenate([*pure, *chosen])), float(value)


def _search_apart(solution: SolidSolution, seed: int, shells: int) -> Iterator[tuple[IntArray, float]]:
    """Random edits that are possible, and their objectives."""
    for members in islice(draws(solution, seed, "degeneracy"), EXCLUSIVE_ITERATIONS):
        value = 0.0
        for part in solution.sublattices:
            row, kind = np.nonzero(np.isin(part.edits, members))
            placed = np.zeros(len(part.sites), dtype=np.int64)
            placed[row] = kind + 1
            value += objective(warren_cowley(solution, part, placed, shells))
        yield members, value


def _settings(
    solution: SolidSolution, mixed: list[Sublattice], first: IntArray, count: int, seed: int, shells: int
) -> dict[str, Any]:
    """Settings of sqsgenerator; the species of sublattice i are written as the elements numbered from `first[i]` on."""
    start, composition, tables = 0, [], []
    for part, code in zip(mixed, first, strict=False):
        amounts = {element_symbol(code + k): n for k, n in enumerate(part.counts) if n}
        composition.append({"sites": list(range(start, start + len(part.sites))), **amounts})
        tables.append(_tables(solution.supercell.distances(part.sites), np.array(list(amounts.values())), shells))
        start += len(part.sites)
    sites = np.concatenate([part.sites for part in mixed])
    cell = solution.supercell.cell
    return {
        "structure": {
            "lattice": cell.tolist(),
            "coords": (solution.supercell.table_with(sites).positions[sites] @ np.linalg.inv(cell)).tolist(),
            "species": [int(code) for part, code in zip(mixed, first, strict=False) for _ in part.sites],
        },
        "composition": composition,
        "sublattice_mode": "split",
        **{name: [table[name] for table in tables] for name in tables[0]},
        "seed": seed,
        "thread_config": 1,
        "keep": count,
        "max_results_per_objective": _COPIES * count,
    }


def _tables(distance: FloatArray, amounts: IntArray, shells: int) -> dict[str, Any]:
    """Shells of a sublattice, their weights, and what turns numbers of pairs into Warren-Cowley parameters."""
    edges = shell_edges(distance, shells)
    share = np.outer(amounts, amounts) / amounts.sum() ** 2
    pairs = np.bincount(np.searchsorted(edges, distance).ravel(), minlength=len(edges))[1 : len(edges)]
    weights = 1 / np.arange(1, len(edges))
    return {
        "shell_radii": edges,
        "shell_weights": dict(enumerate(weights.tolist(), start=1)),
        "pair_weights": weights[:, None, None] * (1 - np.eye(len(amounts))),
        "prefactors": 1 / (pairs[:, None, None] * share),
    }
