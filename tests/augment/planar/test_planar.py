"""Planar defects as hosts: their sites fall into the orbits of the layer group, and every defect is decorated once."""

from __future__ import annotations

from functools import cache

import moyopy
import numpy as np
import pytest
import spglib
from pymatgen.core import Lattice, Structure

from augment import Defect, point_defects
from augment.crystal.lattice import plane_basis, shortest_vectors
from augment.crystal.standard import standardise
from augment.errors import CifError, SupercellError
from augment.planar import (
    PlanarHost,
    fault_vectors,
    find_layer_supercell,
    grain_boundary,
    planar_host,
    stacking_fault,
    surfaces,
)
from augment.planar.adatoms import GROWTH
from augment.planar.planes import Plane
from tests.support.crystals import disguised, host, mirrored, random_crystal

INTRINSIC = (1 / 6, 1 / 6, -1 / 3)


@cache
def made(name: str) -> PlanarHost:
    return {
        "MgO(100)": lambda: surfaces(host("MgO"), (1, 0, 0))[0],
        "MgO(110)": lambda: surfaces(host("MgO"), (1, 1, 0))[0],
        "TiO2(110)": lambda: surfaces(host("TiO2_rutile"), (1, 1, 0), min_thickness=8)[0],
        "Si(111)": lambda: surfaces(host("Si"), (1, 1, 1))[0],
        "GaN(0001)": lambda: surfaces(host("GaN"), (0, 0, 0, 1))[0],
        "Ga2O3(010)": lambda: surfaces(host("Ga2O3_beta"), (0, 1, 0), min_thickness=4)[0],
        "Cu fault": lambda: stacking_fault(host("Cu"), (1, 1, 1), INTRINSIC),
        "GaN fault": lambda: stacking_fault(host("GaN"), (0, 0, 1), (1 / 3, 2 / 3, 0), min_separation=10),
        "Cu twin": lambda: grain_boundary(host("Cu"), 3, (1, 1, 1), (1, 1, 1)),
        "Fe Σ5": lambda: grain_boundary(host("Fe"), 5, (0, 0, 1), (3, 1, 0), min_separation=8),
        "Al Σ5": lambda: grain_boundary(host("Al"), 5, (0, 0, 1), (2, 1, 0), min_separation=8),
        "MgO Σ5": lambda: grain_boundary(host("MgO"), 5, (0, 0, 1), (2, 1, 0), min_separation=8),
    }[name]()


EVERY = [
    "MgO(100)", "MgO(110)", "TiO2(110)", "Si(111)", "GaN(0001)", "Ga2O3(010)", "Cu fault", "GaN fault", "Cu twin",
    "Fe Σ5", "Al Σ5", "MgO Σ5",
]  # fmt: skip
SLABS = [name for name in EVERY if "(" in name]


def primitive_cell(planar: PlanarHost) -> Structure:
    crystal = planar.host
    count = crystal.n_lattice
    return Structure(Lattice(crystal.primitive), crystal.numbers[:count], crystal.points[:count])


def spglib_dataset(structure: Structure, symprec: float = 0.01):
    cell = (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)
    return spglib.get_symmetry_dataset(cell, symprec=symprec)


def orders_of_symmetry(structure: Structure) -> tuple[int, int]:
    cell = moyopy.Cell(
        structure.lattice.matrix.tolist(), structure.frac_coords.tolist(), list(structure.atomic_numbers)
    )
    return len(spglib_dataset(structure).rotations), len(moyopy.MoyoDataset(cell, symprec=0.01).operations)


def disguised_plane(structure: Structure, normal, rng) -> tuple[Structure, list[int]]:
    """The same planar structure in another basis, origin, orientation and order, and its plane there."""
    while True:
        basis = rng.integers(-1, 2, size=(3, 3))
        if abs(round(float(np.linalg.det(basis)))) == 1:
            break
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.linalg.det(turn)
    order = rng.permutation(len(structure))
    points = (structure.frac_coords + rng.random(3)) @ np.linalg.inv(basis)
    lattice = Lattice(basis @ structure.lattice.matrix @ turn)
    return Structure(lattice, [structure[i].specie for i in order], points[order]), (basis @ normal).tolist()


