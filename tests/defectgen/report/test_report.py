"""The report: whole from any state of a run folder, self-contained, and right in its numbers."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from augment.errors import DataError, ResumeError
from augment.storage.archive import read_cells
from defectgen.report import write_report
from defectgen.report.blocks import Pictures, Table, number, symbol_text
from defectgen.report.energetics.energies import reactions
from defectgen.report.gather import read_run
from defectgen.report.page import build_sections, script_json
from defectgen.report.plots import line, panel_grid
from defectgen.report.response.conditions import condition, not_settled, unbalanced, unsettled
from defectgen.report.response.motion import motion_section
from defectgen.report.response.volumes import bulk_moduli, thermal_expansions
from defectgen.report.scenes import element_styles, scenes
from md.labels.record import read_records
from tests.support.report_runs import labelled, md_run, relax_run, rewrite_row, search_run, start_run, whole_run

pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib's own


class Page(HTMLParser):
    """Tags, attributes and the text of scripts and of everything else of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in {"meta", "link", "input", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} closes another element"

    def handle_data(self, data: str) -> None:
        current = self.open[-1] if self.open else ""
        (self.scripts if current in {"script", "style"} else self.words).append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    @property
    def data(self) -> dict:
        (data,) = [json.loads(s) for s in self.scripts if s.startswith('{"figures"')]
        return data


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_run(tmp_path_factory.mktemp("report") / "run").path


@pytest.fixture(scope="module")
def page(run: Path) -> Page:
    return Page(write_report(run).read_text(encoding="utf-8"))


def test_the_page_is_whole_and_asks_nothing_of_the_network(page: Page) -> None:
    assert page.open == []
    assert page.tags["html"] == page.tags["main"] == 1
    loads = [(t, n, v) for t, n, v in page.attributes if n in {"src", "srcset", "action"} or (t, n) == ("link", "href")]
    assert [v for _, _, v in loads if not v.startswith("data:")] == []
    policy = [v for t, n, v in page.attributes if (t, n) == ("meta", "content") and "default-src" in v]
    assert policy[0].startswith("default-src 'none'")
    ours = [s for s in page.scripts if len(s) < 1_000_000]
    assert not any(re.search(r"https?://|@import|fetch\(|XMLHttpRequest", s) for s in ours)


def test_minima_have_pictures_beside_the_ideal_sites_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start_run(tmp_path / "run", dopants=())
    relax_run(run)
    assert not [b for s in build_sections(read_run(run.path)) for b in s.blocks if isinstance(b, Pictures)]
    search_run(run, ("v_O", "v_Mg"))
    data = read_run(run.path)

    def pictures() -> list[Pictures]:
        shown, left_out = scenes(data)
        return [b for s in build_sections(data, left_out, shown) for b in s.blocks if isinstance(b, Pictures)]

    shown = scenes(data)[0]
    for row in pictures():
        scene = shown[row.scene]
        assert scene["title"] == row.name
        assert [p.title for p in row.entries] == ["Ideal", "Lowest", "0.700 eV above"]
        records = [r for r in data.minima if r.cell.key == scene["key"]]
        for picture, record in zip(row.entries[1:], records, strict=True):
            drawn = np.array(scene["geometries"][picture.geometry]["positions"]).reshape(-1, 3)
            apart = (drawn - record.cell.positions) @ np.linalg.inv(record.cell.cell)
            apart -= apart[0]
            np.testing.assert_allclose(apart, np.rint(apart), atol=1e-4)
    assert [row.name for row in pictures()] == ["v_O", "v_Mg"]
    monkeypatch.setattr("defectgen.report.scenes.MAX_SCENES", 2)
    assert [row.name for row in pictures()] == ["v_O"], "what the page leaves out has no picture"


def test_the_page_stays_small(run: Path) -> None:
    assert write_report(run).stat().st_size < 6_000_000


def test_the_same_run_gives_the_same_bytes(run: Path) -> None:
    assert write_report(run).read_bytes() == write_report(run).read_bytes()


