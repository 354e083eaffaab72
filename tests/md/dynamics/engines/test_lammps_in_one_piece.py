"""The engine, which steps one by one and starts afresh at checkpoints, is LAMMPS that runs a fix in one piece."""

from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase.build import bulk

from augment.cell import DefectCell, FloatArray
from md.conditions.breathing import barostat_time
from md.conditions.environment import Ensemble, Environment
from md.dynamics import MdPoint, run_point
from md.dynamics.engines.protocol import start_velocities
from md.lammps.library import open_lammps
from md.potentials import Potential, resolve_potential
from md.potentials.lammps_style import style_commands
from tests.support.cells import cell_of

STEPS, LEG = 400, 100
"""Of 3 fs. Rounding grows by a factor of about 100 in them, to 1e-12."""

FIXES: dict[Ensemble, str] = {
    "nve": "nve",
    "nvt": "nvt temp 800 800 0.1",
    "npt": "npt temp 800 800 0.1 iso 20000 20000 {time!r}",
    "npt-aniso": "npt temp 800 800 0.1 aniso 20000 20000 {time!r}",
    "npt-full": "npt temp 800 800 0.1 tri 20000 20000 {time!r}",
}
"""What LAMMPS is told for 800 K and 2 GPa with a thermostat of 0.1 ps and the time of the barostat, ps."""


@pytest.fixture(scope="module")
def copper() -> DefectCell:
    atoms = bulk("Cu", "fcc", 3.64, cubic=True) * (2, 2, 1)
    atoms.rattle(0.01, seed=1)
    atoms.wrap()
    return cell_of(atoms)


@pytest.fixture(scope="module")
def mishin() -> Potential:
    return resolve_potential("lammps:eam/alloy Cu_mishin1.eam.alloy")


def in_one_piece(point: MdPoint, cell: DefectCell, potential: Potential, fix: str, file: Path) -> FloatArray:
    """(steps, 2) volume and potential energy of every step, from LAMMPS alone."""
    velocities, _ = start_velocities(point, cell)
    lengths = " ".join(f"0 {float(length)!r}" for length in np.diag(cell.cell))
    lammps = open_lammps()
    try:
        lammps.commands_list(
            ["units metal", "atom_style atomic", "atom_modify map array", f"region box prism {lengths} 0 0 0 units box"]
        )
        lammps.command("create_box 1 box")
        speeds = (velocities * units.fs * 1000).ravel().tolist()
        lammps.create_atoms(len(cell), None, [1] * len(cell), cell.positions.ravel().tolist(), v=speeds)
        lammps.commands_list([*style_commands(potential, cell.numbers), "mass 1 63.546", "timestep 0.003"])
        lammps.commands_list(["neigh_modify delay 0 every 1 check yes", f"fix integrator all {fix}", "thermo 1000000"])
        lammps.commands_list(["variable volume equal vol", "variable energy equal pe"])
        lammps.command(f'fix log all ave/time 1 1 1 v_volume v_energy file {file} format " %.16g"')
        lammps.command(f"run {point.steps}")
    finally:
        lammps.close()
    return np.loadtxt(file)[1:, 1:]


def differences(
    ensemble: Ensemble, fix: str, cell: DefectCell, potential: Potential, file: Path, slower: float = 1.0
) -> tuple[float, float]:
    """Largest difference of volume (Å³) and potential energy (eV) between the engine and LAMMPS in one piece."""
    environment = Environment(800.0, 2.0 if ensemble.startswith("npt") else 0.0, ensemble)
    how = {"engine": "lammps", "steps": STEPS, "timestep": 3.0, "interval": STEPS, "checkpoint": LEG}
    point = MdPoint.of(cell, environment, **how)
    series = run_point(point, cell, potential).series
    time = slower * barostat_time(point, cell) / 1000
    expected = in_one_piece(point, cell, potential, fix.format(time=time), file)
    return tuple(np.abs(np.stack([series.volumes, series.energies], axis=1)[1:] - expected).max(axis=0))


@pytest.mark.parametrize("ensemble", FIXES)
def test_steps_and_legs_are_one_run_of_lammps(
    ensemble: Ensemble, copper: DefectCell, mishin: Potential, tmp_path: Path
) -> None:
    volume, energy = differences(ensemble, FIXES[ensemble], copper, mishin, tmp_path / "log")
    assert volume < 1e-8
    assert energy < 1e-9


def test_another_barostat_is_told_apart(copper: DefectCell, mishin: Potential, tmp_path: Path) -> None:
    """The control: one part in a thousand of the barostat's relaxation time."""
    volume, energy = differences("npt-aniso", FIXES["npt-aniso"], copper, mishin, tmp_path / "log", slower=1.001)
    assert volume > 1e-3
    assert energy > 1e-4
