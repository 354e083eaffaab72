"""Ensembles follow the enthalpies that they are given, whether a pair expansion can describe these or not."""

from __future__ import annotations

import numpy as np
import pytest

from augment.errors import ConditionError, DataError
from augment.ordering import EquilibrateSettings, equilibrate
from augment.ordering.replica_exchange import EV_PER_KELVIN
from tests.augment.ordering.crystals import Listed, known_expansion, places, solution


class Enthalpies:
    """Those of a known expansion, with a term of triplets that no pairs describe."""

    def __init__(self, made, triplet: float) -> None:
        self.made, self.known, self.triplet, self.evaluated = made, known_expansion(made), triplet, 0

    def of(self, members):
        apart = self.made.supercell.distances(np.arange(self.made.supercell.n_atoms))
        near = apart[self.made.space.site[members][:, :, None], self.made.space.site[members][:, None]] < 2.7
        bonds = np.triu(near, 1).sum(axis=(1, 2))
        return self.known.predicted(members) + self.triplet * (bonds >= 2)

    def __call__(self, defects):
        self.evaluated += len(defects)
        return self.of(places(self.made, defects))


def drawn_share(found, chosen) -> float:
    return sum(m.drawn for m in found.members if chosen(m)) / sum(m.drawn for m in found.members)


def test_few_configurations_are_summed_exactly():
    made = solution("Cu", {"Au_Cu": 3})
    source, temperature = Enthalpies(made, 0.2), 600.0
    found = equilibrate(made, source, EquilibrateSettings(temperature, samples=4000))
    listed = Listed.of(made)
    weights = listed.weights(source.of(listed.members), EV_PER_KELVIN * temperature)
    assert found.exact
    assert source.evaluated == len(weights) == found.evaluations
    assert sum(m.drawn for m in found.members) == 4000
    np.testing.assert_allclose(sorted(m.probability for m in found.members)[-5:], np.sort(weights)[-5:], rtol=1e-9)
    for member in found.members:
        assert member.drawn / 4000 == pytest.approx(member.probability, abs=0.03)


def test_an_error_of_the_expansion_does_not_bias_what_is_drawn():
    """Triplets that pairs cannot describe: the chain has the right mean enthalpy, and the expansion alone has not."""
    made = solution("Cu", {"Au_Cu": 4, "v_Cu": 1})
    source, temperature = Enthalpies(made, -0.25), 700.0
    found = equilibrate(made, source, EquilibrateSettings(temperature, samples=800, evaluations=40, seed=3))
    listed = Listed.of(made)
    enthalpies = source.of(listed.members)
    exact = listed.weights(enthalpies, EV_PER_KELVIN * temperature)
    assert not found.exact
    assert found.settled
    assert 0.1 < found.acceptance < 0.99
    assert found.expansion_error > 0.01
    mean = sum(m.drawn * m.enthalpy for m in found.members) / 800
    width = np.sqrt(exact @ (enthalpies - exact @ enthalpies) ** 2)
    assert mean == pytest.approx(exact @ enthalpies, abs=6 * width / np.sqrt(800 * found.acceptance / 2))


def test_pairs_are_described_and_every_draw_is_accepted():
    made = solution("Cu", {"Au_Cu": 6})
    source = Enthalpies(made, 0.0)
    found = equilibrate(made, source, EquilibrateSettings(800.0, samples=30, evaluations=40))
    assert found.acceptance > 0.95
    assert found.expansion_error < 0.01
    assert found.evaluations == source.evaluated <= 70
    assert len({m.defect.key for m in found.members}) == len(found.members)


def test_a_cold_crystal_spends_its_evaluations_all_the_same():
    """One configuration holds nearly all of equilibrium: random ones are evaluated besides."""
    made = solution("Cu", {"Au_Cu": 4, "v_Cu": 1}, (2, 2, 1))
    source = Enthalpies(made, 0.0)
    found = equilibrate(made, source, EquilibrateSettings(40.0, samples=10, evaluations=30))
    assert not found.exact
    assert len(found.members) < 4
    assert source.evaluated >= 30


def test_configurations_that_diverge_are_left_out():
    made = solution("Cu", {"Au_Cu": 3})
    source = Enthalpies(made, 0.0)

    def some_diverge(defects):
        found = source(defects)
        found[found < np.median(found)] = np.nan
        return found

    found = equilibrate(made, some_diverge, EquilibrateSettings(600.0, samples=50))
    assert all(np.isfinite(m.enthalpy) for m in found.members)
    for count in (3, 6):
        made = solution("Cu", {"Au_Cu": count})
        with pytest.raises(DataError, match="too few configurations have an enthalpy"):
            equilibrate(made, lambda defects: np.full(len(defects), np.nan), EquilibrateSettings(600.0, evaluations=20))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.0}, "above 0 K"),
        ({"temperature": float("nan")}, "above 0 K"),
        ({"temperature": 300.0, "samples": 0}, "at least one"),
        ({"temperature": 300.0, "evaluations": 5}, "needs 10 at least"),
    ],
)
def test_settings_that_are_not_possible_are_refused(settings, message):
    with pytest.raises(ConditionError, match=message):
        EquilibrateSettings(**settings)
