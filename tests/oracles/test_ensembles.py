"""The ensembles that both engines sample, by the tests of physical_validation; numbers are standard errors."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytest.importorskip("physical_validation")
FAR = 4.0
"""Standard errors; some 60 numbers are tested, and of so many Gaussian ones 1 in 250 runs would have one beyond it."""


def load() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "ensemble_validation.py"
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


@pytest.fixture(scope="module", params=["ase", "lammps"])
def runs(request: pytest.FixtureRequest, validation: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    cell = validation.copper()
    points = validation.points(cell, 6000, [request.param])
    return validation.run_all(points, cell, tmp_path_factory.mktemp("runs"), 1)


def keyed(runs: Any) -> dict[tuple[str, float, float], Any]:
    return {key[1:]: samples for key, samples in runs.items()}


@pytest.mark.slow
def test_both_engines_sample_the_ensembles_they_are_asked_for(validation: ModuleType, runs: Any) -> None:
    for samples in runs.values():
        assert max(validation.kinetic_distances(samples)) < FAR
    found = keyed(runs)
    pairs = [
        (("nvt", 600.0, 0.0), ("nvt", 800.0, 0.0)),
        (("npt", 600.0, 0.0), ("npt", 800.0, 0.0)),
        (("npt", 600.0, 0.0), ("npt", 800.0, 3.0)),
        *(((barostat, 800.0, 0.0), (barostat, 800.0, 3.0)) for barostat in validation.BAROSTATS),
    ]
    for first, second in pairs:
        assert validation.pair_distance(found[first], found[second]) < FAR


@pytest.mark.slow
def test_the_volume_fluctuates_as_it_responds_and_each_strain_holds_its_share_of_energy(
    validation: ModuleType, runs: Any
) -> None:
    found = keyed(runs)
    plain = found["npt", 800.0, 0.0]
    for barostat, strains in validation.BAROSTATS.items():
        ratio, error = validation.response_ratio(found[barostat, 800.0, 0.0], found[barostat, 800.0, 3.0])
        assert abs(ratio - 1) < FAR * error
        samples = found[barostat, 800.0, 0.0]
        (u, du), (base, dbase) = (s.mean(s.potential) for s in (samples, plain))
        half = validation.units.kB * 800 / 2 / samples.atoms
        assert abs((u - base) / half - (strains - 1)) < 1 + FAR * np.hypot(du, dbase) / half


@pytest.mark.slow
def test_a_wrong_temperature_is_seen(validation: ModuleType, runs: Any) -> None:
    """The control: the same samples do not pass as those of another temperature."""
    found = keyed(runs)
    cold, warm = found["nvt", 600.0, 0.0], found["nvt", 800.0, 0.0]
    assert max(validation.kinetic_distances(cold, temperature=640.0)) > FAR
    assert validation.pair_distance(cold, warm, temperature=1000.0) > FAR
