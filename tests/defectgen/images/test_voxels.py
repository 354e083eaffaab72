"""A voxel grid decodes to the cell that it was made of; one from which it cannot is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from scipy.optimize import linear_sum_assignment

from augment.defects.point_defects import point_defects
from augment.errors import ConditionError, DataError
from augment.exchange.recognise import defect_from_structure
from augment.supercells.search import find_supercell
from defectgen.images import VoxelGrid, VoxelSettings, decode_voxels, encode_voxels, read_voxels, write_voxels
from defectgen.images.voxels import grid_shape, shortest_wave
from defectgen.representation.template import nearest_images
from tests.support.cells import cell_of
from tests.support.crystals import host

TOLERANCE = 1e-6
"""Å."""


def largest_error(cell, decoded) -> float:
    """Distance between the atoms of two cells, matched within each element; infinite where these differ."""
    if sorted(cell.numbers) != sorted(decoded.numbers):
        return np.inf
    distance = nearest_images(cell.positions, decoded.positions, cell.cell)
    distance[cell.numbers[:, None] != decoded.numbers[None]] = 1e3
    return float(distance[linear_sum_assignment(distance)].max())


def shaken(cell, rng, width=0.1):
    return cell.with_geometry(cell.positions + rng.normal(0, width, cell.positions.shape))


@pytest.mark.parametrize("name", ["MgO", "GaN", "Ti", "TiO2_rutile", "ZrO2_monoclinic", "Al2O3_corundum"])
def test_random_defects_come_back(name) -> None:
    rng = np.random.default_rng(7)
    supercell = find_supercell(host(name), min_image_distance=6.5, max_atoms=100, keep_point_group=False)
    defects = list(point_defects(supercell))
    for index in rng.choice(len(defects), 2, replace=False):
        cell = shaken(defects[index].cell(), rng)
        decoded = decode_voxels(encode_voxels(cell))
        assert largest_error(cell, decoded) < TOLERANCE
        moved = cell.with_geometry(cell.positions + np.eye(len(cell), 3) * 1e-3)
        assert largest_error(moved, decoded) > TOLERANCE, "a displacement of 0.001 Å would be seen"


def test_the_defect_key_comes_back_through_a_grid() -> None:
    supercell = find_supercell(host("MgO"), min_image_distance=8, max_atoms=80)
    for defect in point_defects(supercell):
        decoded = decode_voxels(encode_voxels(defect.cell()))
        assert defect_from_structure(decoded.to_pymatgen(), supercell.host, charge=0).key == defect.key


@pytest.mark.parametrize("seed", range(6))
def test_triclinic_cells_of_any_shape_come_back(seed) -> None:
    rng = np.random.default_rng(seed)
    lattice = np.diag(rng.uniform(4, 7, 3)) + np.tril(rng.uniform(-3.5, 3.5, (3, 3)), -1)
    points: list[np.ndarray] = []
    while len(points) < 12:
        trial = rng.random(3) @ lattice
        if all(nearest_images(trial[None], p[None], lattice)[0, 0] > 0.9 for p in points):
            points.append(trial)
    cell = cell_of(Atoms(rng.choice([1, 8, 22], 12), points, cell=lattice, pbc=True))
    # An atom that is its own image across a short diagonal is none of these laws' business.
    assert largest_error(cell, decode_voxels(encode_voxels(cell))) < TOLERANCE


def test_atoms_at_the_least_separation_come_back_and_closer_ones_are_refused() -> None:
    def pair(distance):
        return cell_of(Atoms("H2", [[0.1, 0.2, 0.3], [0.1 + distance, 0.2, 0.3]], cell=[6, 6, 6], pbc=True))

    assert largest_error(pair(0.67), decode_voxels(encode_voxels(pair(0.67)))) < TOLERANCE
    with pytest.raises(ConditionError, match="one peak at σ"):
        encode_voxels(pair(0.5))
    assert largest_error(pair(0.5), decode_voxels(encode_voxels(pair(0.5), VoxelSettings(0.2, 0.2)))) < TOLERANCE


def test_too_coarse_a_grid_is_refused_by_both_sides() -> None:
    with pytest.raises(ConditionError, match="too coarse"):
        VoxelSettings(resolution=0.6, sigma=0.3)
    cell = find_supercell(host("MgO"), min_image_distance=6, max_atoms=80).bulk_cell()
    grid = encode_voxels(cell)
    coarse = VoxelGrid(grid.cell, grid.numbers, grid.density[:, ::3, ::3, ::3], grid.sigma)
    with pytest.raises(DataError, match="too coarse"):
        decode_voxels(coarse)


def test_a_damaged_grid_is_refused() -> None:
    grid = encode_voxels(find_supercell(host("Cu"), min_image_distance=6, max_atoms=80).bulk_cell())
    noise = np.random.default_rng(0).normal(0, 0.05 * grid.density.max(), grid.density.shape)
    with pytest.raises(DataError, match="noisy"):
        decode_voxels(replace(grid, density=(grid.density + noise - noise.mean()).astype(np.float32)))
    with pytest.raises(DataError, match="no whole number"):
        decode_voxels(replace(grid, density=grid.density * np.float32(0.99)))


def test_planes_of_a_grid_are_no_further_apart_than_asked_in_a_skewed_cell() -> None:
    lattice = np.array([[6.0, 0, 0], [5.5, 3, 0], [2.5, 2.0, 5]])
    assert 1 / shortest_wave(lattice, grid_shape(lattice, 0.3)) <= 0.3 + 1e-9


def test_a_grid_is_read_from_its_file(tmp_path) -> None:
    cell = find_supercell(host("Cu"), min_image_distance=6, max_atoms=80).bulk_cell()
    archive, sidecar = write_voxels(encode_voxels(cell), cell, tmp_path, "Cu")
    assert sidecar.is_file()
    assert largest_error(cell, decode_voxels(read_voxels(archive))) < TOLERANCE
    archive.write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"Cu\.npz"):
        read_voxels(archive)
