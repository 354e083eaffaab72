"""The standard settings and Wyckoff positions of the 230 space groups obey the orbit-stabilizer theorem."""

from __future__ import annotations

import numpy as np
import pytest

from augment.crystal.data.make_wyckoff import LETTERS, operations, wyckoff_rows
from augment.crystal.spacegroup import _parse, standard_group
from augment.errors import SymmetryError
from tests.support.crystals import point_on


@pytest.mark.parametrize("number", range(1, 231))
def test_each_position_has_as_many_points_as_its_multiplicity_says(number) -> None:
    standard, rng = standard_group(number), np.random.default_rng(number)
    rotations, translations = operations(number)
    assert [p.letter for p in standard.positions] == list(LETTERS[: len(standard.positions)])
    for index, position in enumerate(standard.positions):
        point = point_on(number, index, rng)
        images = rotations @ point + translations
        fixing = (np.abs(images - point - np.rint(images - point)).max(axis=1) < 1e-6).sum()
        assert fixing * position.multiplicity == len(rotations)


@pytest.mark.parametrize("number", range(1, 231))
def test_a_point_is_found_on_the_position_it_was_made_on_whatever_image_it_is_given_as(number) -> None:
    standard, rng = standard_group(number), np.random.default_rng(number)
    for index, position in enumerate(standard.positions):
        point = np.linalg.inv(standard.basis.T) @ point_on(number, index, rng)
        images = standard.group.images(point[None])[:, 0]
        image = images[rng.integers(len(images))] + rng.integers(-2, 3, size=3)
        assert standard.position_of(image, position.multiplicity).letter == position.letter


def test_a_point_off_every_position_of_its_size_is_refused() -> None:
    with pytest.raises(SymmetryError, match="no Wyckoff position"):
        standard_group(225).position_of(np.array([0.1, 0.2, 0.3]), 4)


@pytest.mark.parametrize("number", [1, 14, 47, 82, 146])
def test_the_table_is_what_its_script_writes(number) -> None:
    rows = wyckoff_rows(number)
    found = [(p.letter, p.multiplicity, p.site_symmetry) for p in standard_group(number).positions]
    assert found == [row[:3] for row in rows]


@pytest.mark.parametrize(
    ("number", "letter", "site"),
    [  # International Tables A, read by hand
        (225, "8c", "-43m"),
        (225, "24d", "m.mm"),
        (227, "16d", ".-3m"),
        (221, "3c", "4/mm.m"),
        (136, "4f", "m.2m"),
        (186, "2b", "3m."),
        (62, "4c", ".m."),
        (47, "8A", "1"),
    ],
)
def test_positions_read_by_hand(number, letter, site) -> None:
    position = {f"{p.multiplicity}{p.letter}": p for p in standard_group(number).positions}[letter]
    assert position.site_symmetry == site


def test_coordinates_with_multiples_and_fractions_are_read() -> None:
    directions, constant = _parse("x,2x,-z+3/4")
    assert directions.tolist() == [[1, 0, 0], [2, 0, 0], [0, 0, -1]]
    assert constant.tolist() == [0, 0, 0.75]
