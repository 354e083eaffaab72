"""A run of copper with five relaxed defects, and a tiny model of displacements."""

from __future__ import annotations

from pathlib import Path

import pytest

from defectgen.model.bridge import Bridge
from defectgen.model.network import NetworkConfig, fresh_network
from defectgen.model.weights import save_model
from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.stages import generate_stage, relax_stage, start_folder
from defectgen.run.folder import RunFolder
from defectgen.run.settings import Settings
from tests.support.places import HOSTS

TINY = NetworkConfig(width=16, layers=1, cutoff=4.0, radial=6, embedding=8, forces=True)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tiny") / "tiny.safetensors"
    save_model(path, fresh_network(TINY, 0), Bridge(), {"elements": ["Cu"]})
    return str(path)


@pytest.fixture(scope="session")
def unrelaxed_run(tmp_path_factory: pytest.TempPathFactory, tiny: str) -> RunFolder:
    changes = {
        "potential.name": "emt",
        "defects.dopants": ["Ag", "Au", "Ni", "Al"],
        "defects.kinds": ["vacancy", "substitution"],
        "defects.min_image_distance": 7.0,
        "generate.model": tiny,
        "generate.subgroups": ["full"],
        "relax.max_defects": None,
        "workers": 1,
    }
    output = tmp_path_factory.mktemp("copper") / "run"
    settings = Settings(host=HOSTS / "Cu.cif", output=output).replaced(changes)
    return start_folder(PreparedRun.of(settings))


@pytest.fixture(scope="session")
def run(unrelaxed_run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import shutil

    path = tmp_path_factory.mktemp("relaxed") / "run"
    shutil.copytree(unrelaxed_run.path, path)
    folder = RunFolder(path, unrelaxed_run.settings)
    prepared = PreparedRun.of_folder(folder)
    generate_stage(prepared, folder)
    relax_stage(prepared, folder)
    return path