def neighbours(structure: Structure, site: int, within: float) -> np.ndarray:
    return np.array([n.coords - structure[site].coords for n in structure.get_neighbors(structure[site], within)])


# -- what the layer group does -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_every_operation_keeps_the_plane_and_orbits_are_those_of_spglib(name) -> None:
    planar = made(name)
    crystal, normal = planar.host, np.array(planar.host.normal)
    turned = normal @ crystal.group.rotations
    assert ((turned == normal).all(axis=1) | (turned == -normal).all(axis=1)).all()
    dataset = spglib_dataset(primitive_cell(planar))
    assert len(dataset.rotations) == crystal.group.order
    theirs = {tuple(np.flatnonzero(dataset.equivalent_atoms == k)) for k in set(dataset.equivalent_atoms)}
    assert {o.members for o in crystal.orbits if not o.void} == theirs
    assert sum(len(o.members) for o in crystal.orbits) == len(crystal.points)
    for orbit in crystal.orbits:
        assert np.ptp(planar.depth[list(orbit.members)]) < 1e-5, "equivalent sites are equally deep"


@pytest.mark.parametrize("name", EVERY)
def test_each_defect_is_decorated_once_with_its_degeneracy_and_symmetry(name) -> None:
    planar = made(name)
    supercell = find_layer_supercell(planar.host, min_image_distance=4.5, max_atoms=400)
    vacancies = point_defects(supercell, kinds=("vacancy",))
    assert sum(v.degeneracy for v in vacancies) == supercell.n_atoms
    interstitials = point_defects(supercell, kinds=("interstitial",), max_voids=4)
    rng = np.random.default_rng(0)
    for defect in [*vacancies, *interstitials]:
        assert defect.degeneracy * defect.stabilizer.order == supercell.group_order
        again = Defect.from_key(planar.host, defect.key)
        assert again.key == defect.key
        assert (again.supercell.matrix == supercell.matrix).all()
    for defect in [vacancies[int(k)] for k in rng.integers(len(vacancies), size=2)]:
        assert orders_of_symmetry(defect.cell().to_pymatgen()) == (defect.stabilizer.order,) * 2


@pytest.mark.parametrize("name", ["MgO(110)", "Si(111)", "GaN(0001)", "GaN fault", "Fe Σ5"])
def test_keys_do_not_depend_on_how_the_cell_is_given(name) -> None:
    planar, rng = made(name), np.random.default_rng(1)
    count = planar.host.n_lattice
    for _ in range(2):
        structure, normal = disguised_plane(primitive_cell(planar), planar.host.normal, rng)
        kind = "surface" if planar.kind == "surface" else planar.kind
        again = planar_host(structure, kind=kind, normal=normal, planes=[0.0])
        assert again.host.hash == planar.host.hash
        assert again.host.normal == planar.host.normal
        if kind == "surface":
            assert np.allclose(again.depth[:count], planar.depth[:count], atol=1e-5)
        ours, theirs = (
            {d.key for d in point_defects(find_layer_supercell(p.host, min_image_distance=5), kinds=("vacancy",))}
            for p in (planar, again)
        )
        assert ours == theirs


def test_atoms_may_be_given_in_any_cell() -> None:
    planar, rng = made("MgO(100)"), np.random.default_rng(2)
    structure = primitive_cell(planar)
    away = structure.frac_coords + rng.integers(-10000, 10000, size=(len(structure), 3))
    far = Structure(structure.lattice, structure.species, away)
    assert planar_host(far, normal=planar.host.normal).host.hash == planar.host.hash


def test_a_crystal_that_differs_has_other_keys() -> None:
    hashes = {surfaces(host("MgO"), (1, 0, 0), min_thickness=t)[0].host.hash for t in (8.0, 10.0, 12.0)}
    hashes |= {made(name).host.hash for name in EVERY}
    assert len(hashes) == 2 + len(EVERY)


