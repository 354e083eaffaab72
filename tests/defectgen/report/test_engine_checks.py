"""The check by a second engine: shown in report and tables, and in none of their means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from defectgen.cli.tables import md_table
from defectgen.report.answers.doubts import doubts
from defectgen.report.gather import JsonRow, read_run
from defectgen.report.page import facts
from defectgen.report.response.dynamics import dynamics_sections
from defectgen.report.response.engine_checks import (
    agree,
    check_lines,
    engine_check_section,
    engine_checks,
    verdict,
)
from tests.support.report_runs import whole_run

DATA: JsonRow = {
    "cell": "bulk",
    "key": "k",
    "engine": "lammps",
    "role": "data",
    "status": "finished",
    "reason": "",
    "ensemble": "npt",
    "steps": 100,
    "timestep": 2.0,
    "temperature": 300.0,
    "pressure": 0.0,
    "msd": 0.01,
    "energy": -3.0,
    "energy_error": 0.003,
    "volume": 11.0,
    "volume_error": None,
    "temperature_mean": 300.0,
    "temperature_error": 6.0,
}
CHECK = DATA | {"engine": "ase", "role": "check", "energy": -2.99, "energy_error": 0.004, "temperature_mean": 308.0}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose second engine checks the first."""
    folder = whole_run(tmp_path_factory.mktemp("checked") / "run")
    path = folder.file("md", "summary.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    kept = [row | {"role": "data" if row["engine"] == "lammps" else "check"} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    return folder.path


def test_differences_have_the_errors_of_both() -> None:
    energy, volume, temperature = engine_checks([CHECK], [DATA | {"pressure": 5.0, "energy": 0.0}, DATA])
    assert energy.text == "energy 10.00 ± 5.00 meV/atom"
    assert energy.deviation == pytest.approx(2.0)
    assert volume.text == "volume 0.0000 Å³/atom"
    assert temperature.difference == pytest.approx((8.0, 72**0.5))


def test_engines_agree_within_the_errors_of_their_means_and_disagree_beyond() -> None:
    assert agree(list(engine_checks([CHECK], [DATA]))) is True
    far = list(engine_checks([CHECK | {"energy": -2.98}], [DATA]))
    assert agree(far) is False
    assert verdict(far).startswith("they disagree (4.0 standard errors apart in the energy")
    unknown = dict.fromkeys(("energy_error", "temperature_error"))
    assert agree(list(engine_checks([CHECK | unknown], [DATA]))) is None
    [line] = check_lines([DATA, CHECK])
    assert "they agree (2.0 standard errors apart" in line


@pytest.mark.parametrize(
    "change", [{"status": "diverged"}, {"cell": "v_O"}, {"steps": 200}, {"temperature": 400.0}, {"ensemble": "nvt"}]
)
def test_only_the_same_point_is_compared(change: JsonRow) -> None:
    assert {found.data is None for found in engine_checks([CHECK], [DATA | change])} == {True}
    assert all("cannot be compared" in found.text for found in engine_checks([CHECK | change], [DATA]))
    [line] = check_lines([DATA | change, CHECK])
    assert "nothing to compare" in line


def test_the_terminal_names_the_check_and_compares_in_one_line() -> None:
    [line] = check_lines([DATA, CHECK])
    assert line.startswith("check by ase of bulk at 300 K, 0 GPa less lammps: energy 10.00 ± 5.00 meV/atom, volume")
    [engines] = [column for column in md_table([DATA, CHECK]).columns if column.header == "engine"]
    assert list(engines.cells) == ["lammps", "ase, check"]
    assert list(check_lines([DATA])) == []
    [status] = [c for c in md_table([DATA, DATA | {"settled": False}]).columns if c.header == "status"]
    assert list(status.cells) == ["finished", "finished, unsettled"]


def test_a_check_is_in_no_figure_and_no_mean_but_in_its_table(run: Path) -> None:
    data = read_run(run)
    assert len(data.points) == len(data.curves) == len(data.checks) == 12
    sections = {section.id: section for section in dynamics_sections(data)}
    said, table = sections.pop("engines").blocks
    assert "The engines agree at" in said.text
    assert len(table.rows) == 3 * 12
    assert {row[1:3] for row in table.rows} == {("ase", "lammps"), ("ase", "–")}  # v_Mg diverged in ase
    limits = sections.pop("divergences")
    assert "ase" in str(limits.blocks[0])
    assert "'ase'" not in str(sections)
    assert "ase" in {fact.name: fact.detail for fact in facts(data)}["MD points"]
    assert any("v_Mg (ase" in doubt.text for doubt in doubts(data, {}))


def test_a_run_without_a_check_says_so() -> None:
    [block] = engine_check_section([], [DATA]).blocks
    assert "No second engine" in block.text
