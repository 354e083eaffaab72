"""The energy surface of a defect: whose it is, its points and their symmetry, and how they reach the sampler."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest

from augment import Defect, Edit, find_supercell, point_defects, read_host
from augment.errors import ConditionError, PotentialError
from augment.groups.distortion import Distortion, apply_distortion, residual
from defectgen.energy_surface import source as module
from defectgen.energy_surface.curvature import KRYLOV_EVALUATIONS
from defectgen.energy_surface.quasi_newton import DESCENT_POINTS, MAX_STEP, quasi_newton, secant_step, trial_step
from defectgen.energy_surface.source import DefectForces, find_forces
from defectgen.energy_surface.surface import SYMMETRY_BREAKING_OFFSET
from defectgen.generation.geometries import generate
from defectgen.model.bridge import Bridge
from defectgen.model.network import NetworkConfig, fresh_network
from defectgen.model.weights import Model
from defectgen.representation.template import Template
from md.labels.evaluator import Divergence
from md.potentials import resolve_potential
from md.relaxation.relax import relax_structure

STILL = np.zeros((3, 3))
SMALL = NetworkConfig(width=16, layers=2, cutoff=4.0, radial=6, embedding=4, forces=True)


@pytest.fixture(scope="module")
def supercell():
    return find_supercell(read_host("examples/hosts/Cu.cif"), min_image_distance=7.0)


@pytest.fixture(scope="module")
def vacancy(supercell):
    return point_defects(supercell, kinds=["vacancy"])[0]


@pytest.fixture
def emt():
    return DefectForces(resolve_potential("emt"))


@pytest.fixture(scope="module")
def model():
    card = {"elements": ["Cu"], "teacher": {"potential": "emt"}}
    return Model("small", fresh_network(SMALL, seed=1).eval(), Bridge(), card, "0")


def test_they_are_those_of_the_potential(emt, vacancy):
    """The host is at rest by symmetry, so that a vacancy's forces are those on the cell of each point."""
    ideal = vacancy.cell().to_ase()
    found = emt(vacancy).descent
    assert found.shape == (len(ideal), DESCENT_POINTS, 2, 3)
    assert abs(found[:, 0, 1]).max() > 0.05
    assert np.array_equal(found[:, 0, 0], np.zeros((len(ideal), 3)))
    for k in range(DESCENT_POINTS):
        atoms = ideal.copy()
        atoms.positions += found[:, k, 0]
        atoms.calc = resolve_potential("emt").calculator()
        assert np.allclose(found[:, k, 1], atoms.get_forces(), atol=1e-9)
        if k:
            assert np.array_equal(found[:, k, 0], secant_step(found[:, :k]))
        for column in found[:, k].swapaxes(0, 1):
            assert residual(Distortion(column, STILL), vacancy.symmetry()) < 1e-12
    assert np.allclose(found.sum(axis=0), 0.0, atol=1e-12)


def test_each_point_is_further_down(emt, vacancy):
    calculator, ideal = resolve_potential("emt").calculator(), vacancy.cell()
    relaxed = relax_structure(ideal, resolve_potential("emt"), fmax=0.001).cell.positions - ideal.positions
    points, surface = emt(vacancy).descent, emt(vacancy)
    last = Distortion(secant_step(points), STILL)
    corrected, taken = surface.lowered(last, vacancy.symmetry(), points, 2)
    assert taken == 2
    left = []
    for u in (*points[:, :, 0].swapaxes(0, 1), last.displacements, corrected.displacements):
        atoms = ideal.to_ase()
        atoms.positions += u
        atoms.calc = calculator
        left.append((np.linalg.norm(u - relaxed), atoms.get_potential_energy()))
    assert all(a > b for (a, _), (b, _) in pairwise(left))
    assert all(a > b for (_, a), (_, b) in pairwise(left))
    assert left[2][0] < 0.5 * left[0][0]
    assert left[-1][0] < 0.2 * left[0][0]


def points_of(stiffness: float, target: np.ndarray, *places: np.ndarray) -> np.ndarray:
    """Points of a harmonic crystal with one stiffness."""
    return np.stack([np.stack([u, stiffness * (target - u)], axis=1) for u in places], axis=1)


def test_a_harmonic_crystal_is_descended_in_two_steps():
    """With one stiffness the second step ends in the minimum, whatever the stiffness."""
    target = np.random.default_rng(0).normal(scale=0.02, size=(9, 3))
    for stiffness in (5.0, 10.0, 40.0):
        one = points_of(stiffness, target, np.zeros_like(target))
        first = secant_step(one)
        assert np.allclose(first, trial_step(stiffness * target))
        assert np.allclose(secant_step(points_of(stiffness, target, 0 * target, first)), target)


