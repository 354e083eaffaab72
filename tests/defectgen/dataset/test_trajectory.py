"""Trajectories in other programs' formats hold the same geometries and labels: ASE and LAMMPS read them back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.geometry import get_distances
from ase.io import read

from augment.cell import DefectCell
from augment.errors import ConditionError, DataError
from augment.storage.archive import write_arrays
from defectgen.dataset import Trajectory, read_trajectory, write_trajectories, write_trajectory
from defectgen.dataset.trajectory import check_format
from md.conditions.environment import Environment
from md.conditions.point import Engine
from md.dynamics import MdPoint, Response, Series, run_point
from md.labels.frames import Frames
from md.potentials import Potential, resolve_potential

FRAMES, ATOMS = 4, 7
ONES = (1.0, 1.1, 0.9, 1.05)


@pytest.fixture
def trajectory() -> Trajectory:
    """Frames of a skewed cell that breathes and shears, whose atoms drift out of it."""
    rng = np.random.default_rng(5)
    lattice = np.array([[5.0, 0.3, -0.4], [2.1, 6.0, 0.2], [-1.0, 1.5, 7.0]])
    numbers = np.array([12, 8, 8, 12, 8, 12, 8])
    start = DefectCell("v_O/x", "key", lattice, numbers, rng.random((ATOMS, 3)) @ lattice, np.arange(ATOMS), 0, {})
    cells = np.array([scale * lattice @ (np.eye(3) + 0.02 * rng.normal(size=(3, 3))) for scale in ONES])
    positions = (rng.random((FRAMES, ATOMS, 3)) * 3 - 1) @ cells
    labels = rng.normal(size=FRAMES), rng.normal(size=(FRAMES, ATOMS, 3)), rng.normal(size=(FRAMES, 6))
    momenta = rng.normal(size=(FRAMES, ATOMS, 3))
    point = MdPoint.of(start, Environment(300.0), steps=30, interval=10, timestep=1.5)
    return Trajectory(point, Frames(start, positions, cells, *labels, momenta), 10 * np.arange(FRAMES))


@pytest.mark.parametrize("kind", ["extxyz", "traj"])
def test_ase_reads_back_every_bit(trajectory: Trajectory, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{kind}"
    write_trajectory(trajectory, path, check_format(kind))
    found, frames = read(path, index=":"), trajectory.frames
    assert len(found) == FRAMES
    for k, atoms in enumerate(found):
        assert np.array_equal(atoms.positions, frames.positions[k])
        assert np.array_equal(atoms.cell.array, frames.cells[k])
        assert np.array_equal(atoms.get_momenta(), frames.momenta[k])
        assert np.array_equal(atoms.numbers, frames.start.numbers)
        assert (atoms.info["step"], atoms.info["time"]) == (10 * k, 15.0 * k)
        if kind == "traj":
            labels = (atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress())
        else:
            labels = (atoms.info["REF_energy"], atoms.arrays["REF_forces"], atoms.info["REF_stress"])
        assert labels[0] == frames.energies[k]
        assert np.array_equal(labels[1], frames.forces[k])
        assert np.array_equal(labels[2], frames.stresses[k])


def shape(positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Distances between all atoms over the nearest images: the same in every frame of reference."""
    return get_distances(positions, cell=cell, pbc=True)[1]


def test_ase_reads_the_dump_as_the_same_structure(trajectory: Trajectory, tmp_path: Path) -> None:
    write_trajectory(trajectory, tmp_path / "x.dump", "dump")
    found, frames = read(tmp_path / "x.dump", index=":", format="lammps-dump-text"), trajectory.frames
    assert len(found) == FRAMES
    for k, atoms in enumerate(found):
        assert np.array_equal(atoms.numbers, frames.start.numbers)
        assert np.allclose(atoms.cell.array @ atoms.cell.array.T, frames.cells[k] @ frames.cells[k].T, atol=1e-12)
        assert np.allclose(shape(atoms.positions, atoms.cell.array), shape(frames.positions[k], frames.cells[k]))
        moved = np.linalg.norm(np.diff(atoms.positions, axis=0), axis=1)  # unwrapped: these know the images too
        assert np.allclose(moved, np.linalg.norm(np.diff(frames.positions[k], axis=0), axis=1), atol=1e-12)
        assert np.allclose(atoms.get_momenta() @ atoms.get_momenta().T, frames.momenta[k] @ frames.momenta[k].T)
        forces = atoms.get_forces()
        assert np.allclose(forces @ forces.T, frames.forces[k] @ frames.forces[k].T, atol=1e-12)


