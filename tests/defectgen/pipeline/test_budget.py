"""Runs within a time: what is cut, that it is said and kept, and that estimates are near what happens."""

import json
from pathlib import Path

import pytest

from augment.errors import ResumeError, SettingsError
from defectgen.pipeline.budget import begun_settings, parse_budget, plan_run
from defectgen.pipeline.estimate import Costs, estimate
from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.run import dry_run_lines, prepare, run_pipeline
from defectgen.run.folder import RunFolder
from defectgen.run.settings import Settings
from tests.support.places import HOSTS

SMALL = {"defects": {"supercell": (2, 0, 0, 0, 2, 0, 0, 0, 2)}, "potential": {"name": "emt"}, "workers": 1}
SHORT = {"temperatures": (300,), "pressures": (0,), "steps": 40, "max_cells": 2, "engines": ("ase",), "check": None}


def copper(output: Path, **changes: object) -> Settings:
    """Vacancy and interstitials of copper in 32 atoms, with EMT, whose forces the model is told."""
    values = {"host": HOSTS / "Cu.cif", "output": output, **SMALL, "generate": {"forces": "emt", "steps": 2}, **changes}
    return Settings.model_validate(values)


def seconds(settings: Settings, costs: Costs) -> float:
    return estimate(PreparedRun.of(settings), costs).seconds


@pytest.mark.parametrize(("text", "expected"), [("10min", 600.0), ("90s", 90.0), ("1.5h", 5400.0), ("none", None)])
def test_a_budget_is_a_time_with_its_unit(text: str, expected: float | None) -> None:
    assert parse_budget(text) == expected


