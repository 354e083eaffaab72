"""Defects are held out whole: with their charges, and in whatever supercell."""

from __future__ import annotations

import pytest

from augment.errors import DataError
from defectgen.fine_tuning.split import KeyedDefect, assigned_splits, defect_groups

SMALL, LARGE = "aaaaaaaaaaaa/2.0.0.2.0.2", "aaaaaaaaaaaa/3.0.0.3.0.3"


def keyed(name: str, edits: str, charge: int = 0, cell: str = SMALL) -> KeyedDefect:
    return KeyedDefect("MgO cubic", name, f"{cell}/{edits}/q{charge:+d}")


MANY = [keyed(f"X{k}_Mg", f"X{k}") for k in range(20)]


def test_charges_of_a_defect_stay_together_and_arrangements_do_not() -> None:
    charged = [keyed("v_O", "v0"), keyed("v_O", "v0", 2)]
    pairs = [keyed("v_O+v_Mg", "v0+v9"), keyed("v_O+v_Mg", "v0+v12")]
    groups = defect_groups([*charged, *pairs])
    assert groups[charged[0].key] == groups[charged[1].key]
    assert groups[pairs[0].key] != groups[pairs[1].key]


def test_a_defect_of_two_supercells_stays_together() -> None:
    both = [keyed("v_O", "v0"), keyed("v_O", "v0", cell=LARGE)]
    assert len(set(defect_groups(both).values())) == 1
    other = KeyedDefect("CaO cubic", "v_O", "bbbbbbbbbbbb/2.0.0.2.0.2/v0/q+0")
    assert len(set(defect_groups([*both, other]).values())) == 2


@pytest.mark.parametrize("seed", range(5))
def test_every_split_has_its_share_and_shares_nothing(seed: int) -> None:
    found = assigned_splits([*MANY, *(keyed(d.name, d.key.split("/")[2], 1) for d in MANY)], 0.2, 0.1, seed)
    counts = {split: sum(value == split for value in found.values()) for split in ("train", "valid", "test")}
    assert counts == {"train": 28, "valid": 4, "test": 8}
    assert all(found[d.key] == found[d.key.replace("q+0", "q+1")] for d in MANY)


def test_the_seed_decides_and_the_order_does_not() -> None:
    assert assigned_splits(MANY, 0.2, 0.1, 0) == assigned_splits(MANY[::-1], 0.2, 0.1, 0)
    assert assigned_splits(MANY, 0.2, 0.1, 0) != assigned_splits(MANY, 0.2, 0.1, 1)


def test_what_is_added_moves_few() -> None:
    before, after = (assigned_splits(some, 0.2, 0.1, 0) for some in (MANY[:18], MANY))
    assert sum(before[key] != after[key] for key in before) <= 4


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_defects_to_hold_one_out_are_refused(count: int) -> None:
    with pytest.raises(DataError, match="training needs 3"):
        assigned_splits(MANY[:count], 0.2, 0.1, 0)
    assert set(assigned_splits(MANY[:3], 0.2, 0.1, 0).values()) == {"train", "valid", "test"}
