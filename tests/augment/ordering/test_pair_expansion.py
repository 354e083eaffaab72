"""Orbits of pairs are those of the group, and a fit finds the energies that made the numbers."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from augment.errors import DataError
from augment.ordering.pair_expansion import PairExpansion
from augment.ordering.pair_orbits import NO_PAIR, PairOrbits
from augment.solutions.draws import draws
from tests.augment.ordering.crystals import known_expansion, solution

CASES = [
    ("Cu", {"Au_Cu": 4, "v_Cu": 1}, 2),
    ("MgO", {"Al_Mg": 2, "v_O": 1}, 1),
    ("CaF2", {"Y_Ca": 2, "F_i": 2}, 1),
    ("TiO2_rutile", {"Fe_Ti": 2, "v_O": 1}, 2),
]


@pytest.mark.parametrize(("name", "counts", "repeat"), CASES, ids=[case[0] for case in CASES])
def test_pairs_are_one_where_an_operation_takes_one_to_the_other(name, counts, repeat):
    space = solution(name, counts, repeat).space
    orbits, count = PairOrbits.of(space), len(space)
    smallest = np.full((count, count), np.iinfo(np.int64).max)
    for image in space.permutations.astype(np.int64):
        code = np.minimum.outer(image, image) * count + np.maximum.outer(image, image)
        smallest = np.minimum(smallest, code)
    apart = space.site[:, None] != space.site
    assert ((orbits.pair == NO_PAIR) == ~apart).all()
    both = np.stack([smallest[apart], orbits.pair[apart]], axis=1)
    assert len(np.unique(both, axis=0)) == len(np.unique(both[:, 0])) == len(np.unique(both[:, 1])) == orbits.pairs


def test_the_sum_over_edits_and_pairs_is_that_over_orbits():
    made = solution("MgO", {"Al_Mg": 2, "v_O": 1})
    known = known_expansion(made)
    members = np.array(list(islice(draws(made, 3, "degeneracy"), 40)))
    np.testing.assert_allclose(known.energies.total(members), known.predicted(members), atol=1e-12)
    moved = made.space.permutations[7][members].astype(np.int64)
    np.testing.assert_allclose(known.predicted(np.sort(moved, axis=1)), known.predicted(members), atol=1e-12)


def test_a_fit_predicts_what_it_has_not_seen():
    made = solution("Cu", {"Au_Cu": 8})
    known = known_expansion(made)
    members = np.array(list(islice(draws(made, 0, "degeneracy"), 120)))
    truth = known.predicted(members)
    fitted = PairExpansion.fitted(known.orbits, members[:60], truth[:60])
    error = np.sqrt(np.mean((fitted.predicted(members[60:]) - truth[60:]) ** 2))
    assert error < 1e-3 < truth.std()
    assert fitted.left_out_error < 1e-2


def test_the_error_of_a_fit_is_that_of_numbers_left_out():
    """Numbers that no pairs explain are predicted no better than by their mean, and the fit says so."""
    made = solution("Cu", {"Au_Cu": 8})
    members = np.array(list(islice(draws(made, 0, "degeneracy"), 60)))
    noise = np.random.default_rng(5).normal(size=60)
    assert PairExpansion.fitted(PairOrbits.of(made.space), members, noise).left_out_error > 0.8


def test_a_fit_needs_some_finite_energies():
    made = solution("Cu", {"Au_Cu": 8})
    members = np.array(list(islice(draws(made, 0, "degeneracy"), 5)))
    orbits = PairOrbits.of(made.space)
    with pytest.raises(DataError, match="3 configurations"):
        PairExpansion.fitted(orbits, members[:3], np.zeros(3))
    with pytest.raises(DataError, match="not finite"):
        PairExpansion.fitted(orbits, members, np.array([0.0, 1.0, np.nan, 2.0, 3.0]))