@pytest.mark.parametrize("number", [1, 2, 5, 9, 14, 33, 75, 99, 148, 155, 166, 186, 198, 216, 227])
def test_the_way_to_the_standard_cell_is_tracked(number) -> None:
    rng = np.random.default_rng(number)
    crystal = random_crystal(number, rng, most_atoms=100)
    for structure in (crystal, disguised(crystal, rng), mirrored(crystal)):
        standard = standardise(structure, "a crystal")
        given = structure.frac_coords @ standard.linear.T + standard.shift
        offset = given[:, None] - standard.points
        distance = np.linalg.norm((offset - np.rint(offset)) @ standard.primitive, axis=-1)
        assert distance.min(axis=1).max() < 1e-4
        assert (standard.numbers[distance.argmin(axis=1)] == structure.atomic_numbers).all()


# -- surfaces ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "miller", "count", "polar", "equivalent"),
    [
        ("MgO", (1, 0, 0), 1, [False], [True]),
        ("MgO", (1, 1, 0), 1, [False], [True]),
        ("MgO", (1, 1, 1), 1, [True], [False]),
        ("TiO2_rutile", (1, 1, 0), 2, [False, True], [True, False]),
        ("Si", (1, 1, 1), 2, [False, False], [True, True]),
        ("GaN", (0, 0, 0, 1), 2, [True, True], [False, False]),
        ("Al2O3_corundum", (0, 0, 0, 1), 2, [False, True], [True, False]),
    ],
)
def test_terminations_are_those_of_the_textbook(name, miller, count, polar, equivalent) -> None:
    slabs = surfaces(host(name), miller)
    assert len(slabs) == len(Plane.of(host(name), miller).cuts) == count
    assert [s.info["polar"] for s in slabs] == polar
    assert [s.plane_orbits == (0, 0) for s in slabs] == equivalent
    for slab in slabs:
        assert slab.info["stoichiometric"]
        assert slab.period == pytest.approx(slab.info["thickness"] + slab.info["vacuum"], abs=1e-3)


@pytest.mark.parametrize(
    ("name", "miller"), [("MgO", (2, 1, 0)), ("MgO", (1, 1, 1)), ("Si", (1, 1, 1)), ("GaN", (1, 0, 0))]
)
def test_terminations_are_those_that_pymatgen_cuts(name, miller) -> None:
    from pymatgen.core.surface import SlabGenerator

    thick = 4 * Plane.of(host(name), miller).spacing
    ours = [primitive_cell(s) for s in surfaces(host(name), miller, min_thickness=thick, vacuum=12)]
    generator = SlabGenerator(host(name).to_pymatgen(), miller, thick - 0.1, 12, primitive=True)
    theirs = generator.get_slabs(ftol=0.05)
    assert len(theirs) == len(ours)
    distances = [[np.sort(s.get_neighbor_list(6.0)[3]) for s in slabs] for slabs in (theirs, ours)]
    for slab in distances[0]:
        assert any(len(slab) == len(mine) and np.allclose(slab, mine, atol=1e-3) for mine in distances[1])


def test_symmetric_slabs_have_two_equal_sides_and_show_each_termination() -> None:
    slabs = surfaces(host("MgO"), (1, 1, 1), symmetric=True)
    assert {s.info["termination"]["lower"] for s in slabs} == {"Mg", "O"}
    assert all(s.plane_orbits == (0, 0) and not s.info["stoichiometric"] for s in slabs)
    slabs = surfaces(host("SrTiO3"), (0, 0, 1), symmetric=True)
    assert {s.info["termination"]["lower"] for s in slabs} == {"O2Ti", "OSr"}
    with pytest.raises(SupercellError, match="equivalent sides"):
        surfaces(host("GaN"), (0, 0, 1), symmetric=True)


