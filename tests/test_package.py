"""The package as others get it: built, installed into a new environment, and run outside the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.places import HOSTS, ROOT

SETTINGS = """host: MgO.cif
output: out
workers: 1
defects: {min_image_distance: 5.0, kinds: [vacancy]}
relax: {max_steps: 30, max_defects: 1}
md: {temperatures: [300], pressures: [0], steps: 10, sample: 5, max_cells: 1, check: null}
"""


def run(*command: object, cwd: Path) -> str:
    """What a command prints; modules of the repository are not on its path."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution, made of a copy without build outputs."""
    folder, source = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("source") / "defectgen"
    hidden = shutil.ignore_patterns(".venv*", "out", ".git", "_build", "_generated", "__pycache__")
    shutil.copytree(ROOT, source, ignore=hidden)
    run(sys.executable, "-m", "venv", folder / "builder", cwd=folder)
    python = folder / "builder/bin/python"
    run(python, "-m", "pip", "install", "--quiet", "build", cwd=folder)
    run(python, "-m", "build", "--outdir", folder, source, cwd=folder)
    return folder


@pytest.mark.slow
def test_the_wheel_holds_what_the_product_needs_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} - {"augment", "md", "defectgen"} == {
        next(name.split("/")[0] for name in names if ".dist-info" in name)
    }
    for needed in ("augment/py.typed", "md/py.typed", "defectgen/py.typed"):
        assert needed in names
    assert any(name.startswith("defectgen/weights/") and name.endswith(".safetensors") for name in names)
    assert any(name.startswith("md/students/") and name.endswith(".safetensors") for name in names)
    assert wheel.stat().st_size < 100e6
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {"README.md", "CHANGELOG.md", "CITATION.cff", "pyproject.toml", "docs/conf.py", ".ci/find-python"} <= inside
    assert {"tests/test_package.py", "conda/recipe.yaml"} <= inside


@pytest.mark.slow
def test_the_source_distribution_gives_the_same_package(built: Path, tmp_path: Path) -> None:
    (sdist,), (wheel,) = built.glob("*.tar.gz"), built.glob("*.whl")
    run(built / "builder/bin/python", "-m", "pip", "wheel", "--quiet", "--no-deps", sdist, cwd=tmp_path)
    (again,) = tmp_path.glob("*.whl")
    first, second = zipfile.ZipFile(wheel), zipfile.ZipFile(again)
    assert {info.filename: info.CRC for info in first.infolist()} == {i.filename: i.CRC for i in second.infolist()}


@pytest.fixture
def new_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder outside the repository that goes away: an environment takes gigabytes."""
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_the_wheel_runs_in_a_new_environment_outside_the_repository(
    built: Path, version: str, new_folder: Path
) -> None:
    found = subprocess.run([ROOT / ".ci/find-python", version], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip(f"no Python {version} here")
    (wheel,) = built.glob("*.whl")
    run(found.stdout.strip(), "-m", "venv", new_folder / "env", cwd=new_folder)
    run(new_folder / "env/bin/python", "-m", "pip", "install", "--quiet", wheel, cwd=new_folder)
    shutil.copy(HOSTS / "MgO.cif", new_folder)
    (new_folder / "settings.yaml").write_text(SETTINGS, encoding="utf-8")
    run(new_folder / "env/bin/defectgen", "run", "settings.yaml", cwd=new_folder)
    assert (new_folder / "out/report.html").stat().st_size > 100_000
    assert (new_folder / "out/export/train.extxyz").is_file()
    where = run(new_folder / "env/bin/python", "-c", "import augment; print(augment.__file__)", cwd=new_folder)
    assert str(new_folder) in where
