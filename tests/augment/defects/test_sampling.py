"""Random complexes come up as often as they should."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from augment import Defect, conventional_supercell
from augment.defects.burnside import CycleCounter, count_orbits
from augment.defects.editspace import EditSpace
from augment.defects.orderly import complexes
from augment.defects.recipe import Recipe
from augment.defects.sampling import sample_complexes, stabilizer_orders
from augment.errors import DefectError
from tests.support.crystals import host

DRAWS = 1500


def space(name: str, kinds: str, matrix, cutoff: float | None = None) -> EditSpace:
    return EditSpace.of(conventional_supercell(host(name), np.diag(matrix)), kinds.split(","), cutoff)


CASES = [
    (space("MgO", "v_O,Al_Mg", [1, 1, 2]), Recipe(3, 3)),
    (space("MgO", "v_O,v_Mg,Al_Mg", [1, 1, 2]), Recipe(3, 3, neutral=True)),
    (space("TiO2_rutile", "v_O,Fe_Ti,Nb_Ti", [1, 1, 2]), Recipe(3, 3, {"Fe_Ti": (1, 2)})),
    (space("MgO", "v_O,Al_Mg", [1, 1, 2], 3.1), Recipe(3, 3)),
    (space("GaN", "v_N,v_Ga,Mg_Ga", [2, 2, 1], 3.4), Recipe(3, 3)),
]


def chi_squared(counts: np.ndarray, expected: np.ndarray) -> float:
    """Sum of squares over degrees of freedom; about 1 for draws from the distribution."""
    return float(((counts - expected) ** 2 / expected).sum() / (len(counts) - 1))


@pytest.mark.parametrize("weight", ["orbit", "degeneracy"])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_every_orbit_comes_up_with_its_weight(case, weight) -> None:
    edits, recipe = CASES[case]
    weights = {d.key: 1 if weight == "orbit" else d.degeneracy for d in complexes(edits, recipe)}
    drawn = Counter(d.key for d in sample_complexes(edits, recipe, DRAWS, 7, weight=weight))
    assert set(drawn) <= set(weights)
    expected = DRAWS * np.array(list(weights.values())) / sum(weights.values())
    counts = np.array([drawn[key] for key in weights])
    assert chi_squared(counts, expected) < 1 + 5 * np.sqrt(2 / (len(weights) - 1))


def test_the_other_weight_would_be_noticed() -> None:
    edits, recipe = CASES[0]
    found = list(complexes(edits, recipe))
    drawn = Counter(d.key for d in sample_complexes(edits, recipe, DRAWS, 7, weight="degeneracy"))
    counts = np.array([drawn[d.key] for d in found])
    assert chi_squared(counts, np.full(len(found), DRAWS / len(found))) > 3


@pytest.mark.parametrize("case", range(len(CASES)))
def test_the_same_seed_draws_the_same_and_another_others(case) -> None:
    edits, recipe = CASES[case]
    once, again, other = ([d.key for d in sample_complexes(edits, recipe, 20, seed)] for seed in (3, 3, 4))
    assert once == again
    assert once != other


def test_draws_where_enumeration_is_hopeless() -> None:
    edits = space("MgO", "v_O,v_Mg,Al_Mg", [3, 3, 3])
    recipe = Recipe(12, 12, neutral=True)
    _, orbits, _ = next(count_orbits(edits, recipe))
    assert orbits > 10**16
    found = list(sample_complexes(edits, recipe, 3, 1))
    assert len({d.key for d in found}) == 3
    for defect in found:
        charge = {0: {"O": 2, "Mg": -2}, 13: {"Mg": 1}}
        assert sum(charge[e.number][o.element] for e, o in zip(defect.edits, defect.orbits, strict=True)) == 0


def test_what_an_operation_leaves_alone_is_what_it_leaves_alone() -> None:
    edits, recipe = CASES[0]
    counter = CycleCounter(edits, recipe, 3)
    found = [set(d.edits) for d in complexes(edits, recipe)]
    every = [
        frozenset(tuple(sorted(row)) for row in edits.permutations[:, [_place(edits, e) for e in d]]) for d in found
    ]
    sets = np.array(sorted(set().union(*every)))
    for example, fixed in zip(counter._examples, counter.fixed, strict=True):
        images = np.sort(edits.permutations[example][sets], axis=1)
        assert (images == sets).all(axis=1).sum() == fixed


def _place(edits: EditSpace, edit) -> int:
    return int(np.flatnonzero((edits.site == edit.site) & (edits.number == edit.number))[0])


def test_stabilizer_orders_agree_with_the_defects() -> None:
    edits, recipe = CASES[3]
    for defect in complexes(edits, recipe):
        members = np.array([_place(edits, e) for e in defect.edits])
        assert stabilizer_orders(edits, members[None]).tolist() == [defect.stabilizer.order]
        assert Defect(edits.supercell, defect.edits).edits == defect.edits


@pytest.mark.parametrize(
    ("kinds", "cutoff", "recipe", "message"),
    [
        ("v_O", None, Recipe(1, 2), "of one size"),
        ("v_O", 2.0, Recipe(2, 2), "nearest are"),
        ("v_O", 3.0, Recipe(9, 9), "widen the cutoff"),
        ("v_O,Al_Mg", None, Recipe(2, 2, {"v_O": (0, 0), "Al_Mg": (0, 1)}), "no complex fits"),
    ],
)
def test_draws_that_cannot_be_are_refused(kinds, cutoff, recipe, message, monkeypatch) -> None:
    monkeypatch.setattr("augment.defects.sampling._MAX_BATCHES", 3)
    with pytest.raises(DefectError, match=message):
        list(sample_complexes(space("MgO", kinds, [2, 2, 2], cutoff), recipe, 1, 0))
