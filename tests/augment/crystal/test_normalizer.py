"""Elements of the normaliser map the group onto itself, and there are as many as International Tables list."""

from __future__ import annotations

import numpy as np
import pytest

from augment.crystal.data.make_wyckoff import general_lattice
from augment.crystal.normalizer import anchor_shifts, free_projector, least_cells, origin_shifts
from augment.crystal.spacegroup import standard_group

GROUPS = (1, 2, 3, 5, 9, 14, 15, 16, 19, 22, 38, 43, 62, 70, 75, 80, 92, 110, 136, 141, 143, 146, 155, 161, 167, 176)
GROUPS += (186, 194, 198, 205, 212, 216, 225, 227, 230)


def operation_set(rotations, translations):
    steps = np.rint(translations * 24).astype(int) % 24
    assert np.abs(translations * 24 - np.rint(translations * 24)).max() < 1e-6
    return {(*r.ravel().tolist(), *t.tolist()) for r, t in zip(rotations, steps, strict=True)}


@pytest.mark.parametrize("number", GROUPS)
def test_conjugating_the_group_by_its_normaliser_gives_the_group(number) -> None:
    group = standard_group(number).group
    own = operation_set(group.rotations, group.translations)
    _, linear = least_cells(number, general_lattice(number))
    rng = np.random.default_rng(0)
    seen = 0
    for u in linear:
        inverse = np.rint(np.linalg.inv(u)).astype(int)
        for tau in origin_shifts(number, u):
            free = free_projector(number) @ rng.normal(size=3)
            for shift in (tau, tau + free):
                rotations = u @ group.rotations @ inverse
                translations = group.translations @ u.T + shift - rotations @ shift
                assert operation_set(rotations, translations) == own
                seen += 1
    assert seen > 0


@pytest.mark.parametrize(
    ("number", "count"),
    [  # inequivalent origins modulo lattice and free directions: International Tables A, table 15.2.1.4
        (1, 1),
        (2, 8),
        (16, 8),
        (47, 8),
        (75, 2),
        (123, 4),
        (143, 3),
        (146, 1),
        (187, 6),
        (191, 2),
        (194, 2),
        (195, 2),
        (216, 4),
        (221, 2),
        (225, 2),
        (229, 1),
        (227, 2),
    ],
)
def test_as_many_origins_as_published(number, count) -> None:
    shifts = origin_shifts(number, np.eye(3, dtype=int))
    free = free_projector(number)
    # Two are the same origin where they differ by a free direction and a lattice vector.
    assert len(shifts) == count
    assert np.allclose(free @ free, free)


def test_a_rotation_that_is_no_normaliser_element_has_no_origin() -> None:
    # A quarter turn about z takes the glides of Pnma into others.
    assert len(origin_shifts(62, np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]))) == 0


def test_the_least_cell_does_not_depend_on_the_cell_it_is_found_from() -> None:
    lattice = np.array([[5.1, 0, 0], [0, 5.2, 0], [-0.9, 0, 5.3]])
    for change in (
        [[1, 0, 1], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [0, -1, 0], [2, 0, -1]],
        [[-1, 0, 0], [0, 1, 0], [0, 0, -1]],
    ):
        least, _ = least_cells(14, np.array(change) @ lattice)
        expected, _ = least_cells(14, lattice)
        assert np.allclose(least @ least.T, expected @ expected.T)
        assert (least[0] @ least[2]) <= 0


def test_anchors_bring_a_point_to_zero_along_the_free_axis() -> None:
    point = np.array([0.3, 0.4, 0.123])
    shifts = list(anchor_shifts(186, point[None]))
    assert any(np.allclose((point + s)[2] % 1, 0) for s in shifts)
    assert all(np.allclose(s[:2], 0) for s in shifts)
    assert [s.tolist() for s in anchor_shifts(225, point[None])] == [[0, 0, 0]]