def test_steps_are_never_long_and_a_falling_curvature_is_survived():
    forces = np.array([[60.0, 0, 0], [-60.0, 0, 0]])
    first = trial_step(forces)
    assert np.linalg.norm(first, axis=1).max() == pytest.approx(MAX_STEP)
    points = np.stack([np.stack([0 * forces, forces], axis=1), np.stack([first, 1.5 * forces], axis=1)], axis=1)
    assert np.allclose(secant_step(points), 2 * first)
    assert (secant_step(np.zeros((4, 2, 2, 3))) == 0).all()


def test_all_points_together_tell_of_several_stiffnesses(emt, vacancy):
    """Two stiffnesses are known after three points, where one step of a common stiffness leaves half of the way."""
    rng = np.random.default_rng(1)
    target, soft = rng.normal(scale=0.02, size=(9, 3)), rng.random((9, 3)) < 0.5
    stiffness = np.where(soft, 5.0, 30.0)

    def point(u):
        return np.stack([u, stiffness * (target - u)], axis=1)

    places = [np.zeros_like(target), 0.3 * soft * target, 0.3 * target]
    points = np.stack([point(u) for u in places], axis=1)
    left = [np.linalg.norm(step(points) - target) for step in (quasi_newton, secant_step)]
    assert left[0] < 0.05 * left[1]
    assert np.array_equal(quasi_newton(points[:, :1]), secant_step(points[:, :1]))
    falling = np.stack([point(np.zeros_like(target)), np.stack([target, 2 * stiffness * target], axis=1)], axis=1)
    assert np.array_equal(quasi_newton(falling), secant_step(falling))
    far = np.stack([point(np.zeros_like(target)), point(-50 * target)], axis=1)
    assert np.linalg.norm(quasi_newton(far) + 50 * target, axis=1).max() == pytest.approx(MAX_STEP)
    surface, points = emt(vacancy), emt(vacancy).descent
    start = Distortion(secant_step(points), STILL)
    corrected, _ = surface.lowered(start, vacancy.symmetry(), points, 1)
    alone, _ = surface.lowered(start, vacancy.symmetry(), points[:, -1:], 1)
    forces = [np.linalg.norm(surface.forces(s, vacancy.symmetry())) for s in (start, alone, corrected)]
    assert forces[2] < forces[1] < forces[0]
    assert residual(corrected, vacancy.symmetry()) < 1e-12


def test_towards_a_lower_symmetry_the_last_point_leaves_the_symmetric_ones(emt, supercell):
    """An atom off its site keeps what is asked of it and nothing more, and the potential pulls it back."""
    vacancy = point_defects(supercell, kinds=["vacancy"])[0]
    surface, full = emt(vacancy), vacancy.symmetry()
    lower = next(s for s in vacancy.subgroups() if s.symbol == "mm2")
    assert surface.direction(full, np.random.default_rng(0)) is None
    assert np.array_equal(surface.towards(full, None), surface.descent)
    way = surface.direction(lower, np.random.default_rng(0))
    other = surface.direction(lower, np.random.default_rng(1))
    assert np.linalg.norm(way, axis=1).max() == pytest.approx(SYMMETRY_BREAKING_OFFSET)
    assert not np.allclose(abs(way), abs(other))
    points = surface.towards(lower, way)
    assert np.array_equal(points[:, :-1], surface.descent[:, :-1])
    assert np.allclose(points[:, -1, 0] - surface.descent[:, -1, 0], way)
    assert residual(Distortion(points[:, -1, 0], STILL), lower) < 1e-12
    assert residual(Distortion(points[:, -1, 1], STILL), lower) < 1e-12
    assert residual(Distortion(points[:, -1, 0], STILL), full) > 0.05
    assert (way * points[:, -1, 1]).sum() < 0, "copper is a minimum"


def test_a_point_where_the_potential_says_nothing_ends_the_descent(emt, vacancy):
    surface = emt(vacancy)
    asked = []

    def broken(cell):
        asked.append(cell)
        if len(asked) > allowed:
            raise Divergence
        return surface.evaluate(cell)

    for limit in range(DESCENT_POINTS):
        asked.clear()
        allowed = limit
        failing = replace(surface, evaluate=broken)
        assert failing.descent is None
        assert failing.curvatures is None
        assert failing.direction(vacancy.subgroups()[-1], np.random.default_rng(0)) is None
    asked.clear()
    allowed = DESCENT_POINTS
    failing = replace(surface, evaluate=broken)
    start = Distortion(np.full((len(surface.ideal), 3), 0.0), STILL)
    assert failing.lowered(start, vacancy.symmetry(), failing.descent, 3) == (start, 0)
    lower = vacancy.subgroups()[-1]
    assert failing.towards(lower, surface.direction(lower, np.random.default_rng(0))) is failing.descent


