"""Classes of subgroups, the symmetry that a geometry keeps, and what a symmetry lets atoms do."""

from __future__ import annotations

import numpy as np
import pytest

from augment import find_supercell, point_defects, read_host
from augment.groups.distortion import Distortion, project, residual
from augment.groups.subgroups import SubgroupClasses, freedom_of, transformed


@pytest.fixture(scope="module", params=["MgO", "ZnO"])
def defect(request):
    supercell = find_supercell(read_host(f"examples/hosts/{request.param}.cif"), min_image_distance=4.0)
    return point_defects(supercell, kinds=["vacancy"])[0]


@pytest.fixture(scope="module")
def classes(defect):
    return SubgroupClasses(defect.symmetry())


def noise(classes, seed=0, scale=0.3):
    rng = np.random.default_rng(seed)
    e = rng.normal(scale=0.01, size=(3, 3))
    return Distortion(rng.normal(scale=scale, size=(classes.symmetry.permutations.shape[1], 3)), e + e.T)


def test_the_classes_are_those_of_the_stabilizer(defect, classes):
    expected = defect.subgroups()
    assert [(s.symbol, s.order) for s in classes.symmetries] == [(s.symbol, s.order) for s in expected]
    for own, other in zip(classes.symmetries, expected, strict=True):
        assert np.allclose(own.rotations, other.rotations, atol=1e-9)
        assert (own.permutations == other.permutations).all()
    # Subgroups of a class are as many as its members say: the index of the normaliser.
    assert classes.sizes[0] == classes.sizes[-1] == 1
    assert all(classes.symmetry.order % size == 0 for size in classes.sizes)


def test_the_subgroup_of_a_geometry_is_found_in_any_orientation(classes):
    rng = np.random.default_rng(1)
    for index, subgroup in list(enumerate(classes.symmetries))[::3]:
        kept = project(noise(classes, seed=index), subgroup)
        turned = transformed(kept, classes.symmetry, int(rng.integers(classes.symmetry.order)))
        found, _, image = classes.surviving(turned, tolerance=1e-6)
        # Displacements of small cells may have more symmetry than was asked for, never less.
        assert len(classes.members[found]) % subgroup.order == 0
        assert len(classes.members[found]) >= subgroup.order
        assert residual(image, classes.symmetries[found]) < 1e-12


def test_small_noise_is_forgiven_and_large_noise_is_not(classes):
    full = classes.symmetries[0]
    base = project(noise(classes), full)
    assert classes.surviving(base + noise(classes, 1, scale=0.005), tolerance=0.05)[0] == 0
    assert classes.surviving(base + noise(classes, 1, scale=0.3), tolerance=0.05)[0] == len(classes.members) - 1


def test_dimensions_are_those_of_the_projectors(classes):
    n = classes.symmetry.permutations.shape[1]
    for (moves, strains), subgroup in zip(classes.dimensions, classes.symmetries, strict=True):
        unit = np.eye(3 * n).reshape(-1, n, 3)
        u = project(Distortion(unit, np.zeros((3 * n, 3, 3))), subgroup).displacements.reshape(3 * n, -1)
        assert np.trace(u) == pytest.approx(moves, abs=1e-9)
        axes = np.eye(9).reshape(9, 3, 3)
        e = project(Distortion(np.zeros((9, n, 3)), axes), subgroup).strain.reshape(9, 9)
        assert np.trace(e) == pytest.approx(strains, abs=1e-9)


def test_freedoms_are_projectors_that_the_displacements_obey(classes):
    for subgroup in classes.symmetries[::4]:
        free = freedom_of(subgroup)
        assert np.allclose(free @ free, free, atol=1e-12)
        kept = project(noise(classes), subgroup).displacements
        shift = kept.mean(axis=0)
        assert np.allclose(shift, 0, atol=1e-12)
        raw = subgroup.project_displacements(noise(classes).displacements)
        assert np.allclose(np.einsum("nab,nb->na", free, raw), raw, atol=1e-12)
    assert np.allclose(freedom_of(classes.symmetry.generated_by([])), np.eye(3))


def test_many_states_are_projected_as_each(classes):
    states = [noise(classes, seed) for seed in range(3)]
    many = Distortion(np.stack([s.displacements for s in states]), np.stack([s.strain for s in states]))
    both = project(many, classes.symmetries[1])
    for k, state in enumerate(states):
        one = project(state, classes.symmetries[1])
        assert np.allclose(both.displacements[k], one.displacements, atol=1e-12)
        assert np.allclose(both.strain[k], one.strain, atol=1e-12)
