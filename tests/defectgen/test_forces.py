"""Forces of a defect: whose they are, their symmetry, and how they reach the sampler."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from augment import Defect, Edit, find_supercell, point_defects, read_host
from augment.errors import ConditionError, PotentialError
from defectgen import forces as module
from defectgen.descent import LONGEST, descended, trial_step
from defectgen.diffusion import Bridge, State, residual
from defectgen.forces import DefectForces, find_forces
from defectgen.network import NetworkConfig, fresh_network
from defectgen.pretrained import Model
from defectgen.representation import Template
from defectgen.sample import generate
from md.potentials import resolve_potential
from md.relax import relax

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
    """The host is at rest by symmetry, so that a vacancy's forces are those on the ideal cell."""
    atoms = vacancy.cell().to_ase()
    atoms.calc = resolve_potential("emt").calculator()
    found = emt(vacancy)
    assert found.shape == (len(atoms), 2, 3)
    assert abs(found).max() > 0.05
    assert np.allclose(found[:, 0], atoms.get_forces(), atol=1e-9)
    atoms.positions += trial_step(found[:, 0])
    assert np.allclose(found[:, 1], atoms.get_forces(), atol=1e-9)
    for k in range(2):
        assert residual(State(found[:, k], np.zeros((3, 3))), vacancy.symmetry()) < 1e-12
    assert np.allclose(found.sum(axis=0), 0.0, atol=1e-12)


def test_two_steps_go_most_of_the_way_down(emt, vacancy):
    calculator, ideal = resolve_potential("emt").calculator(), vacancy.cell()
    relaxed = relax(ideal, resolve_potential("emt"), fmax=0.005).cell.positions - ideal.positions
    left = []
    for u in (np.zeros_like(relaxed), trial_step(emt(vacancy)[:, 0]), descended(emt(vacancy))):
        atoms = ideal.to_ase()
        atoms.positions += u
        atoms.calc = calculator
        left.append((np.linalg.norm(u - relaxed), atoms.get_potential_energy()))
    (far, high), (nearer, lower), (near, low) = left
    assert far > nearer > near
    assert near < 0.5 * far
    assert high > lower > low


def test_a_harmonic_crystal_is_descended_in_two_steps():
    """With one stiffness the second step ends in the minimum, whatever the stiffness."""
    target = np.random.default_rng(0).normal(scale=0.02, size=(9, 3))
    for stiffness in (5.0, 10.0, 40.0):
        before = stiffness * target
        after = stiffness * (target - trial_step(before))
        assert np.allclose(descended(np.stack([before, after], axis=1)), target)


def test_steps_are_never_long_and_a_falling_curvature_is_survived():
    forces = np.array([[[60.0, 0, 0], [90.0, 0, 0]], [[-60.0, 0, 0], [-90.0, 0, 0]]])
    assert np.linalg.norm(descended(forces), axis=1).max() == pytest.approx(2 * LONGEST)
    assert (descended(np.zeros((4, 2, 3))) == 0).all()


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
        template = Template.of(defect.cell(), cell.sites, forces=emt(defect))
        reach = template.defect_distance
        far_away = template.forces[(reach > reach.max() - 0.1) & (template.numbers > 0)]
        assert np.linalg.norm(far_away, axis=2).max() < 0.1 * pristine


def test_an_element_that_the_potential_does_not_cover_has_none(emt, supercell):
    assert emt(Defect(supercell, (Edit(0, 50),))) is None
    assert emt(Defect(supercell, (Edit(0, 13),))) is not None


def test_a_cell_is_evaluated_once(emt, vacancy, monkeypatch):
    calls, evaluated = [], module._evaluated
    monkeypatch.setattr(module, "_evaluated", lambda cell, potential: calls.append(1) or evaluated(cell, potential))
    assert np.array_equal(emt(vacancy), emt(vacancy))
    assert len(calls) == 3, "the pristine cell, and the defect before and after a step"
    others = [Defect(vacancy.supercell, (Edit(0, z),)) for z in (13, 28, 46, 47, 78, 79)]
    for defect in [*others, Defect(vacancy.supercell, (Edit(0, 13), Edit(1, 13)))]:
        emt(defect)
    assert len(calls) == 3 + 2 * len(others) + 2, "the pristine cell is not forgotten"
    assert len(emt._known) == module.KEPT
    emt(vacancy)
    assert len(calls) == 3 + 2 * len(others) + 4, "the defect that was not asked for again is"


def test_the_sampler_is_told_them(model, vacancy):
    told, untold, again = (generate([vacancy], model=model, forces=f)[0] for f in ("teacher", "none", "emt"))
    assert [c.info["forces"] for c in (told, untold, again)] == ["emt", "none", "emt"]
    assert np.array_equal(told.positions, again.positions)
    assert abs(told.positions - untold.positions).max() > 1e-8
    state = State(told.positions - vacancy.cell().positions, np.zeros((3, 3)))
    assert residual(state, vacancy.symmetry()) < 1e-9


def test_of_an_uncovered_element_the_sampler_is_told_none(model, supercell):
    tin = Defect(supercell, (Edit(0, 50),))
    found, plain = (generate([tin], model=model, forces=f)[0] for f in ("teacher", "none"))
    assert found.info["forces"] == "none"
    assert np.array_equal(found.positions, plain.positions)


def test_a_potential_that_is_not_there_is_refused(model, vacancy):
    with pytest.raises(PotentialError, match="nonsense"):
        generate([vacancy], model=model, forces="nonsense")
    assert find_forces("teacher", {}) is None
    assert find_forces("none", model.card) is None


def test_a_network_that_learnt_without_them_is_not_told(model, vacancy, monkeypatch):
    monkeypatch.setattr(module, "_evaluated", lambda *_: pytest.fail("evaluated"))
    blind = replace(model, network=fresh_network(replace(SMALL, forces=False), seed=1).eval())
    assert generate([vacancy], model=blind)[0].info["forces"] == "none"


def test_impossible_conditions_are_refused_before_any_evaluation(model, vacancy, monkeypatch):
    monkeypatch.setattr(module, "_evaluated", lambda *_: pytest.fail("evaluated"))
    with pytest.raises(ConditionError):
        generate([vacancy], model=model, subgroup="6/mmm")
