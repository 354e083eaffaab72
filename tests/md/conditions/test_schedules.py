"""Schedules: profiles are the functions they say, and both engines follow them with the same meaning."""

import json
from itertools import pairwise

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from hypothesis import given
from hypothesis import strategies as st

from augment.cell import DefectCell
from augment.errors import ConditionError
from md.conditions.environment import Environment, Strain
from md.conditions.schedule import Profile, as_profile, constant, cycle, quench, ramp, step
from md.conditions.targets import Targets, temperature_of
from md.dynamics import Engine, MdPoint, Response, run_point
from md.potentials import Potential
from tests.support.cells import cell_of

ENGINES: tuple[Engine, ...] = ("ase", "lammps")
values = st.floats(1.0, 2000.0)
lengths = st.floats(1.0, 500.0)
pieces = st.one_of(
    st.builds(constant, values, lengths),
    st.builds(ramp, values, values, lengths),
    st.builds(step, values, values, lengths),
    st.builds(quench, values),
    st.builds(cycle, values, values, lengths, st.integers(1, 3)),
)


@given(st.lists(pieces, min_size=1, max_size=5))
def test_joined_profiles_are_their_pieces_one_after_the_other(parts: list[Profile]) -> None:
    joined = parts[0]
    starts = [0.0]
    for before, part in pairwise(parts):
        starts.append(joined.length)
        joined = joined.then(part)
        del before
    for start, part in zip(starts, parts, strict=True):
        for share in (0.3, 0.7):
            expected = part.before(share * part.length)
            if part.length:
                assert joined.before(start + share * part.length) == pytest.approx(expected, rel=1e-6)
    assert joined.after(joined.length + 1) == joined.array[-1]
    assert Profile.from_json(json.loads(json.dumps(joined.json))) == joined


@given(st.lists(pieces, min_size=1, max_size=4), st.floats(0.0, 3000.0))
def test_a_profile_jumps_at_its_double_knots_only(parts: list[Profile], time: float) -> None:
    joined = parts[0]
    for part in parts[1:]:
        joined = joined.then(part)
    if joined.times.count(time) < 2:
        assert joined.before(time) == pytest.approx(joined.after(time))
    low, high = joined.array.min(), joined.array.max()
    assert low - 1e-9 <= joined.before(time)[0] <= high + 1e-9


@pytest.mark.parametrize(
    "make",
    [
        lambda: Profile((0.0, 5.0, 3.0), (1.0, 2.0, 3.0)),
        lambda: Profile((1.0,), (300.0,)),
        lambda: Profile((0.0,), (1.0, 2.0)),
        lambda: Profile((), ()),
        lambda: Profile((0.0, float("inf")), (1.0, 2.0)),
        lambda: Profile((0.0, 1.0), (1.0, (1.0,) * 6)),
        lambda: Profile((0.0,), ((1.0, 2.0),)),
        lambda: ramp(300, float("nan"), 10),
        lambda: ramp(300, 600, -10.0),
        lambda: cycle(300, 600, 0.0, 2),
        lambda: cycle(300, 600, 10.0, 0),
        lambda: Environment(ramp(300, -1, 10)),
        lambda: Environment(ramp(300, 900, 10), ensemble="nve"),
        lambda: Environment(as_profile((1.0,) * 6)),
        lambda: Environment(300, (0, 0, 0, 1, 0, 0), "npt-aniso"),
        lambda: Environment(300, (0, 0, 1, 0, 0, 0), "npt"),
        lambda: Environment(300, constant(0, 5).then(quench(3))),
        lambda: Environment(300, ramp(0, 1, 10), "nvt"),
        lambda: Environment(300, strain=Strain("a", 0.1), ensemble="npt"),
        lambda: Environment(300, strain=Strain("a", 0.0), ensemble="nvt"),
        lambda: Environment(300, strain=Strain("x", 0.1), ensemble="nvt"),  # type: ignore[arg-type]
        lambda: MdPoint("x", "k", Environment(ramp(300, 600, 101.0)), steps=100),
        lambda: MdPoint("x", "k", Environment(300, strain=Strain("a", -0.9), ensemble="nvt"), steps=1000),
        lambda: MdPoint("x", "k", Environment(300), checkpoint=0),
    ],
)
def test_impossible_schedules_are_refused(make: object) -> None:
    with pytest.raises(ConditionError):
        make()  # type: ignore[operator]


