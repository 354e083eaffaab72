"""E(3) equivariance and locality of the network, in float64."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from augment import find_supercell, point_defects, read_host
from augment.errors import DataError, SettingsError
from defectgen.energy_surface.quasi_newton import DESCENT_POINTS, secant_step
from defectgen.model.network import BatchItem, NetworkConfig, blocks, collate, fresh_network, network_from_state
from defectgen.representation.conditions import Conditions
from defectgen.representation.template import Marker, Template

SMALL = NetworkConfig(width=16, layers=2, cutoff=4.0, radial=6, embedding=4)
CONDITIONS = Conditions(600.0, 5.0, 2, 4)


@pytest.fixture(scope="module")
def case():
    supercell = find_supercell(read_host("examples/hosts/ZnO.cif"), min_image_distance=5.0)
    defect = point_defects(supercell, kinds=["vacancy"])[0]
    return Template.of(defect.cell(), supercell.sites)


@pytest.fixture(scope="module")
def network():
    return fresh_network(SMALL, seed=1).double().eval()


def noisy(template: Template, seed: int = 0):
    rng = np.random.default_rng(seed)
    strain = rng.normal(scale=0.02, size=(3, 3))
    u = rng.normal(scale=0.1, size=(len(template.numbers), 3))
    u[template.n_atoms :] = 0.0
    return u, strain + strain.T


def run(network, template, u, strain, conditions=CONDITIONS, time=0.3):
    batch = collate([BatchItem(template, template.edges(SMALL.cutoff), conditions)], torch.float64)
    with torch.no_grad():
        moved, e = network(batch, torch.as_tensor(u), torch.as_tensor(strain[None]), torch.tensor([time]).double())
    return moved.numpy(), e.numpy()[0]


@pytest.fixture(scope="module")
def pushed():
    """A network that is told forces."""
    return fresh_network(replace(SMALL, forces=True), seed=1).double().eval()


def with_forces(template: Template, seed: int = 7) -> Template:
    points = np.random.default_rng(seed).normal(size=(template.n_atoms, DESCENT_POINTS, 2, 3)) * [[0.1], [1.0]]
    return template.with_descent(points)


def test_forces_turn_with_the_output(pushed, case):
    told, (u, strain) = with_forces(case), noisy(case)
    R = -Rotation.random(rng=3).as_matrix()
    turned = replace(told, cell=case.cell @ R.T, positions=case.positions @ R.T, descent=told.descent @ R.T)
    moved, e = run(pushed, told, u, strain)
    moved_turned, e_turned = run(pushed, turned, u @ R.T, R @ strain @ R.T)
    assert np.allclose(moved_turned, moved @ R.T, atol=1e-10)
    assert np.allclose(e_turned, R @ e @ R.T, atol=1e-12)
    unturned = replace(turned, descent=told.descent)
    assert abs(run(pushed, unturned, u @ R.T, R @ strain @ R.T)[0] - moved_turned).max() > 1e-6


def test_forces_move_atoms_unless_they_are_hidden(network, pushed, case):
    told, (u, strain) = with_forces(case), noisy(case)
    still = np.zeros_like(u)
    pushes = [run(pushed, t, still, strain)[0] for t in (told, case, replace(told, descent=-told.descent))]
    assert min(abs(a - b).max() for a, b in pairwise([*pushes, pushes[0]])) > 1e-6
    hidden = replace(CONDITIONS, hidden=frozenset({"forces"}))
    assert np.array_equal(run(pushed, told, u, strain, hidden)[0], run(pushed, case, u, strain)[0])
    nothing = replace(told, descent=np.zeros_like(told.descent))
    assert abs(run(pushed, nothing, u, strain)[0] - run(pushed, case, u, strain)[0]).max() > 1e-8, "told of no force"
    assert np.array_equal(run(network, told, u, strain)[0], run(network, case, u, strain)[0]), "one that learnt none"


def test_forces_reach_the_messages_as_well_as_the_answer(pushed, case):
    """Without the steps that they suggest in the answer they still push through the layers, and the steps are added."""
    told, (u, strain) = with_forces(case), noisy(case)
    deaf = deepcopy(pushed)
    torch.nn.init.zeros_(deaf.trust[-1].bias)
    assert (
        abs(run(deaf, told, u, strain)[0] - run(deaf, replace(told, descent=-told.descent), u, strain)[0]).max() > 1e-6
    )
    step = run(pushed, told, u, strain)[0] - run(deaf, told, u, strain)[0]
    assert np.allclose(step, secant_step(told.descent) * (case.numbers > 0)[:, None], atol=1e-12)


def test_the_length_of_a_force_is_told_by_its_logarithm(case):
    points = np.zeros((case.n_atoms, DESCENT_POINTS, 2, 3))
    points[0, 0, 1], points[1, 2] = [0.0, 0.0, 1e-3], [[0.1, 0.0, 0.0], [0.0, 40.0, 0.0]]
    told = case.with_descent(points)
    batch = collate([BatchItem(told, told.edges(4.0), CONDITIONS)], torch.float64)
    assert np.allclose(batch.pushes[0, 0].numpy(), [0.0, 0.0, np.log1p(0.01)])
    assert np.allclose(batch.pushes[1, 2].numpy(), [0.0, np.log1p(400.0), 0.0])
    assert np.allclose(batch.pushes[1, 3].numpy(), [1.0, 0.0, 0.0])
    assert np.allclose(batch.pushes[1, 4].numpy(), [1.0, 2.0, 0.0]), "the step is the longest there is"
    assert np.allclose(batch.scalars[1, -3:].numpy(), [np.log1p(400.0), 1.0, np.sqrt(5.0)])
    assert np.isfinite(batch.pushes.numpy()).all()


@pytest.mark.parametrize("improper", [False, True])
def test_rotations_and_reflections_turn_the_output(network, case, improper):
    u, strain = noisy(case)
    R = Rotation.random(rng=3).as_matrix() * (-1.0 if improper else 1.0)
    turned = replace(case, cell=case.cell @ R.T, positions=case.positions @ R.T)
    moved, e = run(network, case, u, strain)
    moved_turned, e_turned = run(network, turned, u @ R.T, R @ strain @ R.T)
    assert abs(moved).max() > 1e-4
    assert abs(e).max() > 1e-6
    assert np.allclose(moved_turned, moved @ R.T, atol=1e-10)
    assert np.allclose(e_turned, R @ e @ R.T, atol=1e-12)


def test_a_shear_is_no_symmetry(network, case):
    u, strain = noisy(case)
    M = np.eye(3) + 0.3 * np.eye(3, k=1)
    turned = replace(case, cell=case.cell @ M.T, positions=case.positions @ M.T)
    sheared = run(network, turned, u @ M.T, strain)[0]
    assert abs(sheared - run(network, case, u, strain)[0] @ M.T).max() > 1e-6


def test_translation_and_choice_of_cell_do_not_matter(network, case):
    u, strain = noisy(case)
    skewed = replace(
        case,
        positions=case.positions + np.array([0.3, -1.1, 2.0]),
        cell=np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]]) @ case.cell,
    )
    for a, b in zip(run(network, case, u, strain), run(network, skewed, u, strain), strict=True):
        assert np.allclose(a, b, atol=1e-10)


def test_a_cell_taken_twice_gives_everything_twice(network, case):
    """The same crystal described in a supercell: its defects are the same, and so is what happens at each."""
    u, strain = noisy(case)
    n, m = case.n_atoms, len(case.numbers)
    order = np.concatenate([np.arange(n), m + np.arange(n), np.arange(n, m), m + np.arange(n, m)])
    columns = ("numbers", "host_numbers", "markers", "wyckoff", "site_order", "multiplicity")
    twice = replace(
        case,
        cell=case.cell * [[2.0], [1.0], [1.0]],
        positions=np.concatenate([case.positions, case.positions + case.cell[0]])[order],
        **{name: np.tile(getattr(case, name), 2)[order] for name in columns},
    )
    moved, e = run(network, case, u, strain)
    moved_twice, e_twice = run(network, twice, np.tile(u, (2, 1))[order], strain)
    assert np.allclose(moved_twice, np.tile(moved, (2, 1))[order], atol=1e-10)
    assert np.allclose(e_twice, e, atol=1e-12)


def test_permuted_atoms_get_the_permuted_output(network, case):
    u, strain = noisy(case)
    rng = np.random.default_rng(0)
    order = np.concatenate([rng.permutation(case.n_atoms), np.arange(case.n_atoms, len(case.numbers))])
    columns = ("positions", "numbers", "host_numbers", "markers", "wyckoff", "site_order", "multiplicity")
    shuffled = replace(case, **{name: getattr(case, name)[order] for name in columns})
    moved, e = run(network, case, u, strain)
    moved_shuffled, e_shuffled = run(network, shuffled, u[order], strain)
    assert np.allclose(moved_shuffled, moved[order], atol=1e-10)
    assert np.allclose(e_shuffled, e, atol=1e-12)


def test_graphs_of_a_batch_do_not_see_each_other(network, case):
    u, strain = noisy(case)
    pair = [BatchItem(case, case.edges(SMALL.cutoff), told) for told in (CONDITIONS, Conditions(0.0, 1.0, 1, 4))]
    other, other_strain = noisy(case, seed=5)
    with torch.no_grad():
        moved, e = network(
            collate(pair, torch.float64),
            torch.as_tensor(np.concatenate([u, other])),
            torch.as_tensor(np.stack([strain, other_strain])),
            torch.tensor([0.3, 0.8]).double(),
        )
    alone, alone_strain = run(network, case, u, strain)
    assert np.allclose(moved.numpy()[: len(u)], alone, atol=1e-12)
    assert np.allclose(e.numpy()[0], alone_strain, atol=1e-12)


def test_blocks_of_edges_add_up_to_all_of_them(network, case, monkeypatch):
    """Without gradients the edges go through in blocks, with them all at once."""
    monkeypatch.setattr(blocks, "EDGE_BLOCK", 37)
    u, strain = noisy(case)
    item = BatchItem(case, case.edges(SMALL.cutoff), CONDITIONS)
    assert len(item.edges.senders) > 3 * 37
    arguments = [torch.as_tensor(x) for x in (u, strain[None], np.array([0.3]))]
    whole = network(collate([item], torch.float64), *arguments)
    assert whole[0].requires_grad
    for found, in_blocks in zip(whole, run(network, case, u, strain), strict=True):
        assert np.allclose(found.detach().numpy()[..., : in_blocks.shape[-1]].reshape(in_blocks.shape), in_blocks)
    assert [(b.start, b.stop) for b in blocks.edge_blocks(80)] == [(0, 80)]
    with torch.no_grad():
        assert [min(b.stop, 80) for b in blocks.edge_blocks(80)] == [37, 74, 80]
        assert blocks.edge_blocks(0) == []


def test_vacated_sites_stay_and_the_reference_has_no_strain(network, case):
    u, strain = noisy(case)
    moved, e = run(network, case, u, strain, Conditions(0.0, 0.0, 1, 4))
    assert (moved[case.markers == Marker.VACANCY] == 0).all()
    assert (e == 0).all()
    assert (run(network, case, u, strain)[1] != 0).any()


def test_the_vacancy_and_the_conditions_are_seen(network, case):
    u, strain = noisy(case)
    base = run(network, case, u, strain)[0]
    moved_ghost = replace(case, host_numbers=np.where(case.markers == Marker.VACANCY, 16, case.host_numbers))
    for other in (
        run(network, moved_ghost, u, strain)[0],
        run(network, case, u, strain, Conditions(600.0, 5.0, 4, 4))[0],
        run(network, case, u, strain, replace(CONDITIONS, temperature=900.0))[0],
        run(network, case, u, strain, replace(CONDITIONS, snapshot=True))[0],
        run(network, case, u, strain, time=0.9)[0],
    ):
        assert abs(base - other).max() > 1e-8


def test_an_anonymous_element_is_known_by_its_descriptors_alone(case):
    """Hiding an embedding is as if the element had never been learnt: its row is zero."""
    u, strain = noisy(case)
    learnt = fresh_network(SMALL, seed=1).double().eval()
    assert (learnt.embed.species.weight == 0).all()
    torch.nn.init.normal_(learnt.embed.species.weight)
    hidden = run(learnt, case, u, strain, replace(CONDITIONS, anonymous=frozenset({30})))[0]
    assert abs(hidden - run(learnt, case, u, strain)[0]).max() > 1e-8
    with torch.no_grad():
        learnt.embed.species.weight[30] = 0.0
    assert np.allclose(hidden, run(learnt, case, u, strain)[0], atol=1e-12)


def test_a_fresh_network_depends_on_its_seed_alone():
    default = torch.get_default_dtype()
    first = fresh_network(SMALL, seed=3).state_dict()
    try:
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(99)
        second = fresh_network(SMALL, seed=3).state_dict()
    finally:
        torch.set_default_dtype(default)
    assert all(torch.equal(first[name], second[name]) and first[name].dtype == second[name].dtype for name in first)
    other = fresh_network(SMALL, seed=4).state_dict()
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_default_size_is_between_three_and_six_hundred_thousand():
    count = sum(p.numel() for p in fresh_network(NetworkConfig(), seed=0).parameters())
    assert 3e5 < count < 6e5


def test_wrong_weights_and_sizes_are_refused():
    state = fresh_network(SMALL, seed=0).state_dict()
    with pytest.raises(DataError, match="do not fit"):
        network_from_state(replace(SMALL, width=8), state)
    with pytest.raises(SettingsError, match="positive"):
        NetworkConfig(width=0)
