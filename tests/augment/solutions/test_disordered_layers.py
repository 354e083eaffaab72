"""Disordered layers and layers with impurities: in-plane supercells, and nothing that depends on the vacuum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from augment import find_supercell, host_or_layer
from augment.errors import CifError, SupercellError
from augment.solutions.concentration import Concentration, realise
from augment.solutions.configurations import ensemble
from augment.solutions.partial_occupancy import Disordered, read_disordered
from augment.solutions.solution import SolidSolution

THIRD = ((1 / 3, 2 / 3), (2 / 3, 1 / 3))
LAYERS: dict[str, Any] = {
    "MoS1.5Se0.5": (3.2, [({"Mo": 1}, 0, 0), ({"S": 0.75, "Se": 0.25}, 1, 1.6), ({"S": 0.75, "Se": 0.25}, 1, -1.6)]),
    "Mo0.5W0.5S2": (3.2, [({"Mo": 0.5, "W": 0.5}, 0, 0), ({"S": 1}, 1, 1.6), ({"S": 1}, 1, -1.6)]),
    "graphene with holes": (2.46, [({"C": 0.875}, 0, 0), ({"C": 0.875}, 1, 0)]),
    "h-BN and carbon": (2.5, [({"B": 0.75, "C": 0.25}, 0, 0), ({"N": 0.75, "C": 0.25}, 1, 0)]),
}


def structure(name: str, vacuum: float, lean: float = 0.0) -> Structure:
    edge, sites = LAYERS[name]
    heights = [height for *_, height in sites]
    lattice = Lattice.hexagonal(edge, vacuum + max(heights) - min(heights)).matrix.copy()
    points = [[*THIRD[k], 0] for _, k, _ in sites] @ lattice + np.outer(heights, [0, 0, 1])
    lattice[2] += lean * lattice[0]
    return Structure(Lattice(lattice), [what for what, *_ in sites], points, coords_are_cartesian=True)


def read(path: Path, name: str, vacuum: float, lean: float = 0.0, **keywords: Any) -> Disordered:
    path = path / "layer.cif"
    structure(name, vacuum, lean).to(str(path))
    return read_disordered(path, **keywords)


def what(solution: SolidSolution) -> tuple[Any, ...]:
    made = ensemble(solution, mode="random", count=3, seed=5, weight="degeneracy")
    supercell = solution.supercell
    names = sorted((member.defect.name, member.defect.point_group, member.defect.degeneracy) for member in made.members)
    return supercell.n_atoms, sorted(solution.counts.items()), solution.formula, solution.orbits, names


def is_in_plane(solution: SolidSolution) -> bool:
    supercell = solution.supercell
    return supercell.host.normal is not None and np.gcd.reduce(supercell.matrix @ np.array(supercell.host.normal)) == 1


@pytest.mark.parametrize("name", LAYERS)
def test_a_disordered_layer_is_the_same_with_any_vacuum(name: str, tmp_path: Path) -> None:
    crystals = [read(tmp_path, name, vacuum, lean) for vacuum, lean in ((9.0, 0), (15.0, 0), (25.0, 0), (15.0, 0.37))]
    assert all(crystal.vacuum is not None and crystal.host.has_vacuum for crystal in crystals)
    assert crystals[1].host.hash == crystals[3].host.hash
    assert len({tuple(sorted(crystal.fractions.items())) for crystal in crystals}) == 1
    assert len({crystal.min_separation for crystal in crystals}) == 1
    for distance in (6.0, 14.0):
        found = [crystal.solution(min_image_distance=distance, max_atoms=200) for crystal in crystals]
        assert all(is_in_plane(solution) for solution in found)
        assert [what(solution) for solution in found[1:]] == [what(found[0])] * 3


def test_taken_for_a_bulk_crystal_it_is_repeated_across_the_vacuum(tmp_path: Path) -> None:
    """Negative control: what was made of every disordered layer before."""
    bulk = read(tmp_path, "MoS1.5Se0.5", 8.0, layer="bulk")
    assert (bulk.vacuum, bulk.host.normal) == (None, None)
    layer = read(tmp_path, "MoS1.5Se0.5", 8.0)
    sizes = [each.solution(min_image_distance=14.0, max_atoms=400).supercell.n_atoms for each in (bulk, layer)]
    assert sizes[0] > sizes[1]


@pytest.mark.parametrize("name", ["MoS1.5Se0.5", "h-BN and carbon"])
def test_its_sites_and_supercells_are_those_of_the_ordered_layer(name: str, tmp_path: Path) -> None:
    disordered = read(tmp_path, name, 15.0).host
    pure = structure(name, 15.0)
    for k, (species, *_) in enumerate(LAYERS[name][1]):
        pure.replace(k, max(species, key=species.get))
    ordered = host_or_layer(pure)[0]
    assert disordered.hash == ordered.hash
    assert [len(o.members) for o in disordered.orbits] == [len(o.members) for o in ordered.orbits]


@pytest.mark.parametrize("dopant", [{"N_C": 1 / 18}, {"v_C": 0.02}])
def test_impurities_of_a_layer_do_not_depend_on_its_vacuum_either(dopant: dict[str, float]) -> None:
    found = []
    for vacuum in (6.5, 15.0, 25.0):
        lattice = Lattice.hexagonal(2.46, vacuum)
        host = host_or_layer(Structure(lattice, ["C", "C"], [[*xy, 0] for xy in THIRD]))[0]
        found.append(realise(host, Concentration(dopant), min_image_distance=14.0, max_atoms=400))
        assert (
            found[-1].supercell.matrix.tolist()
            == realise(host, Concentration(dopant), supercell=found[-1].supercell).supercell.matrix.tolist()
        )
        widest = find_supercell(host, min_image_distance=14.0, max_atoms=400)
        assert found[-1].supercell.n_atoms >= widest.n_atoms
    assert [what(solution) for solution in found[1:]] == [what(found[0])] * 2


def test_what_is_no_layer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SupercellError, match="the widest gap along a is"):
        read(tmp_path, "MoS1.5Se0.5", 15.0, layer=(1, 0, 0))
    wire = Structure(Lattice.orthorhombic(12, 12, 2.6), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]])
    wire.to(str(tmp_path / "wire.cif"))
    with pytest.raises(CifError, match=r"wire.cif: a wire \(vacuum in two directions\)"):
        read_disordered(tmp_path / "wire.cif")
