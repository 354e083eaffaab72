"""Adatom sites of layers: ontop, bridge and hollow on each side, also above rings that a small probe falls through."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.core.adsorption import AdsorbateSiteFinder
from pymatgen.core.surface import Slab

from augment.planar import PlanarHost, surfaces
from tests.augment.planar.test_layers import LAYERS, THIRD, flat_layer, layer_of, with_vacuum
from tests.support.crystals import host

NETS = {
    **LAYERS,
    "h-BN": flat_layer(Lattice.hexagonal(2.5, 40), ["B", "N"], THIRD, [0, 0]),
    "silicene": flat_layer(Lattice.hexagonal(3.87, 40), ["Si", "Si"], THIRD, [0, 0.45]),
    "Lieb": flat_layer(Lattice.tetragonal(4.8, 40), ["Cu"] * 3, [[0, 0], [0.5, 0], [0, 0.5]], [0, 0, 0]),
    "graphene with long edges": flat_layer(
        Lattice.hexagonal(2.8 * np.sqrt(3), 40), ["C"] * 5, [*THIRD, [0.5, 0.5], [0.5, 0], [0, 0.5]], [0] * 5
    ),
}

BY_SIDE = {
    "graphene": {"C3v": 1, "C2v": 1, "C6v": 1},
    "h-BN": {"C3v": 3, "Cs": 1},
    "copper": {"C6v": 1, "C2v": 1, "C3v": 1},
    "square copper": {"C4v": 2, "C2v": 1},
    "MoS2": {"C3v": 3, "Cs": 1},
    "silicene": {"C3v": 3, "Cs": 1},
}
"""Orbits of each point group on one of two equivalent sides."""


def adatoms(made: PlanarHost) -> list[tuple[str, float, float, np.ndarray]]:
    """Point group, height above the side (Å), distance to the nearest atom and flat positions of each orbit."""
    found = []
    for orbit in made.host.orbits:
        if orbit.element == "" and made.depth[orbit.members[0]] < 0:
            points = made.host.points[list(orbit.members)]
            found.append((orbit.point_group, -float(made.depth[orbit.members[0]]), orbit.radius, points))
    return found


@pytest.mark.parametrize("name", BY_SIDE)
def test_a_layer_has_ontop_bridge_and_hollow_sites(name: str) -> None:
    for vacuum in (8.0, 15.0, 25.0):
        counted: dict[str, int] = {}
        for group, *_ in adatoms(layer_of(with_vacuum(NETS[name], vacuum))):
            counted[group] = counted.get(group, 0) + 1
        assert counted == BY_SIDE[name]


@pytest.mark.parametrize(
    ("name", "ring"),
    [("graphene", 2.46 / np.sqrt(3)), ("h-BN", 2.5 / np.sqrt(3)), ("Lieb", 2.4), ("graphene with long edges", 2.425)],
)
def test_the_hollow_is_above_the_middle_of_a_ring_that_a_bond_falls_through(name: str, ring: float) -> None:
    made = layer_of(with_vacuum(NETS[name], 15.0))
    lateral = [(group, height, np.sqrt(radius**2 - height**2)) for group, height, radius, _ in adatoms(made)]
    hollows = [each for each in lateral if each[2] == pytest.approx(ring, abs=2e-3)]
    assert [group for group, *_ in hollows] == [{"h-BN": "C3v", "Lieb": "C4v"}.get(name, "C6v")]
    assert 0.3 * ring < hollows[0][1] < 1.1 * ring, "neither in the ring nor far from it"


@pytest.mark.parametrize("strain", [(-0.03, -0.03), (0.03, 0.03), (0.01, 0.0), (0.0, 0.03), (-0.02, 0.02)])
def test_the_hollow_of_graphene_survives_strain(strain: tuple[float, float]) -> None:
    atoms = with_vacuum(NETS["graphene"], 15.0)
    lattice = atoms.lattice.matrix @ np.diag([1 + strain[0], 1 + strain[1], 1])
    made = layer_of(Structure(Lattice(lattice), atoms.species, atoms.frac_coords))
    above_rings = [(h, r) for _, h, r, _ in adatoms(made) if r > 1.25 * h]
    assert len(above_rings) == 1


@pytest.mark.parametrize("name", ["graphene", "h-BN", "copper", "square copper", "MoS2", "MoSSe"])
def test_the_sites_are_among_those_of_pymatgen(name: str) -> None:
    """It fills the rings of flat layers with some more points, which its Delaunay triangulation cannot tell apart."""
    structure = with_vacuum(NETS[name], 15.0)
    slab = Slab(structure.lattice, structure.species, structure.frac_coords, (0, 0, 1), structure, 0, np.eye(3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = AdsorbateSiteFinder(slab).find_adsorption_sites(distance=2.0, symm_reduce=0)["all"]
    flat = structure.lattice.get_fractional_coords(theirs)[:, :2]
    made = layer_of(structure)
    top = np.mod(made.heights - made.planes.mean() + 0.5, 1) > 0.5
    count = 0
    for orbit in made.host.orbits:
        members = [m for m in orbit.members if top[m]]
        if orbit.element or made.depth[orbit.members[0]] > 0 or not members:
            continue
        point = made.host.points[members[0]] @ made.host.primitive
        assert _apart(point, made, flat, structure) < 0.06, orbit
        count += 1
    assert count >= 3


def _apart(point: np.ndarray, made: PlanarHost, flat: np.ndarray, structure: Structure) -> float:
    """Å by which a site and the most similar of others differ in their distances, in the plane, to the atoms below."""

    def surroundings(place: np.ndarray, cell: np.ndarray, atoms: np.ndarray) -> np.ndarray:
        shifts = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 2, indexing="ij"), -1).reshape(-1, 2) @ cell[:2]
        every = (atoms + shifts[:, None]).reshape(-1, 3)[:, :2]
        return np.sort(np.linalg.norm(every - place[:2], axis=1))[:9]

    ours = surroundings(point, made.host.primitive, made.host.atoms.points @ made.host.primitive)
    cell, atoms = structure.lattice.matrix, structure.cart_coords
    return min(float(np.abs(surroundings(np.array([*xy, 0]) @ cell, cell, atoms) - ours).max()) for xy in flat)


def test_both_sides_count_where_they_differ() -> None:
    assert len(adatoms(layer_of(with_vacuum(NETS["MoSSe"], 15.0)))) == 2 * len(
        adatoms(layer_of(with_vacuum(NETS["MoS2"], 15.0)))
    )
    bilayer = adatoms(layer_of(with_vacuum(NETS["BN bilayer"], 15.0)))
    assert len([r for _, h, r, _ in bilayer if r > 1.2 * h]) == 2, "the ring of each side has its hollow"


@pytest.mark.parametrize(
    ("name", "miller"), [("Cu", (1, 1, 1)), ("Cu", (1, 1, 0)), ("Si", (1, 1, 1)), ("Fe", (1, 0, 0))]
)
def test_a_surface_without_holes_has_the_sites_of_one_probe(name: str, miller: tuple[int, ...]) -> None:
    """Negative control: nothing is added where nothing is missing."""
    made = surfaces(host(name), miller, min_thickness=8.0)[0]
    radii = {round(radius, 3) for _, _, radius, _ in adatoms(made)}
    assert len(radii) == 1
