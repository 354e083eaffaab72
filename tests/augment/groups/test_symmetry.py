"""Finite groups close, and their subgroups come one a conjugacy class."""

from __future__ import annotations

import numpy as np
import pytest

from augment import find_supercell
from augment.crystal.spacegroup import standard_group
from augment.defect import Defect
from augment.errors import SymmetryError
from augment.groups.symmetry import (
    MAX_TABLE,
    SCHOENFLIES,
    FiniteGroup,
    close_group,
    point_group_symbol,
    rounded_to_grid,
    schoenflies,
    wrap,
)
from augment.supercell import Edit
from tests.support.crystals import host

CLASSES_OF_SUBGROUPS = {  # published numbers of conjugacy classes of subgroups
    "m-3m": 33, "432": 11, "-43m": 11, "m-3": 12, "23": 5, "4/mmm": 27, "mmm": 16, "6/mmm": 32,
    "3m": 4, "32": 4, "mm2": 5, "2/m": 5, "-1": 2, "1": 1, "-3m": 10, "4": 3,
}  # fmt: skip


def point_group(symbol: str) -> FiniteGroup:
    for number in range(1, 231):
        rotations = standard_group(number).group.rotations
        if point_group_symbol(rotations) == symbol:
            return FiniteGroup(rotations, np.zeros((len(rotations), 1), dtype=np.int64))
    raise AssertionError(symbol)


@pytest.mark.parametrize(("symbol", "count"), CLASSES_OF_SUBGROUPS.items())
def test_as_many_classes_of_subgroups_as_published(symbol, count) -> None:
    group = point_group(symbol)
    classes = [group.subset(m.tolist()) for m in group.subgroup_classes]
    assert len(classes) == count
    orders = [g.order for g in classes]
    assert orders == sorted(orders, reverse=True)
    assert (orders[0], orders[-1]) == (group.order, 1)
    assert all(group.order % order == 0 for order in orders), "Lagrange"
    for subgroup in classes:
        assert (subgroup.table >= 0).all(), "closed"


def test_a_set_of_operations_that_is_no_group_is_refused() -> None:
    group = point_group("4/mmm")
    with pytest.raises(SymmetryError, match="not closed"):
        _ = group.subset(range(7)).table


def test_a_group_too_large_for_a_table_is_refused_and_not_tried() -> None:
    supercell = find_supercell(host("MgO"), min_image_distance=8.0)
    bulk = Defect(supercell, ())
    assert bulk.stabilizer.order > MAX_TABLE
    with pytest.raises(SymmetryError, match="too large"):
        bulk.subgroups()


def test_operations_that_move_the_sites_of_a_small_cell_alike_stay_apart() -> None:
    # In one primitive cell every operation leaves the one atom where it is.
    group = find_supercell(host("Cu"), min_image_distance=2.0)
    assert group.n_atoms == 1
    vacancy = Defect(group, (Edit(0, 28),))
    assert vacancy.stabilizer.order == 48
    assert len(vacancy.stabilizer.subgroup_classes) == 33


def test_closing_a_subset_gives_the_group_that_it_generates() -> None:
    group = point_group("432")
    for element in range(group.order):
        marks = np.zeros(group.order, dtype=bool)
        marks[element] = True
        closed = close_group(marks, group.table)
        assert group.order % closed.sum() == 0
        assert point_group_symbol(group.rotations[closed]) in {"1", "2", "3", "4"}


def test_schoenflies_symbols_are_of_all_32_point_groups() -> None:
    found = {point_group_symbol(standard_group(n).group.rotations) for n in range(1, 231)}
    assert found == set(SCHOENFLIES)
    assert schoenflies("-43m") == "Td"


def test_the_grid_forgets_rounding_errors_and_nothing_else() -> None:
    values = np.array([0.12345, 1 / 3, 0.25, 0.0, 0.00005])
    for noise in (1e-12, -1e-12):
        assert (rounded_to_grid(values + noise) == rounded_to_grid(values)).all()
    assert (rounded_to_grid(values + 1.01e-4) != rounded_to_grid(values)).all()
    assert wrap(np.array([1 - 1e-9, -1e-9, -0.25])).tolist() == [0, 0, 0.75]


def test_sites_that_the_group_does_not_map_onto_one_another_are_refused() -> None:
    group = standard_group(225).group
    points = np.array([[0.0, 0, 0], [0.1, 0.2, 0.3]])
    with pytest.raises(SymmetryError, match="not closed"):
        group.site_maps(points, np.array([1, 2]), np.eye(3) * 4)
