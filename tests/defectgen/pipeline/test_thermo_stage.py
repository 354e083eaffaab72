"""Thermodynamics of a run folder: EMT of copper with gold, seconds long, and what is refused in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import units

from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.stages import generate_stage, relax_stage, start_folder
from defectgen.run.settings import Settings
from md.labels.record import read_records, write_records
from tests.support.places import HOSTS

GOLD = {
    "potential.name": "emt", "defects.dopants": ["Au"], "defects.kinds": ["vacancy", "substitution"],
    "defects.min_image_distance": 6.0, "complexes.names": ["v_Cu", "Au_Cu"], "complexes.size": 2,
    "defects.cutoff": 3.0, "generate.forces": "none", "generate.subgroups": ["full"], "workers": 1, "relax.fmax": 0.005,
}  # fmt: skip


def relaxed_run(folder: Path) -> Path:
    prepared = PreparedRun.of(Settings(host=HOSTS / "Cu.cif", output=folder).replaced(GOLD))
    made = start_folder(prepared)
    generate_stage(prepared, made)
    relax_stage(prepared, made)
    return folder


@pytest.fixture(scope="module")
def copper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return relaxed_run(tmp_path_factory.mktemp("thermo") / "run")


@pytest.fixture
def run(copper: Path, tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(copper, tmp_path / "run")
    return tmp_path / "run"


def thermo(call: Any, run: Path, *more: object) -> dict[str, Any]:
    code, out, err = call("thermo", run, "--json", *more)
    assert code == 0, err
    return json.loads(out)


def by_name(result: dict[str, Any]) -> dict[str, Any]:
    return {row["name"]: row for row in result["defects"]}


def test_formation_energies_and_shares_follow_from_the_records(call: Any, run: Path) -> None:
    result = thermo(call, run, "--temperature", "900,1300")
    bulk, *records = read_records(run / "relax" / "records.npz")
    energy = {r.cell.name: r.energy for r in records}
    vacancy = by_name(result)["v_Cu"]
    own = energy["v_Cu"] - bulk.energy * (1 - 1 / len(bulk.cell))
    (limit,) = result["limits"]
    assert limit["bounds"] == {"Au": "Cu3Au (Cu3Au)"}
    assert vacancy["formation_energy"][limit["name"]] == pytest.approx(own, abs=2e-3)
    assert len({row["key"] for row in result["defects"]}) == len(result["defects"])
    for row in result["equilibria"]:
        expected = np.exp(-row["gibbs"][vacancy["key"]] / (units.kB * row["temperature"]))
        # Gold takes a part of the sites, and vacancies those that are left.
        assert 0.5 * expected < row["site_fraction"][vacancy["key"]] < expected
        assert row["gibbs"][vacancy["key"]] == pytest.approx(own, abs=2e-3)
    pair = by_name(result)["v_Cu+Au_Cu"]
    parts = energy["v_Cu"] + energy["Au_Cu"] - bulk.energy - energy["v_Cu+Au_Cu"]
    assert pair["binding_energy"] == pytest.approx(parts, abs=1e-6)
    assert pair["places_per_cell"] == 12


def test_what_is_given_is_taken_and_other_temperatures_are_asked_for_at_once(call: Any, run: Path) -> None:
    first = thermo(call, run, "--mu", "Au=-0.5", "--temperature", "900")
    gold = by_name(first)["Au_Cu"]
    (limit,) = first["limits"]
    assert limit["chemical_potentials"]["Au"] == pytest.approx(-0.5)
    assert limit["bounds"] == {"Au": "Au given"}
    poorer = thermo(call, run, "--mu", "Au=-0.6", "--temperature", "900")
    assert by_name(poorer)["Au_Cu"]["formation_energy"][limit["name"]] == pytest.approx(
        gold["formation_energy"][limit["name"]] + 0.1
    )
    code, _, err = call("thermo", run, "--mu", "Au=-0.6", "--temperature", "900")
    assert code == 0
    assert "already" in err


def test_vibrations_soften_around_a_vacancy_and_are_kept(call: Any, run: Path) -> None:
    cold = thermo(call, run, "--temperature", "1000")
    warm = thermo(call, run, "--temperature", "1000", "--vibrations")
    key = by_name(cold)["v_Cu"]["key"]
    entropy = (cold["equilibria"][0]["gibbs"][key] - warm["equilibria"][0]["gibbs"][key]) / 1000 / units.kB
    assert 0.5 < entropy < 6
    assert warm["equilibria"][0]["thermal_pressure"] > 1
    kept = {p: p.stat().st_mtime_ns for p in (run / "energetics").iterdir()}
    thermo(call, run, "--temperature", "700", "--vibrations")
    assert {p: p.stat().st_mtime_ns for p in kept} == kept
    code, out, _ = call("report", run)
    assert code == 0
    page = Path(out.split()[-1]).read_text(encoding="utf-8")
    assert "Limits of the chemical potentials" in page
    assert "Binding" in page


def test_a_jump_of_a_vacancy_says_how_fast_it_diffuses(call: Any, run: Path) -> None:
    result = thermo(call, run, "--temperature", "1000", "--barriers", "--vibrations")
    vacancy = by_name(result)["v_Cu"]
    (jump,) = vacancy["barriers"]
    assert jump["multiplicity"] == 12
    assert jump["forward"] == pytest.approx(jump["reverse"], abs=1e-3)
    assert 0.4 < jump["forward"] < 1.0
    assert 1 < jump["attempt_frequency"] < 20
    assert vacancy["diffusion"][0]["coefficient"] > 0
    assert by_name(result)["Au_Cu"]["barriers"] == []


def test_two_potentials_in_one_run_are_refused(call: Any, run: Path) -> None:
    path = run / "relax" / "records.npz"
    first, *rest = read_records(path)
    moved = [r.cell.with_geometry(r.cell.positions, potential_sha256="other", potential="another") for r in rest]
    write_records(path, [first, *(replace(r, cell=cell) for r, cell in zip(rest, moved, strict=True))])
    code, out, err = call("thermo", run)
    assert (code, out) == (2, "")
    assert "another" in err
    assert "no common zero" in err
    assert not (run / "thermo").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--mu", "Au"), "give a name and a number"),
        (("--mu", "Au=nan"), "give a name and a number"),
        (("--mu", "Au=1,Au=2"), "given twice"),
        (("--mu", "Cu3Au=-1"), "energies of compounds go to --phase"),
        (("--mu", "O=-4.9"), "neither the host nor its defects have"),
        (("--phase", "MgO=-12"), "neither the host nor its defects have"),
        (("--gas", "He=1"), "no such gas"),
        (("--gas", "O2=-1"), "above 0 bar"),
        (("--temperature", "0"), "above 0"),
        (("--temperature", "hot"), "numbers separated by commas"),
        (("--pressure", "1e9"), "GPa"),
        (("--anharmonic", "100"), "--vibrations"),
    ],
)
def test_what_is_not_possible_is_one_line_and_replaces_nothing(
    call: Any, run: Path, arguments: tuple[str, ...], words: str
) -> None:
    before = (run / "settings.yaml").read_bytes()
    code, out, err = call("thermo", run, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert (run / "settings.yaml").read_bytes() == before
    assert not (run / "thermo").exists()


def test_a_run_without_relaxed_defects_says_what_to_do(call: Any, tmp_path: Path) -> None:
    start_folder(PreparedRun.of(Settings(host=HOSTS / "Cu.cif", output=tmp_path / "run").replaced(GOLD)))
    code, _, err = call("thermo", tmp_path / "run")
    assert code == 2
    assert "no relaxed defects" in err
    assert "defectgen relax" in err


def test_a_host_that_decomposes_is_refused_unless_forced(call: Any, run: Path) -> None:
    arguments = ("--phase", "Cu=-0.5", "--temperature", "900")
    code, _, err = call("thermo", run, *arguments)
    assert code == 2
    assert "would decompose" in err
    assert "--metastable" in err
    assert "Cu given" in json.dumps(thermo(call, run, *arguments, "--metastable")["phases"])


def test_the_minima_of_a_search_are_states_and_the_lower_energy_counts(call: Any, run: Path) -> None:
    bulk, *records = read_records(run / "relax" / "records.npz")
    relaxed = next(r for r in records if r.cell.name == "v_Cu")
    copies = round(thermo_places(call, run) * len(bulk.cell))
    for shift, found_by in ((-0.1, "search"), (0.1, "relax")):
        (run / "search").mkdir(exist_ok=True)
        write_records(run / "search" / "minima.npz", [replace(relaxed, energy=relaxed.energy + shift)])
        minima = [{"above": 0.0, "degeneracy": 3 * copies}, {"above": 0.05, "degeneracy": 6 * copies}]
        row = {"key": relaxed.cell.key, "name": "v_Cu", "minima": minima}
        (run / "search" / "summary.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
        stages = json.loads((run / "stages.json").read_text(encoding="utf-8"))
        stages["search"] = {"seconds": 1.0}
        (run / "stages.json").write_text(json.dumps(stages), encoding="utf-8")
        vacancy = by_name(thermo(call, run, "--temperature", "900", "--overwrite"))["v_Cu"]
        assert vacancy["found_by"] == found_by
        assert vacancy["energy_above_bulk"] == pytest.approx(relaxed.energy - bulk.energy + min(shift, 0))
        assert vacancy["states"] == ([[0.0, 3.0], [0.05, 6.0]] if shift < 0 else [[0.0, 1.0]])


def thermo_places(call: Any, run: Path) -> float:
    return float(by_name(thermo(call, run, "--temperature", "900"))["v_Cu"]["places_per_cell"])


def test_a_relaxation_that_ran_out_of_steps_is_said(call: Any, run: Path) -> None:
    path = run / "relax" / "summary.jsonl"
    text = path.read_text(encoding="utf-8")
    assert "upper bound" not in call("thermo", run, "--temperature", "900")[2]
    path.write_text(text.replace('"converged"', '"not_converged"'), encoding="utf-8")
    assert "upper bound" in call("thermo", run, "--temperature", "900", "--overwrite")[2]