def test_every_link_has_its_section_and_every_figure_its_place(page: Page) -> None:
    ids = [v for _, n, v in page.attributes if n == "id"]
    assert len(ids) == len(set(ids))
    anchors = [v[1:] for t, n, v in page.attributes if (t, n) == ("a", "href")]
    assert set(anchors) <= set(ids)
    assert len(set(anchors)) == page.tags["section"]
    assert {f["id"] for f in page.data["figures"]} <= set(ids)
    drawn = {f["id"] for f in page.data["figures"]}
    assert drawn >= {"volume-temperature", "volume-pressure", "heat-capacity-temperature", "course-volume", "rdf-all"}
    assert drawn >= {"msd-time", "shells-outward", "shells-b", "shells-coordination", "arrhenius-hops"}


def test_every_axis_names_a_quantity(page: Page) -> None:
    for figure in page.data["figures"]:
        axes = {k: v for k, v in figure["layout"].items() if re.fullmatch(r"[xy]axis\d*", k)}
        titles = [a["title"]["text"] for a in axes.values() if a.get("title", {}).get("text")]
        assert titles, figure["id"]
        used = {t.get("yaxis", "y").replace("y", "yaxis") for t in figure["data"]}
        assert used <= set(axes), figure["id"]


@pytest.mark.parametrize("ran", [0, 1, 2])
def test_a_run_at_any_stage_has_a_report_that_says_what_is_missing(ran: int, tmp_path: Path) -> None:
    run = start_run(tmp_path / "run", dopants=())
    for stage in (relax_run, md_run)[:ran]:
        stage(run)
    text = Page(write_report(run.path).read_text(encoding="utf-8")).text
    assert ("The relax stage has not run" in text) == (ran < 1)
    assert ("The md stage has not run" in text) == (ran < 2)
    assert "Wyckoff orbits" in text


def test_the_page_tells_what_went_wrong(page: Page) -> None:
    assert "MD points that diverged: v_Mg (ase, 900 K, 10 GPa)." in page.text
    assert "two atoms are 0.41 Å apart" in page.text
    assert "Relaxations that ran out of steps: O_Mg" in page.text


def test_the_page_gives_seed_versions_potential_and_settings(page: Page, run: Path) -> None:
    for needed in (
        "ab" * 32,
        "min_image_distance:",
        "chgnet",
        "not DFT",
        "Fm3\u0305m",
        "keeps all 48 point operations",
    ):
        assert needed in page.text
    identity = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert identity["host_sha256"] in page.text


def test_points_that_have_not_equilibrated_are_named(page: Page, run: Path) -> None:
    points = read_run(run).points
    early = unsettled(points)
    assert {(p["engine"], p["pressure"]) for p in early} == {("ase", 10.0)}
    assert f"{len(early)} of {len(points)} MD points have a mean temperature more than 10 % from" in page.text
    assert unsettled([{**p, "ensemble": "nve"} for p in points]) == []


def test_a_run_in_which_every_point_diverged_at_once_has_a_report(tmp_path: Path) -> None:
    run = whole_run(tmp_path / "run")
    nothing = {"volume": None, "volume_error": None, "strain": None, "msd": None, "rdf": {"r": [], "g": []}}
    for index in range(len(run.read_lines("md/summary.jsonl"))):
        rewrite_row(run.file("md", "summary.jsonl"), index, status="diverged", temperature_mean=None, **nothing)
    text = Page(write_report(run.path).read_text(encoding="utf-8")).text
    assert "Points stopped by a guard" in text
    assert "No point kept enough frames to follow one." not in text


def test_a_run_that_probed_no_cell_says_so(tmp_path: Path) -> None:
    run = start_run(tmp_path / "run", dopants=())
    run.file("md").mkdir()
    run.write_lines("md/summary.jsonl", [])
    run.finish("md", 0.1, {"points": 0})
    assert "asked for no cell to be probed" in Page(write_report(run.path).read_text(encoding="utf-8")).text


def scheduled(temperatures: list, pressures: list, strain: list | None = None) -> dict:
    """A row of a point that passes these values."""
    schedule = [{"values": temperatures}, {"values": pressures}, strain]
    return {"temperature": 300.0, "pressure": 0.0, "schedule": schedule}