def test_lammps_reads_the_dump_with_its_own_command(trajectory: Trajectory, tmp_path: Path) -> None:
    from md.lammps.library import open_lammps

    write_trajectory(trajectory, tmp_path / "x.dump", "dump")
    lammps = open_lammps()
    try:
        for command in ("units metal", "boundary p p p", "box tilt large", "region r prism 0 1 0 1 0 1 0 0 0"):
            lammps.command(command)
        lammps.command("create_box 2 r")
        for k in range(FRAMES):
            fields = "x y z box yes add keep wrapped no" if k == 0 else "x y z box yes replace yes wrapped no"
            lammps.command(f"read_dump {tmp_path / 'x.dump'} {10 * k} {fields}")
            low, high, xy, yz, xz, _, _ = lammps.extract_box()
            sides = np.array(high) - np.array(low)
            box = np.array([[sides[0], 0, 0], [xy, sides[1], 0], [xz, yz, sides[2]]])
            order = np.argsort(lammps.numpy.extract_atom("id"))
            positions = np.array(lammps.numpy.extract_atom("x"))[order]
            kinds = np.array(lammps.numpy.extract_atom("type"))[order]
            assert np.array_equal(kinds == 1, trajectory.frames.start.numbers == 8)
            cell = trajectory.frames.cells[k]
            assert np.allclose(box @ box.T, cell @ cell.T, atol=1e-10)
            assert np.allclose(shape(positions, box), shape(trajectory.frames.positions[k], cell), atol=1e-10)
    finally:
        lammps.close()


def test_every_point_of_a_folder_has_a_file_of_its_own(trajectory: Trajectory, tmp_path: Path) -> None:
    points = [trajectory.point, replace(trajectory.point, seed=1)]
    potential = Potential("emt", "emt", frozenset({"Mg", "O"}), "float64", "ab" * 32, "a test")
    nothing = np.zeros(0)
    series = Series(nothing, nothing, nothing, nothing, np.zeros((0, 3, 3)))
    for point in points:
        response = Response(point, potential, "finished", "", series, trajectory.frames, trajectory.steps, 1.0)
        write_arrays(tmp_path / "points" / f"{point.id}.npz", response.to_arrays())
    again = read_trajectory(tmp_path / "points" / f"{points[1].id}.npz")
    assert again.point == points[1]
    assert np.array_equal(again.frames.positions, trajectory.frames.positions)
    files = write_trajectories(tmp_path / "points", tmp_path / "out", "traj")
    assert len(set(files)) == len(points)
    assert sorted(files) == sorted((tmp_path / "out").iterdir())
    assert all(path.name.startswith("v_O_x_300K_0GPa_ase_") for path in files)
    with pytest.raises(DataError, match="no finished points"):
        write_trajectories(tmp_path / "out", tmp_path / "more", "traj")
    write_arrays(tmp_path / "odd.npz", {"x": np.zeros(1)})
    with pytest.raises(DataError, match="not an archive of a point"):
        read_trajectory(tmp_path / "odd.npz")
    with pytest.raises(ConditionError, match="extxyz, traj, dump"):
        check_format("xtc")


def test_the_command_writes_what_it_ran(call: object, tmp_path: Path) -> None:
    bulk("Cu", "fcc", 3.6, cubic=True).write(tmp_path / "cu.cif")
    how = ("--potential", "emt", "--steps", "10", "--sample", "5", "--engine", "ase", "--workers", "1")
    grid = ("--temperature", "300,600", "--pressure", "0", "-o", tmp_path / "out")
    for kind in ("traj", "dump"):
        code, _, err = call("md", tmp_path / "cu.cif", *how, *grid, "--trajectory", kind)  # type: ignore[operator]
        assert code == 0, err
        files = list((tmp_path / "out" / "trajectories").glob(f"*.{kind}"))
        assert len(files) == 2
        assert all(
            len(read(path, index=":", format=None if kind == "traj" else "lammps-dump-text")) == 3 for path in files
        )
    code, _, err = call("md", tmp_path / "cu.cif", *how, *grid, "--trajectory", "xtc")  # type: ignore[operator]
    assert (code, err.count("\n")) == (2, 1)


@pytest.mark.parametrize("engine", ["ase", "lammps"])
def test_momenta_are_those_of_the_full_step(engine: Engine) -> None:
    """Their kinetic energy is that of the series at the step of each frame."""
    atoms = bulk("Cu", "fcc", 3.6, cubic=True)
    cell = DefectCell("cu", "cu", atoms.cell.array, atoms.numbers, atoms.positions, np.arange(4), 0, {})
    point = MdPoint.of(cell, Environment(300.0), engine=engine, steps=12, interval=4)
    response = run_point(point, cell, resolve_potential("emt", {"Cu"}))
    assert response.frames.momenta is not None
    squares = (response.frames.momenta**2).sum(axis=(1, 2))
    kinetic = squares / 2 / atoms.get_masses()[0]
    assert np.allclose(kinetic, response.series.kinetic[response.frame_steps], rtol=1e-12)
    assert np.allclose(response.frames.momenta.sum(axis=1), 0, atol=1e-8)