def test_an_environment_survives_json_and_constant_ones_keep_their_content() -> None:
    assert Environment(300.0, 1.0).json == {"ensemble": "npt", "temperature": 300.0, "pressure": 1.0}
    assert Environment(constant(300, 50)) == Environment(300)
    environments = [
        Environment(ramp(300, 900, 100).then(quench(300)), ramp(0, 5, 77)),
        Environment(300, (1, 2, 3, 0, 0, 0.5), "npt-full"),
        Environment(300, 1, "npt-aniso", Strain("b", 0.01)),
    ]
    for environment in environments:
        point = MdPoint("x", "k", environment)
        again = MdPoint.from_json(json.loads(json.dumps(point.json)))
        assert again == point
        assert again.id == point.id
    assert len({MdPoint("x", "k", e).id for e in environments}) == 3
    assert environments[0].label == "300-900-300K_0-5GPa"


def run(cell: DefectCell, potential: Potential, environment: Environment, engine: Engine, steps: int = 60) -> Response:
    result = run_point(MdPoint.of(cell, environment, engine=engine, steps=steps, timestep=2.0), cell, potential)
    assert result.reason == ""
    return result


def rattled(cell: DefectCell) -> DefectCell:
    return cell.with_geometry(cell.positions + np.random.default_rng(0).normal(scale=0.05, size=cell.positions.shape))


def metric(cells: np.ndarray) -> np.ndarray:
    """Scalar products of the axes: what is left of a cell without its orientation, which LAMMPS keeps triangular."""
    return np.asarray(cells @ np.swapaxes(cells, -1, -2))


@pytest.mark.parametrize(
    "environment",
    [
        Environment(300, 1, "npt-aniso"),
        Environment(300, 1, "npt-full"),
        Environment(300, (1, 3, 0, 0, 0, 0), "npt-aniso"),
        Environment(300, (1, 3, 0, 0, 0, 0), "npt-full"),
        Environment(ramp(300, 600, 60.0), ramp(0, 5, 100.0)),
        Environment(step(600, 300, 60.0), step(0, 5, 30.0), "npt-full"),
        Environment(300, 1, "npt-aniso", Strain("b", 0.1)),
        Environment(300, 0, "nve", Strain("c", -0.2)),
    ],
    ids=lambda e: f"{e.ensemble}_{e.label}",
)
def test_both_engines_give_the_cell_the_same_path(emt: Potential, copper: DefectCell, environment: Environment) -> None:
    cell = rattled(copper)
    through_ase, through_lammps = (run(cell, emt, environment, engine).series for engine in ENGINES)
    start, *paths = (metric(cells) for cells in (cell.cell, through_ase.cells, through_lammps.cells))
    # The masses of the barostats differ by a few percent (those of a shear by two), and LAMMPS strains a step later.
    assert np.abs(paths[0] - paths[1]).max() < 0.25 * np.abs(paths[0] - start).max()
    assert np.abs(through_ase.temperatures - through_lammps.temperatures).max() < 25


