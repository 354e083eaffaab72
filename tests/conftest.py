"""What holds for every test: the user's own potentials are not there, and a busy machine is no fault of the code."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(autouse=True, scope="session")
def _no_configuration_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder for everything that is remembered between commands; what has passed its self-test stays in it."""
    before, folder = os.environ.get("DEFECTGEN_CONFIG"), tmp_path_factory.mktemp("configuration")
    os.environ["DEFECTGEN_CONFIG"] = str(folder)
    yield folder
    if before is None:
        del os.environ["DEFECTGEN_CONFIG"]
    else:
        os.environ["DEFECTGEN_CONFIG"] = before