@pytest.mark.parametrize("name", SLABS)
def test_no_interstitial_is_in_the_vacuum_and_adatoms_touch_the_surface(name) -> None:
    planar = made(name)
    bond = min(o.radius for o in planar.host.orbits if not o.void)
    for orbit in planar.host.orbits:
        depth = planar.depth[orbit.members[0]]
        if depth < -1e-6:
            assert orbit.void
            assert min(abs(orbit.radius - bond * GROWTH**k) for k in range(3)) < 2e-3
            assert depth >= -1.05 * bond
    assert any(planar.depth[o.members[0]] < -1 for o in planar.host.orbits)


def test_adatom_sites_of_fcc_111_are_ontop_bridge_and_two_hollows() -> None:
    slab = surfaces(host("Cu"), (1, 1, 1))[0]
    above = [o for o in slab.host.orbits if slab.depth[o.members[0]] < 0]
    assert sorted((o.point_group, len(o.members)) for o in above) == [
        ("C3v", 2), ("C3v", 2), ("C3v", 2), ("Cs", 6),
    ]  # fmt: skip
    heights = sorted(-slab.depth[o.members[0]] for o in above)
    bond = 3.6149 / np.sqrt(2)
    assert heights == pytest.approx(sorted([bond, bond * np.sqrt(3) / 2, *[3.6149 / np.sqrt(3)] * 2]), abs=1e-3)


def adatoms(slab: PlanarHost) -> list[tuple[int, float, np.ndarray]]:
    """Sites per cell, depth, and unit vectors from the atoms touched, of each orbit of adatom sites."""
    bond = min(o.radius for o in slab.host.orbits if not o.void)
    structure, found = primitive_cell(slab), []
    for orbit in slab.host.orbits:
        point = slab.host.points[orbit.members[0]]
        if orbit.void and abs(orbit.radius - bond) < 2e-3 and slab.depth[orbit.members[0]] < 0.5:
            near = structure.get_sites_in_sphere(point @ slab.host.primitive, bond + 2e-3)
            touched = np.array([point @ slab.host.primitive - n.coords for n in near]) / bond
            found.append((len(orbit.members), float(slab.depth[orbit.members[0]]), touched))
    return found


@pytest.mark.parametrize(
    ("name", "miller"),
    [("Cu", (1, 0, 0)), ("Cu", (3, 1, 0)), ("Fe", (1, 1, 0)), ("MgO", (1, 1, 0)), ("GaN", (0, 0, 1))],
)
def test_peaks_and_rests_are_as_many_as_saddles(name, miller) -> None:
    """The probe's height is a function on a torus, whose Euler characteristic is zero (Morse)."""
    sign = {1: 1, 2: -1}
    found = adatoms(surfaces(host(name), miller)[0])
    assert {min(3, len(touched)) for _, _, touched in found} == {1, 2, 3}
    assert sum(count * sign.get(len(touched), 1) for count, _, touched in found) == 0


def test_a_probe_is_held_by_the_atoms_that_it_touches() -> None:
    from scipy.optimize import nnls

    for slab in (made("TiO2(110)"), surfaces(host("TiO2_rutile"), (1, 1, 0))[1]):
        for _, _, touched in adatoms(slab):
            assert min(nnls(touched.T, up * slab.plane.direction)[1] for up in (1, -1)) < 1e-3


def test_no_adatom_is_between_the_layers_of_a_layered_crystal() -> None:
    slab = surfaces(host("BN_hexagonal"), (0, 0, 1))[0]
    bond = min(o.radius for o in slab.host.orbits if not o.void)
    touching = [slab.depth[o.members[0]] for o in slab.host.orbits if o.void and abs(o.radius - bond) < 2e-3]
    assert len(touching) == 3
    assert max(touching) < -0.9


