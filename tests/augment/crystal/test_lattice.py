"""Sublattices are counted right, and reductions keep the lattice."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from augment.crystal.lattice import (
    diagonal_form,
    hermite_normal_form,
    invariant_forms,
    reduced_matrix,
    shortest_vectors,
)
from augment.crystal.spacegroup import standard_group
from tests.support.brute_lattice import hermite_normal_forms

small_matrices = arrays(np.int64, (3, 3), elements=st.integers(-4, 4))


@pytest.mark.parametrize(("index", "count"), list(enumerate([1, 7, 13, 35, 31, 91, 57, 155, 130, 217], start=1)))
def test_as_many_sublattices_as_their_generating_function_says(index, count) -> None:
    forms = hermite_normal_forms(index)
    assert len(forms) == count
    assert (np.rint(np.linalg.det(forms)) == index).all()
    assert len(np.unique(forms.reshape(-1, 9), axis=0)) == count


def test_the_count_of_sublattices_is_the_sum_over_divisors() -> None:
    for index in range(1, 61):
        divisors = [d for d in range(1, index + 1) if index % d == 0]
        expected = sum(d * sum(e for e in divisors if d % e == 0) for d in divisors)
        assert len(hermite_normal_forms(index)) == expected


@given(small_matrices, small_matrices)
@settings(deadline=None, max_examples=200)
def test_the_normal_form_tells_sublattices_apart(matrix, change) -> None:
    if round(np.linalg.det(matrix)) == 0:
        return
    form = hermite_normal_form(matrix)
    assert abs(np.prod(np.diag(form))) == abs(round(np.linalg.det(matrix)))
    assert (np.tril(form, -1) == 0).all()
    assert (np.diag(form) > 0).all()
    assert all(0 <= form[r, c] < form[c, c] for r, c in ((0, 1), (0, 2), (1, 2)))
    combined = change @ matrix
    if abs(round(np.linalg.det(change))) == 1:
        assert (hermite_normal_form(combined) == form).all(), "another basis of the same sublattice"
    elif round(np.linalg.det(change)) != 0:
        assert (hermite_normal_form(combined) != form).any(), "a sparser sublattice"


@given(arrays(np.int64, st.tuples(st.integers(1, 6), st.integers(1, 3)), elements=st.integers(-5, 5)))
@settings(deadline=None, max_examples=200)
def test_the_diagonal_form_is_reached_by_unimodular_matrices(matrix) -> None:
    diagonal, left, right = diagonal_form(matrix)
    product = left @ matrix @ right
    expected = np.zeros_like(product)
    np.fill_diagonal(expected, diagonal)
    assert (product == expected).all()
    assert abs(round(np.linalg.det(left))) == abs(round(np.linalg.det(right))) == 1
    assert (diagonal >= 0).all()
    assert np.count_nonzero(diagonal) == np.linalg.matrix_rank(matrix)
    assert not diagonal[np.count_nonzero(diagonal) :].any(), "zeros last"


def brute_force_shortest(lattice, reach=6) -> float:
    grid = np.array([g for g in itertools.product(range(-reach, reach + 1), repeat=3) if any(g)])
    return float(np.linalg.norm(grid @ lattice, axis=1).min())


@pytest.mark.parametrize("seed", range(60))
def test_shortest_vectors_agree_with_brute_force_on_skewed_bases(seed) -> None:
    rng = np.random.default_rng(seed)
    lattice = np.diag([3.0, 4.0, 5.0]) + rng.uniform(-1.5, 1.5, size=(3, 3))
    shear = np.array([[1, 0, 0], [rng.integers(-3, 4), 1, 0], [rng.integers(-3, 4), rng.integers(-3, 4), 1]])
    assert shortest_vectors((shear @ lattice)[None])[0] == pytest.approx(brute_force_shortest(lattice))


@pytest.mark.parametrize("number", [225, 194, 166, 14])
def test_a_reduced_basis_is_of_the_same_superlattice_and_right_handed(number) -> None:
    from augment.crystal.data.make_wyckoff import general_lattice

    primitive = standard_group(number).basis @ general_lattice(number)
    for form in hermite_normal_forms(12):
        matrix = reduced_matrix(form, primitive)
        assert (hermite_normal_form(matrix) == form).all()
        assert np.linalg.det(matrix) > 0
        assert np.linalg.norm(matrix @ primitive, axis=1).max() <= np.linalg.norm(form @ primitive, axis=1).max() + 1e-9


@pytest.mark.parametrize(("number", "index"), [(225, 8), (225, 6), (194, 12), (136, 8), (14, 6)])
def test_invariant_superlattices_are_those_that_every_rotation_maps_onto_themselves(number, index) -> None:
    rotations = standard_group(number).group.rotations
    forms = hermite_normal_forms(index)
    expected = [all((hermite_normal_form(f @ r.T) == f).all() for r in rotations) for f in forms]
    assert invariant_forms(forms, rotations, index).tolist() == expected
    assert any(expected) or (number, index) == (225, 6), "six cells of an fcc lattice keep no cubic symmetry"
