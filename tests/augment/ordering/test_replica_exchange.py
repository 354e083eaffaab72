"""Monte Carlo averages are the Boltzmann sums over all configurations, within their own error bars."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from augment.errors import ConditionError, DefectError
from augment.ordering.exchanges import FORBIDDEN, Replicas, Sites, with_clashes
from augment.ordering.replica_exchange import EV_PER_KELVIN, sample_configurations
from augment.ordering.short_range_order import OrderParameters
from augment.solutions.draws import draws
from augment.solutions.partial_occupancy import read_disordered
from tests.augment.ordering.crystals import Listed, known_expansion, solution

MAX_SCORE = 6.0
"""Errors by eight chains: a t distribution of seven degrees of freedom passes it once in 2,000 draws."""

CASES = [
    ("Cu", {"Au_Cu": 3, "v_Cu": 1}, 2, 700.0),
    ("MgO", {"Al_Mg": 2, "v_Mg": 1}, (2, 1, 1), 900.0),
    ("CaF2", {"Y_Ca": 2, "F_i": 2}, 1, 1500.0),
]


SPLIT = """data_split
_cell_length_a 6
_cell_length_b 6
_cell_length_c 6
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P m -3 m'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
O 0 0 0 1
Li 0.42 0 0 0.3333
Cl 0.5 0.5 0.5 1
"""
"""Lithium on either side of a face, 0.96 Å apart."""


def starts(made, count=64):
    return np.array(list(islice(draws(made, 1, "degeneracy"), count)))


@pytest.mark.parametrize(("name", "counts", "repeat", "temperature"), CASES, ids=[case[0] for case in CASES])
def test_averages_are_boltzmann_sums(name, counts, repeat, temperature):
    made = solution(name, counts, repeat)
    known, listed, parameters = known_expansion(made), Listed.of(made), OrderParameters.of(made)
    energies = known.predicted(listed.members)
    found = sample_configurations(made, known.energies, np.array([temperature]), starts(made), 11)
    sampled = found.members[0]
    flat = sampled.reshape(-1, sampled.shape[-1])
    np.testing.assert_allclose(known.predicted(flat), found.energies[0].ravel(), atol=1e-9)
    values = parameters.values(flat).reshape(*sampled.shape[:2], -1)
    both = np.concatenate([found.energies[0][..., None], values], axis=2)
    exact = np.column_stack([energies, parameters.values(listed.members)])
    mean, error = found.mean(both)
    weights = listed.weights(energies, EV_PER_KELVIN * temperature)
    assert found.settled
    # What is rarer than one in a thousand does not come up in each chain, and has no error.
    assert (np.abs(mean - weights @ exact) <= MAX_SCORE * error + 0.002 * np.ptp(exact, axis=0)).all()
    # The same averages are not those of a temperature a third higher.
    hotter = listed.weights(energies, EV_PER_KELVIN * temperature * 4 / 3)
    assert abs(mean[0] - hotter @ energies) > MAX_SCORE * error[0]


def test_a_random_solution_has_no_short_range_order():
    made = solution("MgO", {"Al_Mg": 2, "v_O": 1})
    listed, parameters = Listed.of(made), OrderParameters.of(made)
    assert {(pair.first, pair.second) for pair in parameters.pairs} >= {("Al_Mg", "v_O"), ("Al_Mg", "Al_Mg")}
    mean = listed.copies / listed.copies.sum() @ parameters.values(listed.members)
    np.testing.assert_allclose(mean, 0, atol=1e-12)


def test_neighbours_are_below_zero_and_strangers_are_one():
    made = solution("Cu", {"Au_Cu": 2})
    parameters, members = OrderParameters.of(made), starts(made, 200)
    nearest = next(k for k, p in enumerate(parameters.pairs) if p.first == p.second == "Au_Cu")
    value = parameters.values(members)[:, nearest]
    sites = made.space.site[members]
    apart = made.supercell.distances(np.arange(32))[sites[:, 0], sites[:, 1]]
    beside = apart < 2.7
    assert (value[beside] < -1).all()
    np.testing.assert_allclose(value[~beside], 1)


def test_sites_too_close_are_never_both_filled(tmp_path):
    path = tmp_path / "halves.cif"
    path.write_text(SPLIT)
    made = read_disordered(path).solution(min_image_distance=5, max_atoms=60, keep_point_group=False)
    assert len(made.clashes)
    known = known_expansion(made)
    found = sample_configurations(made, known.energies, np.array([2000.0]), starts(made), 2, max_sweeps=200)
    members = found.members[0].reshape(-1, found.members.shape[-1])
    assert made.possible(members).all()
    assert len(np.unique(members, axis=0)) > 1
    full = with_clashes(known.energies, made)
    shuffled = np.random.default_rng(0)
    species = Sites.of(made)
    any_set = np.stack(
        [np.sort(species.edit[shuffled.permutation(len(species.edit))[: members.shape[1]], 1]) for _ in range(200)]
    )
    impossible = ~made.possible(any_set)
    assert impossible.any()
    excess = full.total(any_set) - known.energies.total(any_set)
    assert (excess[impossible] > FORBIDDEN / 2).all()
    np.testing.assert_allclose(excess[~impossible], 0, atol=1e-9)


def test_exchanges_keep_the_composition_and_the_energy():
    made = solution("Cu", {"Au_Cu": 5, "v_Cu": 2})
    known, rng = known_expansion(made), np.random.default_rng(3)
    replicas = Replicas(Sites.of(made), known.energies, starts(made, 6), rng)
    for _ in range(300):
        replicas.exchange(np.full(6, 0.2))
    labels = np.sort(made.space.label[replicas.members], axis=1)
    assert (labels == labels[0]).all()
    np.testing.assert_allclose(replicas.energy, known.predicted(replicas.members), atol=1e-9)


def test_what_cannot_be_sampled_is_refused():
    made = solution("Cu", {"Au_Cu": 2})
    known = known_expansion(made)
    for bad in ([0.0], [-5.0], [np.nan], []):
        with pytest.raises(ConditionError, match="above 0 K"):
            sample_configurations(made, known.energies, np.array(bad), starts(made), 0)
    with pytest.raises(DefectError, match="one configuration only"):
        Sites.of(solution("Cu", {"Au_Cu": 32}))
