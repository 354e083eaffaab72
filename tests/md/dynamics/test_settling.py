"""Points that start at the volume of the warm crystal and end where their means are precise, and those that do not."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from augment.cell import DefectCell
from augment.errors import ConditionError
from md.campaigns.relax_and_md import grid, md_all
from md.campaigns.warm_crystals import WARM
from md.conditions.breathing import barostat_time
from md.conditions.environment import Environment, Strain
from md.conditions.precision import LOOK_GROWTH, Precision
from md.conditions.schedule import ramp
from md.dynamics import MdPoint, Response, run_point
from md.dynamics.response import response_from_arrays
from md.dynamics.settling import SettledMeans, why_unsettled
from md.dynamics.start_volume import scaled, static_pressure, warm_crystal
from md.jobs.checkpoint import Checkpoints, RunState
from md.observables import summary
from md.potentials import Potential, resolve_potential
from tests.support.cells import cell_of

HOT = Environment(900.0, 0.0)
"""Copper is some 5 % larger there than at rest."""


@pytest.fixture(scope="module")
def mishin() -> Potential:
    return resolve_potential("lammps:eam/alloy Cu_mishin1.eam.alloy")


@pytest.fixture(scope="module")
def copper() -> DefectCell:
    """At rest in the lattice of 0 K."""
    return cell_of(bulk("Cu", "fcc", 3.615, cubic=True) * (2, 2, 2))


@pytest.fixture(scope="module")
def vacancy(copper: DefectCell) -> DefectCell:
    rest = np.arange(1, len(copper))
    return DefectCell("v_Cu", "v", copper.cell, copper.numbers[rest], copper.positions[rest], copper.sites[rest])


def point(cell: DefectCell, environment: Environment = HOT, **how: object) -> MdPoint:
    return MdPoint.of(cell, environment, **{"engine": "lammps", "timestep": 2.0, "steps": 400, **how})  # type: ignore[arg-type]


def first_pressure(response: Response) -> float:
    """Mean pressure (GPa) of the first half picosecond, less the one held."""
    return float(response.series.pressures[:250].mean()) - float(response.point.environment.pressures.array[0, 0])


def same(one: Response, other: Response) -> bool:
    first, second = one.to_arrays(), other.to_arrays()
    return {k: v.tobytes() for k, v in first.items()} == {k: v.tobytes() for k, v in second.items()}


@pytest.mark.parametrize("engine", ["ase", "lammps"])
def test_a_warm_start_has_the_volume_of_the_run_and_a_cold_one_has_not(
    engine: str, copper: DefectCell, mishin: Potential
) -> None:
    if engine == "ase":
        mishin = resolve_potential("emt")
    warm, cold = (run_point(point(copper, engine=engine, start=start), copper, mishin) for start in ("warm", "cell"))
    volumes = [response.series.volumes[200:].mean() / response.series.volumes[0] for response in (warm, cold)]
    assert abs(volumes[0] - 1) < 0.008
    assert abs(volumes[1] - 1) > 0.008
    assert warm.frames.start is copper
    assert summary(warm)["start_volume"] == pytest.approx(warm.series.volumes[0] / copper.volume, abs=1e-6)
    assert summary(cold)["start_volume"] == 1.0


def test_the_volume_does_not_depend_on_the_lattice_that_it_is_looked_for_from(
    copper: DefectCell, mishin: Potential
) -> None:
    found = []
    for factor in (0.98, 1.0, 1.02):
        cell = scaled(copper, factor)
        found.append(factor**3 * warm_crystal(point(cell), cell, mishin, run_point).volume)
    assert np.ptp(found) < 0.006


def test_a_defect_starts_where_its_own_pressure_is_met(
    copper: DefectCell, vacancy: DefectCell, mishin: Potential
) -> None:
    crystal = warm_crystal(point(copper), copper, mishin, run_point)
    assert crystal.scale_for(crystal.static_pressure) == pytest.approx(crystal.volume ** (1 / 3))
    own = static_pressure(vacancy, mishin)
    assert own < crystal.static_pressure  # a vacancy pulls inwards
    assert crystal.scale_for(own) < crystal.scale_for(crystal.static_pressure)
    started = run_point(point(vacancy, start="warm"), vacancy, mishin, find_crystal=lambda: crystal)
    assert abs(first_pressure(started)) < 1.0


def test_defects_share_the_warm_crystal_of_their_conditions(
    copper: DefectCell, vacancy: DefectCell, mishin: Potential, tmp_path: Path
) -> None:
    points = grid([copper, vacancy], [HOT, Environment(300.0, 0.0)], steps=150, timestep=2.0, start="warm")
    found = md_all(points, mishin, tmp_path, workers=1, crystal=copper)
    assert len(list((tmp_path / WARM).glob("*.npz"))) == 2
    alone = md_all(points[2:3], mishin, tmp_path / "alone", workers=1)
    assert not same(alone[0], found[2])
    assert all(
        same(*pair) for pair in zip(found, md_all(points, mishin, tmp_path, workers=1, crystal=copper), strict=True)
    )


def test_where_no_volume_is_found_the_cell_is_the_start_and_says_so(copper: DefectCell, mishin: Potential) -> None:
    molten = run_point(point(copper, Environment(9000.0, 0.0), steps=5, interval=5, start="warm"), copper, mishin)
    assert "starts from the volume at rest" in molten.notes[0]


def test_a_barostat_has_the_inertia_of_the_cell() -> None:
    """Twice the length takes twice the time, four times the temperature half of it."""
    small, large = (cell_of(bulk("Cu", cubic=True) * (n, n, n)) for n in (1, 2))
    times = [
        barostat_time(point(cell, Environment(t)), cell) for cell, t in ((small, 300), (large, 300), (small, 1200))
    ]
    assert times[1:] == pytest.approx([2 * times[0], times[0] / 2])


def test_a_point_ends_where_its_means_are_precise(copper: DefectCell, mishin: Potential) -> None:
    asked = [Precision(0.02, 0.05), Precision(0.004, 0.02), Precision(1e-6, 1e-6)]
    found = [run_point(point(copper, steps=2500, precision=each, start="warm"), copper, mishin) for each in asked]
    lengths = [len(response.series) - 1 for response in found]
    assert lengths[0] < lengths[1] < lengths[2] == 2500
    for response, precision in zip(found[:2], asked, strict=False):
        means = SettledMeans.of(response.series, len(copper), breathes=True)
        assert means.volume.error <= precision.volume * means.volume.value
        assert means.energy.error <= precision.energy
        assert why_unsettled(response) == []
        assert summary(response)["settled"] is True
    reasons = why_unsettled(found[2])
    assert reasons
    assert "the volume is known to" in reasons[0]
    assert np.array_equal(found[2].series.volumes[: lengths[0] + 1], found[0].series.volumes)
    read = response_from_arrays(found[0].to_arrays(), mishin, 0.0, "memory")
    assert read.point == found[0].point


@pytest.mark.parametrize("stop", [250, 300, 500])
def test_a_point_that_is_interrupted_ends_at_the_same_step(
    copper: DefectCell, mishin: Potential, tmp_path: Path, stop: int
) -> None:
    """Also where the last checkpoint is of the very step after which it ends."""
    asked = point(copper, steps=2000, precision=Precision(0.006, 0.02), start="warm", checkpoint=50)
    whole = run_point(asked, copper, mishin)
    assert 250 <= len(whole.series) - 1 < 2000

    class Stopping(Checkpoints):
        def write(self, state: RunState, recorded: dict[str, np.ndarray]) -> None:  # type: ignore[override]
            super().write(state, recorded)
            if state.step == min(stop, len(whole.series) - 1):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_point(asked, copper, mishin, Stopping(tmp_path, "it"))
    assert same(run_point(asked, copper, mishin, Checkpoints(tmp_path, "it")), whole)


def test_a_run_far_from_its_pressure_has_not_settled(copper: DefectCell, mishin: Potential) -> None:
    response = run_point(point(copper, steps=400, start="warm"), copper, mishin)
    assert why_unsettled(response) == []
    shifted = replace(response, series=replace(response.series, pressures=response.series.pressures + 3.0))
    (reason,) = why_unsettled(shifted) or []
    assert "the mean pressure is" in reason
    drifting = 300 * np.maximum(0, 0.7 - np.linspace(0, 1, 401)) + response.series.volumes
    cells = response.series.cells * (drifting / response.series.volumes)[:, None, None] ** (1 / 3)
    drifted = replace(response, series=replace(response.series, cells=cells))
    assert any("before it was in equilibrium" in reason for reason in why_unsettled(drifted) or [])


def test_looks_come_at_multiples_of_a_stretch_and_not_too_often() -> None:
    looks = list(Precision(stretch=100).looks(10_000))
    assert looks[0] == 100
    assert all(look % 100 == 0 for look in looks)
    assert all(b - a <= max(100, (LOOK_GROWTH - 1) * a + 100) for a, b in pairwise(looks))
    assert len(looks) < 30


@pytest.mark.parametrize(
    ("environment", "how", "words"),
    [
        (Environment(ramp(300, 600, 100.0)), {"precision": Precision()}, "have no precision; give a number of steps"),
        (Environment(300, 0, "nvt"), {"start": "warm"}, "nvt has no pressure to start at"),
        (Environment(300, 0, "npt-aniso", Strain("a", 0.01)), {"start": "warm"}, "no pressure to start at"),
    ],
)
def test_what_means_nothing_is_refused(
    copper: DefectCell, environment: Environment, how: dict[str, object], words: str
) -> None:
    with pytest.raises(ConditionError, match=words):
        point(copper, environment, **how)
