"""What stops a run is physics, the same in both engines; pressures that a cell cannot follow are ramped."""

import numpy as np
import pytest
from ase.build import bulk

from augment.cell import DefectCell
from md.conditions.environment import Ensemble, Environment
from md.conditions.point import MdPoint
from md.conditions.pressure_ramp import Stiffness, may_jump, ramped
from md.conditions.schedule import ramp, step
from md.conditions.timestep import default_timestep, shorter
from md.dynamics import Engine, Response, run_point
from md.labels.evaluator import Divergence, StepGuard, check_geometry
from md.potentials import Potential, resolve_potential
from tests.support.cells import cell_of


@pytest.fixture(scope="module")
def aluminium() -> Potential:
    return resolve_potential("lammps:eam/alloy Al_zhou.eam.alloy", ["Al"])


@pytest.mark.parametrize("engine", ["ase", "lammps"])
def test_a_hundred_gigapascals_at_once_are_ramped_to_the_right_volume(aluminium: Potential, engine: Engine) -> None:
    cell = cell_of(bulk("Al", "fcc", 4.05, cubic=True) * (2, 2, 2))
    point = MdPoint.of(cell, Environment(300.0, 100.0), engine=engine, steps=1200, timestep=2.0, interval=100)
    response = run_point(point, cell, aluminium)
    assert response.status == "finished"
    assert "ramped over" in response.notes[0]
    assert response.point == point
    assert response.series.volumes[-200:].mean() / 32 == pytest.approx(10.2, rel=0.02)
    assert response.series.volumes.min() / 32 > 9.7  # at once it goes to 9.4 and below


def point_at(pressure: object, steps: int = 4000) -> MdPoint:
    return MdPoint("cell", "key", Environment(300.0, pressure), steps=steps, timestep=1.0)  # type: ignore[arg-type]


def test_a_ramp_ends_where_the_profile_goes_on() -> None:
    start = Stiffness(0.0, 50.0)
    followed, note = ramped(point_at(50.0), start)
    pressures = followed.environment.pressures
    assert (pressures.times, pressures.values) == ((0.0, 1000.0), (0.0, 50.0))
    assert "50 GPa at 0 ps" in note
    followed, _ = ramped(point_at(ramp(40.0, 0.0, 4000)), start)
    pressures = followed.environment.pressures
    assert float(pressures.before(0)[0]) == 0
    assert float(pressures.before(800)[0]) == pytest.approx(32.0)
    assert float(pressures.before(4000)[0]) == 0
    followed, _ = ramped(point_at(step(0.0, 50.0, 1000)), start)
    pressures = followed.environment.pressures
    assert float(pressures.after(1000)[0]) == 0
    assert float(pressures.before(1750)[0]) == pytest.approx(50)
    assert float(pressures.after(2500)[0]) == 50


def test_a_small_jump_and_a_cell_that_is_there_already_are_left_alone() -> None:
    for pressure, start in ((4.9, Stiffness(0.0, 50.0)), (100.0, Stiffness(99.0, 400.0))):
        point = point_at(pressure)
        assert ramped(point, start) == (point, "")
    assert ramped(point_at(100.0), Stiffness(0.0, 400.0))[1]


def test_a_start_under_pressure_is_let_go_slowly() -> None:
    followed, note = ramped(point_at(0.0), Stiffness(20.0, 100.0))
    pressures = followed.environment.pressures
    assert (pressures.times, pressures.values) == ((0.0, 200.0), (20.0, 0.0))
    assert "the start is under 20 GPa: the pressure changes by 20 GPa at 0 ps, 0.2 of the bulk modulus" in note
    assert ramped(point_at(0.0), Stiffness(9.0, 100.0))[1] == ""


def test_a_start_under_tension_is_held_in_half_of_it() -> None:
    followed, note = ramped(point_at(0.0), Stiffness(-8.0, 40.0))
    assert followed.environment.pressures.values == (-4.0, 0.0)
    assert note.endswith("from half of the tension")
    followed, _ = ramped(point_at(-20.0), Stiffness(-8.0, 40.0))
    assert followed.environment.pressures.values == (-8.0, -20.0), "asked for more of it"
    assert ramped(point_at(-7.0), Stiffness(-8.0, 5.0))[1] == ""


