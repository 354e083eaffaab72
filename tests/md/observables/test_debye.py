"""Debye's crystal: its limits, tabulated values, and the frequency of an oscillator from its forces."""

import numpy as np
import pytest
from ase import units

from augment.errors import DataError
from md.estimators.debye import debye_temperature, quantum_correction


@pytest.mark.parametrize(
    ("ratio", "capacity"), [(0.1, 0.9995), (1.0, 0.9517), (2.0, 0.8254), (5.0, 0.3686), (10.0, 0.0758)]
)
def test_heat_capacities_are_those_of_tables(ratio: float, capacity: float) -> None:
    assert quantum_correction(300 * ratio, 300.0).heat_capacity == pytest.approx(capacity, abs=2e-4)


@pytest.mark.parametrize("theta", [100.0, 400.0, 940.0])
def test_cold_crystals_have_their_zero_point_and_hot_ones_nothing_more(theta: float) -> None:
    cold, hot = quantum_correction(theta, theta / 200), quantum_correction(theta, 20 * theta)
    whole = cold.energy + 3 * units.kB * theta / 200
    assert whole == pytest.approx(9 / 8 * units.kB * theta, rel=1e-4)
    assert hot.energy == pytest.approx(3 * units.kB * theta**2 / (20 * theta) / 20, rel=1e-2)
    assert hot.heat_capacity == pytest.approx(1.0, abs=2e-4)


def test_the_frequency_is_that_of_debyes_spectrum() -> None:
    """10 THz at the cutoff are 480 K: h / k is 47.99 K per THz."""
    cutoff = 2 * np.pi * 10e-3  # 1/fs
    assert debye_temperature(0.6 * cutoff**2) == pytest.approx(479.9, abs=0.1)
    with pytest.raises(DataError, match="no forces"):
        debye_temperature(0.0)
