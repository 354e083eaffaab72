"""Copies keep the symmetry of their label and the distances asked for, and never depend on how a stream is cut."""

from __future__ import annotations

from functools import cache
from itertools import chain, pairwise

import numpy as np
import pytest

from augment import Defect, Edit, conventional_supercell, find_supercell, point_defects
from augment.distort import (
    Copies,
    bond_distorted,
    distorted_neighbours,
    mode_distorted,
    rattled,
    shortest_distance,
    shortest_distances,
    strain_distorted,
)
from augment.distort.bonds import bond_variants, neighbour_choices
from augment.distort.copies import BLOCK
from augment.distort.modes import modes
from augment.errors import ConditionError, DataError
from tests.support.crystals import host


@cache
def defect(name: str, defect_name: str, charge: int = 0) -> Defect:
    found = point_defects(find_supercell(host(name), min_image_distance=6.0))
    return next(d for d in found if d.name.startswith(defect_name)).with_charge(charge)


@cache
def vacancy_in_64_atoms(charge: int = 0) -> Defect:
    found = point_defects(conventional_supercell(host("MgO"), 2 * np.eye(3, dtype=int)))
    return next(d for d in found if d.name == "v_O").with_charge(charge)


def merged(batches) -> tuple[np.ndarray, ...]:
    every = list(batches)
    return tuple(
        np.concatenate([getattr(b, name) for b in every])
        for name in ("displacements", "strains", "label", "amplitudes", "index")
    )


def rattles(defect: Defect, copies: int, seed: int, *, start: int = 0):
    return rattled(defect.cell(), 0.1, copies, seed, start=start)


STREAMS = (mode_distorted, bond_distorted, strain_distorted, rattles)


@pytest.mark.parametrize("make", STREAMS)
def test_copies_are_the_same_bytes_however_a_stream_is_cut(make) -> None:
    one, count = defect("SrTiO3", "v_O"), BLOCK + 60
    whole = merged(make(one, count, 5))
    cuts = (0, 1, 50, BLOCK - 1, BLOCK + 3, count)
    parts = merged(chain(*(make(one, b - a, 5, start=a) for a, b in pairwise(cuts))))
    for x, y in zip(whole, parts, strict=True):
        assert x.tobytes() == y.tobytes()
    other = merged(make(one, count, 6))
    assert not np.array_equal(whole[0] + whole[1].sum(), other[0] + other[1].sum())
    assert list(whole[4]) == list(range(count))


def test_streams_of_one_seed_do_not_repeat_each_other() -> None:
    charged = [merged(rattles(defect("MgO", "v_O", charge), 4, 0))[0] for charge in (0, 2)]
    assert np.abs(charged[0] - charged[1]).max() > 0.05
    drawn = [merged(make(defect("MgO", "v_O"), 4, 0))[0] for make in (mode_distorted, rattles)]
    drawn.append(merged(rattles(defect("MgO", "v_Mg"), 4, 0))[0])
    flat = np.array([d.ravel()[:300] / np.linalg.norm(d.ravel()[:300]) for d in drawn])
    assert np.abs(np.triu(flat @ flat.T, 1)).max() < 0.3


def spglib_order(cell) -> int:
    import spglib

    fractional = cell.positions @ np.linalg.inv(cell.cell)
    return len(spglib.get_symmetry((cell.cell, fractional, cell.numbers), symprec=1e-5)["rotations"])


@pytest.mark.parametrize("case", [("MgO", "v_O"), ("GaN", "v_N"), ("TiO2_rutile", "v_O")])
def test_spglib_finds_exactly_the_symmetry_on_the_label(case) -> None:
    one = defect(*case)
    order = one.stabilizer.order
    for make in (mode_distorted, strain_distorted):
        first = next(iter(make(one, BLOCK, 2)))
        for k in range(len(first.labels)):
            label = first.labels[first.label[k]]
            rounded = first[k].with_geometry(first[k].positions.astype(np.float32).astype(float))
            assert spglib_order(rounded) * label.multiplicity == order, label
    assert spglib_order(next(iter(rattles(one, 1, 0)))[0]) == 1, "the control: nothing is left after a rattle"


def test_without_a_rattle_bond_distortions_keep_the_symmetry_on_their_label() -> None:
    copies = next(iter(bond_distorted(vacancy_in_64_atoms(), sigma=0)))
    assert {label.subgroup for label in copies.labels} == {"mm2", "4/mmm", "m-3m"}, "cis, trans, undistorted"
    for cell, label in zip(copies, (copies.labels[k] for k in copies.label), strict=True):
        assert spglib_order(cell) * label.multiplicity == 48, label


def test_modes_have_the_amplitude_asked_for_fade_away_and_do_not_drift() -> None:
    one = vacancy_in_64_atoms()
    copies = next(iter(mode_distorted(one, BLOCK, 1, amplitude=(0.1, 0.2), decay=2.5)))
    size = np.linalg.norm(copies.displacements, axis=-1)
    assert np.allclose(size.max(axis=1), copies.amplitudes)
    assert copies.amplitudes.min() >= 0.1 * 0.9
    assert copies.amplitudes.max() <= 0.2
    assert np.abs(copies.displacements.mean(axis=1)).max() < 1e-12
    from augment.distort.modes import distances_to_defect

    far = distances_to_defect(one, one.cell())[:, 0] > 5
    assert size[:, far].mean() < 0.3 * size[:, ~far].mean()