def test_layers_and_depths_of_a_slab_are_its_lattice_planes() -> None:
    slab = made("MgO(100)")
    for orbit in (o for o in slab.host.orbits if not o.void):
        first = orbit.members[0]
        assert slab.depth[first] == pytest.approx((slab.layer[first] - 1) * 2.106, abs=1e-4)
    supercell = find_layer_supercell(slab.host)
    surface = [d for d in point_defects(supercell, kinds=("vacancy",)) if slab.depths(d)[0] < 1e-6]
    assert [d.name.split("_")[1] for d in surface] == ["O", "Mg"]
    assert all(d.degeneracy == 2 * supercell.index for d in surface), "both sides of the slab count as one"


# -- stacking faults ---------------------------------------------------------------------------------------------


def opposite_pairs(structure: Structure, site: int, bond: float) -> tuple[int, int]:
    around = neighbours(structure, site, 1.1 * bond)
    return len(around), int((np.abs(around[:, None] + around).max(axis=-1) < 1e-3).sum()) // 2


@pytest.mark.parametrize(("name", "planes", "per_plane"), [("Cu fault", 1, 2), ("Cu twin", 2, 1)])
def test_close_packed_layers_are_hexagonal_at_the_fault_alone(name, planes, per_plane) -> None:
    planar = made(name)
    structure, bond = primitive_cell(planar), 3.6149 / np.sqrt(2)
    kinds = [opposite_pairs(structure, k, bond) for k in range(len(structure))]
    assert set(kinds) == {(12, 6), (12, 3)}, "cubic and hexagonal close packing"
    hexagonal = [k for k, kind in enumerate(kinds) if kind == (12, 3)]
    assert len(hexagonal) == planes * per_plane
    assert set(planar.layer[hexagonal]) == {1}
    assert planar.layer[[k for k in range(len(structure)) if k not in hexagonal]].min() == 2


def test_the_opposite_shift_puts_atoms_on_top_of_each_other() -> None:
    planar = stacking_fault(host("Cu"), (1, 1, 1), [-x for x in INTRINSIC])
    structure = primitive_cell(planar)
    assert {opposite_pairs(structure, k, 3.6149 / np.sqrt(2))[0] for k in range(len(structure))} == {12, 10}


def fault_up_to_mirrors(crystal, miller, vector) -> str:
    """The hash of a fault or of its mirror image, whichever is less: hosts tell the two apart, energies do not."""
    planar = stacking_fault(crystal, miller, vector, min_separation=8)
    image = planar_host(mirrored(primitive_cell(planar)), kind=planar.kind, normal=planar.host.normal, planes=[0.0])
    return min(planar.host.hash, image.host.hash)


@pytest.mark.parametrize(("name", "miller", "n"), [("Cu", (1, 1, 1), 4), ("MgO", (1, 1, 0), 3), ("GaN", (0, 0, 1), 3)])
def test_fault_vectors_are_one_for_each_distinct_fault(name, miller, n) -> None:
    crystal = host(name)
    vectors = fault_vectors(crystal, miller, n)
    assert sum(v.multiplicity for v in vectors) == n * n
    assert vectors[0].multiplicity == 1
    edges = Plane.of(crystal, miller).basis[:2] @ crystal.primitive @ np.linalg.inv(crystal.lattice)
    counts: dict[str, int] = {}
    for i in range(n):
        for j in range(n):
            if i or j:
                key = fault_up_to_mirrors(crystal, miller, (i * edges[0] + j * edges[1]) / n)
                counts[key] = counts.get(key, 0) + 1
    faults = [fault_up_to_mirrors(crystal, miller, v.vector) for v in vectors[1:]]
    assert dict(zip(faults, [v.multiplicity for v in vectors[1:]], strict=True)) == counts