def test_what_acts_on_the_pristine_host_does_not_count(emt):
    """Off their sites the atoms of the host are pushed back; the defect does not do that."""
    from pymatgen.core import Lattice, Structure

    from augment import host_from_structure

    off = Structure(Lattice.tetragonal(3.6, 8.0), ["Cu", "Al", "Cu"], [[0, 0, 0], [0.5, 0.5, 0.26], [0.5, 0.5, 0.74]])
    cell = find_supercell(host_from_structure(off), min_image_distance=10.0)
    bulk = cell.bulk_cell().to_ase()
    bulk.calc = resolve_potential("emt").calculator()
    pristine = np.linalg.norm(bulk.get_forces(), axis=1).max()
    assert pristine > 0.05
    vacancies = [d for d in point_defects(cell, kinds=["vacancy"]) if d.edits[0].number == 0]
    for defect in vacancies:
        template = Template.of(defect.cell(), cell.sites, descent=emt(defect).descent)
        reach = template.defect_distance
        far_away = template.descent[(reach > reach.max() - 0.1) & (template.numbers > 0), :, 1]
        assert np.linalg.norm(far_away, axis=2).max() < 0.1 * pristine


def test_an_element_that_the_potential_does_not_cover_has_none(emt, supercell):
    assert emt(Defect(supercell, (Edit(0, 50),))) is None
    assert emt(Defect(supercell, (Edit(0, 13),))) is not None


def test_a_cell_is_evaluated_once(emt, vacancy, monkeypatch):
    calls, evaluated = [], module._evaluated
    monkeypatch.setattr(module, "_evaluated", lambda cell, potential: calls.append(1) or evaluated(cell, potential))
    assert emt(vacancy) is emt(vacancy)
    assert emt(vacancy).descent is emt(vacancy).descent
    assert len(calls) == 1 + DESCENT_POINTS, "the pristine cell, and the points"
    emt(vacancy).furthest_down(vacancy.symmetry(), np.random.default_rng(0), 4)
    assert len(calls) == 1 + DESCENT_POINTS, "with the whole stabilizer there are no directions to look for"
    assert np.array_equal(emt(vacancy).curvatures, emt(vacancy).curvatures)
    once = 1 + DESCENT_POINTS + KRYLOV_EVALUATIONS
    assert len(calls) == once
    others = [Defect(vacancy.supercell, (Edit(0, z),)) for z in (13, 28, 46, 47, 78, 79)]
    for defect in [
        *others,
        Defect(vacancy.supercell, (Edit(0, 13), Edit(1, 13))),
        Defect(vacancy.supercell, (Edit(0, 13), Edit(1, 79))),
    ]:
        assert emt(defect).descent is not None
    assert len(emt._known) == module.CACHE_SIZE
    before = len(calls)
    assert emt(vacancy).descent is not None
    assert len(calls) == before + DESCENT_POINTS, (
        "the pristine cell is not forgotten; the defect not asked for again is"
    )


def test_the_sampler_is_told_them(model, vacancy):
    potential = resolve_potential("emt")
    told, untold, *again = (
        generate([vacancy], model=model, forces=f)[0] for f in ("teacher", "none", "emt", potential)
    )
    assert [c.provenance["forces_by"] for c in (told, untold, *again)] == ["emt", "none", "emt", "emt"]
    assert all(np.array_equal(told.positions, other.positions) for other in again)
    assert abs(told.positions - untold.positions).max() > 1e-8
    state = Distortion(told.positions - vacancy.cell().positions, np.zeros((3, 3)))
    assert residual(state, vacancy.symmetry()) < 1e-9


def test_of_an_uncovered_element_the_sampler_is_told_none(model, supercell):
    tin = Defect(supercell, (Edit(0, 50),))
    found, plain = (generate([tin], model=model, forces=f)[0] for f in ("teacher", "none"))
    assert found.provenance["forces_by"] == "none"
    assert np.array_equal(found.positions, plain.positions)