SCHEDULES = (
    ({"temperature": 300.0, "pressure": 0.0}, ("300", "0")),
    (scheduled([300.0, 900.0, 900.0, 300.0], [0.0]), ("300→900→300", "0")),
    (scheduled([300.0], [[1.0, 0, 0, 0, 0, -0.5]]), ("300", "1/0/0/0/0/−0.5")),
    (scheduled([300.0], [0.0], ["b", -0.01]), ("300", "0, b strained by −0.01/ps")),
    (scheduled([300.0, 900.0] * 4, [0.0]), ("300→900→300→900→… (7 turns)", "0")),
)


@pytest.mark.parametrize(("row", "texts"), SCHEDULES)
def test_a_scheduled_point_shows_its_schedule(row: dict, texts: tuple[str, str]) -> None:
    assert condition(row) == texts


def test_a_ramp_is_never_called_unsettled_and_a_stress_at_one_temperature_may_be() -> None:
    cold = {"ensemble": "npt", "temperature": 900.0, "pressure": 0.0, "temperature_mean": 600.0}
    flat = {"values": [0.0]}
    ramp = {**cold, "schedule": [{"values": [300.0, 900.0]}, flat, None]}
    stressed = {**cold, "schedule": [{"values": [900.0]}, {"values": [[1.0, 0, 0, 0, 0, 0]]}, None]}
    assert unsettled([cold, ramp, stressed]) == [cold, stressed]


def test_points_that_have_not_settled_are_said_and_counted_out_of_fits(tmp_path: Path) -> None:
    run = whole_run(tmp_path / "run")
    rows, count = run.file("md", "summary.jsonl"), len(run.read_lines("md/summary.jsonl"))
    for index in range(count):
        rewrite_row(rows, index, temperature_mean=None, settled=True, unsettled=[])
    before = Page(write_report(run.path).read_text(encoding="utf-8")).text
    assert "have not settled" not in before
    assert "that have not are left out" not in before
    why = "the volume is known to 0.9 %, not to 0.3 %"
    rewrite_row(rows, 0, settled=False, unsettled=[why])
    after = Page(write_report(run.path).read_text(encoding="utf-8")).text
    assert f"1 of {count} MD points have not settled and are left out of fits" in after
    assert why in after
    assert "; 1 that have not are left out" in after


def test_points_below_the_debye_temperature_say_what_classical_atoms_lack(tmp_path: Path) -> None:
    run = whole_run(tmp_path / "run")
    rows, count = run.file("md", "summary.jsonl"), len(run.read_lines("md/summary.jsonl"))
    assert "zero-point" not in Page(write_report(run.path).read_text(encoding="utf-8")).text
    for index in range(count):
        quantum = {"debye_temperature": 500.0, "energy": 0.011, "heat_capacity": 0.87}
        rewrite_row(rows, index, quantum=quantum)
    text = Page(write_report(run.path).read_text(encoding="utf-8")).text
    assert f"{count // 2} of {count} points are below the Debye temperature" in text
    assert "with 500 K, would have 11 meV per atom more" in text


def test_scheduled_points_are_in_no_mean_against_temperature(tmp_path: Path) -> None:
    run = whole_run(tmp_path / "run")
    flat = {"times": [0.0], "values": [0.0], "quenches": []}
    schedule = [{"times": [0.0, 400.0], "values": [300.0, 900.0], "quenches": []}, flat, None]
    for index in range(len(run.read_lines("md/summary.jsonl"))):
        rewrite_row(
            run.file("md", "summary.jsonl"), index, schedule=schedule, temperature=900.0, temperature_mean=600.0
        )
    page = Page(write_report(run.path).read_text(encoding="utf-8"))
    drawn = {f["id"] for f in page.data["figures"]}
    assert "course-temperature" in drawn
    assert not {name for name in drawn if name.startswith(("volume-", "heat-", "arrhenius"))}
    assert "300→900" in page.text
    assert "too short to have equilibrated" not in page.text


