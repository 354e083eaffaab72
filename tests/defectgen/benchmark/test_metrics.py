"""Each metric on cases made by hand: the perfect score, a known error, what it must not see, and what it must."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.groups.cell_symmetry import CellSymmetry
from augment.groups.distortion import Distortion, project
from defectgen.benchmark.energy import Descent, energy_scores, win_share
from defectgen.benchmark.metrics import constraints, diversity, geometry, intervals, novelty, symmetry, thermal

NOTHING = np.zeros((3, 3))


def broken(defect, seed=0, size=0.2):
    u = np.random.default_rng(seed).normal(scale=size, size=(len(defect.cell()), 3))
    return u - u.mean(axis=0)


def everywhere(defect):
    return np.ones(len(defect.cell()), dtype=bool)


@given(seed=st.integers(0, 1000), operation=st.integers(0, 15))
@settings(max_examples=20, deadline=None)
def test_any_orientation_of_a_broken_geometry_is_as_good(tetragonal, seed, operation):
    group, near = tetragonal.symmetry(), everywhere(tetragonal)
    u = broken(tetragonal, seed)
    turned = geometry.symmetry_images(u, group)[operation]
    assert geometry.displacement_error(turned, u, near, group) < 1e-12
    assert geometry.displacement_cosine(turned, u, near, group) == pytest.approx(1.0)
    assert geometry.normalised_rmsd(turned, u, near, group, 10.0) < 1e-12
    alone = CellSymmetry.trivial(len(u))
    if operation:
        assert geometry.displacement_error(turned, u, near, alone) > 0.1


def test_images_average_to_the_projection(tetragonal):
    """An oracle from the definition of the projector."""
    group, u = tetragonal.symmetry(), broken(tetragonal)
    np.testing.assert_allclose(
        geometry.symmetry_images(u, group).mean(axis=0), group.project_displacements(u), atol=1e-12
    )


def test_a_known_shift_gives_a_known_error(vacancy):
    group, n = CellSymmetry.trivial(len(vacancy.cell())), len(vacancy.cell())
    true, found = np.zeros((n, 3)), np.zeros((n, 3))
    found[0] = [0.3, 0.4, 0.0]
    near = np.zeros(n, dtype=bool)
    near[[0, 1]] = True
    assert geometry.displacement_error(found, true, near, group) == pytest.approx(0.25)
    assert geometry.normalised_rmsd(found, true, near, group, 8.0) == pytest.approx(0.5 / np.sqrt(2) / 2)
    assert geometry.displacement_error(found, true, ~near, group) == 0.0
    assert np.isnan(geometry.displacement_error(found, true, np.zeros(n, dtype=bool), group))


def test_the_cosine_of_no_direction(vacancy):
    group, near, u = CellSymmetry.trivial(len(vacancy.cell())), everywhere(vacancy), broken(vacancy)
    assert geometry.displacement_cosine(-u, u, near, group) == pytest.approx(-1.0)
    assert geometry.displacement_cosine(0 * u, u, near, group) == 0.0
    assert np.isnan(geometry.displacement_cosine(u, 0 * u, near, group))


def test_match_everyone_counts_references_and_penalises_what_nothing_matches():
    rmsds = np.array([[0.01, 0.2], [0.3, 0.4], [np.inf, 0.02]])
    metre, crmse = geometry.match_everyone(rmsds, tolerance=0.1)
    assert metre == pytest.approx(2 / 3)
    assert crmse == pytest.approx((0.01 + 0.1 + 0.02) / 3)
    assert geometry.match_everyone(np.zeros((2, 0)), 0.1) == (0.0, pytest.approx(0.1))


def test_the_normalised_error_is_structure_matchers(vacancy):
    """An oracle: pymatgen's matcher gives the same number where it keeps lattice and order."""
    from pymatgen.core.structure_matcher import StructureMatcher

    from augment.groups.distortion import apply_distortion

    ideal = vacancy.cell()
    u = broken(vacancy, size=0.05)
    moved = apply_distortion(ideal, Distortion(u, NOTHING))
    matcher = StructureMatcher(primitive_cell=False, scale=False)
    expected = matcher.get_rms_dist(ideal.to_pymatgen(), moved.to_pymatgen())[0]
    per_atom = ideal.volume / len(ideal)
    found = geometry.normalised_rmsd(u, 0 * u, everywhere(vacancy), vacancy.symmetry(), per_atom)
    assert found == pytest.approx(expected, rel=2e-3)


def scaled(defect, state):
    from augment.groups.distortion import apply_distortion

    cell = apply_distortion(defect.cell(), state)
    return cell.cell, cell.positions @ np.linalg.inv(cell.cell), cell.numbers


