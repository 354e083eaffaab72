"""Decks: a LAMMPS that runs one does what the engine here does."""

import os
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from augment.cell import DefectCell
from augment.errors import ConditionError, PotentialError
from md.conditions.environment import Environment, Strain
from md.conditions.schedule import constant, quench, ramp
from md.dynamics import MdPoint, run_deck, run_point, write_deck
from md.lammps.library import open_lammps
from md.potentials import Potential, resolve_potential
from tests.support.cells import cell_of


def last_frame(folder: Path, n: int) -> np.ndarray:
    """(n, 3) unwrapped positions of the last frame of a deck that LAMMPS runs."""
    before = Path.cwd()
    instance = open_lammps()
    try:
        os.chdir(folder)
        instance.file("in.lammps")
    finally:
        os.chdir(before)
        instance.close()
    lines = (folder / "frames.lammpstrj").read_text(encoding="ascii").splitlines()
    return np.array([[float(x) for x in line.split()[2:5]] for line in lines[-n:]])


@pytest.mark.parametrize(
    "environment",
    [
        Environment(300.0, ensemble="nve"),
        Environment(300.0, 2.0),
        Environment(ramp(300, 600, 40.0).then(quench(200)).then(constant(200, 20.0)), ramp(0, 4, 60.0), "npt-full"),
        Environment(300.0, 0.0, "npt-aniso", Strain("b", 0.2)),
    ],
    ids=lambda e: f"{e.ensemble}_{e.label}",
)
def test_a_deck_runs_the_trajectory_of_the_engine(tmp_path: Path, environment: Environment) -> None:
    potential = resolve_potential("lammps:eam/alloy Cu_mishin1.eam.alloy")
    atoms = bulk("Cu", "fcc", 3.615, cubic=True) * (2, 1, 1)
    atoms.rattle(0.05, seed=1)
    cell = cell_of(atoms)
    how = {"engine": "lammps", "steps": 40, "timestep": 2.0, "interval": 10, "seed": 3}
    point = MdPoint.of(cell, environment, **how)
    write_deck(point, cell, potential, tmp_path)
    found = last_frame(tmp_path, len(cell))
    expected = run_point(point, cell, potential).frames
    low = found.mean(axis=0) - expected.positions[-1].mean(axis=0)  # LAMMPS moves the corner of its box
    shift = np.rint((expected.positions[-1] - found + low) / np.diag(cell.cell))  # the data file wraps atoms
    moved = found - low + shift @ expected.cells[-1]
    spread = moved - expected.positions[-1]
    assert np.abs(spread - spread.mean(axis=0)).max() < 1e-4  # six digits in a dump
    assert np.abs(expected.positions[-1] - cell.positions).max() > 0.1


def test_two_ranks_share_a_cell_and_find_the_energies_of_one(tmp_path: Path) -> None:
    potential = resolve_potential("lammps:eam/alloy Cu_mishin1.eam.alloy")
    atoms = bulk("Cu", "fcc", 3.615, cubic=True) * (4, 2, 2)
    atoms.rattle(0.05, seed=1)
    cell = cell_of(atoms)
    how = {"engine": "lammps", "steps": 4, "timestep": 2.0, "interval": 1}
    point = MdPoint.of(cell, Environment(300.0, 1.0, "npt-full"), **how)
    one, two = (run_deck(write_deck(point, cell, potential, tmp_path / str(n)), n) for n in (1, 2))
    here = run_point(point, cell, potential).series
    assert list(two["Step"]) == [0, 1, 2, 3, 4]
    for thermo in (one, two):
        assert thermo["PotEng"] == pytest.approx(here.energies, rel=1e-9)
        assert thermo["Volume"] == pytest.approx(here.volumes, rel=1e-9)
    assert "2 by 1 by 1 MPI processor grid" in (tmp_path / "2" / "log.lammps").read_text()


def test_a_deck_that_lammps_stops_at_says_why(tmp_path: Path) -> None:
    deck = tmp_path / "in.lammps"
    deck.write_text("units metal\npair_style nonsense\n")
    with pytest.raises(PotentialError, match="Unrecognized pair style 'nonsense'"):
        run_deck(deck)
    with pytest.raises(ConditionError, match="0 MPI ranks"):
        run_deck(deck, 0)


def copper_and(name: str) -> DefectCell:
    return cell_of(bulk(name, "rocksalt", 4.2, cubic=True))


def test_a_deck_for_mace_goes_through_ml_iap(tmp_path: Path) -> None:
    cell = copper_and("MgO")
    path = write_deck(MdPoint.of(cell, Environment(300.0)), cell, resolve_potential("mace-mgo"), tmp_path)
    text = path.read_text(encoding="utf-8")
    assert "pair_style mliap unified" in text
    assert "pair_coeff * * O Mg" in text
    assert "-sf kk" in text
    assert "fix integrator all npt temp 300.0 300.0" in text


def test_a_potential_without_a_form_in_lammps_is_refused(tmp_path: Path, emt: Potential, copper: DefectCell) -> None:
    with pytest.raises(PotentialError, match="no form of emt"):
        write_deck(MdPoint.of(copper, Environment(300.0)), copper, emt, tmp_path)
    assert not list(tmp_path.iterdir())
