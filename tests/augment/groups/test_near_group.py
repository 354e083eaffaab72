"""Operations that a geometry nearly keeps: a group, within the limit, that no other near operation can join."""

import numpy as np
import pytest

from augment import Supercell, point_defects, read_host
from augment.groups.near_group import near_group
from augment.groups.symmetry import FiniteGroup
from tests.support.places import HOSTS


@pytest.fixture(scope="module")
def octahedral() -> FiniteGroup:
    cells = Supercell(read_host(HOSTS / "MgO.cif"), np.diag([2, 2, 2]))
    return next(d for d in point_defects(cells) if d.name == "v_O").symmetry().group


def closed(group: FiniteGroup, members: list[int]) -> bool:
    return bool(np.isin(group.table[np.ix_(members, members)], members).all())


@pytest.mark.parametrize("seed", range(20))
def test_what_comes_out_is_a_largest_group_within_the_limit(octahedral: FiniteGroup, seed: int) -> None:
    rng = np.random.default_rng(seed)
    off = {k: float(value) for k, value in enumerate(rng.random(octahedral.order))}
    off[octahedral.identity] = 0.0
    kept = near_group(octahedral, off, 0.8)
    assert octahedral.identity in kept
    assert closed(octahedral, kept)
    assert max(off[k] for k in kept) < 0.8
    near = {k for k, value in off.items() if value < 0.8}
    for other in near - set(kept):
        grown = {*kept, other}
        while True:
            products = set(octahedral.table[np.ix_(sorted(grown), sorted(grown))].ravel().tolist())
            if products <= grown:
                break
            grown |= products
        assert not grown <= near, "another operation could have been added"


def test_all_near_operations_are_the_whole_group_and_one_far_one_costs_few(octahedral: FiniteGroup) -> None:
    off = dict.fromkeys(range(octahedral.order), 0.0)
    assert near_group(octahedral, off, 0.1) == list(range(octahedral.order))
    turns = [k for k in range(octahedral.order) if np.trace(octahedral.rotations[k]) == 1]
    lost = near_group(octahedral, {**off, turns[0]: 1.0}, 0.1)
    assert len(lost) >= 12, "a fourfold axis alone is lost"


def test_rotations_count_where_sites_cannot_tell_them_apart() -> None:
    """Each atom of a primitive cell stays where it is under every operation of the point group."""
    group = Supercell(read_host(HOSTS / "Cu.cif"), np.eye(3, dtype=int))
    whole = next(d for d in point_defects(group) if d.name == "v_Cu").symmetry().group
    assert len(np.unique(whole.permutations, axis=0)) < whole.order
    off = {k: (0.0 if np.trace(whole.rotations[k]) == 3 else 1.0) for k in range(whole.order)}
    assert near_group(whole, off, 0.5) == [whole.identity]
    inversion = int(np.flatnonzero((whole.rotations == -np.eye(3, dtype=int)).all(axis=(1, 2)))[0])
    assert near_group(whole, {**off, inversion: 0.1}, 0.5) == sorted([whole.identity, inversion])
