"""Points of a grid: no two start alike, whatever else is in it, and one engine alone makes data."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from augment.cell import DefectCell
from augment.errors import ConditionError
from md.campaigns.relax_and_md import checked_by, grid, md_all
from md.conditions.environment import Environment
from md.conditions.seeds import SEED_BITS, point_seed
from md.dynamics import Engine, MdPoint
from md.potentials import Potential
from tests.support.cells import cell_of

ENVIRONMENTS = [Environment(t, p) for t in (300.0, 600.0) for p in (0.0, 1.0, 10.0)]
BOTH: list[Engine] = ["lammps", "ase"]


def closest(one: np.ndarray, other: np.ndarray) -> float:
    """Smallest root-mean-square distance of a frame of one trajectory to one of the other, Å."""
    apart = one[:, None] - other[None]
    return float(np.sqrt((apart**2).sum(axis=3).mean(axis=2)).min())


def test_no_two_points_start_alike_and_none_depends_on_the_others(copper: DefectCell, alloy: DefectCell) -> None:
    points = [point for point, _ in grid([copper, alloy], ENVIRONMENTS, BOTH, seed=3)]
    seeds = {point.seed for point in points}
    assert len(seeds) == len(points) == 24
    assert max(seeds) < 2**SEED_BITS
    fewer = [point for point, _ in grid([alloy], ENVIRONMENTS[2:3], ["ase"], seed=3)]
    assert [p.seed for p in fewer] == [p.seed for p in points if (p.name, p.environment, p.engine) == _place(fewer[0])]
    assert not seeds & {point.seed for point, _ in grid([copper, alloy], ENVIRONMENTS, BOTH, seed=4)}


def _place(point: MdPoint) -> tuple[str, Environment, Engine]:
    return point.name, point.environment, point.engine


def test_the_first_engine_makes_data_and_the_others_check(copper: DefectCell) -> None:
    points = [point for point, _ in grid([copper], ENVIRONMENTS, BOTH)]
    assert {(p.engine, p.role) for p in points} == {("lammps", "data"), ("ase", "check")}
    assert {p.engine for p, _ in grid([copper], ENVIRONMENTS)} == {"lammps"}
    assert len(grid([copper], ENVIRONMENTS, ["ase", "ase"])) == len(ENVIRONMENTS)


def test_one_more_point_checks_the_first(copper: DefectCell, alloy: DefectCell) -> None:
    points = grid([copper, alloy], ENVIRONMENTS, seed=3)
    *same, (check, cell) = checked_by(points, "ase", 3)
    first = points[0][0]
    assert same == points
    assert cell is copper
    assert (check.role, check.engine, check.environment, check.steps) == (
        "check",
        "ase",
        first.environment,
        first.steps,
    )
    assert check.seed == point_seed(3, "ase", copper, first.environment) != first.seed


@pytest.mark.parametrize("engine", [None, "lammps"])
def test_no_second_engine_means_no_check(copper: DefectCell, engine: Engine | None) -> None:
    points = grid([copper], ENVIRONMENTS)
    assert checked_by(points, engine, 0) == points
    assert checked_by([], "ase", 0) == []


def test_a_check_that_an_engine_cannot_do_is_refused(copper: DefectCell) -> None:
    points = grid([copper], [Environment(300.0, 0.0, "npt-full")])
    with pytest.raises(ConditionError, match="does not do the ensemble npt-full"):
        checked_by(points, "batched", 0)
    with pytest.raises(ConditionError, match="no point has the role 'test'"):
        MdPoint("a", "b", Environment(300.0), role="test")  # type: ignore[arg-type]


def test_a_role_survives_json_and_an_archive_without_one_is_data(copper: DefectCell) -> None:
    for point, _ in grid([copper], ENVIRONMENTS[:1], BOTH):
        assert MdPoint.from_json(point.json) == point
        assert MdPoint.from_json(point.json).id == point.id
    data = MdPoint.of(copper, Environment(300.0))
    old = {name: value for name, value in data.json.items() if name != "role"}
    assert (MdPoint.from_json(old), MdPoint.from_json(old).id) == (data, data.id)
    assert MdPoint.of(copper, Environment(300.0), role="check").id != data.id


def test_trajectories_of_a_grid_are_no_twins(emt: Potential, copper: DefectCell, tmp_path: Path) -> None:
    """Two engines, and two pressures that hardly differ; with one seed for all they would be twins."""
    close = [Environment(300.0, p) for p in (0.0, 0.01)]
    points = grid([copper], close, BOTH, steps=20, interval=10, timestep=2.0)
    frames = [r.frames.positions[1:] for r in md_all(points, emt, tmp_path / "own", workers=1)]
    assert min(closest(a, b) for a, b in combinations(frames, 2)) > 0.05
    one_seed = [
        (MdPoint.of(cell, p.environment, engine=p.engine, steps=20, interval=10, timestep=2.0), cell)
        for p, cell in points
    ]
    twins = [r.frames.positions[1:] for r in md_all(one_seed, emt, tmp_path / "one", workers=1)]
    assert max(closest(a, b) for a, b in combinations(twins, 2)) < 0.01


def test_frames_say_what_they_are_for(emt: Potential, copper: DefectCell, tmp_path: Path) -> None:
    points = checked_by(grid([copper], ENVIRONMENTS[:1], steps=4, interval=2), "ase", 0)
    roles = [{r.cell.provenance["md"]["role"] for r in x.records()} for x in md_all(points, emt, tmp_path, workers=1)]
    assert roles == [{"data"}, {"check"}]


def test_cells_of_the_same_name_and_conditions_differ_by_their_key() -> None:
    from ase.build import bulk

    one, other = (cell_of(bulk("Cu", cubic=True), name) for name in ("a", "b"))
    assert point_seed(0, "ase", one, ENVIRONMENTS[0]) != point_seed(0, "ase", other, ENVIRONMENTS[0])