@pytest.mark.parametrize("find", [symmetry.spglib_rotations, symmetry.moyopy_rotations])
def test_symmetry_that_is_kept_is_found_and_broken_symmetry_is_missed(tetragonal, find):
    group = tetragonal.symmetry()
    wanted = symmetry.integer_rotations(group, tetragonal.cell().cell)
    kept = project(Distortion(broken(tetragonal, size=0.05), np.diag([0.01, 0.01, -0.02])), group)
    assert symmetry.contains(find(*scaled(tetragonal, kept)), wanted)
    u = kept.displacements.copy()
    u[3, 0] += 0.02
    assert not symmetry.contains(find(*scaled(tetragonal, Distortion(u, kept.strain))), wanted)
    lower = tetragonal.subgroups()[3]
    half = project(Distortion(broken(tetragonal, size=0.05), NOTHING), lower)
    assert symmetry.contains(find(*scaled(tetragonal, half)), symmetry.integer_rotations(lower, tetragonal.cell().cell))
    assert not symmetry.contains(find(*scaled(tetragonal, half)), wanted)


def test_the_site_symmetry_of_a_distortion_is_the_subgroup_it_keeps(tetragonal):
    cell, stabilizer = tetragonal.cell().cell, tetragonal.symmetry()
    for group in tetragonal.subgroups():
        state = project(Distortion(broken(tetragonal, size=2.0), NOTHING), group)
        symbol = symmetry.site_symmetry(state, stabilizer, cell)
        assert symbol == group.symbol
        assert symmetry.breaks(state, stabilizer) == (group.order < stabilizer.order)


def test_a_small_ripple_breaks_nothing_and_tolerances_do_not_invent_groups(tetragonal):
    cell, stabilizer = tetragonal.cell().cell, tetragonal.symmetry()
    ripple = Distortion(broken(tetragonal, size=0.005), NOTHING)
    assert symmetry.site_symmetry(ripple, stabilizer, cell) == stabilizer.symbol
    assert not symmetry.breaks(ripple, stabilizer)
    for seed in range(20):  # sizes at which some operations are within the tolerance and their products are not
        symmetry.site_symmetry(Distortion(broken(tetragonal, seed, size=0.02), NOTHING), stabilizer, cell)


def test_total_variation():
    assert symmetry.total_variation(["m", "1"], ["1", "m"]) == 0.0
    assert symmetry.total_variation(["m", "m"], ["1"]) == 1.0
    assert symmetry.total_variation(["m", "1"], ["m", "m"]) == pytest.approx(0.5)
    assert np.isnan(symmetry.total_variation([], ["m"]))


def test_a_wrong_species_and_a_wrong_count_are_caught():
    assert constraints.same_composition(np.array([8, 12, 8]), np.array([12, 8, 8]))
    assert not constraints.same_composition(np.array([8, 12, 12]), np.array([12, 8, 8]))
    assert not constraints.same_composition(np.array([8, 12]), np.array([12, 8, 8]))


def test_contacts_and_coordination_of_rock_salt():
    cell, numbers = 4.2 * np.eye(3), np.array([12] * 4 + [8] * 4)
    face = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    positions = np.concatenate([face, face + np.array([0.5, 0, 0])]) @ cell
    assert constraints.closest_contact(cell, numbers, positions) == np.inf  # 2.10 Å, radii 1.41 + 0.66
    assert set(constraints.coordination_numbers(cell, numbers, positions)[4:]) == {6}
    positions[4] = positions[0] + np.array([1.0, 0.0, 0.0])
    contact = constraints.closest_contact(cell, numbers, positions)
    assert contact == pytest.approx(1.0 / (1.41 + 0.66), abs=1e-6)
    assert not constraints.no_overlap(contact, np.inf)
    assert constraints.no_overlap(contact, contact)
    before = np.array([6, 6, 6])
    assert constraints.coordination_kept(np.array([6, 5, 4]), before, np.array([True, True, False])) == 0.5


def test_amd_of_simple_cubic_is_its_shells():
    amd = diversity.average_minimum_distances(2.0 * np.eye(3), np.zeros((1, 3)), neighbours=26)
    np.testing.assert_allclose(amd, [2.0] * 6 + [2 * 2**0.5] * 12 + [2 * 3**0.5] * 8)
    eight = np.stack(np.meshgrid([0.0, 2.0], [0.0, 2.0], [0.0, 2.0]), axis=-1).reshape(-1, 3)
    np.testing.assert_allclose(diversity.average_minimum_distances(4.0 * np.eye(3), eight, neighbours=26), amd)


def test_distributions_of_distances_see_motion_and_not_isometries(vacancy):
    cell = vacancy.cell()
    base = diversity.pointwise_distances(cell.cell, cell.positions)
    order = np.random.default_rng(0).permutation(len(cell))
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    copy = diversity.pointwise_distances(cell.cell @ turn, (cell.positions[order] + np.array([3.0, -1.0, 0.3])) @ turn)
    assert diversity.pdd_distance(base, copy) < 1e-9
    moved = diversity.pointwise_distances(cell.cell, cell.positions + broken(vacancy, size=0.1))
    assert diversity.pdd_distance(base, moved) > 0.02
    assert diversity.mean_pair_distance([base, copy, moved]) == pytest.approx(
        2 / 3 * diversity.pdd_distance(base, moved), abs=1e-8
    )
    assert np.isnan(diversity.mean_pair_distance([base]))


