"""Equilibration, response functions, diffusion and spectra against processes whose answer is known."""

import numpy as np
import pytest
from ase import units
from ase.build import bulk

from augment.errors import ConditionError, DataError
from md.conditions.environment import Environment
from md.dynamics import MdPoint, Response, Series
from md.estimators.equilibration import equilibration
from md.labels.frames import Frames
from md.observables import (
    Mean,
    arrhenius,
    bulk_modulus_from_fluctuations,
    bulk_modulus_from_pressures,
    diffusion_coefficient,
    displacements,
    equilibrated_mean,
    heat_capacity,
    lattice_parameters,
    phonon_spectrum,
    statistical_inefficiency,
    strain_tensor,
    thermal_expansion,
    variance,
    velocity_autocorrelation,
)
from md.observables.spectra import midpoint_velocities
from md.potentials import Potential
from tests.support.cells import cell_of


def autoregressive(memory: float, length: int, rng: np.random.Generator) -> np.ndarray:
    """A stationary series of unit variance with C(t) = memory^t, so that g = (1 + memory) / (1 - memory)."""
    from scipy.signal import lfilter

    noise = rng.standard_normal(length) * np.sqrt(1 - memory**2)
    noise[0] = rng.standard_normal()
    return np.asarray(lfilter([1.0], [1.0, -memory], noise))


def test_the_inefficiency_of_an_autoregressive_series_is_its_own() -> None:
    rng = np.random.default_rng(0)
    found = [statistical_inefficiency(autoregressive(0.8, 5000, rng)) for _ in range(20)]
    assert np.mean(found) == pytest.approx(9.0, rel=0.1)
    assert statistical_inefficiency(rng.standard_normal(5000)) < 1.2
    assert statistical_inefficiency(np.ones(50)) == 50


def test_equilibration_ends_where_the_drift_does_and_without_drift_at_once() -> None:
    rng = np.random.default_rng(1)
    settled = autoregressive(0.5, 4000, rng)
    drifting = settled + 30 * np.exp(-np.arange(4000) / 150)
    assert 500 < equilibration(drifting).start < 1600
    assert equilibration(settled).start < 800
    mean = equilibrated_mean(drifting)
    assert abs(mean.value) < 4 * mean.error
    assert abs(drifting.mean()) > 10 * mean.error  # the average over all of it is wrong


def test_equilibrated_errors_cover_the_truth_at_their_rate() -> None:
    rng = np.random.default_rng(2)
    means = [equilibrated_mean(autoregressive(0.9, 3000, rng)) for _ in range(150)]
    hits = np.mean([abs(m.value) < 2 * m.error for m in means])
    assert 0.88 < hits <= 1.0
    assert np.mean([m.error for m in means]) == pytest.approx(np.std([m.value for m in means]), rel=0.3)


def test_too_few_values_are_an_error_not_a_number() -> None:
    for judge in (statistical_inefficiency, equilibration, variance):
        with pytest.raises(DataError, match="run longer"):
            judge(np.arange(5.0))
    with pytest.raises(DataError, match="independent"):
        variance(np.linspace(0, 1, 50))


def test_bulk_modulus_of_gaussian_volumes_is_the_one_they_were_drawn_for() -> None:
    rng = np.random.default_rng(3)
    volume, temperature, modulus = 1000.0, 300.0, 140.0
    spread = np.sqrt(units.kB * temperature * volume / (modulus * units.GPa))
    found = bulk_modulus_from_fluctuations(volume + spread * autoregressive(0.9, 20000, rng), temperature)
    assert found.value == pytest.approx(modulus, abs=3 * found.error)
    assert found.error < 0.1 * modulus
    with pytest.raises(DataError, match="npt"):
        bulk_modulus_from_fluctuations(np.full(100, 10.0), 300.0)


