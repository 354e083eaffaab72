"""Curvatures that breaking a symmetry releases, beside the eigenvalues of the whole Hessian."""

from __future__ import annotations

import numpy as np
import pytest

from augment import find_supercell, point_defects, read_host
from augment.groups.distortion import Distortion, project
from augment.groups.subgroups import SubgroupClasses
from defectgen.energy_surface import curvature
from defectgen.energy_surface.curvature import RIGID_CURVATURE, Krylov
from defectgen.energy_surface.source import DefectForces
from md.potentials import resolve_potential

STILL = np.zeros((3, 3))


@pytest.fixture(scope="module")
def defect():
    """v_O in rutile: mm2, with six classes of subgroups."""
    supercell = find_supercell(read_host("examples/hosts/TiO2_rutile.cif"), min_image_distance=4.0)
    return next(d for d in point_defects(supercell, kinds=["vacancy"]) if d.name == "v_O")


@pytest.fixture(scope="module")
def classes(defect):
    return SubgroupClasses(defect.symmetry())


def matrix(operation, columns: int) -> np.ndarray:
    """The (3n, 3n) matrix of a linear map of displacements."""
    basis = np.eye(columns).reshape(columns, -1, 3)
    return np.stack([operation(u).ravel() for u in basis], axis=1)


def curvatures(forces, classes) -> np.ndarray:
    return Krylov.around(forces, classes.symmetry).curvatures(classes)


def projector(symmetry, atoms: int) -> np.ndarray:
    return matrix(lambda u: project(Distortion(u, STILL), symmetry).displacements, 3 * atoms)


@pytest.fixture(scope="module")
def hessian(classes):
    """A random Hessian with the symmetry of the defect; some of its eigenvalues are negative."""
    action = classes.symmetry
    n = action.permutations.shape[1]
    random = np.random.default_rng(3).normal(size=(3 * n, 3 * n))
    total = np.zeros_like(random)
    for rotation, permutation in zip(action.rotations, action.permutations, strict=True):
        turned = np.zeros((3 * n, 3 * n))
        for i, j in enumerate(permutation):
            turned[3 * j : 3 * j + 3, 3 * i : 3 * i + 3] = rotation
        total += turned @ (random + random.T) @ turned.T
    return total / action.order


def exact(classes, hessian) -> np.ndarray:
    """Least eigenvalue in what each class allows beyond the stabilizer."""
    n = classes.symmetry.permutations.shape[1]
    full, found = projector(classes.symmetries[0], n), [0.0]
    for symmetry in classes.symmetries[1:]:
        values, vectors = np.linalg.eigh(projector(symmetry, n) - full)
        space = vectors[:, values > 0.5]
        found.append(np.linalg.eigvalsh(space.T @ hessian @ space)[0] if space.shape[1] else RIGID_CURVATURE)
    return np.array(found)


def harmonic(hessian, pushed: np.ndarray | float = 0.0):
    return lambda u: -(hessian @ u.ravel()).reshape(u.shape) + pushed


def test_a_whole_krylov_space_gives_the_eigenvalues(classes, hessian, monkeypatch):
    monkeypatch.setattr(curvature, "KRYLOV_EVALUATIONS", hessian.shape[0])
    monkeypatch.setattr(curvature, "_DEPENDENT", 1e-9)
    true = exact(classes, hessian)
    assert true[1:].min() < 0
    assert np.allclose(curvatures(harmonic(hessian), classes), true, atol=1e-5)


def test_a_few_evaluations_bound_them_from_above(classes, hessian):
    calls = []

    def counted(displacements):
        calls.append(1)
        return harmonic(hessian)(displacements)

    found = curvatures(counted, classes)
    assert len(calls) == curvature.KRYLOV_EVALUATIONS
    assert (found >= exact(classes, hessian) - 1e-9).all()
    assert found[-1] < 0, "the softest of many is far out in the spectrum"


def test_one_unstable_mode_is_found_in_the_classes_that_allow_it(classes):
    """A mode that one subgroup keeps, far below all others."""
    n = classes.symmetry.permutations.shape[1]
    full = projector(classes.symmetries[0], n)
    for k, symmetry in enumerate(classes.symmetries[1:-1], start=1):
        space = projector(symmetry, n) - full
        mode = space @ np.random.default_rng(k).normal(size=3 * n)
        if np.linalg.norm(mode) < 1e-6:
            continue
        unit = mode / np.linalg.norm(mode)
        action = classes.symmetry
        images = [
            np.concatenate([(r @ unit.reshape(-1, 3)[i])[None] for i in np.argsort(p)]).ravel()
            for r, p in zip(action.rotations, action.permutations, strict=True)
        ]
        lowered = 10.0 * np.eye(3 * n) - 15.0 * sum(np.outer(x, x) for x in images) / len(images)
        found = curvatures(harmonic(lowered), classes)
        assert found[k] == pytest.approx(exact(classes, lowered)[k], abs=0.3)
        assert found[k] < 0
        assert found[-1] <= found[k] + 1e-6, "what a subgroup allows, the trivial group allows"


def test_forces_that_keep_the_symmetry_do_not_matter(classes, hessian):
    n = classes.symmetry.permutations.shape[1]
    pushed = project(Distortion(np.random.default_rng(1).normal(size=(n, 3)), STILL), classes.symmetry).displacements
    assert abs(pushed).max() > 0.1
    assert np.allclose(curvatures(harmonic(hessian, pushed), classes), curvatures(harmonic(hessian), classes))


def test_the_vacancy_in_copper_keeps_its_symmetry():
    supercell = find_supercell(read_host("examples/hosts/Cu.cif"), min_image_distance=5.0)
    vacancy = point_defects(supercell, kinds=["vacancy"])[0]
    found = DefectForces(resolve_potential("emt"))(vacancy).curvatures
    assert found[0] == 0.0
    assert found[1:].min() > 0.1


def test_directions_break_the_symmetry_as_the_subgroup_allows(classes, hessian):
    found = Krylov.around(harmonic(hessian), classes.symmetry)
    for symmetry in classes.symmetries[1:]:
        for seed in range(5):
            drawn = found.direction(symmetry, np.random.default_rng(seed))
            assert np.linalg.norm(drawn) == pytest.approx(1.0)
            assert np.allclose(project(Distortion(drawn, STILL), symmetry).displacements, drawn, atol=1e-9)
            assert abs(project(Distortion(drawn, STILL), classes.symmetry).displacements).max() < 1e-9
    again = found.direction(classes.symmetries[-1], np.random.default_rng(0))
    assert np.array_equal(again, found.direction(classes.symmetries[-1], np.random.default_rng(0)))


def test_directions_are_softer_than_those_of_chance(classes, hessian):
    """In the mean over draws; a Hessian of random numbers has stiff directions too."""
    found, rng = Krylov.around(harmonic(hessian), classes.symmetry), np.random.default_rng(5)
    n = classes.symmetry.permutations.shape[1]
    full, trivial = projector(classes.symmetries[0], n), classes.symmetries[-1]
    drawn = np.array([found.direction(trivial, rng).ravel() for _ in range(200)])
    chance = rng.normal(size=(200, 3 * n)) @ (projector(trivial, n) - full)
    energies = [np.mean([u @ hessian @ u / (u @ u) for u in many]) for many in (drawn, chance)]
    assert energies[0] < energies[1] - 1.0
    assert energies[0] < 0