@pytest.mark.parametrize("text", ["10", "0min", "ten minutes", "-3s", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="give a time with its unit, such as 10min"):
        parse_budget(text)


def test_more_of_anything_takes_longer(tmp_path: Path) -> None:
    costs, least = Costs(1e-3, 1e-3), copper(tmp_path / "run", md={**SHORT, "max_cells": 1})
    base = seconds(least, costs)
    assert seconds(least, Costs(2e-3, 2e-3)) > base
    for changes in (
        {"md.steps": 400},
        {"md.max_cells": 2},
        {"md.temperatures": [300, 600]},
        {"relax.max_steps": 20},
        {"generate.samples": 3},
        {"defects.supercell": [3, 0, 0, 0, 3, 0, 0, 0, 3]},
    ):
        assert (seconds(least.replaced(changes), costs) > base) == ("relax.max_steps" not in changes), changes


def test_what_is_planned_fits_or_is_the_least_possible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a costly potential; with half a minute there is no dynamics, and with ten hours nothing is left out."""
    monkeypatch.setattr("defectgen.pipeline.budget.measured_costs", lambda _prepared: Costs(5e-3, 5e-3))
    plans = []
    for budget in ("10h", "1h", "30min", "10min", "3min", "30s"):
        asked = Settings(host=HOSTS / "Cu.cif", output=tmp_path / "run", budget=budget).replaced(
            {"potential.name": "emt", "generate.forces": "emt"}
        )
        plan = plan_run(PreparedRun.of(asked), asked)
        assert plan.estimate is not None
        assert plan.allowed == parse_budget(budget)
        fits = plan.estimate.seconds <= (plan.allowed or 0)
        assert fits or any("the least possible takes longer" in line for line in plan.lines)
        assert bool(plan.left_out) == (plan.prepared.settings != asked)
        values = plan.prepared.settings.model_dump(mode="json")
        for cut in plan.cuts:
            section, name = cut["setting"].split(".")
            assert values[section][name] == cut["kept"] == json.loads(json.dumps(cut))["kept"]
        plans.append(plan)
    assert plans[0].left_out == []
    assert plans[-1].prepared.settings.md.max_cells == 0


def test_no_cut_is_larger_than_what_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("defectgen.pipeline.budget.measured_costs", lambda _prepared: Costs(1.0, 1.0))
    small = {"relax.max_defects": 0, "md.max_cells": 1, "md.steps": 40, "generate.samples": 1, "md.max_steps": 300}
    asked = copper(tmp_path / "run", budget="1s").replaced(small)
    found = plan_run(PreparedRun.of(asked), asked).prepared.settings
    assert found.relax.max_defects == 0
    assert found.md.max_cells == 0
    assert (found.md.steps, found.md.max_steps, found.generate.samples) == (40, 300, 1)
    many = copper(tmp_path / "run", budget="1s").replaced({"md.steps": 5000, "generate.samples": 9})
    least = plan_run(PreparedRun.of(many), many).prepared.settings
    assert least.generate.samples == 1
    assert least.relax.max_defects == 1


def test_nobody_is_cut_without_a_budget_where_nothing_is_known_of_the_cost(tmp_path: Path) -> None:
    asked = copper(tmp_path / "run")
    plan = plan_run(PreparedRun.of(asked), asked)
    assert plan.estimate is None
    assert plan.prepared.settings == asked
    assert plan.lines == []


def test_a_spinel_that_nobody_gave_a_budget_is_cut_to_ten_minutes(tmp_path: Path) -> None:
    """By nominal costs, so that it is the same on every machine and for any number of workers."""
    chosen = []
    for workers in (1, 8):
        asked = Settings(host=HOSTS / "MgAl2O4.cif", output=tmp_path / "run", workers=workers)
        plan = plan_run(PreparedRun.of(asked), asked)
        assert plan.estimate is not None
        assert plan.estimate.seconds <= 600
        assert plan.left_out
        chosen.append(plan.prepared.settings.model_dump(exclude={"workers"}))
    assert chosen[0] == chosen[1]
    for known in ("MgO", "Al2O3_corundum"):  # by students
        asked = Settings(host=HOSTS / f"{known}.cif", output=tmp_path / "run")
        assert plan_run(PreparedRun.of(asked), asked).left_out == []


def test_a_dry_run_says_what_it_would_make_and_makes_nothing(tmp_path: Path) -> None:
    lines = dry_run_lines(copper(tmp_path / "run", budget="10min"))
    assert lines[0].split() == ["stage", "structures", "evaluations", "CPU", "min", "MB"]
    assert [line.split()[0] for line in lines[1:5]] == ["generate", "relax", "md", "together"]
    assert "idle cores" in lines[5]
    assert not (tmp_path / "run").exists()


def test_what_was_chosen_is_kept_and_goes_on_whatever_the_machine_does_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("defectgen.pipeline.budget.measured_costs", lambda _prepared: Costs(0.02, 0.02))
    asked = copper(tmp_path / "run", budget="1min", md={**SHORT, "steps": 10, "sample": 5})
    run_pipeline(asked)
    said = capsys.readouterr().err
    assert "left out to fit 1 min" in said
    assert said.count("left out to fit the budget:") >= 1
    folder = RunFolder.open(asked.output)
    assert folder.settings.relax.max_defects == 1
    assert len({row["name"] for row in folder.read_lines("relax/summary.jsonl")}) == 2  # with the pristine cell
    monkeypatch.setattr("defectgen.pipeline.budget.measured_costs", lambda _prepared: Costs(1e-7, 1e-7))
    again = begun_settings(asked)
    assert again == folder.settings
    assert run_pipeline(asked) == asked.output / "report.html"
    with pytest.raises(ResumeError, match=r"a run with other settings: generate.only \(\[v_Cu\] there"):
        prepare(begun_settings(asked.replaced({"budget": "none"})))


def test_estimates_are_within_a_factor_of_two_of_what_is_made(tmp_path: Path) -> None:
    asked = copper(tmp_path / "run", budget="none", md={**SHORT, "steps": 400, "temperatures": (300, 600)})
    found = {part.stage: part for part in estimate(PreparedRun.of(asked), Costs(1e-4, 1e-4)).parts}
    run_pipeline(asked)
    folder = RunFolder.open(asked.output)
    rows = folder.read_lines("relax/summary.jsonl")[1:]
    points = folder.read_lines("md/summary.jsonl")
    scans = len(list(folder.file("md", "points", "warm").glob("*.npz"))) * 150
    made = {
        "generate": (folder.times["generate"]["proposals"], None),
        "relax": (len(rows), sum(row["steps"] + 1 for row in rows)),
        "md": (sum(row["n_frames"] for row in points), sum(row["completed_steps"] for row in points) + scans),
    }
    for stage, (structures, evaluations) in made.items():
        assert 0.5 <= found[stage].structures / structures <= 2, stage
        if evaluations is not None:
            assert 0.5 <= found[stage].evaluations / evaluations <= 2, (stage, found[stage], evaluations)
    sizes = sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file())
    assert 0.5 <= (sum(part.size for part in found.values()) + 6e6) / sizes <= 2
    assert json.loads((asked.output / "stages.json").read_text(encoding="utf-8"))
