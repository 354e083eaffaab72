"""Jumps against a brute-force count of orbits, barriers against a scan, saddles against symmetry."""

import runpy
from functools import lru_cache

import numpy as np
import pytest
from ase.constraints import FixAtoms
from ase.optimize import BFGS

from augment import Defect, Edit, Supercell, conventional_supercell, find_supercell, read_host
from augment.defects.kinds import kinds
from augment.errors import ConditionError, DataError, SupercellError
from md.energetics import attempt_frequency, jumps, migration_barrier, normal_modes, path_ends, symmetric_saddle
from md.energetics.band import Band
from md.energetics.barrier import Barrier
from md.potentials import Potential
from tests.support.places import HOSTS


def point_defect(supercell: Supercell, name: str) -> Defect:
    kind = kinds(supercell.host, name)[0]
    return Defect(supercell, (Edit(int(np.flatnonzero(supercell.sites.orbit == kind.orbit)[0]), kind.number),))


@lru_cache
def copper(name: str = "v_Cu") -> Defect:
    return point_defect(conventional_supercell(read_host(HOSTS / "Cu.cif"), 2 * np.eye(3, dtype=np.int64)), name)


@pytest.mark.parametrize(
    ("name", "defect"), [("MgO", "v_O"), ("GaN", "v_N"), ("TiO2_rutile", "v_O"), ("SiO2_quartz", "v_O")]
)
def test_jumps_of_a_vacancy_are_the_orbits_of_pairs_of_sites(name: str, defect: str) -> None:
    """Brute force: unordered pairs of sites of the sublattice, joined where any operation of the group takes them."""
    supercell = find_supercell(read_host(HOSTS / f"{name}.cif"), min_image_distance=9.0)
    vacancy = point_defect(supercell, defect)
    table, cutoff = supercell.sites, 3.4
    lattice = np.flatnonzero(table.numbers == 8 if defect == "v_O" else table.numbers == 7)
    distances = supercell.distances(lattice)
    pairs = {
        tuple(sorted((int(lattice[i]), int(lattice[j]))))
        for i, j in np.argwhere((distances > 0) & (distances < cutoff))
    }
    permutations, left, counts = supercell.group.permutations, set(pairs), []
    home = vacancy.edits[0].site
    while left:
        a, b = next(iter(left))
        orbit = {tuple(sorted(p)) for p in permutations[:, [a, b]].tolist()}
        left -= orbit
        counts.append(sum(home in pair for pair in orbit))
    found = jumps(vacancy, cutoff)
    assert sorted(jump.multiplicity for jump in found) == sorted(counts)
    assert all(jump.final.key == vacancy.key for jump in found)


def test_the_symmetry_of_a_path_is_that_of_its_ends() -> None:
    [jump] = jumps(copper())
    assert (jump.multiplicity, jump.symmetry.symbol, jump.middle_symmetry.symbol) == (12, "mm2", "mmm")
    assert jump.distance == pytest.approx(3.6149 / np.sqrt(2))
    rotation, image = jump.reversal()
    start, end = jump.ideal_ends(jump.defect.supercell.cell)
    assert image[jump.mover] == jump.mover
    between = (end[image] - end[jump.mover]) - (start - start[jump.mover]) @ rotation.T
    fractional = between @ np.linalg.inv(jump.defect.supercell.cell)
    assert np.abs(fractional - np.rint(fractional)).max() < 1e-9


def test_an_interstitial_jumps_between_void_orbits_and_a_dopant_does_not_jump() -> None:
    [jump] = jumps(copper("Cu_i_Oh"))
    assert (jump.multiplicity, jump.reversible, jump.final.name) == (8, False, "Cu_i_Td")
    [back] = jumps(copper("Cu_i_Td"))
    assert (back.multiplicity, back.final.name) == (4, "Cu_i_Oh")
    with pytest.raises(ConditionError, match="no operation"):
        jump.reversal()
    with pytest.raises(ConditionError, match="empty site"):
        jumps(copper("Au_Cu"))
    with pytest.raises(ConditionError, match="as short as"):
        jumps(copper(), 1.0)
    with pytest.raises(SupercellError, match="across the supercell"):
        jumps(copper(), 3.7)


