"""Supercells of an equilibrium: numbers of defects by their concentrations, places by chance, geometries at rest."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.io import read

from augment import Defect, conventional_supercell, point_defects
from augment.errors import ConditionError
from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.stages import generate_stage, relax_stage, start_folder
from defectgen.run.settings import Settings
from defectgen.thermodynamics.population import draw_supercells
from md.labels.record import read_records
from tests.support.crystals import host
from tests.support.places import HOSTS

GOLD = {
    "potential.name": "emt", "defects.dopants": ["Au"], "defects.kinds": ["vacancy", "substitution"],
    "defects.min_image_distance": 6.0, "generate.forces": "none", "generate.subgroups": ["full"], "workers": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def copper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("population") / "run"
    prepared = PreparedRun.of(Settings(host=HOSTS / "Cu.cif", output=folder).replaced(GOLD))
    made = start_folder(prepared)
    generate_stage(prepared, made)
    relax_stage(prepared, made)
    return folder


def cells_of_two() -> tuple[list[Defect], Any]:
    cells = conventional_supercell(host("MgO"), 2 * np.eye(3, dtype=int))
    return list(point_defects(cells, kinds=["vacancy"])), cells


def test_numbers_are_those_of_poisson() -> None:
    defects, cells = cells_of_two()
    means = np.array([0.4, 0.2])
    per_cell = {d.key: m / cells.index for d, m in zip(defects, means, strict=True)}
    drawn = draw_supercells(defects, per_cell, cells, 4_000, 1)
    assert sum(drawn.values()) == 4_000
    held = Counter[str]()
    for defect, times in drawn.items():
        for edit in defect.edits:
            held["Mg" if cells.lattice_sites.numbers[edit.site] == 12 else "O"] += times
    for defect, mean in zip(defects, means, strict=True):
        assert held[defect.name[2:]] / 4_000 == pytest.approx(mean, abs=5 * np.sqrt(mean / 4_000))
    pristine = sum(times for defect, times in drawn.items() if not defect.edits)
    assert pristine / 4_000 == pytest.approx(np.exp(-means.sum()), abs=0.03)


def test_places_are_random_ones_and_equivalent_cells_are_one() -> None:
    """Two vacancies of one element: as often at each distance as there are such pairs."""
    defects, cells = cells_of_two()
    oxygen = [d for d in defects if d.name == "v_O"]
    drawn = draw_supercells(oxygen, {oxygen[0].key: 2 / cells.index}, cells, 4_000, 2)
    pairs = {defect: times for defect, times in drawn.items() if len(defect.edits) == 2}
    total, copies = sum(pairs.values()), sum(defect.degeneracy for defect in pairs)
    assert copies == 32 * 31 / 2
    for defect, times in pairs.items():
        share = defect.degeneracy / copies
        assert times / total == pytest.approx(share, abs=5 * np.sqrt(share / total))


def test_a_complex_that_is_a_species_is_not_made_of_others() -> None:
    defects, cells = cells_of_two()
    oxygen = next(d for d in defects if d.name == "v_O")
    drawn = draw_supercells([oxygen], {oxygen.key: 2 / cells.index}, cells, 2_000, 3)
    nearest = min((d for d in drawn if len(d.edits) == 2), key=lambda d: d.degeneracy)
    species = [oxygen, nearest]
    again = draw_supercells(species, {oxygen.key: 2 / cells.index, nearest.key: 0.0}, cells, 2_000, 3)
    assert drawn[nearest] > 0
    assert again[nearest] == 0


def test_what_does_not_fit_is_refused() -> None:
    defects, cells = cells_of_two()
    with pytest.raises(ConditionError, match="do not fit"):
        draw_supercells(defects[:1], {defects[0].key: 5.0}, cells, 3, 0)
    for bad in (0, -1, 10**9):
        with pytest.raises(ConditionError, match="draw from 1"):
            draw_supercells(defects, dict.fromkeys((d.key for d in defects), 0.0), cells, bad, 0)


def test_a_population_of_a_run(call: Any, copper: Path) -> None:
    code, out, error = call(
        "generate", copper, "--population", 200, "--temperature", 1300, "--condition", "Cu-rich", "--seed", 4
    )
    if code:
        raise AssertionError(error)
    made = json.loads((copper / "population" / "population.json").read_text())
    assert sum(row["drawn"] for row in made["cells"]) == 200
    gold = sum(row["drawn"] * row["name"].count("Au_Cu") for row in made["cells"]) / 200
    expected = PreparedRun.of(Settings(host=HOSTS / "Cu.cif").replaced(GOLD)).supercell.index * sum(
        share for key, share in made["per_cell"].items() if "Au" in key
    )
    assert gold == pytest.approx(expected, abs=5 * np.sqrt(expected / 200))
    records = read_records(copper / "population" / "cells.npz")
    assert [r.cell.provenance["drawn"] for r in records] == [row["drawn"] for row in made["cells"]]
    assert len(read(copper / "population" / "cells.extxyz", index=":")) == len(records)
    assert all(abs(r.forces).max() < 0.05 for r in records)
    assert "population" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--population", 10), "give --temperature"),
        (("--population", 10, "--temperature", 900, "--condition", "O-rich"), "give one of"),
        (("--condition", "Cu-rich"), "give --population"),
        (("--population", 0, "--temperature", 900), "draw from 1"),
        (("--population", 10, "--temperature", 900, "--potential", "chgnet"), "has no part in it"),
        (("--population", 10, "--temperature", 900, "-n", 3), "has no part in it"),
    ],
)
def test_a_population_that_cannot_be(call: Any, copper: Path, options: tuple[Any, ...], message: str) -> None:
    code, _, error = call("generate", copper, *options)
    assert code == 2
    assert message in error
