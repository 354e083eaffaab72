"""A network with angular momenta to 2 equals its lift to 3: in every label, for every order of the product basis."""

import numpy as np
import pytest

from augment.errors import PotentialError
from md.potentials.mace.lift import lifted
from md.students import load_student
from md.students.network import config_of, construct
from md.students.selftest import evaluate


@pytest.fixture(scope="module")
def config():
    return {**load_student("mace-mgo")[1]["config"], "hidden_irreps": "4x0e", "radial_MLP": [8]}


def untrained(config, **changes):
    import torch

    torch.manual_seed(1)
    return construct({**config, **changes}).eval().requires_grad_(requires_grad=False)


def cell(seed):
    rng = np.random.default_rng(seed)
    lattice = 4.3 * np.eye(3) + rng.normal(scale=0.3, size=(3, 3))
    grid = np.indices((2, 2, 2)).reshape(3, -1).T[:6] / 2
    return lattice, np.array([8, 12, 12, 8, 8, 12]), grid @ lattice + rng.normal(scale=0.2, size=(6, 3))


@pytest.mark.parametrize("max_ell", [1, 2])
@pytest.mark.parametrize("correlation", [1, 2, 3])
def test_a_lifted_network_is_the_same_function(config, max_ell, correlation):
    network = untrained(config, max_ell=max_ell, correlation=correlation)
    wider = lifted(network)
    assert config_of(wider)["max_ell"] == 3
    for seed in range(3):
        for one, other in zip(evaluate(network, *cell(seed)), evaluate(wider, *cell(seed)), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-11, rtol=0)


def test_the_shipped_student_is_lifted_exactly():
    network = load_student("mace-mgo")[0]
    for one, other in zip(evaluate(network, *cell(5)), evaluate(lifted(network), *cell(5)), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10, rtol=0)


def test_weights_of_added_paths_matter(config):
    """Negative control: a lifted network is a proper one of the wider kind, not one that ignores its weights."""
    wider = lifted(untrained(config, max_ell=2))
    before = evaluate(wider, *cell(0))[0]
    wider.interactions[0].conv_tp_weights.layer1.weight[:, -4:] += 1.0
    wider.products[0].symmetric_contractions.contractions[0].weights_max += 0.1
    assert abs(evaluate(wider, *cell(0))[0] - before) > 1e-8


def test_what_needs_no_lift_is_left_alone(config):
    network = untrained(config, max_ell=3)
    assert lifted(network) is network


def test_features_with_directions_are_refused(config):
    with pytest.raises((ValueError, PotentialError), match="1o"):
        lifted(untrained(config, hidden_irreps="4x0e+4x1o", max_ell=2))
