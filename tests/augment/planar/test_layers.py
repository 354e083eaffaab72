"""Layers with vacuum: recognised in any cell, never a bulk crystal, and the same defects whatever the vacuum."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from augment import find_supercell, host_from_structure, host_or_layer, point_defects, read_host, supercell_table
from augment.crystal.cif import read_structure
from augment.crystal.vacuum import MIN_VACUUM, find_vacuum, has_vacuum
from augment.errors import CifError, SupercellError
from augment.planar import PlanarHost, layer_host, surfaces
from augment.supercells.search import widest_supercell
from tests.support.crystals import disguised, host
from tests.support.places import HOSTS

THIRD = [[1 / 3, 2 / 3], [2 / 3, 1 / 3]]


def flat_layer(lattice: Lattice, symbols: list[str], flat: list[list[float]], heights: list[float]) -> Structure:
    """A layer of atoms at fractions in its plane and heights (Å), in a cell of 40 Å."""
    return Structure(lattice, symbols, [[*xy, z / 40] for xy, z in zip(flat, heights, strict=True)])


LAYERS = {
    "graphene": flat_layer(Lattice.hexagonal(2.46, 40), ["C", "C"], THIRD, [0, 0]),
    "copper": flat_layer(Lattice.hexagonal(2.45, 40), ["Cu"], [[0, 0]], [0]),
    "square copper": flat_layer(Lattice.tetragonal(2.4, 40), ["Cu"], [[0, 0]], [0]),
    "MoS2": flat_layer(Lattice.hexagonal(3.16, 40), ["Mo", "S", "S"], [THIRD[0], THIRD[1], THIRD[1]], [1.56, 0, 3.12]),
    "MoSSe": flat_layer(Lattice.hexagonal(3.25, 40), ["Mo", "S", "Se"], [THIRD[0], THIRD[1], THIRD[1]], [1.53, 0, 3.2]),
    "BN bilayer": flat_layer(
        Lattice.hexagonal(2.5, 40), ["B", "N", "B", "N"], [THIRD[0], THIRD[1], THIRD[1], [0, 0]], [0, 0, 3.33, 3.33]
    ),
    "phosphorene": flat_layer(
        Lattice.orthorhombic(3.3, 4.6, 40),
        ["P"] * 4,
        [[0, 0.09], [0.5, 0.41], [0.5, 0.59], [0, 0.91]],
        [0, 0, 2.1, 2.1],
    ),
    "oblique": flat_layer(
        Lattice.from_parameters(3.1, 3.9, 40, 90, 90, 101), ["Ga", "S"], [[0.1, 0.2], [0.6, 0.75]], [0, 0.9]
    ),
}
"""From P6/mmm to P1, flat and buckled, one layer and two."""


def with_vacuum(layer: Structure, width: float, lean: tuple[float, float] = (0.0, 0.0)) -> Structure:
    """The layer with so much vacuum (Å) above it, its image shifted along its edges by two fractions."""
    a, b, _ = layer.lattice.matrix
    height = float(np.ptp(layer.cart_coords[:, 2])) + width
    lattice = Lattice([a, b, [0, 0, height] + lean[0] * a + lean[1] * b])
    return Structure(lattice, layer.species, layer.cart_coords, coords_are_cartesian=True)


def layer_of(structure: Structure) -> PlanarHost:
    made = host_or_layer(structure)[1]
    assert made is not None
    return made


@cache
def defects_at_15(name: str) -> Counter:
    return defects_of(layer_of(with_vacuum(LAYERS[name], 15.0)))


def defects_of(made: PlanarHost) -> Counter:
    supercell = find_supercell(made.host, min_image_distance=5.0)
    return Counter((d.name, d.point_group, d.degeneracy) for d in point_defects(supercell, dopants=["Zn"]))


# -- what is a layer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_recognised_in_any_cell_and_has_the_same_defects_with_any_vacuum(name: str) -> None:
    rng = np.random.default_rng(len(name))
    for width in (8.0, *rng.uniform(8, 30, size=3)):
        lean = tuple(rng.uniform(-1, 1, size=2))
        upright, leaning = (with_vacuum(LAYERS[name], width, shift) for shift in ((0.0, 0.0), lean))
        given = [layer_of(structure) for structure in (upright, disguised(upright, rng), disguised(leaning, rng))]
        assert len({made.host.hash for made in given}) == 1
        assert [made.info["vacuum"] for made in given] == pytest.approx([width] * 3, abs=1e-3)
        assert defects_of(given[2]) == defects_at_15(name)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("origin", [0.0, 0.02, 0.5, 0.97])
def test_the_vacuum_may_be_along_any_axis_and_atoms_on_both_sides_of_a_face(axis: int, origin: float) -> None:
    layer = with_vacuum(LAYERS["MoS2"], 15.0)
    order = np.roll([0, 1, 2], axis - 2)
    points = (layer.frac_coords + np.array([0, 0, origin]))[:, np.argsort(order)]
    turned = Structure(Lattice(layer.lattice.matrix[np.argsort(order)]), layer.species, points - np.floor(points))
    made = layer_of(turned)
    assert made.info["direction"] == f"along {'abc'[int(np.argsort(order).tolist().index(2))]}"
    assert made.host.hash == layer_of(layer).host.hash


def test_a_supercell_of_a_layer_is_the_layer() -> None:
    layer = with_vacuum(LAYERS["MoSSe"], 12.0)
    for matrix in ([[2, 1, 0], [0, 3, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 0], [0, 0, 2]]):
        assert layer_of(layer.make_supercell(matrix, in_place=False)).host.hash == layer_of(layer).host.hash


@pytest.mark.parametrize(("name", "miller"), [("MgO", (1, 0, 0)), ("Cu", (1, 1, 1)), ("Si", (1, 1, 1))])
def test_a_slab_of_a_crystal_is_the_surface_it_was_cut_at(name: str, miller: tuple[int, ...]) -> None:
    slab = surfaces(host(name), miller, min_thickness=9.0, vacuum=11.0)[0]
    structure = disguised(slab.host.to_pymatgen(), np.random.default_rng(0))
    assert layer_of(structure).host.hash == slab.host.hash


# -- what is none ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cif", sorted(HOSTS.glob("*.cif")), ids=lambda path: path.stem)
def test_no_example_host_is_a_layer(cif: Path) -> None:
    structure = read_structure(cif)
    assert find_vacuum(structure.lattice.matrix, structure.frac_coords) is None
    assert read_host(cif).normal is None
    assert read_host(cif).hash == host_from_structure(structure).hash


@pytest.mark.parametrize("gap", [3.35, 4.4, 5.99])
@pytest.mark.parametrize("name", LAYERS)
def test_a_stack_of_layers_is_a_crystal_however_wide_its_gaps(name: str, gap: float) -> None:
    rng = np.random.default_rng(1)
    crystal = disguised(with_vacuum(LAYERS[name], gap, tuple(rng.random(2))), rng)
    assert not has_vacuum(crystal.lattice.matrix, crystal.frac_coords)
    assert host_or_layer(crystal)[1] is None


def test_vacuum_begins_at_its_bound() -> None:
    for width, layer in ((MIN_VACUUM - 0.01, False), (MIN_VACUUM + 0.01, True)):
        structure = with_vacuum(LAYERS["graphene"], width)
        assert (find_vacuum(structure.lattice.matrix, structure.frac_coords) is not None) == layer


@pytest.mark.parametrize(
    ("edges", "points", "words"),
    [
        ([12, 12, 12], [[0, 0, 0], [0, 0, 0.1]], "a molecule in a box (vacuum in three directions)"),
        ([400, 400, 400], [[0, 0, 0], [0, 0, 0.003]], "a molecule in a box (vacuum in three directions)"),
        ([12, 12, 2.5], [[0, 0, 0]], "a wire (vacuum in two directions)"),
        ([2.5, 11, 14], [[0, 0, 0], [0.5, 0.1, 0]], "a wire (vacuum in two directions)"),
    ],
)
def test_wires_and_molecules_are_refused(edges: list[float], points: list[list[float]], words: str) -> None:
    structure = Structure(Lattice.orthorhombic(*edges), ["Cu"] * len(points), points)
    for given in (structure, disguised(structure, np.random.default_rng(2))):
        with pytest.raises(CifError) as error:
            host_or_layer(given, "here")
        assert words in str(error.value)
        assert str(error.value).startswith("here: ")
    assert host_or_layer(Structure(Lattice.cubic(9), ["Cu"], [[0, 0, 0]]), layer="bulk")[1] is None


def test_layers_far_from_each_other_are_refused() -> None:
    lattice = Lattice.hexagonal(2.5, 30)
    apart = Structure(lattice, ["B", "N", "C", "C"], [[*xy, z] for z in (0, 0.5) for xy in THIRD])
    with pytest.raises(CifError, match="several layers with 6 Å of vacuum or more between them"):
        host_or_layer(apart)


# -- overrides, and what a layer means ---------------------------------------------------------------------------


def test_what_a_structure_is_may_be_said() -> None:
    structure = with_vacuum(LAYERS["MoS2"], 15.0)
    bulk, plane = host_or_layer(structure, layer="bulk")
    assert (bulk.normal, plane, bulk.has_vacuum) == (None, None, False)
    assert layer_host(structure, (0, 0, 2)).host.hash == layer_of(structure).host.hash
    with pytest.raises(SupercellError, match="the widest gap along a is"):
        host_or_layer(structure, layer=(1, 0, 0))
    with pytest.raises(SupercellError, match="is no normal"):
        host_or_layer(structure, layer=(0, 0, 0))


@pytest.mark.parametrize("name", LAYERS)
def test_supercells_are_in_the_plane_and_no_site_is_in_the_vacuum(name: str) -> None:
    made = layer_of(with_vacuum(LAYERS[name], 15.0))
    normal = np.array(made.host.normal)
    chosen = find_supercell(made.host, min_image_distance=6.0)
    wide = widest_supercell(made.host, max_atoms=60)
    table = supercell_table(made.host, 40)
    for supercell in (chosen, wide, *table):
        assert np.gcd.reduce(supercell.matrix @ normal) == 1
        assert np.count_nonzero(supercell.matrix @ normal) == 1
        assert supercell.point_group_index == 1
    depth, heights = made.depth[made.host.n_lattice :], made.heights[made.host.n_lattice :]
    adatoms = depth < 0
    assert (np.abs(depth[adatoms]) < 3.5).all(), "adatoms are bound to the layer"
    above = heights[adatoms] - made.planes.mean()
    assert {bool(height > 0) for height in above - np.rint(above)} == {True, False}, "there are some on both sides"
    with pytest.raises(SupercellError, match="the aspect of a layer's supercell"):
        find_supercell(made.host, max_aspect=2.0)


def test_a_file_is_read_as_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "layer.cif"
    with_vacuum(LAYERS["MoS2"], 15.0).to(str(path))
    assert read_host(path).normal == (0, 0, 1)
    assert read_host(path).has_vacuum
    assert read_host(path, layer="bulk").normal is None
    assert read_host(path, layer=(0, 0, 1)).hash == read_host(path).hash