def test_bulk_modulus_and_expansion_of_an_equation_of_state() -> None:
    pressures = [0.0, 2.0, 4.0, 6.0, 8.0]
    murnaghan = [100 * (1 + 4.5 * p / 140) ** (-1 / 4.5) for p in pressures]
    found = bulk_modulus_from_pressures(pressures, [Mean(v, 1e-3) for v in murnaghan], at=4.0)
    assert found.value == pytest.approx(140 + 4.5 * 4, rel=5e-3)  # a parabola for ln V leaves 0.4 %
    lengths = [Mean(3.6 * np.exp(1.7e-5 * t), 1e-5) for t in (300, 600)]
    assert thermal_expansion([300, 600], lengths).value == pytest.approx(1.7e-5, rel=1e-9)
    expected = np.hypot(1e-5 / 3.6, 1e-5 / 3.6) / 300
    assert thermal_expansion([300, 600], lengths).error == pytest.approx(expected, rel=0.02)
    with pytest.raises(DataError, match="different points"):
        thermal_expansion([300, 300], lengths)
    with pytest.raises(DataError, match="grows"):
        bulk_modulus_from_pressures([0, 1], [Mean(1.0, 0.1), Mean(1.1, 0.1)])


def response_of(series: Series, environment: Environment, emt: Potential) -> Response:
    cell = cell_of(bulk("Cu", cubic=True))
    frames = Frames(cell, np.zeros((0, 4, 3)), np.zeros((0, 3, 3)), np.zeros(0), np.zeros((0, 4, 3)), np.zeros((0, 6)))
    point = MdPoint.of(cell, environment)
    return Response(point, emt, "finished", "", series, frames, np.zeros(0, dtype=np.int64), 1.0)


def test_heat_capacity_of_a_harmonic_crystal_is_three(emt: Potential) -> None:
    rng = np.random.default_rng(4)
    total = units.kB * 300 * (rng.gamma(6.0, size=20000) + rng.gamma(6.0, size=20000))  # 12 modes, 24 squares
    cells = np.repeat(4 * np.eye(3)[None], 20000, 0)
    series = Series(total, np.zeros(20000), np.full(20000, 300.0), np.zeros(20000), cells)
    found = heat_capacity(response_of(series, Environment(300, ensemble="nvt"), emt))
    assert found.value == pytest.approx(3.0, abs=3 * found.error)
    assert found.error < 0.1
    with pytest.raises(ConditionError, match="constant"):
        heat_capacity(response_of(series, Environment(300, ensemble="nve"), emt))
    short = Series(total[:900], np.zeros(900), np.full(900, 300.0), np.zeros(900), cells[:900])
    assert heat_capacity(response_of(series, Environment(300, ensemble="nvt"), emt), 18900)  # 1.1 ps
    with pytest.raises(DataError, match="run 1 ps or longer"):
        heat_capacity(response_of(short, Environment(300, ensemble="nvt"), emt))
    with pytest.raises(DataError, match="run 10 ps or longer"):
        heat_capacity(response_of(series, Environment(300, ensemble="npt"), emt), 10100)


def test_lattice_parameters_and_strain_of_breathing_cells() -> None:
    rng = np.random.default_rng(5)
    from ase.cell import Cell

    base = Cell.fromcellpar([4, 5, 6, 80, 95, 100]).array
    cells = base * (1 + 0.01 * rng.standard_normal((400, 1, 1)))
    found = lattice_parameters(cells)
    assert found["gamma"] == pytest.approx((100.0, 0.0), abs=1e-9)
    assert found["b"].value == pytest.approx(5.0, abs=4 * found["b"].error)
    value, error = strain_tensor(base, cells)
    assert np.abs(value - np.diag(np.diag(value))).max() < 1e-12
    assert (np.abs(np.diag(value)) < 4 * np.diag(error)).all()
    with pytest.raises(DataError, match="too few"):
        strain_tensor(base, cells[:1])