def test_the_course_of_a_run_and_where_it_settled_are_drawn(run: Path, page: Page) -> None:
    data = read_run(run)
    course = data.curves[0]["course"]
    assert len(course["t"]) == len(course["volume"]) == len(course["temperature"]) == 101
    assert course["volume"][0] > course["volume"][-1]
    [figure] = [f for f in page.data["figures"] if f["id"] == "course-volume"]
    dots = [t for t in figure["data"] if t["mode"] == "markers"]
    assert len(dots) == len(data.points)
    assert {dot["x"][0] for dot in dots} == {min(course["t"], key=lambda t: abs(t - 0.12))}


def test_fate_limits_and_missing_measures_are_told(page: Page) -> None:
    for words in ("Fate of the defects", "7.50 ± 4.30", "outside of what the potential learnt", "run longer"):
        assert words in page.text


def test_hop_rates_give_back_the_barrier_that_made_them(run: Path) -> None:
    data, barrier, boltzmann = read_run(run), 0.4, 8.617333e-5
    rows = []
    for kelvin in (600.0, 900.0, 1200.0, 300.0):
        rate = 50 * np.exp(-barrier / boltzmann / kelvin)
        error = 0.1 * rate if kelvin > 500 else 0.9 * rate  # the coldest is noise, and must not count
        new = {"cell": "v_O", "engine": "ase", "pressure": 0.0, "temperature": kelvin, "rate": [rate, error]}
        rows.append({**data.points[0], **new, "status": "finished"})
    section = motion_section(replace(data, points=rows, curves=[{}] * len(rows)))
    [table] = [b for b in section.blocks if isinstance(b, Table) and b.caption.startswith("Arrhenius")]
    [row] = table.rows
    assert row[:3] == ("v_O: hops", "ase", "0")
    assert [float(x) for x in row[4].split(" ± ")] == pytest.approx([barrier, 0.01], abs=0.011)


def test_complexes_are_not_called_point_defects(tmp_path: Path) -> None:
    run = start_run(tmp_path / "run", dopants=())
    assert "point defects" not in Page(write_report(run.path).read_text(encoding="utf-8")).text


def test_text_of_the_run_is_escaped(tmp_path: Path) -> None:
    run = whole_run(tmp_path / "run")
    evil = "</script><script>alert(1)</script>"
    rewrite_row(run.file("md", "summary.jsonl"), 0, status="diverged", reason=evil)
    rewrite_row(run.file("relax", "summary.jsonl"), 0, name=evil)
    source = write_report(run.path).read_text(encoding="utf-8")
    assert "<script>alert(1)" not in source
    page = Page(source)
    assert page.tags["script"] == 4
    assert evil in page.text
    assert json.loads(script_json({"a": evil})) == {"a": evil}
    assert "<" not in script_json({"a": evil})


