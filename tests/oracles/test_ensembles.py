"""The ensembles that both engines sample, by the tests of physical_validation; numbers are standard errors."""

import importlib.util
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.optional import optional
from tests.support.places import ROOT

optional("physical_validation")
FAR = 4.0
"""Standard errors; some 60 numbers are tested, and of so many Gaussian ones 1 in 250 runs would have one beyond it."""


def load() -> ModuleType:
    path = ROOT / "benchmarks" / "ensemble_validation.py"
    spec = importlib.util.spec_from_file_location("ensemble_validation", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def validation() -> ModuleType:
    return load()


@pytest.fixture(scope="module")
def runs(validation: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A quarter of an hour."""
    cell = validation.copper()
    return validation.run_all(validation.points(cell, 12_000), cell, tmp_path_factory.mktemp("runs"), 1)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["ase", "lammps"])
def test_an_engine_samples_the_ensembles_it_is_asked_for(validation: ModuleType, runs: Any, engine: str) -> None:
    for key, samples in runs.items():
        if key[0] == engine:
            assert max(validation.kinetic_distances(samples)) < FAR
    pairs = [
        (("nvt", 600.0, 0.0), ("nvt", 800.0, 0.0)),
        (("npt", 600.0, 0.0), ("npt", 800.0, 0.0)),
        (("npt", 600.0, 0.0), ("npt", 800.0, 3.0)),
        *(((barostat, 800.0, 0.0), (barostat, 800.0, 3.0)) for barostat in validation.BAROSTATS),
    ]
    for first, second in pairs:
        assert validation.pair_distance(runs[engine, *first], runs[engine, *second]) < FAR


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["ase", "lammps"])
def test_the_volume_fluctuates_as_it_responds_and_each_strain_holds_its_share_of_energy(
    validation: ModuleType, runs: Any, engine: str
) -> None:
    plain = runs[engine, "npt", 800.0, 0.0]
    for barostat, strains in validation.BAROSTATS.items():
        samples = runs[engine, barostat, 800.0, 0.0]
        ratio, error = validation.response_ratio(samples, runs[engine, barostat, 800.0, 3.0])
        assert abs(ratio - 1) < FAR * error
        (u, du), (base, dbase) = (s.mean(s.potential) for s in (samples, plain))
        half = validation.units.kB * 800 / 2 / samples.atoms
        assert abs((u - base) / half - (strains - 1)) < 1 + FAR * np.hypot(du, dbase) / half  # 1: anharmonic shear


@pytest.mark.slow
def test_engines_agree_on_volume_and_energy_at_six_points(runs: Any) -> None:
    points = [key[1:] for key in runs if key[:2] == ("ase", "npt")]
    assert len(points) == 6
    for point in points:
        for name in ("volume", "potential"):
            (a, da), (b, db) = (s.mean(getattr(s, name)) for s in (runs["ase", *point], runs["lammps", *point]))
            assert abs(a - b) < 3 * np.hypot(da, db)
            assert np.hypot(da, db) < 2e-3 * abs(a)  # the errors are small enough to mean something


@pytest.mark.slow
def test_a_wrong_temperature_is_seen(validation: ModuleType, runs: Any) -> None:
    """The control: the same samples do not pass as those of another temperature."""
    cold, warm = runs["lammps", "nvt", 600.0, 0.0], runs["lammps", "nvt", 800.0, 0.0]
    assert max(validation.kinetic_distances(cold, temperature=640.0)) > FAR
    assert validation.pair_distance(cold, warm, temperature=1000.0) > FAR