@pytest.mark.parametrize("pressure", [-1e4, 1e4])
def test_a_start_under_an_absurd_pressure_begins_within_bounds(pressure: float) -> None:
    followed, _ = ramped(point_at(0.0), Stiffness(pressure, 100.0))
    assert -100 <= float(followed.environment.pressures.after(0)[0]) <= 1000


@pytest.mark.parametrize("engine", ["ase", "lammps"])
@pytest.mark.parametrize("scale", [0.95, 1.05])
def test_a_lattice_that_is_off_overshoots_less(
    aluminium: Potential, engine: Engine, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = cell_of(bulk("Al", "fcc", scale * 4.05, cubic=True) * (2, 2, 2))
    point = MdPoint.of(cell, Environment(300.0, 0.0), engine=engine, steps=600, timestep=2.0, interval=100)

    def overshoot(response: Response) -> float:
        assert response.status == "finished"
        passed = np.sign(1 - scale) * (response.series.volumes / 32 - 17.4)
        return float(passed.max())

    followed = run_point(point, cell, aluminium)
    assert "the start is under" in followed.notes[0]
    assert followed.point == point
    monkeypatch.setattr("md.dynamics.followed.followed_point", lambda point, _cell, _potential: (point, ""))
    at_once = run_point(point, cell, aluminium)
    assert at_once.notes == ()
    assert overshoot(followed) < 0.6 * overshoot(at_once)


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "npt"])
def test_a_start_at_rest_and_one_without_a_barostat_are_left_alone(aluminium: Potential, ensemble: Ensemble) -> None:
    scale = 1.0 if ensemble == "npt" else 0.95
    cell = cell_of(bulk("Al", "fcc", scale * 4.05, cubic=True))
    point = MdPoint.of(cell, Environment(300.0, 0.0, ensemble), engine="lammps", steps=4, timestep=2.0, interval=2)
    assert run_point(point, cell, aluminium).notes == ()
    assert not may_jump(point, 0.09)
    assert may_jump(point, 5.0) == (ensemble == "npt")


def test_states_below_half_of_the_start_pass_and_points_and_gases_do_not(copper: DefectCell) -> None:
    small = 0.7
    check_geometry(small * copper.positions, small * copper.cell, copper.volume)
    for scale, words in ((0.35, "collapsed"), (3.6, "blew up")):
        with pytest.raises(Divergence, match=words):
            check_geometry(scale * copper.positions, scale * copper.cell, copper.volume)


def test_energies_and_cells_that_run_away_are_stopped() -> None:
    course, cell = StepGuard(10, 1.0), 10 * np.eye(3)
    course.check(cell, -30.0)
    course.check(1.015 * cell, -30.0)
    with pytest.raises(Divergence, match="changes by"):
        course.check(1.05 * cell, -30.0)
    with pytest.raises(Divergence, match="eV an atom"):
        course.check(1.015 * cell, -400.0)


@pytest.mark.parametrize(("formula", "fs"), [("Cu", 2.0), ("MgO", 1.0), ("LiH", 0.5), ("NaF", 1.0), ("NaCl", 2.0)])
def test_the_lightest_atom_decides_the_time_step(formula: str, fs: float) -> None:
    structure = {"Cu": "fcc"}.get(formula, "rocksalt")
    assert default_timestep(cell_of(bulk(formula, structure, 4.2))) == fs


def test_deuterium_and_heavy_isotopes_count_by_their_mass() -> None:
    cell = cell_of(bulk("LiH", "rocksalt", 4.1))
    assert default_timestep(cell, np.array([7.0, 2.0])) == 0.5
    assert shorter(2.0, np.array([7.0, 1.0])) == 0.5
    assert shorter(0.5, np.array([7.0, 1.0])) == 0.25


@pytest.mark.parametrize("engine", ["ase", "lammps"])
def test_a_divergence_names_the_step_and_a_shorter_one(emt: Potential, copper: DefectCell, engine: Engine) -> None:
    positions = copper.positions.copy()
    positions[1] = positions[0] + [0.3, 0, 0]
    cell = copper.with_geometry(positions)
    response = run_point(MdPoint.of(cell, Environment(300.0), engine=engine, timestep=2.0), cell, emt)
    assert response.reason.endswith("at 2 fs a step; try a time step of 1 fs (step 0 of 1000)")