def test_keys():
    assert novelty.uniqueness(["a", "a", "b", "c"]) == 0.75
    assert novelty.novelty(["a", "a", "b"], {"b"}) == 0.5
    assert novelty.coverage(["a", "a", "b"], 8) == 0.25
    assert np.isnan(novelty.uniqueness([]))
    assert np.isnan(novelty.novelty([], {"a"}))


def test_thermal_metrics_vanish_on_the_ensemble_itself_and_know_a_hotter_one():
    rng = np.random.default_rng(0)
    cold, again = rng.normal(scale=0.1, size=(2, 40, 50, 3))
    hot = rng.normal(scale=0.2, size=(40, 50, 3))
    assert thermal.msd_error(cold, cold) == 0.0
    assert thermal.msd_error(again, cold) < 0.05
    assert thermal.msd_error(hot, cold) == pytest.approx(3.0, rel=0.05)
    assert thermal.displacement_distance(cold, cold) == 0.0
    assert thermal.displacement_distance(hot, cold) == pytest.approx(0.1 * np.sqrt(8 / np.pi), rel=0.03)  # Maxwell
    stretched = np.diag([0.1, 0.0, 0.0])
    assert thermal.volume_error(stretched[None], NOTHING[None]) == pytest.approx(0.1)


def test_radial_distributions(vacancy):
    cell = vacancy.cell()
    ideal = thermal.pair_histogram(cell.cell, cell.positions)
    assert thermal.rdf_distance(ideal, ideal) == 0.0
    shifted = thermal.pair_histogram(cell.cell, cell.positions + np.array([0.7, 0.1, 0.0]))
    assert thermal.rdf_distance(ideal, shifted) < 1e-2  # pairs on the edge of a bin
    rattled = thermal.pair_histogram(cell.cell, cell.positions + broken(vacancy))
    assert thermal.rdf_distance(ideal, rattled) > 0.3
    assert thermal.rdf_distance(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1.0


def test_energy_scores():
    ideal = Descent(-10.0, 20, converged=True)
    better = [Descent(-10.001, 5, converged=True), Descent(-10.5, 40, converged=True)]
    scores = energy_scores(better, ideal)
    assert scores == {
        "steps_saved": 0.75,
        "steps_saved_same": 0.75,
        "same_or_lower": 1.0,
        "lower": 1.0,
        "best_energy": pytest.approx(-500.0),
    }
    elsewhere = energy_scores([Descent(-11.0, 30, converged=True)], ideal)
    assert (elsewhere["steps_saved"], elsewhere["lower"]) == (-0.5, 1.0)
    assert np.isnan(elsewhere["steps_saved_same"])
    failed = energy_scores([Descent(-11.0, 300, converged=False)], ideal)
    assert (failed["same_or_lower"], failed["lower"]) == (0.0, 0.0)
    assert all(np.isnan(v) for v in energy_scores(better, Descent(-10.0, 300, converged=False)).values())
    assert win_share([-1.0, -2.0, np.nan], [-0.5, -2.0, -9.0]) == 0.5
    assert win_share([-0.5], [-1.0]) == 0.0


def test_every_host_counts_alike():
    found = intervals.host_estimate([1.0, 1.0, 1.0, 5.0, np.nan], ["a", "a", "a", "b", "c"])
    assert (found.value, found.hosts, found.tasks) == (3.0, 2, 4)
    assert (found.low, found.high) == (None, None)
    assert intervals.host_estimate([np.nan], ["a"]) is None


def test_intervals_cover_the_truth_and_grow_when_structures_of_one_host_are_alike():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(100):
        values = 1.0 + rng.normal(size=(30, 1)) + 0.1 * rng.normal(size=(30, 4))
        found = intervals.host_estimate(values.ravel(), np.repeat([f"h{k}" for k in range(30)], 4))
        inside += found.low < 1.0 < found.high
        assert found.high - found.low > 0.4  # of 120 independent values it would be 0.36
    assert 85 <= inside <= 100


def test_a_gain_is_paired():
    hosts = [f"h{k}" for k in range(10)]
    base = np.random.default_rng(0).uniform(0.01, 1.0, size=10)
    found = intervals.gain_estimate(0.6 * base, base, hosts)
    assert (found.value, found.low, found.high) == (pytest.approx(0.4),) * 3
    assert intervals.gain_estimate(base, base, hosts).value == 0.0
    assert intervals.gain_estimate(base, 0 * base, hosts) is None
