"""The structure of the code holds: no cycles, rooms in layers, small folders, one meaning a name, short functions."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.places import ROOT

MAX_FILES = 14
MAX_LINES = 400


@pytest.fixture(scope="module")
def structure() -> ModuleType:
    spec = importlib.util.spec_from_file_location("structure", ROOT / "benchmarks" / "structure.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def files(structure) -> dict[str, Path]:
    return structure.modules(ROOT)


def test_no_module_imports_itself_on_any_way(structure, files) -> None:
    graph = structure.imports(files)
    assert not structure.cycles(graph)
    assert not structure.cycles(structure.rooms(graph))
    back = {**graph, "augment.elements": graph["augment.elements"] | {"augment.defect"}}
    assert structure.cycles(back), "a cycle would be found"


def test_no_folder_is_too_full_and_no_file_or_function_too_long(structure, files) -> None:
    tests = {str(path): path for path in (ROOT / "tests").rglob("*.py")}
    assert max(structure.folders({**files, **tests}).values()) <= MAX_FILES
    assert max(len(path.read_text(encoding="utf-8").splitlines()) for path in files.values()) <= MAX_LINES
    assert structure.function_lengths(files)[-1] <= structure.LONG_FUNCTION


def test_no_public_name_means_two_things(structure, files) -> None:
    twice = {name: where for name, where in structure.public_names(files).items() if len(where) > 1}
    assert not twice


def test_bounds_are_called_max_and_min(structure, files) -> None:
    dialect = ("MOST_", "LONGEST_", "FEWEST_", "LARGEST_", "HIGHEST_", "SMALLEST_", "SHORTEST_", "LEAST_", "LOWEST_")
    assert not [name for name in structure.public_names(files) if name.startswith(dialect)]


DIALECT = {"told": "input features, or the noun of the value", "untold": "unconditional", "TELLING": "MIN_..."}
"""Words that the code once had for things with names of their own, and what to say instead."""

STORED = {"defectgen/model/network/latent.py"}
"""Where such a word is the name of a parameter in stored weights."""


def dialect(text: str) -> set[str]:
    """Words of the dialect in a text."""
    return {word for word in DIALECT if re.search(rf"\b{word}\b", text)}


def test_things_have_the_names_of_the_field() -> None:
    found = {}
    for package in ("augment", "md", "defectgen"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name not in STORED and dialect(path.read_text(encoding="utf-8")):
                found[name] = dialect(path.read_text(encoding="utf-8"))
    assert not found, DIALECT
    assert dialect("what the network is told") == {"told"}
    assert not dialect("toldness")


def test_tests_import_no_helpers_of_another_folder() -> None:
    for path in (ROOT / "tests").rglob("test_*.py"):
        here = ".".join(path.relative_to(ROOT).parent.parts)
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("from tests."):
                module = line.split()[1]
                assert module.startswith(("tests.support", here)), f"{path}: {line}"