# -- grain boundaries --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Cu twin", "Fe Σ5", "Al Σ5", "MgO Σ5", "Cu fault", "GaN fault"])
def test_far_from_the_plane_the_crystal_is_perfect(name) -> None:
    planar = made(name)
    structure = primitive_cell(planar)
    bulk = host(planar.host.formula)
    bond = min(o.radius for o in bulk.orbits if not o.void)
    reach = 1.2 * bond
    perfect = bulk.to_pymatgen()
    shells = [np.sort(np.linalg.norm(neighbours(perfect, k, reach), axis=1)) for k in range(len(perfect))]
    deep = np.flatnonzero(planar.depth[: len(structure)] > reach + 0.35 * bond)  # merging reaches half its distance
    assert len(deep)
    for site in deep:
        shell = np.sort(np.linalg.norm(neighbours(structure, site, reach), axis=1))
        assert any(len(shell) == len(s) and np.allclose(shell, s, atol=1e-4) for s in shells)


def test_atoms_at_a_boundary_are_no_closer_than_the_merging_distance() -> None:
    for name in ("Fe Σ5", "Al Σ5", "MgO Σ5"):
        planar = made(name)
        bulk = min(o.radius for o in host(planar.host.formula).orbits if not o.void)
        assert 0.7 * bulk <= min(o.radius for o in planar.host.orbits if not o.void) <= bulk + 1e-3


def test_one_boundary_found_about_two_axes_is_one_host() -> None:
    for name in ("Cu", "Si"):
        one = grain_boundary(host(name), 3, (1, 1, 1), (1, 1, 1))
        other = grain_boundary(host(name), 3, (1, -1, 0), (1, 1, 1))
        assert one.host.hash == other.host.hash
        assert one.plane_orbits == (0, 0)


@pytest.mark.parametrize("axis", [(0, 0, 1), (1, 1, 0), (1, 1, 1), (2, 1, 0)])
def test_sigmas_and_angles_are_those_of_pymatgen(axis) -> None:
    from pymatgen.core.interface import GrainBoundaryGenerator

    from augment.planar.coincidence import coincidences

    theirs = GrainBoundaryGenerator.enum_sigma_cubic(cutoff=33, r_axis=axis)
    ours: dict[int, set[float]] = {}
    for turn in coincidences(host("Cu"), axis):
        if turn.sigma <= 33:
            ours.setdefault(turn.sigma, set()).add(round(turn.angle, 4))
    assert set(ours) == set(theirs)
    for sigma, angles in theirs.items():
        assert {round(min(a, 360 - a), 4) for a in angles} <= ours[sigma]


def test_a_shift_of_one_grain_is_another_boundary() -> None:
    shifted = grain_boundary(host("Fe"), 5, (0, 0, 1), (3, 1, 0), min_separation=8, shift=(0.0, 0.25))
    assert shifted.host.hash != made("Fe Σ5").host.hash


# -- supercells in the plane -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["MgO(100)", "Si(111)", "Ga2O3(010)", "Cu fault", "Fe Σ5"])
def test_layer_supercells_repeat_the_plane_only(name) -> None:
    planar = made(name)
    normal = np.array(planar.host.normal)
    for keep in (True, False):
        supercell = find_layer_supercell(planar.host, min_image_distance=6, keep_layer_group=keep)
        assert (supercell.matrix @ normal).tolist() == [0, 0, 1]
        edges = supercell.cell[:2]
        grid = np.array([(i, j) for i in range(-4, 5) for j in range(-4, 5) if i or j])
        assert np.linalg.norm(grid @ edges, axis=1).min() >= 6 - 1e-6
        assert supercell.point_group_index == 1 or not keep
    with pytest.raises(SupercellError, match="no supercell"):
        find_layer_supercell(planar.host, min_image_distance=30, max_atoms=100)