def test_a_rotated_cell_answers_a_stress_in_its_own_frame(emt: Potential, copper: DefectCell) -> None:
    """Turning the crystal and the stress together turns the answer: the frame of LAMMPS must not show."""
    angle = 0.4
    turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    stress = np.array([[4.0, 1.0, 0.5], [1.0, 0.0, 0.0], [0.5, 0.0, -2.0]])
    turned = turn.T @ stress @ turn
    cell = copper
    rotated = cell.with_geometry(cell.positions @ turn, cell.cell @ turn)
    assert np.linalg.norm(rotated.cell - cell.cell) > 1
    found = []
    for start, target in ((cell, stress), (rotated, turned)):
        components = tuple(float(target[i, j]) for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)))
        point = MdPoint.of(start, Environment(20.0, components, "npt-full"), engine="lammps", steps=60, timestep=2.0)
        found.append(run_point(point, start, emt).series.cells)
    metrics = [metric(cells) for cells in found]
    moved = np.abs(metrics[0] - metrics[0][0]).max()
    assert moved > 0.1
    assert np.abs(metrics[0] - metrics[1]).max() < 0.02 * moved  # the velocities are not turned


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stress_is_reached(emt: Potential, engine: Engine) -> None:
    cell = cell_of(bulk("Cu", "fcc", 3.59, cubic=True))
    asked = (0.8, 0.0, -0.8, 0.0, 0.0, 0.5)
    point = MdPoint.of(cell, Environment(50.0, asked, "npt-full"), engine=engine, steps=500, timestep=5.0, interval=5)
    result = run_point(point, cell, emt)
    assert result.status == "finished"
    pressure = -result.frames.stresses[len(result.frames) // 3 :].mean(axis=0) / units.GPa
    assert pressure == pytest.approx(np.array(asked), abs=0.25)  # 4 atoms: the cell still swings about its strain


@pytest.mark.parametrize("engine", ENGINES)
def test_a_strained_axis_grows_linearly_and_the_others_stay(emt: Potential, copper: DefectCell, engine: Engine) -> None:
    environment = Environment(300, 0, "nvt", Strain("b", 0.2))
    point = MdPoint.of(copper, environment, engine=engine, steps=50, timestep=2.0, checkpoint=20)
    cells = run_point(point, copper, emt).series.cells
    expected = copper.cell[1, 1] * (1 + 0.2 * np.arange(51) * 0.002)
    assert cells[:, 1, 1] == pytest.approx(expected, abs=1.1 * copper.cell[1, 1] * 0.2 * 0.002)  # a step late at most
    assert np.diff(cells[2:, 1, 1]) == pytest.approx(np.diff(expected)[2:], rel=1e-6)
    others = cells.copy()
    others[:, 1, 1] = copper.cell[1, 1]
    assert np.abs(others - copper.cell).max() < 1e-12


@pytest.mark.parametrize("engine", ENGINES)
def test_a_quench_sets_the_temperature_at_once_and_a_step_does_not(
    emt: Potential, copper: DefectCell, engine: Engine
) -> None:
    cell = rattled(copper)
    hot = constant(600, 60.0)
    temperatures = [
        run(cell, emt, Environment(hot.then(then), 0, "nvt"), engine, 40).series.temperatures
        for then in (quench(100), constant(100))
    ]
    assert np.array_equal(temperatures[0][:31], temperatures[1][:31])
    assert temperatures[0][30] > 300
    assert temperatures[0][31] < 160
    assert temperatures[1][31] > 250


def test_targets_are_the_profile_at_whole_steps(copper: DefectCell) -> None:
    environment = Environment(ramp(300, 600, 60.0).then(quench(100)), ramp(0, 5, 100.0))
    targets = Targets(MdPoint.of(copper, environment, timestep=2.0), copper)
    assert [targets.temperature(s) for s in (0, 15, 30, 31)] == [300, 450, 600, 100]
    assert targets.temperature_after(30) == 100
    assert targets.pressure(25) == pytest.approx(2.5 * np.eye(3))
    velocities = np.random.default_rng(1).normal(size=(32, 3))
    masses = np.full(32, 63.5)
    assert targets.quench_factor(29, velocities, masses) == 1.0
    scaled = velocities * targets.quench_factor(30, velocities, masses)
    assert temperature_of(scaled, masses) == pytest.approx(100)


def test_axes_that_are_not_orthogonal_cannot_move_on_their_own(alloy: DefectCell) -> None:
    for environment in (Environment(300, 0, "npt-aniso"), Environment(300, 0, "nvt", Strain("a", 0.1))):
        with pytest.raises(ConditionError, match="not orthogonal"):
            MdPoint.of(alloy, environment)