def test_what_is_no_run_or_is_damaged_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ResumeError):
        write_report(tmp_path)
    run = start_run(tmp_path / "run", dopants=())
    run.file("md").mkdir()
    run.file("md", "summary.jsonl").write_text('{"cell": "bulk"\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"summary\.jsonl") as caught:
        write_report(run.path)
    assert "\n" not in str(caught.value)


def test_a_scene_keeps_every_distance_and_has_its_defect_in_the_middle(run: Path) -> None:
    data = read_run(run)
    shown, left_out = scenes(data)
    assert left_out == 0
    assert len(shown) == len(data.cells) == 10
    for scene, cell in zip(shown, data.cells, strict=True):
        for geometry in scene["geometries"]:
            box = np.array(geometry["cell"])
            positions = np.array(geometry["positions"]).reshape(-1, 3)
            assert len(positions) == len(scene["numbers"]) == len(cell)
            assert minimum_image(positions, box).min() > 1.0
        ideal = np.array(scene["geometries"][0]["positions"]).reshape(-1, 3)
        reference = data.reference[cell.key]
        here = minimum_image(ideal, np.array(scene["geometries"][0]["cell"]))
        assert np.allclose(here, minimum_image(reference.positions, reference.cell), atol=1e-3)
        spots = [g["at"] for g in scene["ghosts"]] + [ideal[i].tolist() for i in scene["marked"]]
        assert len(spots) == (0 if cell.name == "bulk" else 1)
        for spot in spots:
            assert np.allclose(spot, scene["centre"], atol=1e-3)


def minimum_image(positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Distances (pairs,) between atoms, over the 27 nearest images."""
    grid_of_images = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3) @ cell
    i, j = np.triu_indices(len(positions), 1)
    apart = (positions[i] - positions[j]) @ np.linalg.inv(cell)
    apart = (apart - np.rint(apart)) @ cell
    return np.linalg.norm(apart[:, None] + grid_of_images, axis=-1).min(axis=1)


def test_no_atom_jumps_between_the_geometries_of_a_scene(run: Path) -> None:
    shown, _ = scenes(read_run(run))
    for scene in shown:
        ideal, *others = (np.array(g["positions"]) for g in scene["geometries"])
        assert [g["kind"] for g in scene["geometries"]][:1] == ["ideal"]
        for other in others:
            assert np.abs(other - ideal).max() < 1.0


def test_ghosts_and_marks_say_what_was_removed_and_put_in(run: Path) -> None:
    by_title = {s["title"]: s for s in scenes(read_run(run))[0]}
    assert [g["number"] for g in by_title["v_O"]["ghosts"]] == [8]
    assert by_title["v_O"]["marked"] == []
    (marked,) = by_title["Al_Mg"]["marked"]
    assert by_title["Al_Mg"]["numbers"][marked] == 13
    assert by_title["Al_Mg"]["ghosts"] == []


def test_element_styles_cover_what_is_shown() -> None:
    styles = element_styles([8, 12, 12])
    assert set(styles) == {8, 12}
    assert styles[8] == {"symbol": "O", "colour": "#ff0d0d", "radius": 0.66, "metal": False}
    assert styles[12]["metal"]


def test_reaction_energies_do_not_depend_on_the_energy_zero_of_an_element(run: Path) -> None:
    data = read_run(run)
    assert data.bulk is not None
    before = {r.name: r.energy for r in reactions(data.bulk, data.relaxed, "MgO")}
    assert set(before) == {"Schottky", "Frenkel O", "Frenkel Mg", "antisite pair O, Mg"}
    zero = {8: 3.7, 12: -11.0, 13: 2.0}

    def moved(record):
        return replace(record, energy=record.energy + sum(zero[z] for z in record.cell.numbers.tolist()))

    after = {r.name: r.energy for r in reactions(moved(data.bulk), [moved(r) for r in data.relaxed], "MgO")}
    assert after == pytest.approx(before, abs=1e-9)
    raw = {r.cell.name: r.energy - data.bulk.energy for r in data.relaxed}
    assert before["Schottky"] == pytest.approx(raw["v_Mg"] + raw["v_O"] + data.bulk.energy / 27)
    assert before["Frenkel O"] == pytest.approx(raw["v_O"] + raw["O_i_Td"])


def test_unconverged_or_foreign_energies_are_not_combined(run: Path) -> None:
    data = read_run(run)
    assert data.bulk is not None
    vacancies = [r for r in data.relaxed if r.cell.name in {"v_O", "v_Mg"}]
    assert len(reactions(data.bulk, vacancies, "MgO")) == 1
    for wrong in ({"status": "not_converged"}, {"potential": "another"}):
        spoiled = [replace(r, cell=replace(r.cell, provenance={**r.cell.provenance, **wrong})) for r in vacancies]
        assert reactions(data.bulk, spoiled, "MgO") == []


def test_the_lowest_of_several_relaxations_counts(run: Path) -> None:
    bulk = read_records(run / "generate/bulk.npz")[0]
    cells = {c.name: c for c in read_cells(run / "defects/cells.npz")}
    records = [labelled(cells[n], e) for n, e in (("v_O", -300.0), ("v_O", -301.0), ("v_Mg", -302.0))]
    (schottky,) = reactions(bulk, records, "MgO")
    assert schottky.energy == pytest.approx(-301 - 302 - 2 * bulk.energy + bulk.energy / 27)


def test_grids_give_back_the_expansion_and_modulus_of_a_known_solid() -> None:
    alpha, modulus = 31e-6, 160.0
    points = [
        {
            "cell": "bulk",
            "engine": "ase",
            "ensemble": "npt",
            "status": "finished",
            "temperature": t,
            "pressure": p,
            "volume": 9.4 * np.exp(alpha * t - p / modulus),
            "volume_error": 0.01,
        }
        for t in (300.0, 600.0, 900.0)
        for p in (0.0, 10.0)
    ]
    assert [e.value.value for e in thermal_expansions(points)] == pytest.approx([alpha] * 2, rel=1e-9)
    assert [b.value.value for b in bulk_moduli(points)] == pytest.approx([modulus] * 3, rel=1e-9)
    expansion = thermal_expansions(points)[0]
    assert expansion.between == (300.0, 900.0)
    relative = 0.01 / 9.4 / np.exp(alpha * 600)
    assert expansion.value.error == pytest.approx(relative * np.sqrt(2) / 600, rel=0.02)
    for wrong in ({"status": "diverged"}, {"ensemble": "nvt"}, {"volume_error": None}, {"schedule": []}):
        spoiled = [{**p, **wrong} for p in points]
        assert thermal_expansions(spoiled) == bulk_moduli(spoiled) == []


def test_a_run_that_still_swings_gives_the_modulus_at_the_pressures_that_it_had() -> None:
    modulus, cold = (
        160.0,
        {"cell": "bulk", "engine": "ase", "ensemble": "npt", "status": "finished", "temperature": 300.0},
    )
    reached = {0.0: -1.3, 5.0: 6.8}
    points = [
        {**cold, "pressure": p, "pressure_mean": mean, "volume": 9.4 * np.exp(-mean / modulus), "volume_error": 0.01}
        for p, mean in reached.items()
    ]
    (found,) = bulk_moduli(points)
    assert found.value.value == pytest.approx(modulus, rel=1e-9)
    assert found.between == (-1.3, 6.8)
    assert bulk_moduli([points[0], {**points[1], "pressure": 0.0}]) == [], "one pressure asked for is no grid"
    assert unbalanced(points) == points
    assert unbalanced([{**p, "pressure_mean": p["pressure"] + 0.15} for p in points]) == []
    near = [{**p, "pressure_mean": p["pressure"] + 0.4} for p in points]
    assert unbalanced(near) == near
    assert unbalanced([{**p, "pressure_error": 0.25} for p in near]) == []
    assert not_settled([points[0], {**near[1], "pressure_error": 0.25}]) == points[:1]
    assert not_settled([{**near[1], "pressure_error": 0.25, "settled": False}])
    assert unbalanced([{**p, "ensemble": "nvt"} for p in points]) == []


@pytest.mark.parametrize(
    ("raw", "printed"),
    [("Fm-3m", "Fm3\u0305m"), ("P6_3mc", "P6₃mc"), ("R-3c", "R3\u0305c"), ("P2_1/c", "P2₁/c"), ("-4m.2", "4\u0305m.2")],
)
def test_symbols_are_printed_as_in_the_tables(raw: str, printed: str) -> None:
    assert symbol_text(raw) == printed


def test_numbers_read_well() -> None:
    assert number(-1.23456, 2) == "−1.23"
    assert number(None) == number(float("nan")) == "–"
    assert number(-0.0004, 2) == "0.00"


@pytest.mark.parametrize(("panels", "columns"), [(1, 1), (4, 3), (9, 3), (24, 3)])
def test_small_multiples_do_not_overlap(panels: int, columns: int) -> None:
    traces, shape, height = panel_grid(
        [(str(k), [line([0], [0], "a", "#000000")]) for k in range(panels)], columns, "x", "y"
    )
    boxes = []
    for k in range(panels):
        suffix = "" if k == 0 else str(k + 1)
        boxes.append(shape[f"xaxis{suffix}"]["domain"] + shape[f"yaxis{suffix}"]["domain"])
    assert len(traces) == panels
    assert height > 200
    for i, a in enumerate(boxes):
        assert 0 <= a[0] < a[1] <= 1 + 1e-9
        assert -1e-9 <= a[2] < a[3] <= 1 + 1e-9
        for b in boxes[i + 1 :]:
            assert a[1] <= b[0] or b[1] <= a[0] or a[3] <= b[2] or b[3] <= a[2]