def test_only_the_irreps_asked_for_are_taken() -> None:
    one = defect("MgO", "v_O")
    copies = next(iter(mode_distorted(one, 20, 1, only=["T1u", "Eg"])))
    assert {label.irrep for label in copies.labels} == {"T1u", "Eg"}
    with pytest.raises(ConditionError, match="no displacement transforms as Q"):
        modes(one, only=["Q"])
    with pytest.raises(ConditionError, match="amplitudes"):
        mode_distorted(one, 20, 1, amplitude=(0.3, 0.1))


def ase_shortest(cell) -> float:
    from ase.neighborlist import neighbor_list

    return float(neighbor_list("d", cell.to_ase(), 4.0).min())


@pytest.mark.parametrize("size", [0.02, 0.3, 0.9])
def test_the_list_of_pairs_misses_no_close_pair(size) -> None:
    cell, rng = defect("TiO2_rutile", "v_O").cell(), np.random.default_rng(3)
    u = rng.normal(scale=size, size=(12, len(cell), 3))
    strains = rng.normal(scale=0.05, size=(12, 3, 3))
    strains += strains.transpose(0, 2, 1)
    found = shortest_distances(cell, u, strains)
    for k in range(12):
        deformation = np.eye(3) + strains[k]
        moved = cell.with_geometry(cell.positions @ deformation.T + u[k], cell.cell @ deformation.T)
        assert found[k] == pytest.approx(ase_shortest(moved), abs=1e-9)
    with pytest.raises(ConditionError, match="strain"):
        shortest_distances(cell, u, 20 * strains)


@pytest.mark.parametrize("sigma", [0.05, 0.2, 0.5])
def test_a_rattle_keeps_atoms_apart_and_shakes_them_as_asked(sigma) -> None:
    cell = vacancy_in_64_atoms().cell()
    shortest = shortest_distance(cell)
    u = merged(rattled(cell, sigma, 200, 1, min_distance=0.8 * shortest))[0]
    assert shortest_distances(cell, u).min() >= 0.8 * shortest - 1e-9
    assert np.abs(u.mean(axis=1)).max() < 1e-12
    if sigma < 0.1:
        assert u.std() == pytest.approx(sigma, rel=0.05)
    free = merged(rattled(cell, sigma, 200, 1, min_distance=0.0))[0]
    if sigma > 0.1:
        assert shortest_distances(cell, free).min() < 0.8 * shortest, "the control: it is the limit that keeps them"


def test_pairs_that_start_too_close_come_no_closer() -> None:
    one = defect("MgO", "O_i")
    cell = one.cell()
    start = shortest_distance(cell)
    limit = 0.95 * shortest_distance(one.supercell.bulk_cell())
    assert start < limit
    u = merged(rattled(cell, 0.1, 100, 1, min_distance=limit))[0]
    assert shortest_distances(cell, u).min() >= start - 1e-9
    assert u.std() > 0.03


@pytest.mark.parametrize(
    ("name", "defect_name", "charge", "count"),
    [("MgO", "v_O", 0, 2), ("MgO", "v_O", 1, 1), ("MgO", "v_O", 2, 0), ("MgO", "v_Mg", 0, 2), ("MgO", "v_Mg", -2, 0),
     ("GaN", "v_Ga", 0, 3), ("GaN", "N_Ga", 0, 2), ("GaN", "Ga_N", 0, 2), ("MgO", "O_i", 0, 2), ("MgO", "O_i", -2, 0)],
)  # fmt: skip
def test_as_many_neighbours_move_as_electrons_are_missing(name, defect_name, charge, count) -> None:
    assert distorted_neighbours(defect(name, defect_name, charge)) == count


def test_two_neighbours_of_an_octahedral_vacancy_can_be_chosen_in_two_ways() -> None:
    one = vacancy_in_64_atoms()
    choices = neighbour_choices(one, 2)
    cell = one.cell()
    apart = [np.linalg.norm(cell.to_ase().get_distance(i, j, mic=True)) for i, j in choices]
    near = shortest_distance(cell)
    assert apart == pytest.approx([np.sqrt(2) * near, 2 * near]), "cis first, then trans"
    assert len(neighbour_choices(one, 3)) == 2, "fac and mer"
    assert len(neighbour_choices(one, 6)) == 1
    assert len(neighbour_choices(one, 8)) >= 2, "six of the first shell and two of the second"


