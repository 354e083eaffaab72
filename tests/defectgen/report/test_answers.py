"""The answers that a report opens with: each from the run's own records, with a link to its evidence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from defectgen.report.answers import answers_section
from defectgen.report.answers.doubts import doubts
from defectgen.report.answers.lowest import lowest_structures
from defectgen.report.answers.warm import warm_statements
from defectgen.report.blocks import Section, Statements, Table, Text
from defectgen.report.energetics.energies import reactions
from defectgen.report.gather import RunData, read_run
from defectgen.report.page import build_sections, render_report
from defectgen.run.folder import CUTS, RunFolder
from tests.support.report_runs import LOWER, md_run, relax_run, rewrite_row, search_run, start_run, whole_run

pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib's own


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    return read_run(whole_run(tmp_path_factory.mktemp("answers") / "run").path)


def said(section: Section) -> str:
    """All sentences of a section."""
    texts = [b.text for b in section.blocks if isinstance(b, Text)]
    return " ".join([*texts, *(e.text for b in section.blocks if isinstance(b, Statements) for e in b.entries)])


def test_the_page_opens_with_the_answers_and_every_one_leads_to_a_section(data: RunData) -> None:
    sections = build_sections(data)
    assert sections[0].id == "answers"
    ids = {section.id for section in sections}
    statements = [e for b in sections[0].blocks if isinstance(b, Statements) for e in b.entries]
    tables = [b for b in sections[0].blocks if isinstance(b, Table)]
    assert statements
    assert tables
    assert {e.evidence for e in statements} | {e for t in tables for e in t.evidence} <= ids - {"answers"}
    page = render_report(data)
    assert page.index('id="answers"') < page.index('class="facts"') < page.index('id="host"')
    evidence = [f'href="#{e.evidence}"' for e in statements]
    assert all(page.count(link) > 1 for link in evidence), "once in the list of sections, once at the answer"


@pytest.mark.parametrize("ran", [0, 1, 2])
def test_only_what_has_run_has_answers(ran: int, tmp_path: Path) -> None:
    run = start_run(tmp_path / "run", dopants=())
    for stage in (relax_run, md_run)[:ran]:
        stage(run)
    section = answers_section(read_run(run.path))
    headings = [b.text for b in section.blocks if isinstance(b, Text) and b.kind == "heading"]
    assert ("Lowest structures" in headings) == (ran >= 1)
    assert ("With heat and pressure" in headings) == (ran >= 2)
    assert ("nothing has been relaxed" in said(section)) == (ran == 0)
    assert "imits" not in said(section), "thermodynamics never ran"


def test_a_lower_minimum_of_a_search_is_the_answer_and_a_higher_one_is_not(tmp_path: Path) -> None:
    run = start_run(tmp_path / "run", dopants=())
    relax_run(run)
    before = lowest_structures(read_run(run.path))
    search_run(run)
    data = read_run(run.path)
    key = data.searches[0]["key"]
    found = lowest_structures(data)
    assert before[key].evidence == "relaxations"
    assert (found[key].words, found[key].start, found[key].evidence) == ("Mg-Mg 2.41 Å", "search: dimer", "minima")
    assert found[key].gain == pytest.approx(-LOWER)
    assert {k: v for k, v in found.items() if k != key} == {k: v for k, v in before.items() if k != key}
    assert "1 of" in said(answers_section(data))
    raised = [{**m, "energy": m["energy"] + 2} for m in data.searches[0]["minima"]]
    higher = replace(data, searches=[{**data.searches[0], "minima": raised}])
    assert lowest_structures(higher)[key] == before[key]
    other = replace(higher, searches=[{**higher.searches[0], "potential": "another"}])
    assert lowest_structures(other)[key].evidence == "minima", "energies of two potentials are not compared"


def test_a_relaxed_geometry_is_said_in_the_words_of_a_search(data: RunData) -> None:
    structures = lowest_structures(data)
    assert all(each.words.startswith(("atoms within", "ideal sites")) for each in structures.values())
    record = data.relaxed[0]
    far = record.cell.positions.copy()
    far[5] += 1.6
    moved = replace(data, relaxed=[replace(record, cell=record.cell.with_geometry(far)), *data.relaxed[1:]])
    assert "left its site" in lowest_structures(moved)[record.cell.key].words


def test_what_diverged_did_not_settle_or_came_to_no_end_is_not_to_be_trusted(tmp_path: Path) -> None:
    run = whole_run(tmp_path / "run")
    data = read_run(run.path)
    lost = data.relaxed[0].cell.key
    failed = [{**r, "status": "diverged"} if r["key"] == lost else r for r in data.relaxations]
    worse = replace(data, relaxed=data.relaxed[1:], relaxations=failed)
    name = data.relaxed[0].cell.name
    assert f"Nothing came to rest of {name}." in said(answers_section(worse))
    assert f"Nothing came to rest of {name}." not in said(answers_section(data))
    levels = [e.level for e in doubts(worse, lowest_structures(worse))]
    assert levels == sorted(levels, key=("bad", "warning", "info").index)
    assert "MD points that diverged: v_Mg (ase, 900 K, 10 GPa)." in said(answers_section(data))
    calm = replace(data, points=[{**p, "status": "finished"} for p in data.points])
    assert "diverged" not in said(answers_section(calm))


def test_a_potential_has_the_errors_of_its_card_and_another_of_the_name_has_not(data: RunData) -> None:
    from md.students import student_card

    right = student_card("mace-mgo")["weights"]["sha256"]
    for sha256, known in ((right, True), ("cd" * 32, False)):
        info = {"potential": "mace-mgo", "potential_sha256": sha256}
        records = [replace(r, cell=r.cell.with_geometry(r.cell.positions, **info)) for r in data.relaxed]
        text = said(answers_section(replace(data, relaxed=records, bulk=None)))
        assert ("Known errors of mace-mgo: " in text) == known
        assert ("No error of mace-mgo is known here" in text) != known


def test_expansion_and_modulus_are_those_of_the_settled_points(data: RunData) -> None:
    first = warm_statements(data)[0].text
    assert "Volumetric thermal expansion of the pristine crystal" in first
    shaky = replace(data, points=[{**p, "settled": False, "unsettled": ["too short"]} for p in data.points])
    assert "are not known" in warm_statements(shaky)[0].text
    assert warm_statements(replace(data, points=())) == []


def test_a_defect_that_stays_is_told_apart_from_one_that_hops(data: RunData) -> None:
    def of(name: str, entries: list) -> str:
        return next(e.text for e in entries if e.evidence == "fate" and name in e.text)

    assert "hops at" in of("v_O", warm_statements(data))
    still = [{**p, "fate": "stays", "hops": 0, "rate": None} if p["cell"] == "v_O" else p for p in data.points]
    assert of("v_O", warm_statements(replace(data, points=still))).startswith("No hop of v_O was seen")


def test_formation_energies_are_told_at_their_limits(data: RunData) -> None:
    rows = [
        {
            "name": d["name"], "key": d["key"], "formation_energy": {"O-rich": 4.0 + k, "Mg-rich": 6.5 - k},
            "barriers": [{"forward": 1.25, "reverse": 1.25, "distance": 2.97, "multiplicity": 12}] if k == 0 else [],
            "binding_energy": None, "relaxation_volume": None, "error": 0.1, "places_per_cell": 1.0,
        }
        for k, d in enumerate(data.defects[:2])
    ]  # fmt: skip
    limits = [{"name": n, "chemical_potentials": {}, "bounds": {}, "phases": []} for n in ("O-rich", "Mg-rich")]
    equal = {"condition": "O-rich", "pressure": 0.0, "temperature": 1400.0, "site_fraction": {rows[1]["key"]: 3e-8}}
    thermo = {
        "limits": limits, "defects": rows, "equilibria": [equal], "vibrations": False, "potential": {"name": "x"},
        "notes": [],
        "left_out": {"Al_Mg": "no phase", "Al_O": "Al_O: no phase", "jumps of Al_O": "Al_O: no phase"},
        "phases_left_out": {},
    }  # fmt: skip
    section = answers_section(replace(data, thermo=thermo))
    text, [first, second] = said(section), [row["name"] for row in rows]
    assert f"{first} with 4.00 eV (O-rich) and {second} with 5.50 eV (Mg-rich)" in text
    assert f"{second} on 3.0 · 10⁻⁸ of its places (O-rich)" in text
    assert f"Lowest barriers of migration: {first} 1.25 eV." in text
    assert "Not among the formation energies: Al_Mg and Al_O (no phase)." in text
    table = next(b for b in section.blocks if isinstance(b, Table))
    assert [c.title for c in table.columns][-3:-1] == ["E, O-rich", "E, Mg-rich"]
    assert table.rows[0][-3:-1] == ["4.00", "6.50"]
    assert "4.00 eV" not in said(answers_section(data))


def test_what_the_host_and_the_budget_left_open_is_said_until_it_is_asked_for(tmp_path: Path) -> None:
    run = start_run(tmp_path / "run", dopants=())
    assert "budget" not in said(answers_section(read_run(run.path)))
    line = "steps of a point: 200 instead of 5000"
    run.write_lines(CUTS, [{"setting": "md.steps", "kept": run.settings.md.steps, "line": line}])
    assert f"Left out to fit the budget: {line}." in said(answers_section(read_run(run.path)))
    run.store(run.settings.replaced({"md.steps": 5000}))
    assert "budget" not in said(answers_section(read_run(run.path)))
    host = json.loads(run.file("host", "host.json").read_text())
    run.write_json("host/host.json", {**host, "notes": ["origin choice 2 is taken"]})
    assert "Assumed of the host: Origin choice 2 is taken." in said(answers_section(read_run(run.path)))


def test_starts_that_never_rest_and_another_potential_that_disagrees_are_said(tmp_path: Path) -> None:
    run = start_run(tmp_path / "run", dopants=())
    relax_run(run)
    search_run(run, unfinished=3)
    data = read_run(run.path)
    assert "did not come to rest: 3 of v_O" in said(answers_section(data))
    assert "puts another" not in said(answers_section(data))
    for others, disagrees in ((np.array([0.0, 0.4]), False), (np.array([0.4, 0.0]), True)):
        pairs = zip(data.searches[0]["minima"], others, strict=True)
        told = [{**m, "others": {"second": float(e)}} for m, e in pairs]
        text = said(answers_section(replace(data, searches=[{**data.searches[0], "minima": told}])))
        assert ("second puts another minimum of v_O lowest, by 0.400 eV: ideal sites." in text) == disagrees


def test_two_engines_that_disagree_are_said(tmp_path: Path) -> None:
    run = whole_run(tmp_path / "run")
    count = len(run.read_lines("md/summary.jsonl"))
    for index, row in enumerate(run.read_lines("md/summary.jsonl")):
        role = "check" if row["engine"] == "lammps" else "data"
        rewrite_row(
            run.file("md", "summary.jsonl"), index, role=role, energy=-6.0, energy_error=1e-3, status="finished"
        )
    assert "Two engines disagree" not in said(answers_section(agreeing(run, count)))
    rewrite_row(run.file("md", "summary.jsonl"), 0, energy=-7.0)
    assert "Two engines disagree at 1 of 12 points" in said(answers_section(read_run(run.path)))


def agreeing(run: RunFolder, count: int) -> RunData:
    """The run with equal means in both engines."""
    for index in range(count):
        rewrite_row(
            run.file("md", "summary.jsonl"), index, volume=9.4, volume_error=0.02, temperature_mean=300.0,
            temperature_error=5.0,
        )  # fmt: skip
    return read_run(run.path)


def test_the_set_that_costs_least_is_said(data: RunData) -> None:
    """It needs vacancies of every element; without those of one there is no such sentence."""
    found = reactions(data.bulk, data.relaxed, str(data.host["formula"]))
    least = min(found, key=lambda reaction: reaction.energy / reaction.defects)
    assert f"costs least: {least.equation}" in said(answers_section(data))
    lone = replace(data, relaxed=data.relaxed[:1])
    assert "costs least" not in said(answers_section(lone))


def test_points_that_have_not_settled_are_said_and_settled_ones_are_not(data: RunData) -> None:
    for settled, count in ((True, 0), (False, len(data.points))):
        points = [{**p, "settled": settled, "unsettled": [] if settled else ["the volume drifts"]} for p in data.points]
        text = said(answers_section(replace(data, points=points)))
        assert ("have not settled" in text) == (count > 0)
        assert (f"{count} of {count} MD points have not settled" in text) == (count > 0)
        assert ("the volume drifts" in text) == (count > 0)
