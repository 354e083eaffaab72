"""A misspelt name finds the one that was meant, and another name finds none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from augment.storage.missing import did_you_mean, nearest_name, no_such_file

CHOICES = (
    ("vacancy", "antisite", "substitution", "interstitial"),
    ("nve", "nvt", "npt", "npt-aniso", "npt-full", "npt-plane"),
    ("orbit", "degeneracy", "model", "pairs"),
    ("frenkel", "schottky", "dopant-vacancy", "split-vacancy", "split-interstitial"),
    ("stem", "xrd", "pdf", "voxels"),
)


def misspellings(name: str) -> Iterator[str]:
    """A name with a letter left out, doubled, or two of them swapped, and in capitals."""
    yield name.upper()
    for k in range(len(name)):
        yield name[:k] + name[k + 1 :]
        yield name[: k + 1] + name[k:]
        yield name[:k] + name[k + 1 : k + 2] + name[k : k + 1] + name[k + 2 :]


@pytest.mark.parametrize("known", CHOICES, ids=lambda known: known[0])
def test_one_slip_finds_the_name(known):
    for name in known:
        for text in misspellings(name) if len(name) > 3 else ():
            assert nearest_name(text, known) == name, text


def test_another_name_finds_none():
    assert did_you_mean("frames", ("symmetric", "broken", "free", "pressed", "mean", "snapshot")) == ""
    assert did_you_mean("x", CHOICES[0]) == ""
    assert did_you_mean("vacancy", ()) == ""


def test_a_file_is_looked_for_in_its_folder_alone(tmp_path: Path):
    (tmp_path / "MgO.cif").touch()
    assert no_such_file(tmp_path / "Mgo.cif").endswith(f"did you mean {tmp_path / 'MgO.cif'}?")
    assert no_such_file(tmp_path / "train.extxyz", "give a file") == "no such file; give a file"
    assert no_such_file(tmp_path / "none" / "MgO.cif") == f"no such file, and no folder {tmp_path / 'none'}"
    assert no_such_file(tmp_path / "run", "start one", "run folder") == "no such run folder; start one"