def test_of_all_plane_superlattices_none_smaller_reaches_the_distance() -> None:
    planar = made("MgO(100)")
    found = find_layer_supercell(planar.host, min_image_distance=6.5)
    basis = plane_basis(np.array(planar.host.normal), planar.host.primitive)
    edges = basis[:2] @ planar.host.primitive
    for index in range(1, found.index):
        for a in (k for k in range(1, index + 1) if index % k == 0):
            for b in range(index // a):
                cell = np.stack([*(np.array([[a, b], [0, index // a]]) @ edges), 100 * np.cross(*edges)])
                square = np.isclose(abs((cell[0] / np.linalg.norm(cell[0])) @ (cell[1] / np.linalg.norm(cell[1]))), 0)
                assert shortest_vectors(cell[None])[0] < 6.5 or not square


# -- what cannot be ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: surfaces(host("MgO"), (0, 0, 0)), "no Miller indices"),
        (lambda: surfaces(host("MgO"), (1, 0)), "no Miller indices"),
        (lambda: surfaces(host("MgO"), (0.5, 0, 0)), "no Miller indices"),
        (lambda: surfaces(host("GaN"), (1, 1, 1, 0)), "no Miller indices"),
        (lambda: surfaces(host("MgO"), (1, 0, 0), vacuum=2.0), "vacuum"),
        (lambda: surfaces(host("MgO"), (1, 0, 0), min_thickness=-1), "thick"),
        (lambda: surfaces(host("MgO"), (1, 0, 0), min_thickness=float("nan")), "thick"),
        (lambda: surfaces(host("MgO"), (1, 0, 0), min_thickness=3000.0), "atoms"),
        (lambda: surfaces(host("MgO"), (100000, 1, 0)), "atoms"),
        (lambda: stacking_fault(host("Cu"), (1, 1, 1), (0.1, 0, 0)), "leaves the plane"),
        (lambda: stacking_fault(host("Cu"), (1, 1, 1), (0, 0, 0)), "symmetric beyond its plane"),
        (lambda: stacking_fault(host("Cu"), (1, 1, 1), (0.5, -0.5, 0)), "symmetric beyond its plane"),
        (lambda: stacking_fault(host("ZrO2_monoclinic"), (0, 1, 0), (1, 0, 0)), "perfect"),
        (lambda: stacking_fault(host("Cu"), (1, 1, 1), (0.5, -0.5)), "three finite"),
        (lambda: stacking_fault(host("Cu"), (1, 1, 1), INTRINSIC, cut=1), "cut 1 of 1"),
        (lambda: fault_vectors(host("Cu"), (1, 1, 1), 0), "divisions"),
        (lambda: grain_boundary(host("Cu"), 4, (0, 0, 1), (3, 1, 0)), "5, 13, 17"),
        (lambda: grain_boundary(host("Cu"), 5, (0, 0, 0), (3, 1, 0)), "no axis"),
        (lambda: grain_boundary(host("LiFePO4"), 5, (0, 0, 1), (3, 1, 0)), "no exact coincidence"),
        (lambda: grain_boundary(host("GaN"), 7, (1, 0, 0), (0, 0, 1)), "no exact coincidence"),
        (lambda: grain_boundary(host("Cu"), 97, (0, 0, 1), (0, 0, 1)), "atoms"),
        (lambda: grain_boundary(host("Cu"), 5, (0, 0, 1), (3, 1, 0), merge=2.0), "fraction"),
        (lambda: grain_boundary(host("MgO"), 5, (0, 0, 1), (3, 1, 0), shift=(0.5, 0)), "different elements"),
        (lambda: find_layer_supercell(host("MgO")), "bulk crystal"),
        (lambda: find_layer_supercell(made("MgO(100)").host, min_image_distance=-1), "positive"),
        (lambda: planar_host(host("MgO").to_pymatgen()), "symmetric beyond its plane"),
        (lambda: planar_host(host("Ga2O3_beta").to_pymatgen(), normal=(0, 1, 0)), "vacuum"),
        (lambda: planar_host(host("MgO").to_pymatgen(), normal=(0, 0, 0)), "no normal"),
    ],
)
def test_what_cannot_be_is_refused(make, message) -> None:
    with pytest.raises(SupercellError, match=message):
        make()


def test_atoms_on_each_other_are_refused() -> None:
    overlapping = Structure(Lattice.tetragonal(3, 20), ["Cu", "Cu"], [[0, 0, 0], [0, 0, 0.01]])
    with pytest.raises(CifError, match="overlap"):
        planar_host(overlapping)