def test_bond_distortions_are_those_of_the_paper() -> None:
    one, near = vacancy_in_64_atoms(), shortest_distance(vacancy_in_64_atoms().cell())
    found = bond_variants(one, 2, (0.4, 1.0, 1.4), dimers=True)
    assert [v.name for v in found] == ["bond -60%", "bond +0%", "bond +40%", "bond -60%", "bond +40%", "dimer"]
    copies = next(iter(bond_distorted(one, sigma=0, factors=(0.4, 1.4), neighbours=1, dimers=False)))
    cell, site = one.cell(), one.centre()
    atom = int(np.argmax(np.linalg.norm(copies.displacements[0], axis=1)))
    for k, factor in enumerate((0.4, 1.4)):
        moved = copies[k].positions - copies.displacements[k][np.arange(len(cell)) != atom][0]
        offset = (moved[atom] - site) @ np.linalg.inv(cell.cell)
        assert np.linalg.norm((offset - np.rint(offset)) @ cell.cell) == pytest.approx(factor * near)


def test_a_dimer_has_its_length_and_stays_where_it_was() -> None:
    from ase.data import covalent_radii

    one = defect("MgO", "v_Mg")
    dimer = next(v for v in bond_variants(one, 0, (), dimers=True) if v.name == "dimer")
    cell = one.cell()
    moved = cell.with_geometry(cell.positions + dimer.displacements)
    assert set(cell.numbers[list(dimer.atoms)]) == {8}
    assert moved.to_ase().get_distance(*dimer.atoms, mic=True) == pytest.approx(2 * covalent_radii[8])
    assert np.allclose(dimer.displacements.sum(axis=0), 0)


def test_distortions_that_bring_atoms_onto_each_other_are_left_out() -> None:
    one = vacancy_in_64_atoms()
    names = {v.name for v in bond_variants(one, 6, (0.05, 0.5, 1.0), dimers=False)}
    assert names == {"bond -50%", "bond +0%"}
    with pytest.raises(ConditionError, match="milder"):
        bond_variants(one, 6, (0.05,), dimers=False)
    with pytest.raises(ConditionError):
        bond_variants(one, 6, (-1.0,), dimers=False)
    with pytest.raises(ConditionError):
        bond_variants(one, 63, (0.9,), dimers=False)


def test_rattled_bonds_keep_distances_and_the_neighbours_in_place() -> None:
    one = vacancy_in_64_atoms()
    plain = next(iter(bond_distorted(one, sigma=0)))
    shaken = next(iter(bond_distorted(one, seed=4)))
    near = shortest_distance(one.cell())
    before = shortest_distances(one.cell(), plain.displacements)
    after = shortest_distances(one.cell(), shaken.displacements)
    assert (after >= np.minimum(before, 0.7 * near) - 1e-9).all()
    assert all(label.subgroup == "1" and label.multiplicity == 48 for label in shaken.labels)
    assert len({copy.tobytes() for copy in shaken.displacements}) == len(shaken)


@pytest.mark.parametrize("case", [("GaN", "Ga_N"), ("GaN", "N_i"), ("LiCoO2", "v_Li")])
def test_bonds_of_substitutions_and_interstitials_can_be_distorted(case) -> None:
    copies = next(iter(bond_distorted(defect(*case), seed=1)))
    assert len(copies) >= 12
    assert shortest_distances(copies.parent, copies.displacements).min() > 0.99


def test_bonds_of_a_complex_are_distorted_about_both_of_its_sites() -> None:
    supercell = vacancy_in_64_atoms().supercell
    numbers = supercell.sites.numbers
    oxygen, magnesium = (int(np.flatnonzero(numbers == z)[0]) for z in (8, 12))
    pair = Defect(supercell, (Edit(oxygen, 0), Edit(magnesium, 13)))
    assert distorted_neighbours(pair) == 3
    copies = next(iter(bond_distorted(pair, sigma=0, dimers=False)))
    for cell, label in zip(copies, (copies.labels[k] for k in copies.label), strict=True):
        assert spglib_order(cell) * label.multiplicity == pair.stabilizer.order


def test_strains_have_the_volume_and_the_shape_asked_for() -> None:
    one = defect("GaN", "v_N")
    copies = next(iter(strain_distorted(one, BLOCK, 3, volume=(-0.1, 0.2), shear=0.05)))
    change = np.array([cell.volume for cell in copies]) / copies.parent.volume - 1
    assert change.min() >= -0.1
    assert change.max() <= 0.2
    assert change.std() > 0.05
    assert np.allclose(copies.strains, copies.strains.transpose(0, 2, 1))
    pure = next(iter(strain_distorted(defect("MgO", "v_O"), 8, 0, volume=(0.03, 0.03))))
    assert pure.labels[0].subgroup == "m-3m"
    assert np.allclose(pure.strains[0], (1.03 ** (1 / 3) - 1) * np.eye(3))
    for volume, shear in (((0.1, -0.1), 0.0), ((-1.5, 0), 0.0), ((0, 0), -0.1)):
        with pytest.raises(ConditionError):
            strain_distorted(one, 1, 0, volume=volume, shear=shear)


def test_what_cannot_be_is_refused() -> None:
    cell = defect("MgO", "v_O").cell()
    for arguments in ((-0.1, 5, 0), (0.1, 5, -1), (0.1, -5, 0)):
        with pytest.raises(ConditionError):
            list(rattled(cell, *arguments))
    with pytest.raises(DataError):
        Copies(cell, np.zeros((2, 3, 3)), np.zeros((2, 3, 3)), (), np.zeros(2, int), np.zeros(2), 0, np.zeros(2, int))
