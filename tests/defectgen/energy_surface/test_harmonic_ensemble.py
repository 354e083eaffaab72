"""Frames of thermal ensembles: exact in a harmonic crystal, and near to molecular dynamics in a real one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import units

from augment import find_supercell, point_defects, read_host
from augment.groups.distortion import Distortion, distortion_of, residual
from defectgen.energy_surface.harmonic_ensemble import MAX_EVALUATIONS, MIN_FORCE_CONSTANT, HarmonicEnsemble, affordable
from defectgen.energy_surface.source import DefectForces
from defectgen.energy_surface.surface import EnergySurface
from defectgen.generation.geometries import generate
from defectgen.generation.request import GeometryRequest
from defectgen.generation.subgroup_choice import find_subgroup
from defectgen.model.bridge import Bridge
from defectgen.model.network import NetworkConfig, fresh_network
from defectgen.model.weights import Model
from md.conditions.environment import Environment
from md.dynamics import MdPoint, run_point
from md.energetics.harmonic import difference_evaluations
from md.labels.evaluator import Divergence
from md.potentials import resolve_potential
from md.relaxation.relax import relax_structure

STILL = np.zeros((3, 3))
SMALL = NetworkConfig(width=16, layers=2, cutoff=4.0, radial=6, embedding=4, forces=True)


@pytest.fixture(scope="module")
def vacancy():
    supercell = find_supercell(read_host("examples/hosts/Cu.cif"), min_image_distance=7.0)
    return point_defects(supercell, kinds=["vacancy"])[0]


@pytest.fixture(scope="module")
def model():
    card = {"elements": ["Cu"], "teacher": {"potential": "emt"}}
    return Model("small", fresh_network(SMALL, seed=1).eval(), Bridge(), card, "0")


@pytest.fixture(scope="module")
def springs(vacancy):
    """A crystal of springs to the nearest atoms, with its Hessian (3n, 3n) and where it is at rest."""
    cell, n = vacancy.cell(), len(vacancy.cell())
    matrix = np.zeros((n, 3, n, 3))
    atoms = cell.to_ase()
    for i in range(n):
        for j in range(n):
            bond = atoms.get_distance(i, j, mic=True, vector=True)
            length = np.linalg.norm(bond)
            if 0 < length < 3.0:
                spring = 4.0 * np.outer(bond, bond) / length**2
                matrix[i, :, j] -= spring
                matrix[i, :, i] += spring
    away = vacancy.symmetry().project_displacements(np.random.default_rng(0).normal(scale=0.02, size=(n, 3)))
    return cell, matrix.reshape(3 * n, 3 * n), away - away.mean(axis=0)


@pytest.fixture
def surface(springs, vacancy):
    cell, hessian, rest = springs

    def evaluate(other):
        return (-hessian @ (other.positions - cell.positions - rest).ravel()).reshape(-1, 3)

    return EnergySurface(cell, vacancy.symmetry(), np.zeros((len(cell), 3)), evaluate)


def test_a_harmonic_crystal_has_its_classical_covariance(surface, springs, vacancy):
    _, hessian, rest = springs
    group = vacancy.symmetry()
    ensemble = HarmonicEnsemble.around(surface, Distortion(np.zeros_like(rest), STILL), group)
    assert np.allclose(ensemble.rest.displacements, rest, atol=1e-3)
    values, vectors = np.linalg.eigh(hessian)
    kept = values > 1e-9
    assert kept.sum() == len(values) - 3
    assert values[kept].min() > MIN_FORCE_CONSTANT
    covariance = units.kB * 600 * (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    found = ensemble.amplitudes.reshape(len(values), -1)
    assert np.allclose(units.kB * 600 * found @ found.T, covariance, atol=1e-9)
    expected = np.diag(covariance).reshape(-1, 3).sum(axis=1)
    assert np.allclose(ensemble.mean_square_displacement(600), expected, rtol=1e-6)
    alone, rng = vacancy.subgroups()[-1], np.random.default_rng(1)
    frames = (
        np.array([ensemble.frame(600, alone, rng).displacements for _ in range(4000)]) - ensemble.rest.displacements
    )
    assert abs((frames**2).sum(axis=(1, 2)).mean() / np.trace(covariance) - 1) < 0.02
    flat = frames.reshape(len(frames), -1)
    assert abs(flat.T @ flat / len(flat) - covariance).max() < 0.1 * covariance.max()
    assert abs(frames.sum(axis=1)).max() < 1e-12


def test_soft_and_falling_modes_are_taken_for_stiffer(vacancy):
    cell = vacancy.cell()

    def evaluate(other):
        moved = other.positions - cell.positions
        moved = moved - moved.mean(axis=0)
        return -np.array([0.1, -2.0, 3.0]) * moved

    flat = EnergySurface(cell, vacancy.subgroups()[-1], np.zeros((len(cell), 3)), evaluate)
    ensemble = HarmonicEnsemble.around(flat, Distortion(np.zeros_like(cell.positions), STILL), vacancy.subgroups()[-1])
    sizes = (ensemble.amplitudes**2).sum(axis=(0, 2)) / (len(cell) - 1)
    assert np.allclose(sizes, [1 / MIN_FORCE_CONSTANT, 1 / 2.0, 1 / 3.0])


def test_the_stiffness_is_that_of_the_geometry_at_rest(vacancy):
    """Walls that stiffen outwards: where the way down begins they are four times as stiff as at their bottom."""
    cell, none = vacancy.cell(), vacancy.subgroups()[-1]

    def evaluate(other):
        moved = other.positions - cell.positions
        return -5.0 * moved - 2000.0 * moved**3

    signs = np.repeat([[-1.0], [1.0]], len(cell) // 2, axis=1).reshape(-1, 1)  # as many each way: nothing drifts
    start = Distortion(0.05 * signs * np.ones(3), STILL)
    ensemble = HarmonicEnsemble.around(EnergySurface(cell, none, 0 * cell.positions, evaluate), start, none)
    assert abs(ensemble.rest.displacements).max() < 5e-3
    sizes = (ensemble.amplitudes**2).sum(axis=(0, 2)) / (len(cell) - 1)
    assert np.allclose(sizes, 1 / 5.0, rtol=0.05)


def test_frames_keep_the_symmetry_asked_for_and_spread_scales_them(surface, vacancy):
    group = vacancy.symmetry()
    ensemble = HarmonicEnsemble.around(surface, Distortion(np.zeros_like(surface.ideal.positions), STILL), group)
    for symmetry in vacancy.subgroups():
        frame = ensemble.frame(500, symmetry, np.random.default_rng(3))
        assert residual(frame, symmetry) < 1e-12
        assert symmetry.order > 1 or residual(frame, group) > 1e-3
        twice = ensemble.frame(500, symmetry, np.random.default_rng(3), 2.0)
        assert np.allclose((twice - ensemble.rest).displacements, 2 * (frame - ensemble.rest).displacements)
    still = ensemble.frame(500, group, np.random.default_rng(3), 0.0)
    assert np.array_equal(still.displacements, ensemble.rest.displacements)


def test_where_the_potential_says_nothing_or_too_much_is_to_do_there_is_none(surface, vacancy, monkeypatch):
    start, group = Distortion(np.zeros_like(surface.ideal.positions), STILL), vacancy.symmetry()

    def lost(_cell):
        raise Divergence("nan", "no number")

    assert HarmonicEnsemble.around(replace(surface, evaluate=lost), start, group) is None
    assert difference_evaluations(group) < difference_evaluations(vacancy.subgroups()[-1]) == 6 * len(surface.ideal)
    assert affordable(group)
    monkeypatch.setattr("defectgen.energy_surface.harmonic_ensemble.MAX_EVALUATIONS", difference_evaluations(group) - 1)
    assert not affordable(group)
    assert MAX_EVALUATIONS >= 6 * 64


def test_forces_are_those_in_the_cell_of_the_thermal_mean(surface, vacancy):
    cells = []

    def recorded(cell):
        cells.append(cell.cell)
        return surface.evaluate(surface.ideal)

    start = Distortion(np.zeros_like(surface.ideal.positions), 0.01 * np.eye(3))
    assert HarmonicEnsemble.around(replace(surface, evaluate=recorded), start, vacancy.symmetry()) is not None
    assert len(cells) > difference_evaluations(vacancy.symmetry())
    assert all(np.allclose(cell, 1.01 * surface.ideal.cell, rtol=1e-12) for cell in cells)


def test_evaluations_are_as_many_as_are_said(surface, vacancy):
    calls = 0

    def counted(cell):
        nonlocal calls
        calls += 1
        return surface.evaluate(cell)

    start = Distortion(np.zeros_like(surface.ideal.positions), STILL)
    monitored = replace(surface, evaluate=counted)
    rest, steps = monitored.lowered(start, vacancy.symmetry(), np.zeros((len(surface.ideal), 0, 2, 3)), 12)
    assert calls == steps == 12
    calls = 0
    assert HarmonicEnsemble.around(monitored, rest, vacancy.symmetry()) is not None
    assert calls == 12 + difference_evaluations(vacancy.symmetry())


def test_copper_moves_as_in_dynamics(vacancy):
    """At 150 K copper is nearly harmonic: frames beside 6 ps of Langevin dynamics in the same cell."""
    emt = resolve_potential("emt")
    surface = DefectForces(emt)(vacancy)
    ideal = vacancy.cell()
    relaxed = relax_structure(ideal, emt, symmetry=vacancy.symmetry(), fmax=0.001).cell
    start = distortion_of(relaxed.positions, ideal, STILL)
    ensemble = HarmonicEnsemble.around(
        surface, Distortion(np.zeros_like(start.displacements), STILL), vacancy.symmetry()
    )
    assert np.allclose(ensemble.rest.displacements, start.displacements, atol=2e-3)
    point = MdPoint.of(relaxed, Environment(150, 0, "nvt"), steps=3000, timestep=2.0, interval=5, seed=2)
    frames = run_point(point, relaxed, emt).frames.positions[100:]
    moved = frames - relaxed.positions
    moved = moved - moved.mean(axis=1, keepdims=True)
    found = ensemble.mean_square_displacement(150).mean()
    assert found == pytest.approx((moved**2).sum(axis=2).mean(), rel=0.12)


def test_generated_frames_are_of_the_ensemble(model, vacancy):
    asked = {"model": model, "forces": "emt", "temperature": 200.0, "snapshot": True}
    cells = generate([vacancy], n=3, seed=4, **asked)
    again = generate([vacancy], n=2, seed=4, **asked)
    assert [c.positions.tobytes() for c in cells[:2]] == [c.positions.tobytes() for c in again]
    assert {c.provenance["fluctuations"] for c in cells} == {"harmonic"}
    assert {(c.provenance["subgroup"], c.provenance["rest_subgroup"], c.provenance["forces_by"]) for c in cells} == {
        ("1", "m-3m", "emt")
    }
    assert len({c.positions.tobytes() for c in cells}) == 3
    hot = generate([vacancy], n=1, seed=4, **{**asked, "temperature": 800.0})[0]
    ideal = vacancy.cell()
    spread = [np.std(c.positions - ideal.positions @ np.linalg.solve(ideal.cell, c.cell)) for c in (cells[0], hot)]
    assert 1.6 < spread[1] / spread[0] < 2.4  # the root of the temperature
    mean = generate([vacancy], **{**asked, "snapshot": False})[0]
    assert np.allclose(cells[0].cell, mean.cell, atol=1e-12)
    assert not np.allclose(mean.cell, ideal.cell, atol=1e-6)
    whole = generate([vacancy], n=1, subgroup="full", **asked)[0]
    assert whole.provenance["subgroup"] == whole.provenance["rest_subgroup"] == "m-3m"
    part = generate([vacancy], n=1, subgroup="mm2", **asked)[0]
    assert part.provenance["subgroup"] == part.provenance["rest_subgroup"] == "mm2"
    group = next(g for g in vacancy.subgroups() if g.symbol == "mm2")
    strain = np.linalg.solve(ideal.cell, part.cell) - np.eye(3)
    assert residual(distortion_of(part.positions, ideal, strain), group) < 1e-9
    learnt = generate([vacancy], n=1, **{**asked, "forces": "none"})[0]
    assert learnt.provenance["fluctuations"] == "learnt"


@pytest.mark.parametrize("subgroup", [None, "1", "best", "sample"])
def test_frames_have_no_symmetry_unless_one_is_named(vacancy, subgroup):
    assert find_subgroup(vacancy, GeometryRequest(subgroup=subgroup, snapshot=True, temperature=300.0)).symbol == "1"