def test_a_potential_that_is_not_there_is_refused(model, vacancy):
    with pytest.raises(PotentialError, match="nonsense"):
        generate([vacancy], model=model, forces="nonsense")
    assert find_forces("teacher", {}) is None
    assert find_forces("none", model.card) is None


def test_a_network_that_learnt_without_them_is_not_told(model, vacancy, monkeypatch):
    monkeypatch.setattr(module, "_evaluated", lambda *_: pytest.fail("evaluated"))
    blind = replace(model, network=fresh_network(replace(SMALL, forces=False), seed=1).eval())
    assert generate([vacancy], model=blind)[0].provenance["forces_by"] == "none"


def test_impossible_conditions_are_refused_before_any_evaluation(model, vacancy, monkeypatch):
    monkeypatch.setattr(module, "_evaluated", lambda *_: pytest.fail("evaluated"))
    with pytest.raises(ConditionError):
        generate([vacancy], model=model, subgroup="6/mmm")


def test_structures_of_a_lower_symmetry_start_in_directions_of_their_own(model, vacancy):
    """Without noise nothing else tells them apart, or breaks the symmetry."""
    cells = generate([vacancy], model=model, n=3, subgroup="mm2", spread=0.0, corrections=0)
    ideal, lower = vacancy.cell(), next(s for s in vacancy.subgroups() if s.symbol == "mm2")
    states = [Distortion(cell.positions - ideal.positions, STILL) for cell in cells]
    assert all(residual(s, lower) < 1e-9 for s in states)
    assert all(residual(s, vacancy.symmetry()) > 1e-3 for s in states)
    assert all(abs(a.displacements - b.displacements).max() > 1e-3 for a, b in combinations(states, 2))


def test_a_structure_is_corrected_by_a_step_down_its_surface(model, vacancy, emt):
    surface, full = emt(vacancy), vacancy.symmetry()
    (plain,) = generate([vacancy], model=model, corrections=0)
    (once,) = generate([vacancy], model=model)
    (often,) = generate([vacancy], model=model, corrections=8)
    assert [c.provenance["corrected"] for c in (plain, once, often)] == [0, 1, 8]
    state = Distortion(plain.positions - vacancy.cell().positions, STILL)
    there, _ = surface.lowered(state, full, surface.descent, 1)
    assert np.allclose(apply_distortion(vacancy.cell(), there).positions, once.positions)
    largest = [
        abs(surface.forces(Distortion(c.positions - vacancy.cell().positions, STILL), full)).max()
        for c in (plain, once, often)
    ]
    assert largest[0] > largest[1] > largest[2]
    assert largest[2] < 0.01


def test_only_structures_at_rest_are_corrected(model, vacancy):
    hot, again = (generate([vacancy], model=model, temperature=300.0, corrections=k)[0] for k in (0, 5))
    assert np.array_equal(hot.positions, again.positions)
    assert "corrected" not in again.provenance
    with pytest.raises(ConditionError, match="corrections -1"):
        generate([vacancy], model=model, corrections=-1)


def test_of_several_directions_the_one_furthest_down_is_taken(emt, vacancy):
    surface, lower = emt(vacancy), vacancy.subgroups()[-1]
    calculator = resolve_potential("emt").calculator()

    def energy(points) -> float:
        atoms = vacancy.cell().to_ase()
        atoms.positions += points[:, -1, 0]
        atoms.calc = calculator
        return atoms.get_potential_energy()

    rng = np.random.default_rng(3)
    each = [surface.towards(lower, surface.direction(lower, rng)) for _ in range(5)]
    best = surface.furthest_down(lower, np.random.default_rng(3), 5)
    assert np.ptp([energy(points) for points in each]) > 0.01
    assert energy(best) == pytest.approx(min(energy(points) for points in each))
    assert np.array_equal(surface.furthest_down(vacancy.symmetry(), rng, 5), surface.descent)


def test_in_another_cell_the_points_of_the_ideal_one_tell_no_stiffness(emt, vacancy):
    surface, full = emt(vacancy), vacancy.symmetry()
    squeezed = Distortion(np.zeros((len(surface.ideal), 3)), -0.02 * np.eye(3))
    forces = surface.forces(squeezed, full)
    there, taken = surface.lowered(squeezed, full, surface.descent, 1)
    assert taken == 1
    assert np.allclose(there.displacements, trial_step(forces))
    assert np.array_equal(there.strain, squeezed.strain)
    further, _ = surface.lowered(squeezed, full, surface.descent, 4)
    assert abs(surface.forces(further, full)).max() < 0.3 * abs(forces).max()
