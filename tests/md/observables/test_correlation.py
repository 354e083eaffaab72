"""Correlation times: known ones come back, and a series too short for its own is refused."""

import numpy as np
import pytest
from scipy.signal import lfilter

from augment.errors import DataError
from md.conditions.environment import Environment
from md.conditions.schedule import ramp
from md.dynamics import MdPoint, run_point
from md.estimators.correlation import MIN_CORRELATION_TIMES, correlation_time
from md.observables import summary
from md.potentials import Potential
from tests.support.cells import cell_of


def remembering(phi: float, steps: int, seed: int) -> np.ndarray:
    """x_t = phi x_{t-1} + noise, from its stationary state: tau = (1 + phi) / (1 - phi) / 2."""
    noise = np.random.default_rng(seed).normal(size=steps + 5000)
    return np.asarray(lfilter([1.0], [1.0, -phi], noise))[5000:]


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9, 0.98])
def test_the_time_of_a_known_process_comes_back(phi: float) -> None:
    true = (1 + phi) / (1 - phi) / 2
    found = [correlation_time(remembering(phi, 40_000, seed)) for seed in range(8)]
    spread = true * np.sqrt(2 * (2 * 5 * true + 1) / 40_000)  # Sokal's variance of the windowed estimate
    assert np.mean(found) == pytest.approx(true, abs=3 * spread / np.sqrt(8) + 0.02 * true)
    assert np.std(found) < 3 * spread


def test_scale_and_origin_do_not_matter() -> None:
    series = remembering(0.8, 5000, 1)
    assert correlation_time(-3e4 + 1e-3 * series) == pytest.approx(correlation_time(series), rel=1e-6)


def test_a_run_of_a_length_is_told_or_refused_by_its_true_time() -> None:
    """A walk of 300 steps that remembers 100 must not pass as one that remembers 5."""
    refused = 0
    for seed in range(20):
        try:
            correlation_time(remembering(0.99, 300, seed))
        except DataError as error:
            refused += "run longer" in str(error)
    assert refused == 20
    assert correlation_time(remembering(0.5, 300, 0)) < 300 / MIN_CORRELATION_TIMES


@pytest.mark.parametrize("series", [np.zeros(100), np.arange(100.0), np.arange(5.0), np.zeros(0)])
def test_what_has_no_time_is_refused(series: np.ndarray) -> None:
    with pytest.raises(DataError):
        correlation_time(series)


def test_a_vibration_does_not_cancel_its_own_time() -> None:
    """What a period brings back is no new sample: a sine has the time that it takes to turn, not zero."""
    assert correlation_time(np.sin(0.1 * np.arange(4000))) == pytest.approx(10.0, rel=0.05)


def test_points_state_it_in_fs_with_the_time_between_frames(emt: Potential) -> None:
    from ase.build import bulk

    cell = cell_of(bulk("Cu", "fcc", 3.6, cubic=True))
    environments = {"long": Environment(300.0, 0.0, "nvt"), "ramp": Environment(ramp(300, 400, 400.0), 0.0, "nvt")}
    rows = {}
    for name, environment in environments.items():
        point = MdPoint.of(cell, environment, engine="lammps", steps=2000, timestep=2.0, interval=25)
        rows[name] = summary(run_point(point, cell, emt))
        assert rows[name]["frame_interval"] == 50.0
    row = rows["long"]
    assert 4.0 < row["correlation_time"] < 2000 * 2.0 / MIN_CORRELATION_TIMES
    assert "correlation_time" not in row["not_measurable"]
    assert rows["ramp"]["correlation_time"] is None
    assert "constant temperature" in rows["ramp"]["not_measurable"]["correlation_time"]
    brief = MdPoint.of(cell, environments["long"], engine="lammps", steps=20, timestep=2.0, interval=5)
    short = summary(run_point(brief, cell, emt))
    assert short["correlation_time"] is None
    assert "run longer" in short["not_measurable"]["correlation_time"]
