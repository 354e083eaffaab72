"""Projections onto a symmetry keep it, whatever they are given, and two libraries find it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from augment import CellSymmetry, Defect, find_supercell, point_defects
from augment.distort import rattle
from augment.errors import SymmetryError
from augment.groups.symmetry import FiniteGroup
from tests.support.crystals import host

pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib's, in the oracles
CASES = (("MgO", "v_O"), ("GaN", "v_N"), ("TiO2_rutile", "v_O"), ("SrTiO3", "v_O"), ("LiCoO2", "v_Li"))


@cache
def defect(name: str, defect_name: str) -> Defect:
    found = point_defects(find_supercell(host(name), min_image_distance=5.5))
    return next(d for d in found if d.name.startswith(defect_name))


def displacements(defect: Defect, seed: int):
    return np.random.default_rng(seed).normal(scale=0.05, size=defect.cell().positions.shape)


@pytest.mark.parametrize("case", CASES)
def test_projecting_twice_changes_nothing_and_leaves_what_every_operation_keeps(case) -> None:
    one = defect(*case)
    for symmetry in one.subgroups()[::3]:
        projected = symmetry.project_displacements(displacements(one, 1))
        assert np.allclose(symmetry.project_displacements(projected), projected, atol=1e-12)
        for rotation, permutation in zip(symmetry.rotations, symmetry.permutations, strict=True):
            moved = np.empty_like(projected)
            moved[permutation] = projected @ rotation.T
            assert np.allclose(moved, projected, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_projection_commutes_with_the_operations_and_is_orthogonal(case) -> None:
    one = defect(*case)
    symmetry = one.symmetry()
    u, w = displacements(one, 2), displacements(one, 3)
    for rotation, permutation in zip(symmetry.rotations[:8], symmetry.permutations[:8], strict=True):
        moved = np.empty_like(u)
        moved[permutation] = u @ rotation.T
        assert np.allclose(symmetry.project_displacements(moved), symmetry.project_displacements(u), atol=1e-12)
    assert (symmetry.project_displacements(u) * w).sum() == pytest.approx((u * symmetry.project_displacements(w)).sum())


def spglib_rotations(cell):
    import spglib

    fractional = cell.positions @ np.linalg.inv(cell.cell)
    return spglib.get_symmetry((cell.cell, fractional, cell.numbers), symprec=1e-4)["rotations"]


def moyo_order(cell) -> int:
    import moyopy

    fractional = cell.positions @ np.linalg.inv(cell.cell)
    found = moyopy.MoyoDataset(
        moyopy.Cell(cell.cell.tolist(), fractional.tolist(), cell.numbers.tolist()), symprec=1e-4
    )
    return len(found.operations.rotations)


@pytest.mark.parametrize("case", CASES)
def test_projected_random_displacements_have_the_symmetry_asked_for(case) -> None:
    one = defect(*case)
    for symmetry in one.subgroups()[::4]:
        cell = one.cell()
        moved = cell.with_geometry(cell.positions + symmetry.project_displacements(displacements(one, 4)))
        rotations = spglib_rotations(moved)
        wanted = np.linalg.inv(cell.cell.T) @ symmetry.rotations @ cell.cell.T
        found = {np.rint(r).astype(int).tobytes() for r in rotations}
        assert all(np.rint(r).astype(int).tobytes() in found for r in wanted), "H is contained"
        assert moyo_order(moved) % symmetry.order == 0
    plain = cell.with_geometry(cell.positions + displacements(one, 4))
    assert len(spglib_rotations(plain)) == 1, "without the projection nothing is left"


@pytest.mark.parametrize(
    ("case", "conventional", "dimension"),
    [(("MgO", "v_O"), 2, 6), (("SrTiO3", "v_O"), 3, 33)],
)
def test_the_invariant_space_is_as_small_as_counted_by_hand(case, conventional, dimension) -> None:
    from augment import conventional_supercell

    supercell = conventional_supercell(host(case[0]), conventional * np.eye(3, dtype=int))
    one = next(d for d in point_defects(supercell, kinds=["vacancy"]) if d.name == case[1])
    symmetry = one.symmetry()
    fixed = symmetry.permutations == np.arange(symmetry.permutations.shape[1])
    trace = np.trace(symmetry.rotations, axis1=1, axis2=2) * fixed.sum(axis=1)
    with_translations = trace.sum() / symmetry.order
    rigid = np.trace(symmetry.rotations, axis1=1, axis2=2).sum() / symmetry.order
    assert with_translations - rigid == pytest.approx(dimension)


def test_strain_is_projected_onto_what_the_symmetry_allows() -> None:
    strain = np.array([[0.01, 0.02, 0.0], [0.02, -0.03, 0.01], [0.0, 0.01, 0.05]])
    cubic = defect("MgO", "v_O").symmetry().project_strain(strain)
    assert np.allclose(cubic, np.eye(3) * 0.01)
    lowest = defect("MgO", "v_O").subgroups()[-1]
    assert lowest.symbol == "1"
    assert np.allclose(lowest.project_strain(strain), strain)


def test_a_rattle_keeps_the_symmetry_it_is_given() -> None:
    one = defect("MgO", "v_O")
    moved = rattle(one.cell(), 0.05, 7, symmetry=one.symmetry())
    assert len(spglib_rotations(moved)) == one.stabilizer.order
    assert np.abs(moved.positions - one.cell().positions).max() > 1e-3
    assert len(spglib_rotations(rattle(one.cell(), 0.05, 7))) == 1


def test_rotations_and_permutations_must_be_as_many() -> None:
    with pytest.raises(SymmetryError):
        CellSymmetry("1", FiniteGroup(np.eye(3, dtype=np.int64)[None], np.zeros((2, 4), dtype=np.int64)), np.eye(3))
    with pytest.raises(SymmetryError):
        CellSymmetry("1", FiniteGroup(np.zeros((0, 3, 3), dtype=np.int64), np.zeros((0, 4), dtype=np.int64)), np.eye(3))