def test_jumps_beside_a_dopant_differ_and_the_dopant_jumps_too() -> None:
    supercell = copper().supercell
    near = int(supercell.distances(np.arange(32))[0].argsort()[1])
    pair = Defect(supercell, (Edit(0, 0), Edit(near, 79)))
    found = jumps(pair)
    assert sum(jump.multiplicity for jump in found) == 12
    exchange = [jump for jump in found if jump.defect.cell().numbers[jump.mover] == 79]
    assert [(jump.multiplicity, jump.reversible) for jump in exchange] == [(1, True)]
    assert len(found) > 3


@pytest.fixture(scope="module")
def band(emt: Potential) -> Barrier:
    return migration_barrier(jumps(copper())[0], emt, images=3, fmax=0.02)


def test_the_barrier_is_the_top_of_a_fine_scan(emt: Potential, band: Barrier) -> None:
    """The path of the mover is a straight line by symmetry, so holding it at points of the line scans the path."""
    jump = band.jump
    start, end = jump.ideal_ends(jump.defect.supercell.cell)
    heights = []
    for share in (0.0, 0.46, 0.48, 0.5, 0.52):
        atoms = jump.defect.cell().to_ase()
        atoms.positions[jump.mover] = (1 - share) * start[jump.mover] + share * end[jump.mover]
        atoms.calc = emt.calculator()
        far = np.linalg.norm(atoms.get_all_distances(mic=True)[jump.mover]).argmax()
        atoms.set_constraint(FixAtoms([jump.mover] if share else [int(far)]))
        BFGS(atoms, logfile=None).run(fmax=0.005, steps=200)
        heights.append(atoms.get_potential_energy())
    assert max(heights) - heights[0] == pytest.approx(band.forward, abs=2e-3)
    assert max(heights) == heights[3]


def test_the_band_is_symmetric_and_its_top_is_the_saddle_of_symmetry(emt: Potential, band: Barrier) -> None:
    assert band.energies == pytest.approx(band.energies[::-1], abs=2e-3)
    assert band.forward == pytest.approx(band.reverse, abs=1e-6)
    assert band.fmax <= 0.02
    assert not band.has_intermediate
    assert (np.diff(band.coordinates) > 0).all()
    first, saddle = symmetric_saddle(band.jump, emt)
    assert saddle.energy - first.energy == pytest.approx(band.forward, abs=2e-3)
    modes = normal_modes(saddle.cell, emt, band.jump.middle_symmetry)
    assert modes.imaginary == 1
    rest = normal_modes(first.cell, emt, copper().symmetry())
    assert 0.5 < attempt_frequency(rest, modes) < 50


def test_the_end_that_symmetry_gives_is_the_one_a_relaxation_finds(emt: Potential) -> None:
    jump = jumps(copper())[0]
    first, last = path_ends(jump, emt)
    from md.energetics import minimum

    found = minimum(jump.end_cell(jump.defect.cell()), emt, 1e-3)
    assert last.energy == pytest.approx(found.energy, abs=1e-5)
    moved = last.cell.positions - found.cell.positions
    assert np.abs(moved - moved.mean(axis=0)).max() < 2e-3
    assert last.energy == first.energy


def test_what_a_barrier_cannot_be_measured_for(emt: Potential, band: Barrier) -> None:
    with pytest.raises(ConditionError, match="odd number"):
        migration_barrier(band.jump, emt, images=4)
    with pytest.raises(ConditionError, match="not the defect that jumps"):
        path_ends(band.jump, emt, copper("Cu_i_Oh").cell())
    with pytest.raises(ConditionError, match="no operation"):
        symmetric_saddle(jumps(copper("Cu_i_Oh"))[0], emt)
    cell = copper().cell()
    positions = cell.positions.copy()
    positions[3] = positions[4] + 0.1
    with pytest.raises(DataError, match="no energy"):
        migration_barrier(band.jump, emt, cell.with_geometry(positions))
    two_hills = Band(np.arange(5.0), np.array([0.0, 0.5, 0.2, 0.5, 0.0]), band.path, 0.0)
    assert two_hills.has_intermediate
    uphill = Band(np.arange(3.0), np.array([0.0, 0.6, 1.2]), band.path, 0.0)
    assert uphill.ends_at_top
    assert not band.ends_at_top


def test_the_examples_print_what_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("defect_energies.py", "migration_barrier.py"):
        runpy.run_path(str(HOSTS.parent / name), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("v_Cu: 1.2")
    assert lines[1].startswith("at 1200 K: ")
    assert lines[2].startswith("12 jumps of 2.56 Å: 0.7")