def test_a_crystal_that_does_not_diffuse_gives_a_bound_and_no_arrhenius_law() -> None:
    rng = np.random.default_rng(8)
    still = diffusion_coefficient(rng.standard_normal((500, 5, 3)), spacing=20.0)
    assert not still.detected
    assert 0 < still.upper_bound < 0.5
    with pytest.raises(DataError, match="no diffusion is seen at 300 K"):
        arrhenius([300, 600], [still.coefficient, Mean(1.0, 0.1)])
    with pytest.raises(DataError, match="too few"):
        diffusion_coefficient(np.zeros((15, 5, 3)), spacing=20.0)


def test_arrhenius_law_returns_what_made_it() -> None:
    temperatures = [600.0, 800.0, 1000.0, 1200.0]
    rng = np.random.default_rng(9)
    within = 0
    for _ in range(100):
        exact = [3.0 * np.exp(-0.7 / (units.kB * t)) for t in temperatures]
        noisy = [Mean(d * (1 + 0.05 * rng.standard_normal()), 0.05 * d) for d in exact]
        law = arrhenius(temperatures, noisy)
        within += abs(law.energy.value - 0.7) < law.energy.error
    assert 55 < within < 82  # 68 of 100 at one standard error
    assert law.at(800.0) == pytest.approx(exact[1], rel=0.2)


def test_a_harmonic_oscillator_has_a_cosine_and_one_line() -> None:
    """The line is as wide as the window says and stands at the frequency; frames too far apart are refused."""
    times, frequency = np.arange(4000) * 5.0, 7.3
    moved = np.zeros((4000, 2, 3))
    moved[:, 0, 0] = np.sin(2 * np.pi * frequency * times / 1000)
    moved[:, 1, 2] = 0.5 * np.cos(2 * np.pi * frequency * times / 1000)
    masses = np.array([63.5, 27.0])
    correlation = velocity_autocorrelation(midpoint_velocities(moved, 5.0), masses)
    assert correlation[:200] == pytest.approx(np.cos(2 * np.pi * frequency * times[:200] / 1000), abs=0.01)
    spectrum = phonon_spectrum(moved, masses, 5.0)
    assert spectrum.frequencies[spectrum.density.argmax()] == pytest.approx(frequency, abs=0.15)
    assert spectrum.mean == pytest.approx(frequency, abs=0.05)
    assert np.trapezoid(spectrum.density, spectrum.frequencies) == pytest.approx(1.0)
    fast = np.random.default_rng(10).standard_normal((500, 2, 3))
    with pytest.raises(DataError, match="keep frames more often"):
        phonon_spectrum(fast, masses, 50.0)
    with pytest.raises(DataError, match="too few"):
        phonon_spectrum(moved[:20], masses, 5.0)
    with pytest.raises(DataError, match="nothing moves"):
        phonon_spectrum(np.zeros((100, 2, 3)), masses, 5.0)


def test_two_lines_of_equal_energy_weigh_the_same() -> None:
    """Equipartition: what the finite differences damp at the higher frequency is given back."""
    times = np.arange(8000) * 10.0
    moved = np.zeros((8000, 1, 3))
    for axis, frequency in enumerate((4.0, 30.0)):
        moved[:, 0, axis] = np.sin(2 * np.pi * frequency * times / 1000) / frequency
    spectrum = phonon_spectrum(moved, np.ones(1), 10.0)
    low = spectrum.frequencies < 15
    assert np.trapezoid(spectrum.density[low], spectrum.frequencies[low]) == pytest.approx(0.5, abs=0.01)


def test_displacements_of_no_frames_are_none() -> None:
    cell = cell_of(bulk("Cu", cubic=True))
    frames = Frames(cell, np.zeros((0, 4, 3)), np.zeros((0, 3, 3)), np.zeros(0), np.zeros((0, 4, 3)), np.zeros((0, 6)))
    assert displacements(frames).shape == (0, 4, 3)
