"""Voids are searched when they are first needed, and what needs none is the same before and after."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from augment import Concentration, Defect, Edit, Host, Supercell, find_supercell, point_defects, read_host, realise
from augment import host as host_module
from augment.crystal import voids
from augment.errors import SupercellError
from tests.support.places import HOSTS

LATTICE_KINDS = ("vacancy", "antisite", "substitution")
NAMES = ["MgO", "TiO2_rutile", "Li6PS5Cl", "LiFePO4", "ZrO2_monoclinic"]


class SearchedError(Exception):
    """Voids were searched."""


@pytest.fixture
def no_search(monkeypatch) -> None:
    def refuse(*_args, **_options) -> None:
        raise SearchedError

    monkeypatch.setattr(host_module, "find_voids", refuse)


def described(supercell: Supercell) -> list[tuple[object, ...]]:
    defects = point_defects(supercell, dopants=["La"], kinds=LATTICE_KINDS)
    return [
        (d.key, d.name, d.point_group, d.degeneracy, d.charges, d.cell().positions.tolist(), d.symmetry().order)
        for d in defects
    ]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("no_search")
def test_defects_of_lattice_sites_need_no_voids(name) -> None:
    host = read_host(HOSTS / f"{name}.cif")
    supercell = find_supercell(host, min_image_distance=6.0)
    described(supercell)
    assert Defect.from_key(host, Defect(supercell, (Edit(0, 0),)).key).name
    supercell.bulk_cell()
    assert repr(host)
    with pytest.raises(SearchedError):
        point_defects(supercell, kinds=["interstitial"])


@pytest.mark.parametrize("name", NAMES)
def test_defects_of_lattice_sites_are_the_same_once_voids_are_known(name) -> None:
    before = described(find_supercell(read_host(HOSTS / f"{name}.cif"), min_image_distance=6.0))
    host = read_host(HOSTS / f"{name}.cif")
    supercell = find_supercell(host, min_image_distance=6.0)
    assert len(supercell.sites.numbers) > supercell.n_atoms
    assert described(supercell) == before


@pytest.mark.usefixtures("no_search")
def test_impurities_need_no_voids() -> None:
    host = read_host(HOSTS / "MgO.cif")
    solution = realise(host, Concentration({"Al_Mg": 0.0625}, compensate="v_Mg", tolerance=0.02), max_atoms=128)
    assert solution.net_charge == 0
    assert solution.sublattices[0].configurations > 1


@pytest.mark.usefixtures("no_search")
def test_too_large_a_cell_is_refused_before_the_search() -> None:
    with pytest.raises(SupercellError, match="primitive cell has"):
        find_supercell(read_host(HOSTS / "LiFePO4.cif"), max_atoms=10)


def test_sites_come_lattice_first() -> None:
    host = read_host(HOSTS / "LiFePO4.cif")
    supercell = find_supercell(host, min_image_distance=6.0)
    sites = np.arange(supercell.n_atoms)
    lattice, every = supercell.lattice_sites, supercell.sites
    assert np.array_equal(every.positions[sites], lattice.positions)
    assert np.array_equal(every.orbit[sites], lattice.orbit)
    assert np.array_equal(supercell._atom_landings[0], supercell._landings[0][:, sites])
    assert np.array_equal(supercell._atom_landings[1], supercell._landings[1][:, sites])


def test_a_relaxed_host_keeps_the_voids_of_the_unrelaxed_one() -> None:
    host = read_host(HOSTS / "TiO2_rutile.cif")
    moved = host.relaxed(host.primitive * 1.01, host.atoms.points)
    assert moved.orbits == host.orbits
    assert np.array_equal(moved.points, host.points)


def test_a_host_that_knows_no_voids_yet_can_be_sent_to_another_process() -> None:
    host = read_host(HOSTS / "TiO2_rutile.cif")
    sent: Host = pickle.loads(pickle.dumps(host))  # noqa: S301  our own
    assert sent.orbits == host.orbits


@pytest.mark.parametrize("seed", range(20))
def test_points_are_told_apart_as_one_by_one(seed) -> None:
    rng = np.random.default_rng(seed)
    lattice = rng.normal(size=(3, 3)) * 2 + 4 * np.eye(3)
    points = rng.random((40, 3))
    near = points[rng.integers(40, size=60)] + rng.normal(size=(60, 3)) * 4e-4 @ np.linalg.inv(lattice)
    given = voids.wrap(np.concatenate([points, near + rng.integers(-1, 2, size=(60, 3))]))
    ordered = given[np.lexsort(voids.rounded_to_grid(given).T[::-1])]
    distinct = voids._distinct(given, lattice)
    assert np.array_equal(distinct, voids._distinct_one_by_one(ordered, lattice))
    assert 40 <= len(distinct) < 100
