"""The lower bounds of the dependencies are the oldest releases that the suite runs on, those that `oldest.txt` pins."""

from __future__ import annotations

import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.places import ROOT

TOOLS = {"oracles", "check", "docs", "images"}  # extras that the suite runs without


def direct_dependencies() -> list[Requirement]:
    """Requirements of the package and of the extras that the suite runs with."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [lines for name, lines in project["optional-dependencies"].items() if name not in TOOLS]
    every = [Requirement(line) for lines in (project["dependencies"], *extras) for line in lines]
    return [requirement for requirement in every if requirement.name != project["name"]]


def pinned_versions() -> dict[str, Version]:
    """Version of each package in the set of the oldest."""
    lines = (ROOT / "tests" / "oldest.txt").read_text(encoding="utf-8").splitlines()
    pins = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): Version(version) for name, version in pins}


def bounds_not_pinned(requirements: list[Requirement], pinned: dict[str, Version]) -> list[str]:
    """Requirements whose lower bound is missing, or is another version than the pinned one."""
    return [
        str(requirement)
        for requirement in requirements
        if [Version(bound.version) for bound in requirement.specifier if bound.operator == ">="]
        != [pinned.get(canonicalize_name(requirement.name))]
    ]


def test_lower_bounds_are_what_the_oldest_set_pins() -> None:
    assert not bounds_not_pinned(direct_dependencies(), pinned_versions()), "after a bound has moved: make pin-oldest"


def test_a_bound_that_moved_alone_is_found() -> None:
    pinned = {"numpy": Version("2.2.0")}
    assert not bounds_not_pinned([Requirement("numpy>=2.2,<3")], pinned)
    for line in ("numpy>=2.1", "numpy", "numpy<3", "scipy>=1.15"):
        assert bounds_not_pinned([Requirement(line)], pinned) == [line]
